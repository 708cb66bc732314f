"""Disk images with one partition, made of a tree of files without root or loop devices."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bootmenu.appliance.tools import run
from bootmenu.appliance.tree import Tree

MIB = 1 << 20
START = 1 * MIB
"""Where the partition starts, in bytes; as much is kept free behind it."""


class Filesystem(StrEnum):
    """What the partition is formatted as, by mkfs's name of it."""

    EXT4 = "ext4"
    VFAT = "vfat"


TYPES = {
    Filesystem.EXT4: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",  # Linux filesystem
    Filesystem.VFAT: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",  # EFI system partition
}
"""The partition types of the GUID partition table."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk: *size* in MiB; *uuid* is the filesystem's, as blkid prints it."""

    filesystem: Filesystem
    label: str
    uuid: str
    partuuid: str
    size: int


def write_disk(disk: Disk, files: Tree, output: Path) -> None:
    """Write the image *output* of *disk* holding *files*. Raises BuildError."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        folder, image = Path(temporary, "files"), Path(temporary, "image")
        folder.mkdir()
        files.write(folder)
        with image.open("wb") as file:
            file.truncate(disk.size * MIB)
        table = f"label: gpt\nstart={START // MIB}MiB, size={disk.size - 2}MiB"
        table += f", type={TYPES[disk.filesystem]}, uuid={disk.partuuid}, name={disk.label}\n"
        run(["sfdisk", "--quiet", image], data=table.encode())
        if disk.filesystem is Filesystem.EXT4:
            _format_ext4(disk, folder, image)
        else:
            _format_vfat(disk, folder, image)
        image.rename(output)


def _format_ext4(disk: Disk, folder: Path, image: Path) -> None:
    options = f"offset={START},root_owner=0:0,hash_seed={disk.uuid}"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", disk.label, "-U", disk.uuid]
    run([*command, "-E", options, "-d", folder, image, f"{disk.size - 2}M"])


def _format_vfat(disk: Disk, folder: Path, image: Path) -> None:
    serial = disk.uuid.replace("-", "")
    sectors, blocks = START // 512, (disk.size - 2) * 1024
    command = ["mkfs.vfat", "-n", disk.label, "-i", serial, f"--offset={sectors}"]
    run([*command, image, str(blocks)])
    # mtools would refuse the image for the geometry it says.
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
    place = f"{image}@@{START}"
    tops = sorted(str(path) for path in folder.iterdir())
    run(["mcopy", "-Q", "-s", "-i", place, *tops, "::/"], environment=environment)
