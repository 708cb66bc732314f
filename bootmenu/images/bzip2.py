"""A kernel compressed with bzip2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bootmenu.images import members


def decompress(file: BinaryIO, path: str) -> Iterator[bytes]:
    """What *file* holds from where it stands, in pieces; ImageError when it is damaged."""
    from bz2 import BZ2Decompressor

    return members.decompress(
        file,
        path,
        "bzip2-compressed kernel",
        make=BZ2Decompressor,
        magic=b"BZh",
        errors=(OSError, ValueError),
    )
