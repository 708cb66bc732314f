"""Images of filesystems on loop devices, as disks that somebody switched off."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootmenu.model import BlockDevice

MAKERS = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
MIB = 1 << 20


def run(*command: str | Path) -> str:
    """The output of *command*, which must succeed."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def digest(path: Path) -> str:
    """What *path* holds, in short; its holes are skipped, they take long and say nothing."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        at = 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            block = os.pread(file.fileno(), 1 << 20, at)
            if block.strip(b"\0"):
                found.update(f"{at} ".encode() + block)
            at += len(block)
    return found.hexdigest()


@contextmanager
def mounting(node: str, path: Path, *options: str) -> Iterator[None]:
    """*node* mounted at *path*, as any system would do it."""
    path.mkdir(exist_ok=True)
    run("mount", *options, node, path)
    try:
        yield
    finally:
        run("umount", path)


def device_of(node: str, fstype: str) -> BlockDevice:
    """The device of *node*, as udev would report it."""
    return BlockDevice(name=Path(node).name, node=node, fstype=fstype)
