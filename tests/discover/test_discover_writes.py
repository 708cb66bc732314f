"""What an entry saves is written in place, and nothing else on the disk changes."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from discover_images import MAKERS, MIB, device_of, digest, mounting, run

from bootmenu.discover.extents import covering, extents, fibmap
from bootmenu.discover.mounts import Mounts
from bootmenu.discover.sources import Directories
from bootmenu.discover.writes import overwrite, overwrite_blocks, rename
from bootmenu.errors import VolumeError
from bootmenu.model import Arch, Platform, Save, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.grub.environment import change_block
from bootmenu.parsers.scan import scan

Attach = Callable[[Path], str]

SIZES = {"ext2": 16, "ext3": 16, "ext4": 16, "xfs": 320, "btrfs": 128}
MAKE = {**MAKERS, "ext2": ["mkfs.ext2", "-q", "-F"], "ext3": ["mkfs.ext3", "-q", "-F"]}


class Disk:
    """A filesystem with an environment block, as grub-editenv made it, shut down in order."""

    def __init__(self, folder: Path, attach: Attach, fstype: str, *options: str) -> None:
        self.folder = folder
        self.fstype = fstype
        self.image = folder / "image"
        with self.image.open("wb") as file:
            file.truncate(SIZES[fstype] * MIB)
        run(*MAKE[fstype], *options, self.image)
        self.node = attach(self.image)
        with mounting(self.node, folder / "rw"):
            run("grub-editenv", folder / "rw/grubenv", "create")
            run("grub-editenv", folder / "rw/grubenv", "set", "next_entry=1>2", "saved_entry=0")
            (folder / "rw/other").write_bytes(os.urandom(100_000))
            block = (folder / "rw/grubenv").read_bytes()
        content = self.content()
        assert content.count(block) == 1 or fstype == "btrfs"  # which keeps what was there
        self.place = content.find(block)
        self.device = device_of(self.node, fstype)
        self.mounts = Mounts(str(folder / "mnt"), protect=True)

    def write(self, *changes: tuple[str, str | None]) -> None:
        """Save *changes* as the menu does it."""
        volume = self.mounts.open(self.device)
        try:
            path = f"{volume.root}/grubenv"
            content = change_block(Path(path).read_bytes(), changes)
            overwrite_blocks(path, self.device, content)
            assert Path(path).read_bytes() == content
        finally:
            self.mounts.close(volume)

    def overwrite(self, content: bytes) -> None:
        """Put *content* where the file lies, whatever is there."""
        volume = self.mounts.open(self.device)
        try:
            overwrite_blocks(f"{volume.root}/grubenv", self.device, content)
        finally:
            self.mounts.close(volume)

    def crash(self, make: Callable[[Path], None]) -> None:
        """Switch its system off just after it has done *make*: that is in the journal alone."""
        with mounting(self.node, self.folder / "rw"):
            make(self.folder / "rw")
            commit(self.folder / "rw")
            crashed = self.content()
        self.image.write_bytes(crashed)

    def listed(self) -> str:
        """What grub-editenv reads, once the disk is mounted by its own system."""
        run("blockdev", "--setrw", self.node)
        with mounting(self.node, self.folder / "rw"):
            return run("grub-editenv", self.folder / "rw/grubenv", "list")

    def content(self) -> bytes:
        """The image, as it is on the disk."""
        run("sync", "-f", self.image)
        return self.image.read_bytes()

    def rest(self) -> str:
        """What the image holds apart from the block."""
        content = self.content()
        return hashlib.sha256(content[: self.place] + content[self.place + 1024 :]).hexdigest()


@pytest.mark.parametrize(
    ("fstype", "options"),
    [
        ("ext2", []),
        ("ext3", []),
        ("ext4", []),
        ("ext4", ["-b", "1024"]),
        ("ext4", ["-O", "^metadata_csum,64bit", "-E", "lazy_itable_init=0"]),
        ("xfs", []),
        ("xfs", ["-b", "size=1024"]),
    ],
)
def test_grub_reads_what_was_written_and_no_other_byte_has_changed(
    fstype: str, options: list[str], tmp_path: Path, attach: Attach
) -> None:
    disk = Disk(tmp_path, attach, fstype, *options)
    before = disk.rest()
    disk.write(("next_entry", ""), ("saved_entry", "Debian>>x"), ("new", "a\\b\nc"))
    assert disk.rest() == before
    assert disk.listed() == "next_entry=\nsaved_entry=Debian>>x\nnew=a\\b\nc"


SAVING = """
load_env
if [ "${next_entry}" ]; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
  set boot_once=true
