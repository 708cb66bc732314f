"""EFI zboot: a compressed kernel behind an EFI program that unpacks it.

Layout: drivers/firmware/efi/libstub/zboot-header.S and Makefile.zboot of Linux. The header
names the compression and where the packed kernel lies; but for gzip its unpacked size follows,
4 bytes that do not count towards its own. No loader of the kernel's own takes such a file
before Linux 6.14.
"""

from __future__ import annotations

import struct

from bootmenu.errors import ImageError
from bootmenu.images.damage import DAMAGED
from bootmenu.images.recognise import Kind
from bootmenu.model import FileSlice

_HEADER = struct.Struct("<8xII8x32s")  # payload's offset and size, compression
_COMPRESSIONS = {
    "gzip": Kind.GZIP,
    "zstd": Kind.ZSTD,
    "zstd22": Kind.ZSTD,
    "xzkern": Kind.XZ,
    "lzma": Kind.LZMA,
    "lz4": Kind.LZ4,
}


def payload(file: FileSlice, head: bytes) -> tuple[Kind, FileSlice]:
    """The compression of the kernel in *file*, which begins with *head*, and where it lies.

    Raises ImageError when the header says what cannot be, or names another compression.
    """
    if len(head) < _HEADER.size:
        raise ImageError(f"{file}: truncated, the zboot header is incomplete", hint=DAMAGED)
    offset, size, text = _HEADER.unpack_from(head)
    name = text.split(b"\0", 1)[0].decode("ascii", "backslashreplace")
    kind = _COMPRESSIONS.get(name)
    if kind is None:
        raise ImageError(
            f"{file}: an EFI zboot image compressed with "
            f"{name if name.isalnum() else 'nothing that is known'}, which cannot be unpacked here",
            hint=f"choose a kernel compressed with {', '.join(sorted(_COMPRESSIONS))}",
        )
    if offset + size > file.size:
        raise ImageError(
            f"{file}: truncated, its packed kernel ends at byte {offset + size:,} "
            f"and the file has {file.size:,}",
            hint=DAMAGED,
        )
    if offset < _HEADER.size or not size:
        raise ImageError(f"{file}: damaged, there is no kernel in the zboot image", hint=DAMAGED)
    return kind, file.part(offset, size)
