"""A gzip'd kernel (RFC 1952), unpacked in pieces of bounded size.

The length at the end of a gzip file counts modulo 4 GiB and belongs to its last member, so
it is not trusted; the checksum is verified by zlib. What follows the last member (padding,
a signature) is ignored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from bootmenu.images.damage import broken, cut_off

PIECE = 1 << 20
_STEP = 128 << 10  # read at once: of many small members, each one copies what is left of it
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b\x08"
_WHAT = "gzip'd kernel"


def decompress(file: BinaryIO, path: str) -> Iterator[bytes]:
    """What the gzip file *file* holds from where it stands, in pieces of at most 1 MiB.

    Raises ImageError naming *path* when it is cut off or damaged.
    """
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    packed = b""
    try:
        while True:
            packed = packed or file.read(_STEP)
            if not packed:
                raise cut_off(path, _WHAT, file.tell())
            piece = unpacker.decompress(packed, PIECE)
            packed = unpacker.unconsumed_tail
            if piece:
                yield piece
            if unpacker.eof:
                packed = unpacker.unused_data
                packed += file.read(max(0, len(_MAGIC) - len(packed)))
                if not packed.startswith(_MAGIC):
                    return
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
    except zlib.error as error:
        raise broken(path, _WHAT, file.tell(), error) from error
