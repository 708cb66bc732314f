"""The two things that are ever written to a disk: a file's bytes, in their place, and a name.

A volume that this menu has mounted is mounted read-only, and stays so: the file's blocks are
looked up and written on the device itself, as GRUB does it when it saves its environment block.
Nothing else on the device changes, not even the file's times. What GRUB refuses is refused here as
well: files that are not plainly in blocks of their own, and every filesystem whose blocks cannot be
changed without it. And so is what GRUB does not look at: a journal whose replay may move the file.
On LVM and RAID, where GRUB cannot write, Linux can.

A volume that the running system has mounted is written through that filesystem, as by any program.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from bootmenu.discover.extents import extents
from bootmenu.discover.journals import check_settled
from bootmenu.errors import VolumeError
from bootmenu.model import BlockDevice

_BLKROSET, _BLKROGET = 0x125D, 0x125E
_FS_IOC_GETFLAGS = 0x80086601
_IMMUTABLE, _VERITY = 0x10, 0x100000

_FILE = os.O_NOFOLLOW | os.O_NONBLOCK

_IN_BLOCKS = {"ext2", "ext3", "ext4", "xfs", "vfat"}
"""Filesystems whose files are overwritten where they lie, without changing anything else."""
_REASONS = {
    errno.EACCES: "the device is write-protected",
    errno.EBUSY: "the device is in use",
    errno.EIO: "the disk reports errors",
    errno.ENOSPC: "the disk is full",
    errno.EPERM: "the device may not be written here",
    errno.EROFS: "it is mounted read-only",
}


def overwrite(path: str, content: bytes) -> None:
    """Write *content* over the file *path* of the same size, through its filesystem.

    Raises VolumeError, also when the size is another one.
    """
    with _errors(), _opened(path, os.O_RDWR | _FILE) as file:
        _check_size(file, content)
        if os.pread(file, len(content), 0) != content:
            os.pwrite(file, content, 0)
            os.fsync(file)


def rename(path: str, name: str) -> None:
    """Call the file *path* *name*, in the same folder. Raises VolumeError; never replaces one."""
    folder = os.path.dirname(path)  # noqa: PTH120 (names may be any bytes)
    target = os.path.join(folder, name)  # noqa: PTH118
    if os.path.lexists(target):
        raise VolumeError(f"{name} is there already")
    with _errors():
        os.rename(path, target)  # noqa: PTH104
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as opened:
            os.fsync(opened)


def overwrite_blocks(path: str, device: BlockDevice, content: bytes) -> None:
    """Write *content* over the file *path* of the same size, on *device* itself.

    The filesystem must be mounted read-only, and no one else may write to it. Raises VolumeError,
    and then nothing was written unless it says so.
    """
    if device.fstype not in _IN_BLOCKS:
        raise VolumeError(f"files on {device.fstype} cannot be overwritten in their place")
    with _errors(), _opened(path, os.O_RDONLY | _FILE) as file:
        _check_size(file, content)
        _check_attributes(file)
        parts = extents(file, len(content))
        before = os.pread(file, len(content), 0)
        if before == content:
            return
        with _opened(device.node, os.O_RDONLY) as disk:
            check_settled(disk, device.fstype, os.fstat(file).st_ino, parts)
            if _read_parts(disk, parts) != before:
                raise VolumeError("its blocks are not where its filesystem says")
        with writable(device.node), _opened(device.node, os.O_RDWR) as disk:
            at = 0
            for offset, size in parts:
                os.pwrite(disk, content[at : at + size], offset)
                at += size
            os.fsync(disk)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        if os.pread(file, len(content), 0) != content:
            raise VolumeError("it was written, and does not read back as that")


@contextmanager
def writable(node: str) -> Iterator[None]:
    """Let the device *node* be written meanwhile, if it was made read-only. Raises OSError."""
    with _opened(node, os.O_RDONLY | os.O_NONBLOCK) as device:
        (locked,) = struct.unpack("i", fcntl.ioctl(device, _BLKROGET, bytes(4)))
        if locked:
            fcntl.ioctl(device, _BLKROSET, struct.pack("i", 0))
        try:
            yield
        finally:
            if locked:
                fcntl.ioctl(device, _BLKROSET, struct.pack("i", 1))


def _check_size(file: int, content: bytes) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise VolumeError("it is not a regular file")
    if status.st_size != len(content):
        raise VolumeError("its size has changed")


def _check_attributes(file: int) -> None:
    """Someone who has protected the file against changes means it; see chattr(1)."""
    try:
        answer = fcntl.ioctl(file, _FS_IOC_GETFLAGS, bytes(8))
    except OSError:  # vfat has no such attributes
        return
    if int.from_bytes(answer[:4], "little") & (_IMMUTABLE | _VERITY):
        raise VolumeError("it is protected against changes", hint="chattr -i lifts that")


def _read_parts(disk: int, parts: list[tuple[int, int]]) -> bytes:
    content = b""
    for offset, size in parts:
        # What was cached before a filesystem has changed it is no help.
        os.posix_fadvise(disk, offset, size, os.POSIX_FADV_DONTNEED)
        content += os.pread(disk, size, offset)
    return content


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _errors() -> Iterator[None]:
    """The choke point: what the system says becomes a VolumeError."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise VolumeError(f"it cannot be written: {reason}") from error