fi
function savedefault {
  if [ -z "${boot_once}" ]; then saved_entry="${chosen}"; save_env saved_entry; fi
}
function recordfail { set recordfail='a\\b'; save_env recordfail unknown; }
"""


@pytest.mark.parametrize("fstype", ["ext2", "ext4", "xfs"])
@pytest.mark.parametrize("once", [True, False])
def test_the_disk_is_then_the_one_that_grub_itself_would_have_made(
    fstype: str, once: bool, tmp_path: Path, attach: Attach
) -> None:
    disk = Disk(tmp_path, attach, fstype)
    with mounting(disk.node, tmp_path / "rw"):
        (tmp_path / "rw/boot/grub").mkdir(parents=True)
        (tmp_path / "rw/grubenv").rename(tmp_path / "rw/boot/grub/grubenv")
        if not once:
            run("grub-editenv", tmp_path / "rw/boot/grub/grubenv", "unset", "next_entry")
        body = "recordfail; savedefault; linux /Image"
        config = f'{SAVING}menuentry "First" {{ true; }}\nmenuentry "A > b" {{ {body}; }}\n'
        (tmp_path / "rw/boot/grub/grub.cfg").write_text(config)
    theirs = tmp_path / "theirs"
    theirs.write_bytes(disk.content())
    # What happens when the entry is chosen, as grub-emu has nobody to choose it.
    script = f"prefix=(hd0)/boot/grub; root=hd0\n{SAVING}chosen='A >> b'; recordfail; savedefault"
    run_grub(script, theirs)
    assert theirs.read_bytes() != disk.content()

    volume = disk.mounts.open(disk.device)
    try:
        context = Context(Arch.X86_64, Platform.EFI, (volume,))
        entry = next(e for c in scan(volume, context) for e in c.entries if e.title == "A > b")
        (save,) = entry.writes
        assert isinstance(save, Save)
        path = f"{volume.root}{save.file.path}"
        block = change_block(Path(path).read_bytes(), save.values)
        overwrite_blocks(path, disk.device, block)
    finally:
        disk.mounts.close(volume)
    assert disk.content() == theirs.read_bytes()


def run_grub(script: str, image: Path) -> None:
    """Let GRUB run *script* with *image* as its first disk."""
    folder = image.with_name("grub")
    folder.mkdir()
    (folder / "device.map").write_text(f"(hd0) {image}\n")
    (folder / "grub.cfg").write_text(f"{script}\necho saved=$?\nexit\n")
    command = ["grub-emu", "-m", str(folder / "device.map"), "-d", str(folder), "-r", "host"]
    environment = {"TERM": "dumb", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, check=True, input=b"", capture_output=True, env=environment)
    assert b"saved=0" in done.stdout


def test_the_device_is_made_read_only_again(tmp_path: Path, attach: Attach) -> None:
    disk = Disk(tmp_path, attach, "ext4")
    disk.write(("next_entry", None))
    assert run("blockdev", "--getro", disk.node) == "1"


def test_a_block_that_holds_it_already_is_not_written(tmp_path: Path, attach: Attach) -> None:
    disk = Disk(tmp_path, attach, "ext4")
    before = digest(disk.image)
    disk.write(("saved_entry", "0"))
    assert digest(disk.image) == before


def commit(root: Path) -> None:
    """Bring what has changed into the journal, and not yet to its place."""
    with (root / "committed").open("a") as file:
        file.write("x")
        file.flush()
        os.fsync(file.fileno())


def others(root: Path) -> None:
    for number in range(40):
        (root / f"file{number}").write_text("only in the journal yet")
    (root / "other").unlink()


def touched(root: Path) -> None:
    block = (root / "grubenv").read_bytes()
    with (root / "grubenv").open("r+b") as file:
        file.write(change_block(block, [("saved_entry", "2")]))
    others(root)


def many(root: Path) -> None:
    for number in range(60):
        for name in range(20):
            (root / f"file{name}").write_text("x" * number)
        commit(root)
    touched(root)


@pytest.mark.parametrize("make", [others, touched, many])
@pytest.mark.parametrize(
    "options",
    [[], ["-b", "1024"], ["-O", "^64bit,^metadata_csum"], ["-O", "^metadata_csum"]],
    ids=["plain", "1k", "32bit", "64bit"],
)
def test_after_a_crash_what_was_written_outlives_the_replay_of_the_journal(
    options: list[str], make: Callable[[Path], None], tmp_path: Path, attach: Attach
) -> None:
    disk = Disk(tmp_path, attach, "ext4", *options)
    disk.crash(make)
    disk.write(("next_entry", ""), ("saved_entry", "Debian"))
    run("blockdev", "--setrw", disk.node)
    with mounting(disk.node, tmp_path / "rw"):
        assert (tmp_path / "rw/file39").exists() or make is many, "it was replayed"
    assert disk.listed() == "next_entry=\nsaved_entry=Debian"
    run("fsck.ext4", "-f", "-n", disk.node)


def replaced(root: Path) -> None:
    run("cp", root / "grubenv", root / "new")
    (root / "new").rename(root / "grubenv")


def rewritten(root: Path) -> None:
    content = (root / "grubenv").read_bytes()
    (root / "grubenv").unlink()
    commit(root)
    (root / "grubenv").write_bytes(content)


def truncated(root: Path) -> None:
    run("grub-editenv", root / "grubenv", "set", "saved_entry=2")  # which truncates it first


@pytest.mark.parametrize(
    ("fstype", "options", "make"),
    [
        ("ext4", [], replaced),
        ("ext4", [], rewritten),
        ("ext4", [], truncated),
        ("ext4", ["-O", "fast_commit"], others),
        ("ext3", [], others),
        ("xfs", [], others),
    ],
)
def test_after_a_crash_nothing_is_written_where_the_replay_may_put_something_else(
    fstype: str, options: list[str], make: Callable[[Path], None], tmp_path: Path, attach: Attach
) -> None:
    disk = Disk(tmp_path, attach, fstype, *options)
    disk.crash(make)
    before = disk.content()
    # Without the replay the file's blocks may hold another file's by now, so none is read.
    with pytest.raises(VolumeError, match="not replayed yet") as refused:
        disk.overwrite(b"#" * 1024)
    assert "shut it down" in refused.value.hint
    assert disk.content() == before


def test_an_xfs_whose_log_has_gone_round_is_written_when_it_was_unmounted(
    tmp_path: Path, attach: Attach
) -> None:
    disk = Disk(tmp_path, attach, "xfs", "-l", "su=256k")
    for _ in range(3):  # 45 of 64 MiB each
        with mounting(disk.node, tmp_path / "rw"):
            for number in range(180):
                (tmp_path / "rw" / str(number % 2)).touch()
                run("sync", "-f", tmp_path / "rw")
                (tmp_path / "rw" / str(number % 2)).unlink()
    before = disk.rest()
    disk.write(("next_entry", ""))
    assert disk.rest() == before
    assert disk.listed().startswith("next_entry=\n")


def test_btrfs_is_refused_as_grub_refuses_it(tmp_path: Path, attach: Attach) -> None:
    disk = Disk(tmp_path, attach, "btrfs")
    before = digest(disk.image)
    with pytest.raises(VolumeError, match="btrfs cannot be overwritten"):
        disk.write(("next_entry", ""))
    run("sync", "-f", disk.image)
    assert digest(disk.image) == before


def inline(path: Path) -> None:
    path.write_bytes(b"x" * 60)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8192)
        file.write(b"x")


def allocated(path: Path) -> None:
    run("fallocate", "-l", "8192", path)


def protected(path: Path) -> None:
    path.write_bytes(b"x" * 8192)
    run("chattr", "+i", path)


def shared(path: Path) -> None:
    path.with_name("origin").write_bytes(b"x" * 8192)
    run("cp", "--reflink=always", path.with_name("origin"), path)


@pytest.mark.parametrize(
    ("fstype", "make", "reason"),
    [
        ("ext4", inline, "inside its own metadata"),
        ("ext4", sparse, "holes"),
        ("ext4", allocated, "never written"),
        ("ext4", protected, "protected against changes"),
        ("xfs", sparse, "holes"),
        ("xfs", allocated, "never written"),
        ("xfs", shared, "another file"),
    ],
)
def test_a_file_that_is_not_plainly_in_blocks_of_its_own_is_refused(
    fstype: str, make: Callable[[Path], None], reason: str, tmp_path: Path, attach: Attach
) -> None:
    options = ["-O", "inline_data", "-I", "256"] if make is inline else []
    disk = Disk(tmp_path, attach, fstype, *options)
    with mounting(disk.node, tmp_path / "rw"):
        make(tmp_path / "rw/file")
    before = digest(disk.image)
    volume = disk.mounts.open(disk.device)
    try:
        path = f"{volume.root}/file"
        content = b"y" * Path(path).stat().st_size
        with pytest.raises(VolumeError, match=reason):
            overwrite_blocks(path, disk.device, content)
        with pytest.raises(VolumeError, match="size"):
            overwrite_blocks(path, disk.device, content + b"y")
    finally:
        disk.mounts.close(volume)
    run("sync", "-f", disk.image)
    assert digest(disk.image) == before


def test_a_file_in_several_pieces_is_written_where_they_lie(tmp_path: Path, attach: Attach) -> None:
    disk = Disk(tmp_path, attach, "ext4", "-b", "1024")
    pieces = [os.urandom(1024) for _ in range(12)]
    with mounting(disk.node, tmp_path / "rw"):
        for number, piece in enumerate(pieces):
            for name in ("file", "between"):
                with (tmp_path / "rw" / name).open("r+b" if number else "wb") as file:
                    os.pwrite(file.fileno(), piece, number * 1024)
                    os.fsync(file.fileno())
        extents = run("filefrag", tmp_path / "rw/file")
    assert int(extents.split()[-3]) > 1
    before = disk.content()
    volume = disk.mounts.open(disk.device)
    wanted = os.urandom(12 * 1024)
    try:
        overwrite_blocks(f"{volume.root}/file", disk.device, wanted)
    finally:
        disk.mounts.close(volume)
    run("sync", "-f", disk.image)
    after = disk.image.read_bytes()
    changed = [
        at for at in range(0, len(after), 1024) if before[at : at + 1024] != after[at : at + 1024]
    ]
    assert len(changed) == 12
    run("blockdev", "--setrw", disk.node)
    with mounting(disk.node, tmp_path / "rw"):
        assert (tmp_path / "rw/file").read_bytes() == wanted
        assert (tmp_path / "rw/between").read_bytes() == b"".join(pieces)


def test_the_two_ways_to_ask_where_a_file_lies_agree(tmp_path: Path, attach: Attach) -> None:
    disk = Disk(tmp_path, attach, "ext4", "-b", "1024")
    with mounting(disk.node, tmp_path / "rw"), (tmp_path / "rw/other").open("rb") as file:
        size = 100_000
        mapped = [n for at, length in extents(file.fileno(), size) for n in range(at, at + length)]
        found = list(covering(fibmap(file.fileno(), size), size))
        assert [n for at, length in found for n in range(at, at + length)] == mapped


def test_what_the_running_system_has_mounted_is_written_through_it(
    tmp_path: Path, attach: Attach
) -> None:
    disk = Disk(tmp_path, attach, "ext4")
    with mounting(disk.node, tmp_path / "rw"):
        volume = disk.mounts.open(disk.device)
        assert disk.mounts.device_of(volume) is None
        path = tmp_path / "rw/grubenv"
        inode = path.stat().st_ino
        overwrite(str(path), change_block(path.read_bytes(), [("next_entry", "")]))
        assert run("grub-editenv", path, "list") == "next_entry=\nsaved_entry=0"
        assert path.stat().st_ino == inode
        rename(str(path), "renamed")
        assert (tmp_path / "rw/renamed").exists()
    with (
        mounting(disk.node, tmp_path / "rw", "-o", "ro"),
        pytest.raises(VolumeError, match="mounted read-only"),
    ):
        overwrite(str(tmp_path / "rw/renamed"), bytes(1024))


def test_a_rename_replaces_nothing(tmp_path: Path) -> None:
    for name in ("a+3.conf", "a+2-1.conf"):
        (tmp_path / name).write_text(name)
    with pytest.raises(VolumeError, match="there already"):
        rename(str(tmp_path / "a+3.conf"), "a+2-1.conf")
    assert (tmp_path / "a+2-1.conf").read_text() == "a+2-1.conf"


def test_names_on_a_filesystem_with_a_journal_stay(tmp_path: Path, attach: Attach) -> None:
    disk = Disk(tmp_path, attach, "ext4")
    volume = disk.mounts.open(disk.device)
    with pytest.raises(VolumeError, match="vfat only"), disk.mounts.writing(volume):
        pass
    disk.mounts.close(volume)


def test_directories_that_stand_for_volumes_are_written_as_files(tmp_path: Path) -> None:
    (tmp_path / "grubenv").write_bytes(bytes(1024))
    volume = Volume("disk", str(tmp_path))
    source = Directories([volume])
    source.overwrite(volume, "/grubenv", b"x" * 1024)
    source.rename(volume, "/grubenv", "other")
    assert (tmp_path / "other").read_bytes() == b"x" * 1024
