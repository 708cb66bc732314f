"""Parts of the running system's files, open for reading."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from bootmenu.errors import VolumeError
from bootmenu.model import FileSlice, Stream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 1 << 20


def whole(path: str) -> FileSlice:
    """The whole of the file that the running system has at *path*.

    Raises VolumeError when it is not a regular file, or cannot be looked at.
    """
    try:
        real = os.path.realpath(path)
        found = os.lstat(real)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    _require_regular(found.st_mode, path)
    return FileSlice(real, 0, found.st_size, name=path)


def is_whole(file: FileSlice) -> bool:
    """Whether *file* is all of the file that it names. Raises VolumeError."""
    try:
        return file.offset == 0 and file.size == os.lstat(file.path).st_size
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error


@contextmanager
def open_slice(file: FileSlice) -> Iterator[BinaryIO]:
    """The bytes of *file*, open for reading: position 0 is its first byte.

    Its path leads over no link at the end. Raises VolumeError when it cannot be read, now or
    later; a FIFO is not waited for.
    """
    part = None
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(file.path, flags)
        try:
            _require_regular(os.fstat(descriptor).st_mode, file)
            part = _Part(descriptor, file)
            yield io.BufferedReader(part)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _unreadable(file, error, part.unreadable if part else None) from error


def pieces_of(source: FileSlice | Stream) -> Iterator[bytes | memoryview]:
    """The bytes of *source*, from the first on.

    Raises VolumeError when it cannot be read or its file is shorter than it was, ImageError
    where a stream turns out to be damaged.
    """
    if not isinstance(source, FileSlice):
        yield from source.pieces()
        return
    left = source.size
    with open_slice(source) as file:
        while piece := file.read(_PIECE):
            left -= len(piece)
            yield piece
    if left:
        raise VolumeError(
            f"{source}: the file became shorter since it was looked at",
            hint="try again once nothing writes to it",
        )


def _require_regular(mode: int, file: FileSlice | str) -> None:
    if stat.S_ISDIR(mode):
        raise VolumeError(f"{file}: a directory, not a file", hint="name a file in it")
    if not stat.S_ISREG(mode):
        raise VolumeError(f"{file}: not a regular file", hint="name a file on a disk")


def _unreadable(
    file: FileSlice | str, error: OSError | ValueError, at: int | None = None
) -> VolumeError:
    where = f" from byte {at:,} on" if at is not None else ""
    why = (isinstance(error, OSError) and error.strerror) or str(error)
    hint = "check that the path is right and the disk is well (dmesg tells)"
    return VolumeError(f"{file}: cannot be read{where}: {why}", hint=hint)


class _Part(io.RawIOBase):
    """A part of an open file as a file of its own; *unreadable* is the byte that failed."""

    def __init__(self, descriptor: int, file: FileSlice) -> None:
        self._descriptor = descriptor
        self._file = file
        self._at = 0
        self.unreadable: int | None = None

    def fileno(self) -> int:
        """The file that this is a part of, to be mapped."""
        return self._descriptor

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)[: max(0, self._file.size - self._at)]
        try:
            count = os.preadv(self._descriptor, [room], self._file.offset + self._at) if room else 0
        except OSError:
            self.unreadable = self._at
            raise
        self._at += count
        return count
