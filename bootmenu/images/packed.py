"""A kernel as a stream: unpacked and checked while it is loaded, never held as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol, cast

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images.damage import DAMAGED
from bootmenu.model import FileSlice

Codec = Callable[[BinaryIO, str], Iterator[bytes]]
"""Decompresses a file from where it stands, in pieces; the text names it in messages."""
Check = Callable[[bytes, int], None]
"""Raises ImageError for a kernel that begins with those bytes and has so many of them."""

HEAD = 4096
"""How many of the first bytes a :data:`Check` is given."""
MAX_TRAILER = 64 << 20
"""What may follow an image behind its size in memory (a signature); more is a bomb."""
_PIECE = 1 << 20


class Checksum(NamedTuple):
    """What a container says of the bytes in it, before they are unpacked."""

    algorithm: str  # crc32, or a name of hashlib's
    value: bytes


def raw(file: BinaryIO, _path: str) -> Iterator[bytes]:
    """The codec of what is not compressed."""
    while piece := file.read(_PIECE):
        yield piece


@dataclass(frozen=True, slots=True)
class Packed:
    """What *file* unpacks to, of which *size* bytes are loaded. It is a Stream of the model.

    The bytes in the file must have the *checksums*. With *trailer*, the pieces are all that it
    unpacks to: what follows the kernel, such as a signature, belongs to its file.
    """

    file: FileSlice
    codec: Codec
    size: int
    check: Check = field(compare=False, default=lambda _head, _total: None)
    checksums: tuple[Checksum, ...] = ()
    trailer: bool = False

    def __str__(self) -> str:
        return str(self.file)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """At most *size* bytes; ImageError when the rest is not what it should be."""
        total = 0
        wanted = self.size + MAX_TRAILER if self.trailer else self.size
        head = b""
        with open_slice(self.file) as opened:
            summing = _Summing(opened, self.checksums)
            file = cast("BinaryIO", summing) if self.checksums else opened
            for piece in self.codec(file, str(self.file)):
                if len(head) < HEAD:
                    head += piece[: HEAD - len(head)]
                if total < wanted:
                    yield memoryview(piece)[: wanted - total]
                total += len(piece)
                if total > self.size + MAX_TRAILER:
                    raise ImageError(
                        f"{self.file}: damaged, it unpacks to far more than its header says",
                        hint=DAMAGED,
                    )
            wrong = summing.wrong() if self.checksums else ""
        if wrong:
            raise ImageError(
                f"{self.file}: damaged, the {wrong} of {self.file.size:,} bytes in it is not what "
                "the image says",
                hint=DAMAGED,
            )
        self.check(head, total)


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    """zlib's function in the form of hashlib's."""

    def __init__(self) -> None:
        self._sum = 0

    def update(self, data: bytes, /) -> None:
        self._sum = zlib.crc32(data, self._sum)

    def digest(self) -> bytes:
        return self._sum.to_bytes(4, "big")


class _Summing:
    """A file that adds up what is read of it; it is read once, from front to back."""

    def __init__(self, file: BinaryIO, checksums: tuple[Checksum, ...]) -> None:
        self._file = file
        self._sums = [(_digest(one.algorithm), one) for one in checksums]

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        for digest, _ in self._sums:
            digest.update(data)
        return data

    def tell(self) -> int:
        return self._file.tell()

    def wrong(self) -> str:
        """Read the rest, and give the algorithm of a sum that is not as it should be, or ""."""
        while self.read(_PIECE):
            pass
        return next((o.algorithm for d, o in self._sums if d.digest() != o.value), "")


def _digest(algorithm: str) -> _Digest:
    if algorithm == "crc32":
        return _Crc32()
    import hashlib

    return hashlib.new(algorithm, usedforsecurity=False)
