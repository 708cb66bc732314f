"""The bytes of a segment in chunks of one size, whatever they come from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bootmenu.errors import VolumeError
from bootmenu.model import FileSlice, Stream

CHUNK = 2 << 20
"""Bytes that are handed over at once."""
_KEPT = 64 << 20  # of a file this large, what was read is not worth its memory


class Chunk(NamedTuple):
    """Whole pages, of which *size* bytes are the source's; zeros follow."""

    data: bytes
    size: int


def chunks(source: FileSlice | Stream, page: int) -> Iterator[Chunk]:
    """The bytes of *source* in pieces of :data:`CHUNK`, the last ones filled up with zeros.

    Exactly as many as the source's size takes, in whole pages of *page* bytes. Raises what the
    source does: VolumeError or ImageError.
    """
    total = -(-source.size // page) * page
    pieces = _read(source) if isinstance(source, FileSlice) else source.pieces()
    waiting = bytearray()
    given = 0
    for piece in pieces:
        if not waiting and len(piece) == CHUNK <= total - given:
            given += CHUNK
            yield Chunk(bytes(piece), CHUNK)
            continue
        waiting += piece
        while len(waiting) >= CHUNK and given + CHUNK <= total:
            given += CHUNK
            yield Chunk(bytes(memoryview(waiting)[:CHUNK]), CHUNK)
            del waiting[:CHUNK]
    while given < total:
        size = min(CHUNK, total - given)
        part = bytes(waiting[:size])
        del waiting[:size]
        given += size
        yield Chunk(part.ljust(size, b"\0"), len(part))


def _read(source: FileSlice) -> Iterator[bytes]:
    """The file read ahead of what is needed, and dropped behind."""
    with opened(source) as descriptor:
        yield from read(descriptor, source, keep=source.size <= _KEPT)


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


def read(descriptor: int, source: FileSlice, *, keep: bool) -> Iterator[bytes]:
    """The bytes of *source* from its open file, read ahead; dropped behind unless *keep*.

    Raises VolumeError.
    """
    at, end = source.offset, source.offset + source.size
    try:
        if end > os.fstat(descriptor).st_size:
            raise shorter(source)
        while at < end:
            size = min(CHUNK, end - at)
            os.posix_fadvise(descriptor, at + size, CHUNK, os.POSIX_FADV_WILLNEED)
            data = os.pread(descriptor, size, at)
            if not data:
                raise shorter(source, at - source.offset)
            if not keep:
                os.posix_fadvise(descriptor, at, len(data), os.POSIX_FADV_DONTNEED)
            at += len(data)
            yield data
    except OSError as error:
        raise unreadable(source, error, at - source.offset) from error


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
