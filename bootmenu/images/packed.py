"""A kernel as a stream: unpacked and checked while it is loaded, never held as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol, cast

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images.damage import DAMAGED
from bootmenu.images.recognise import HEAD
from bootmenu.model import FileSlice

Codec = Callable[[BinaryIO, str], Iterator[bytes]]
"""Decompresses a file from where it stands, in pieces; the text names it in messages."""
Check = Callable[[bytes, int], None]
"""Raises ImageError for a kernel with those first :data:`HEAD` bytes, and so many in all."""

MAX_TRAILER = 64 << 20
"""What may follow an image behind its size in memory (a signature); more is a bomb."""
MAX_EMPTY = 64 << 20
"""What may be read without a byte that it unpacks to, such as padding; more is a bomb, too."""
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

    *start* bytes before them are left out. The bytes in the file must have the *checksums*.
    With *trailer*, the pieces are all that it unpacks to: what follows the kernel, such as a
    signature, belongs to its file.
    """

    file: FileSlice
    codec: Codec
    size: int
    check: Check = field(compare=False, default=lambda _head, _total: None)
    checksums: tuple[Checksum, ...] = ()
    trailer: bool = False
    start: int = 0

    def __str__(self) -> str:
        return str(self.file)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """At most *size* bytes; ImageError when the rest is not what it should be."""
        total = 0
        end = self.start + self.size
        wanted = end + MAX_TRAILER if self.trailer else end
        head = b""
        with open_slice(self.file) as opened:
            read = _Read(opened, str(self.file), self.checksums)
            for piece in self.codec(cast("BinaryIO", read), str(self.file)):
                read.useless = 0
                if len(head) < HEAD:
                    head += piece[: HEAD - len(head)]
                if total < wanted and total + len(piece) > self.start:
                    yield memoryview(piece)[max(self.start - total, 0) : wanted - total]
                total += len(piece)
                if total > end + MAX_TRAILER:
                    raise ImageError(
                        f"{self.file}: damaged, it unpacks to far more than its header says",
                        hint=DAMAGED,
                    )
            wrong = read.wrong() if self.checksums else ""
        if wrong:
            raise ImageError(
                f"{self.file}: damaged, the {wrong} of {self.file.size:,} bytes in it is not what "
                "the image says",
                hint=DAMAGED,
            )
        self.check(head, total)


class Readable(Protocol):
    """What is read from front to back."""

    def read(self, size: int, /) -> bytes | memoryview:
        """At most *size* bytes; none at the end."""

    def seek(self, offset: int, /) -> object:
        """Go on at *offset*, which lies ahead."""

    def tell(self) -> int:
        """How many bytes lie before."""


class _Forward:
    """What is unpacked, as a file that goes forward only."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self._at = 0

    def read(self, size: int) -> memoryview:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        read, self._piece = self._piece[:size], self._piece[size:]
        self._at += len(read)
        return read

    def seek(self, offset: int) -> None:
        while self._at < offset and self.read(offset - self._at):
            pass

    def tell(self) -> int:
        return self._at


@contextmanager
def reading(file: FileSlice | Packed) -> Iterator[Readable]:
    """*file*, or what it unpacks to, to be read from front to back; damage shows at the end."""
    if isinstance(file, FileSlice):
        with open_slice(file) as opened:
            yield opened
    else:
        pieces = file.pieces()
        yield _Forward(pieces)
        for _ in pieces:  # what is behind the last segment counts in the checksums
            pass


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


class _Read:
    """A file that adds up what is read of it; it is read once, from front to back.

    *useless* bytes were read since it last unpacked to anything: parts without contents may
    stand one after the other, and a file of nothing else would be read for minutes.
    """

    def __init__(self, file: BinaryIO, path: str, checksums: tuple[Checksum, ...]) -> None:
        self._file, self._path = file, path
        self._sums = [(_digest(one.algorithm), one) for one in checksums]
        self.useless = 0

    def read(self, size: int = -1) -> bytes:
        data = self._take(size)
        self.useless += len(data)
        if self.useless > MAX_EMPTY:
            raise ImageError(
                f"{self._path}: damaged, {MAX_EMPTY >> 20} MiB of it unpack to nothing, "
                f"before byte {self.tell():,}",
                hint=DAMAGED,
            )
        return data

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        for digest, _ in self._sums:
            digest.update(data)
        return data

    def tell(self) -> int:
        return self._file.tell()

    def wrong(self) -> str:
        """Read the rest, and give the algorithm of a sum that is not as it should be, or ""."""
        while self._take(_PIECE):
            pass
        return next((o.algorithm for d, o in self._sums if d.digest() != o.value), "")


def _digest(algorithm: str) -> _Digest:
    if algorithm == "crc32":
        return _Crc32()
    import hashlib

    return hashlib.new(algorithm, usedforsecurity=False)
