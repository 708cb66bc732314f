"""Kernels compressed with xz, or in its older format lzma (``lzma_alone``).

Specifications: The .xz File Format 1.2; doc/lzma-file-format.txt of XZ Utils. Filters such as
the kernel's own for machine code (BCJ) are liblzma's matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bootmenu.images import members

MEMORY = 192 << 20
"""What unpacking may take: a dictionary of 128 MiB, as ``xz --ultra`` never asks for more."""


def decompress(file: BinaryIO, path: str) -> Iterator[bytes]:
    """What the xz *file* holds from where it stands, in pieces; ImageError when damaged."""
    import lzma

    return members.decompress(
        file,
        path,
        "xz-compressed kernel",
        make=lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY),
        magic=b"\xfd7zXZ\0",
        errors=(lzma.LZMAError, EOFError),
    )


def decompress_alone(file: BinaryIO, path: str) -> Iterator[bytes]:
    """As :func:`decompress`, of a file in the format lzma, which has no checksum."""
    import lzma

    return members.decompress(
        file,
        path,
        "lzma-compressed kernel",
        make=lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY),
        magic=b"",
        errors=(lzma.LZMAError, EOFError),
    )
