"""btrfs is read from its top level, whatever its default subvolume is and where it is mounted."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from string import Template
from uuid import uuid4

import pytest
from discover_images import MIB, device_of, digest, mounting, run

from bootmenu.discover.mounts import Mounts, mounted_at
from bootmenu.model import Arch, BlockDevice, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

Attach = Callable[[Path], str]

SNAPSHOTS = "@/.snapshots"
INFO = "<snapshot><date>2026-01-0{} 10:00:00</date><description>{}</description></snapshot>\n"
GRUB = """\
set btrfs_relative_path="y"
export btrfs_relative_path
if [ -f $prefix/grubenv ]; then load_env; fi
menuentry "openSUSE" {
  search --no-floppy --fs-uuid --set=root $uuid
  linux /boot/vmlinuz-6.4 root=UUID=$uuid
  initrd /boot/initrd-6.4
}
"""


@pytest.fixture
def opensuse(tmp_path: Path, attach: Attach) -> BlockDevice:
    """A disk as openSUSE's installer lays it out, with a snapshot; its image is called so."""
    image, top = tmp_path / "image", tmp_path / "top"
    with image.open("wb") as file:
        file.truncate(128 * MIB)
    uuid = str(uuid4())  # one that is known already is refused
    run("mkfs.btrfs", "-q", "-U", uuid, image)
    node = attach(image)
    with mounting(node, top):
        for name in ("@", "@/home", SNAPSHOTS):
            run("btrfs", "subvolume", "create", top / name)
        first = top / SNAPSHOTS / "1" / "snapshot"
        first.parent.mkdir()
        run("btrfs", "subvolume", "create", first)
        files = {"etc/fstab": "", "boot/vmlinuz-6.4": "kernel", "boot/initrd-6.4": "initrd"}
        environment = "# GRUB Environment Block\nsaved_entry=openSUSE\n".ljust(1024, "#")
        files |= {
            "boot/grub2/grub.cfg": Template(GRUB).safe_substitute(uuid=uuid),
            "boot/grub2/grubenv": environment,
        }
        for name, text in files.items():
            (first / name).parent.mkdir(parents=True, exist_ok=True)
            (first / name).write_text(text)
        second = top / SNAPSHOTS / "2" / "snapshot"
        second.parent.mkdir()
        run("btrfs", "subvolume", "snapshot", "-r", first, second)
        # No description tells that the first one is booted.
        (first.parent / "info.xml").write_text(INFO.format(1, "made by hand"))
        (second.parent / "info.xml").write_text(INFO.format(2, "before the update"))
        run("btrfs", "subvolume", "set-default", first)
    return replace(device_of(node, "btrfs"), uuid=uuid)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    """Ours, which end with the test."""
    made = Mounts(str(tmp_path / "mnt"))
    yield made
    made.close_all()


def listed(volume: Volume) -> list[tuple[tuple[str, ...], str, str, tuple[str, ...]]]:
    """Menu, title, kernel and problems of what is offered."""
    context = Context(Arch.X86_64, Platform.EFI, (volume,))
    entries = [entry for found in scan(volume, context) for entry in found.entries]
    return [(e.menu, e.title, str(e.kernel), e.problems) for e in entries]


def test_a_disk_of_opensuse_shows_the_system_and_its_snapshots_and_stays_as_it_is(
    opensuse: BlockDevice, mounts: Mounts, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    run("sync", "-f", image)
    before = digest(image)
    volume = mounts.open(opensuse)
    assert volume.subvolume == "/@/.snapshots/1/snapshot"
    inside = f"{volume.name}:/@/.snapshots"
    assert listed(volume) == [
        ((), "openSUSE", f"{inside}/1/snapshot/boot/vmlinuz-6.4", ()),
        (
            ("Snapshots",),
            "2026-01-02 10:00:00 before the update",
            f"{inside}/2/snapshot/boot/vmlinuz-6.4",
            (),
        ),
    ]
    mounts.close(volume)
    run("sync", "-f", image)
    assert digest(image) == before


def test_the_top_level_as_default_is_known_to_be_that(attach: Attach, tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(128 * MIB)
    run("mkfs.btrfs", "-q", image)
    mounts = Mounts(str(tmp_path / "mnt"))
    volume = mounts.open(device_of(attach(image), "btrfs"))
    assert volume.subvolume == "/"
    mounts.close(volume)


def test_a_default_subvolume_in_a_directory_is_found_by_its_path(
    opensuse: BlockDevice, mounts: Mounts, tmp_path: Path
) -> None:
    with mounting(opensuse.node, tmp_path / "top", "-o", "subvolid=5"):
        deep = tmp_path / "top/@/home/some where/deep"
        deep.mkdir(parents=True)
        name = deep / os.fsdecode(b"sub \xff")
        run("btrfs", "subvolume", "create", deep / "sub")
        (deep / "sub").rename(name)
        run("btrfs", "subvolume", "set-default", name)
    volume = mounts.open(opensuse)
    assert volume.subvolume == "/@/home/some where/deep/sub \udcff"
    assert Path(volume.root + volume.subvolume).is_dir()


@pytest.mark.parametrize("options", ["rw", "ro", "ro,rescue=nologreplay"])
def test_where_the_system_has_mounted_its_subvolume_the_top_level_is_mounted_beside_it(
    opensuse: BlockDevice, mounts: Mounts, tmp_path: Path, options: str
) -> None:
    with mounting(opensuse.node, tmp_path / "running", "-o", options):
        before = Path("/proc/self/mountinfo").read_text().splitlines()
        volume = mounts.open(opensuse)
        assert [title for _, title, _, _ in listed(volume)] == [
            "openSUSE",
            "2026-01-02 10:00:00 before the update",
        ]
        with pytest.raises(OSError):
            Path(volume.root, "new").touch()
        mounts.close(volume)
        assert Path("/proc/self/mountinfo").read_text().splitlines() == before
        if options == "rw":
            Path(tmp_path / "running/new").touch()


def test_the_device_of_a_running_system_is_never_made_read_only(
    opensuse: BlockDevice, tmp_path: Path
) -> None:
    with mounting(opensuse.node, tmp_path / "running"):
        mounts = Mounts(str(tmp_path / "mnt"), protect=True)
        volume = mounts.open(opensuse)
        assert run("blockdev", "--getro", opensuse.node) == "0"
        mounts.close(volume)


def test_the_top_level_is_read_where_it_is_mounted(
    opensuse: BlockDevice, mounts: Mounts, tmp_path: Path
) -> None:
    running, top = tmp_path / "running", tmp_path / "top"
    with mounting(opensuse.node, running), mounting(opensuse.node, top, "-o", "subvolid=5"):
        volume = mounts.open(opensuse)
        assert volume.root == str(top)
        assert volume.subvolume == "/@/.snapshots/1/snapshot"


def test_without_root_what_is_mounted_is_read_though_it_is_one_subvolume(
    opensuse: BlockDevice, mounts: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, file = tmp_path / "running", tmp_path / "file"
    with mounting(opensuse.node, running):
        # A directory of it that is seen elsewhere is not the system.
        with mounting(str(running / "boot"), file, "--bind"):
            run("umount", running)
            run("mount", opensuse.node, running)
            monkeypatch.setattr(os, "geteuid", lambda: 1000)
            volume = mounts.open(opensuse)
        assert (volume.root, volume.subvolume) == (str(running), "")
        assert [(title, problems) for _, title, _, problems in listed(volume)] == [("openSUSE", ())]
    assert mounted_at(opensuse) is None
