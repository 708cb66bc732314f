"""Where on its device a file lies: ioctl_fiemap, or FIBMAP where the filesystem has only that.

Specification: https://docs.kernel.org/filesystems/fiemap.html and <linux/fs.h>.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from collections.abc import Iterator

from bootmenu.errors import VolumeError

_FIBMAP, _FIGETBSZ = 1, 2
_FS_IOC_FIEMAP = 0xC020660B
_HEADER = struct.Struct("=QQIIII")  # start, length, flags, mapped extents, extent count, reserved
_EXTENT = struct.Struct("=QQQ16xI12x")  # logical, physical, length, flags
_MAX_EXTENTS = 64

_IN_THE_WAY = {
    0x0002: "its place is not known",
    0x0004: "it is not on the disk yet",
    0x0008: "it is compressed",
    0x0080: "it is encrypted",
    0x0200: "it lies inside its own metadata",
    0x0400: "it shares a block with other files",
    0x0100: "it does not begin at a block",
    0x0800: "its blocks were never written",
    0x2000: "it shares its blocks with another file",
}


def extents(file: int, size: int) -> list[tuple[int, int]]:
    """Offset on the device and length, in bytes, of each part of the open *file*'s first *size*.

    Raises VolumeError where a part of it is not plainly there, and OSError.
    """
    try:
        return list(covering(fiemap(file, size), size))
    except OSError as error:
        if error.errno not in {errno.ENOTTY, errno.EOPNOTSUPP}:
            raise
    return list(covering(fibmap(file, size), size))


def covering(found: Iterator[tuple[int, int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Physical parts without a gap, of logical offsets, physical offsets and lengths."""
    done = 0
    for logical, physical, length in found:
        into = done - logical
        if into < 0 or done >= size:
            break
        part = min(length - into, size - done)
        yield physical + into, part
        done += part
    if done < size:
        raise VolumeError("it has holes")


def fiemap(file: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Logical offset, physical offset and length of each extent, by ioctl_fiemap."""
    answer = bytearray(_HEADER.size + _MAX_EXTENTS * _EXTENT.size)
    _HEADER.pack_into(answer, 0, 0, size, 0, 0, _MAX_EXTENTS, 0)
    fcntl.ioctl(file, _FS_IOC_FIEMAP, answer)
    count = min(_HEADER.unpack_from(answer)[3], _MAX_EXTENTS)
    for index in range(count):
        logical, physical, length, flags = _EXTENT.unpack_from(
            answer, _HEADER.size + index * _EXTENT.size
        )
        for flag, reason in _IN_THE_WAY.items():
            if flags & flag:
                raise VolumeError(reason)
        yield logical, physical, length


def fibmap(file: int, size: int) -> Iterator[tuple[int, int, int]]:
    """The same of each block, by FIBMAP, which is for root."""
    (block_size,) = struct.unpack("i", fcntl.ioctl(file, _FIGETBSZ, bytes(4)))
    for number in range(-(-size // block_size)):
        (block,) = struct.unpack("i", fcntl.ioctl(file, _FIBMAP, struct.pack("i", number)))
        if block <= 0:
            return
        yield number * block_size, block * block_size, block_size
