"""The bytes of a segment in chunks of one size, whatever they come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from bootmenu.errors import VolumeError
from bootmenu.model import FileSlice, Stream

CHUNK = 2 << 20
"""Bytes that are handed over at once."""


class Chunk(NamedTuple):
    """The first *length* bytes of *buffer*, whole pages: *filled* of the source's, then zeros."""

    buffer: memoryview
    length: int
    filled: int


def chunks(
    source: FileSlice | Stream, page: int, room: Callable[[], memoryview], *, keep: bool
) -> Generator[Chunk]:
    """The bytes of *source* in pieces of :data:`CHUNK`, the last one filled up with zeros.

    Exactly as many as the source's size takes, in whole pages of *page* bytes. Each one lies in
    a buffer of :data:`CHUNK` bytes that *room* gives: memory that is used again costs no page
    faults, which take longer than reading. A file is read ahead, and dropped behind unless
    *keep*. Raises what the source does: VolumeError or ImageError.
    """
    left = -(-source.size // page) * page
    with _reader(source, keep=keep) as reader:
        while left:
            buffer, length = room(), min(CHUNK, left)
            left -= length
            filled = reader.fill(buffer[:length])
            buffer[filled:length] = bytes(length - filled)
            if not left:
                reader.finish()
            yield Chunk(buffer, length, filled)


def read(descriptor: int, source: FileSlice, *, keep: bool) -> Iterator[memoryview]:
    """The bytes of *source* from its open file, read ahead; dropped behind unless *keep*.

    Each piece is gone when the next one is asked for. Raises VolumeError.
    """
    file, buffer = _File(descriptor, source, keep=keep), memoryview(bytearray(CHUNK))
    while filled := file.fill(buffer):
        yield buffer[:filled]


@contextmanager
def opened(source: FileSlice) -> Iterator[int]:
    """A descriptor of the file that *source* is a part of. Raises VolumeError."""
    try:
        descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(source, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Reader(Protocol):
    """A source that is read from front to back."""

    def fill(self, buffer: memoryview) -> int:
        """Put its next bytes into *buffer*; fewer than fit only at its end."""

    def finish(self) -> None:
        """Read what follows the last byte: it tells whether all was sound."""


@contextmanager
def _reader(source: FileSlice | Stream, *, keep: bool) -> Iterator[_Reader]:
    if isinstance(source, FileSlice):
        with opened(source) as descriptor:
            yield _File(descriptor, source, keep=keep)
        return
    pieces = source.pieces()
    try:
        yield _Pieces(pieces)
    finally:
        with suppress(AttributeError):
            pieces.close()  # type: ignore[attr-defined]


class _File:
    """An open file, read ahead of what is needed, and dropped behind unless *keep*."""

    def __init__(self, descriptor: int, source: FileSlice, *, keep: bool) -> None:
        self._descriptor, self._source, self._keep = descriptor, source, keep
        self._at, self._end = source.offset, source.offset + source.size
        if os.fstat(descriptor).st_size < self._end:
            raise shorter(source)

    def fill(self, buffer: memoryview) -> int:
        start, wanted = self._at, min(len(buffer), self._end - self._at)
        try:
            os.posix_fadvise(self._descriptor, start + wanted, CHUNK, os.POSIX_FADV_WILLNEED)
            while self._at < start + wanted:
                rest = buffer[self._at - start : wanted]
                size = os.preadv(self._descriptor, [rest], self._at)
                if not size:
                    raise shorter(self._source, self._at - self._source.offset)
                self._at += size
            if not self._keep:
                os.posix_fadvise(self._descriptor, start, wanted, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise unreadable(self._source, error, self._at - self._source.offset) from error
        return wanted

    def finish(self) -> None:
        """What lies behind it in the file is not its own."""


class _Pieces:
    """A stream's pieces, which are of any size."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            if not self._piece:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._piece = memoryview(piece)
            part = self._piece[: len(buffer) - filled]
            buffer[filled : filled + len(part)] = part
            self._piece = self._piece[len(part) :]
            filled += len(part)
        return filled

    def finish(self) -> None:
        for _ in self._pieces:
            pass


def shorter(source: FileSlice, at: int | None = None) -> VolumeError:
    """The error for a file that was longer when the plan was made; byte *at* was looked for."""
    where = f", byte {at:,} is missing" if at is not None else ""
    return VolumeError(
        f"{source}: the file became shorter since it was looked at{where}",
        hint="try again once nothing writes to it",
    )


def unreadable(source: FileSlice, error: OSError, at: int | None = None) -> VolumeError:
    """The error for a file that cannot be read (any more), from byte *at* on."""
    where = f" from byte {at:,} on" if at is not None else ""
    return VolumeError(
        f"{source}: cannot be read{where}: {os.strerror(error.errno or 0)}",
        hint="check the disk: dmesg shows what failed",
    )
