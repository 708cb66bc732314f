"""Disks are read without a byte of them being changed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from discover_images import MIB, device_of, digest, mounting, run

from bootmenu.discover.devices import identify
from bootmenu.discover.mounts import Mounts, mount_points, mounted_at
from bootmenu.errors import VolumeError
from bootmenu.model import BlockDevice

Attach = Callable[[Path], str]


@pytest.mark.parametrize("fstype", ["ext4", "xfs", "btrfs"])
def test_a_disk_that_was_switched_off_is_read_and_stays_as_it_is(
    fstype: str, unclean: Callable[[str], Path], attach: Attach, tmp_path: Path
) -> None:
    image = unclean(fstype)
    before = digest(image)
    node = attach(image)
    mounts = Mounts(str(tmp_path / "mnt"))
    volume = mounts.open(device_of(node, fstype))
    try:
        assert Path(volume.root, "boot/Image").read_text() == "a kernel\n"
        options = next(
            line for line in Path("/proc/mounts").read_text().splitlines() if node in line
        )
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split()[3].split(","))
        with pytest.raises(OSError):
            Path(volume.root, "new").touch()
    finally:
        mounts.close(volume)
    run("sync", "-f", image)
    assert digest(image) == before


def test_an_ordinary_read_only_mount_would_have_changed_the_disk(
    unclean: Callable[[str], Path], attach: Attach, tmp_path: Path
) -> None:
    image = unclean("ext4")
    before, node = digest(image), attach(image)
    with mounting(node, tmp_path / "mnt", "-o", "ro"):
        pass
    run("sync", "-f", image)
    assert digest(image) != before


def test_a_mounted_disk_is_read_where_it_is_mounted(tmp_path: Path, attach: Attach) -> None:
    image, there = tmp_path / "image", tmp_path / "mounted here"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", image)
    node = attach(image)
    with mounting(node, there):
        mounts = Mounts(str(tmp_path / "mnt"))
        volume = mounts.open(device_of(node, "ext4"))
        assert volume.root == str(there)
        mounts.close(volume)
        mounts.close_all()
        assert mounted_at(device_of(node, "ext4")) is not None, "it was not ours to unmount"


def test_all_that_was_mounted_is_unmounted_even_while_it_is_used(
    tmp_path: Path, attach: Attach
) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", image)
    mounts = Mounts(str(tmp_path / "mnt"))
    volume = mounts.open(device_of(attach(image), "ext4"))
    in_use = os.open(volume.root, os.O_RDONLY)
    try:
        mounts.close_all()
        assert not Path(volume.root).exists()
    finally:
        os.close(in_use)


@pytest.mark.parametrize(
    ("fstype", "words"),
    [("ext4", "damaged, or not ext4"), ("zfs_member", "zfs_member is not supported")],
)
def test_a_disk_that_cannot_be_mounted_says_why(
    fstype: str, words: str, tmp_path: Path, attach: Attach
) -> None:
    image, folder = tmp_path / "image", tmp_path / "mnt"
    image.write_bytes(bytes(MIB))
    folder.mkdir()
    with pytest.raises(VolumeError, match=words):
        Mounts(str(folder)).open(device_of(attach(image), fstype))
    assert not list(folder.iterdir())


def test_a_device_that_has_gone_says_so(tmp_path: Path) -> None:
    device = BlockDevice(name="sdz1", node="/dev/sdz1", fstype="ext4")
    with pytest.raises(VolumeError, match="gone"):
        Mounts(str(tmp_path)).open(device)


def test_without_udev_blkid_tells_what_a_disk_holds(tmp_path: Path, attach: Attach) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    uuid = "0a1b2c3d-0000-4000-8000-123456789abc"
    run("mkfs.ext4", "-q", "-L", "my disk", "-U", uuid, image)
    found = identify(device_of(attach(image), ""))
    assert found is not None
    assert (found.fstype, found.uuid, found.label) == ("ext4", uuid, "my disk")


def test_blkid_is_waited_for_as_long_as_the_disk_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that spins up is not lost: the inventory says that it does not answer yet."""

    def spinning_up(
        command: list[str], *, timeout: float | None = None, **_: object
    ) -> subprocess.CompletedProcess[bytes]:
        if timeout is not None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(
            command, 0, b"ID_FS_USAGE=filesystem\nID_FS_TYPE=xfs", b""
        )

    monkeypatch.setattr(subprocess, "run", spinning_up)
    found = identify(BlockDevice("sda1", "/dev/sda1"))
    assert found is not None
    assert found.fstype == "xfs"


def test_a_disk_without_a_filesystem_is_none(tmp_path: Path, attach: Attach) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(MIB))
    assert identify(device_of(attach(image), "")) is None


def test_mount_points_are_those_of_whole_filesystems() -> None:
    text = (
        "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
        "28 27 254:2 / /media/my\\040stick ro - vfat /dev/vdb1 ro\n"
        "29 27 254:1 /etc/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n"
        "a line of something else\n"
    )
    assert [(p.device, p.path, p.fstype) for p in mount_points(text)] == [
        ("254:1", "/", "ext4"),
        ("254:2", "/media/my stick", "vfat"),
    ]


def test_without_root_it_is_said_that_mounting_takes_root(
    tmp_path: Path, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(MIB))
    node = attach(image)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(VolumeError, match="root") as refused:
        Mounts(str(tmp_path)).open(device_of(node, "ext4"))
    assert "run bootmenu as root" in refused.value.hint


def test_a_disk_that_is_read_again_outlives_its_first_mount(tmp_path: Path, attach: Attach) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", image)
    device = device_of(attach(image), "ext4")
    mounts = Mounts(str(tmp_path / "mnt"))
    first, second = mounts.open(device), mounts.open(device)
    mounts.close(first)
    assert Path(second.root, "lost+found").is_dir()
    mounts.close(second)
    assert mounted_at(device) is None


def test_what_a_killed_daemon_left_mounted_is_cleared_away(tmp_path: Path, attach: Attach) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", image)
    device = device_of(attach(image), "ext4")
    Mounts(str(tmp_path / "mnt")).open(device)
    again = Mounts(str(tmp_path / "mnt"))
    assert mounted_at(device) is None
    volume = again.open(device)
    assert Path(volume.root, "lost+found").is_dir()
    again.close_all()
    assert mounted_at(device) is None
