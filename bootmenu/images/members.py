"""Unpacking with the decompressors of Python's bz2 and lzma, which are used in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from bootmenu.images.damage import broken, cut_off

PIECE = 1 << 20
_STEP = 64 << 10  # read at once: what is behind the last member is of no use


class Decompressor(Protocol):
    """What bz2.BZ2Decompressor and lzma.LZMADecompressor have in common."""

    @property
    def eof(self) -> bool:
        """Whether the member's end mark was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether it has given all that it can without more."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end mark."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most *max_length* bytes of what *data* and the rest of before hold."""


def decompress(
    file: BinaryIO,
    path: str,
    what: str,
    *,
    make: Callable[[], Decompressor],
    magic: bytes,
    errors: tuple[type[Exception], ...],
) -> Iterator[bytes]:
    """What *file* holds from where it stands, in pieces of at most 1 MiB.

    A member that begins with *magic* follows on the one before, over padding with zeros; all
    else behind the first is ignored. No *magic*: there is only one. Raises ImageError naming
    *path* when it is cut off or damaged.
    """
    unpacker = make()
    packed = b""
    try:
        while True:
            if unpacker.needs_input and not packed:
                packed = file.read(_STEP)
                if not packed:
                    raise cut_off(path, what, file.tell())
            piece = unpacker.decompress(packed, PIECE)
            packed = b""
            if piece:
                yield piece
            if unpacker.eof:
                packed = _next(unpacker.unused_data, file, magic)
                if not magic or not packed.startswith(magic):
                    return
                unpacker = make()
    except errors as error:
        if getattr(error, "errno", None) is not None:  # the disk's, not the decompressor's
            raise
        raise broken(path, what, file.tell(), error) from error


def _next(rest: bytes, file: BinaryIO, magic: bytes) -> bytes:
    """What follows behind padding, as many bytes as *magic* has or more."""
    rest = rest.lstrip(b"\0")
    while len(rest) < len(magic):
        more = file.read(_STEP)
        if not more:
            break
        rest = (rest + more).lstrip(b"\0")
    return rest
