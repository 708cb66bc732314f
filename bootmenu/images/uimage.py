"""U-Boot's legacy image: a header of 64 bytes before a kernel, or before a list of files.

Layout: include/image.h of U-Boot, big endian. The addresses in it are U-Boot's own business:
an Image brings its own rules of where it may lie.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images.damage import DAMAGED
from bootmenu.images.packed import Checksum, Packed, raw
from bootmenu.images.recognise import Kind
from bootmenu.model import FileSlice

MAGIC = 0x27051956
HEADER = struct.Struct(">IIIIIII4B32s")
MAX_PARTS = 16

_KERNEL, _RAMDISK, _MULTI = 2, 3, 4
_KERNEL_NOLOAD = 14  # U-Boot leaves it where it was read, which is nothing to us
_TYPES = {_KERNEL: "kernel", _RAMDISK: "ramdisk", _MULTI: "multi-file", 6: "script", 8: "flat dt"}
_COMPRESSIONS = {1: Kind.GZIP, 2: Kind.BZIP2, 3: Kind.LZMA, 5: Kind.LZ4, 6: Kind.ZSTD}
_LZO = 4


class UImage(NamedTuple):
    """What is in one: the *kernel* and, in a multi-file image, what follows it."""

    name: str
    compression: Kind | None
    kernel: FileSlice
    others: tuple[FileSlice, ...]  # an initrd, then perhaps a device tree
    checksum: Checksum | None  # of the kernel; None where it is of all files together


def parse(file: FileSlice, head: bytes) -> UImage:
    """What is in *file*, which begins with *head*.

    Raises ImageError when the header is damaged, something is missing, or it holds no kernel.
    A kernel that is alone has its checksum verified while it is loaded, several files here.
    """
    if len(head) < HEADER.size:
        raise ImageError(f"{file}: truncated, the uImage header is incomplete", hint=DAMAGED)
    magic, checksum, _, size, *_ = fields = HEADER.unpack_from(head)
    kind, compression, name = fields[9], fields[10], fields[11]
    clean = head[:4] + bytes(4) + head[8 : HEADER.size]
    if magic != MAGIC or zlib.crc32(clean) != checksum:
        raise ImageError(
            f"{file}: damaged, the checksum of the uImage header is wrong", hint=DAMAGED
        )
    if size > file.size - HEADER.size:
        raise ImageError(
            f"{file}: truncated, {file.size - HEADER.size:,} of {size:,} bytes are there",
            hint=DAMAGED,
        )
    if kind not in (_KERNEL, _KERNEL_NOLOAD, _MULTI):
        raise ImageError(
            f"{file}: a uImage of the type {_TYPES.get(kind, kind)}, no kernel",
            hint="name the kernel here; a ramdisk belongs among the initrds",
        )
    if compression == _LZO or compression not in {0, *_COMPRESSIONS}:
        raise ImageError(
            f"{file}: a uImage compressed with {'lzo' if compression == _LZO else compression}, "
            "which cannot be unpacked here",
            hint="make it anew: mkimage -C gzip, or use the Image itself",
        )
    data = file.part(HEADER.size, size)
    parts = _parts(data) if kind == _MULTI else (data,)
    title = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    checksum = Checksum("crc32", fields[6].to_bytes(4, "big"))
    if kind == _MULTI:
        _verify(data, checksum)
        return UImage(title, _COMPRESSIONS.get(compression), parts[0], parts[1:], None)
    return UImage(title, _COMPRESSIONS.get(compression), parts[0], (), checksum)


def _verify(data: FileSlice, checksum: Checksum) -> None:
    for _ in Packed(data, raw, data.size, checksums=(checksum,)).pieces():
        pass


def _parts(data: FileSlice) -> tuple[FileSlice, ...]:
    """The files of a multi-file image: their sizes come first, up to a zero."""
    with open_slice(data) as opened:
        table = opened.read(4 * (MAX_PARTS + 1))
    sizes = []
    for (size,) in struct.iter_unpack(">I", table[: len(table) // 4 * 4]):
        if not size:
            break
        sizes.append(size)
    at = 4 * (len(sizes) + 1)
    parts = []
    for size in sizes:
        if at + size > data.size:
            break
        parts.append(data.part(at, size))
        at += -(-size // 4) * 4
    if not parts or len(parts) < len(sizes) or len(sizes) > MAX_PARTS:
        raise ImageError(f"{data}: damaged, the list of files in the uImage is", hint=DAMAGED)
    return tuple(parts)
