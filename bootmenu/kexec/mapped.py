"""Segments handed over from mapped files, where the kernel has no userfaultfd.

Streams have to be held as a whole then.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, NamedTuple

from bootmenu.errors import CancelledError
from bootmenu.kexec.digests import sha256
from bootmenu.kexec.sources import shorter, unreadable
from bootmenu.kexec.streaming import Progress
from bootmenu.model import FileSlice, Segment, Stream

_CHUNK = 4 << 20
_MADV_POPULATE_READ = 22  # Linux 5.14
_LET_GO_SECONDS = 0.005


class Mapped:
    """The segments of one load, mapped and read for a ``with`` statement.

    *buffers* has the address of each one's bytes, *digests* their SHA-256, by its number.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        ffi: Any,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._segments, self._ffi = segments, ffi
        self._progress, self._cancel = progress, cancel
        self._total = sum(segment.bufsz for segment in segments)
        self._open = ExitStack()
        self.buffers: dict[int, Any] = {}
        self.digests: dict[int, str] = {}

    def __enter__(self) -> Mapped:
        with ExitStack() as opened:
            done, mappings = 0, []
            for number, segment in enumerate(self._segments):
                buffer = opened.enter_context(_bytes_of(segment, self._check))
                if buffer.mapping is not None and isinstance(segment.source, FileSlice):
                    step = f"reading the {segment.name}"
                    self._read_ahead(step, segment.source, buffer.mapping, done)
                    mappings.append(buffer.mapping)
                total = sha256()
                total.update(buffer.view[: buffer.filled])
                self.digests[number] = total.hexdigest()
                done += segment.bufsz
                self.buffers[number] = opened.enter_context(self._ffi.from_buffer(buffer.view))
            if self._progress is not None:
                self._progress("handing it to the kernel", self._total, self._total)
            opened.enter_context(_passing_through(mappings))
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def _read_ahead(self, step: str, source: FileSlice, mapping: mmap.mmap, done: int) -> None:
        """Bring a mapped file into memory, telling how far it is.

        The system call would read it as well, but without a sign of life, and a bad sector
        would only be a bad address.
        """
        end = len(mapping)
        for at in range(0, end, _CHUNK):
            self._check()
            if self._progress is not None:
                self._progress(step, done + at, self._total)
            try:
                mapping.madvise(_MADV_POPULATE_READ, at, min(_CHUNK, end - at))
            except OSError as error:
                if error.errno == errno.EINVAL:  # an older kernel: the load itself will read
                    break
                if error.errno == errno.EFAULT:
                    error = OSError(errno.EIO, "")
                # The file begins somewhere in the first page.
                bad = max(0, _unreadable_page(mapping, at) - (end - source.size))
                raise unreadable(source, error, bad) from error

    def _check(self) -> None:
        """Raise CancelledError once the load was given up."""
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError


def _unreadable_page(mapping: mmap.mmap, start: int) -> int:
    """The first page from *start* on that cannot be read, of those that are read at once."""
    end = min(start + _CHUNK, len(mapping))
    for at in range(start, end, mmap.PAGESIZE):
        try:
            mapping.madvise(_MADV_POPULATE_READ, at, min(mmap.PAGESIZE, end - at))
        except OSError:
            return at
    return start  # by now it can be


class _Buffer(NamedTuple):
    """A segment's bytes; *mapping* is the mapped part of the file that they lie in, if they do."""

    view: memoryview
    filled: int  # its bytes that the source gave; zeros follow
    mapping: mmap.mmap | None = None


@contextmanager
def _bytes_of(segment: Segment, check: Callable[[], None]) -> Iterator[_Buffer]:
    source = segment.source
    if isinstance(source, bytes | memoryview):
        yield _Buffer(memoryview(source), len(source))
        return
    if not isinstance(source, FileSlice):
        view, filled = _unpacked(source, check)
        yield _Buffer(view, filled)
        return
    try:
        descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if source.offset + source.size > size:
                raise shorter(source)
            start = source.offset - source.offset % mmap.ALLOCATIONGRANULARITY
            end = source.offset + source.size
            mapping = mmap.mmap(descriptor, end - start, prot=mmap.PROT_READ, offset=start)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(source, error) from error
    with mapping, memoryview(mapping) as whole, whole[source.offset - start :] as view:
        yield _Buffer(view, len(view), mapping)


def _unpacked(source: Stream, check: Callable[[], None]) -> tuple[memoryview, int]:
    """All bytes of *source* in one buffer, and how many it has filled.

    Pages of an anonymous mapping cost nothing until they are written, and the mapping is
    already the buffer of the final size: nothing is ever moved to grow it.
    """
    buffer = memoryview(mmap.mmap(-1, source.size))
    filled = 0
    for piece in source.pieces():
        check()
        buffer[filled : filled + len(piece)] = piece
        filled += len(piece)
    return buffer, filled


@contextmanager
def _passing_through(mappings: Sequence[mmap.mmap]) -> Iterator[None]:
    """Let go of the pages of *mappings* again while the kernel reads through them.

    They stay in the page cache, where the kernel can drop them when it runs short of memory;
    mapped, they count as ours and it drops others first.
    """
    done = threading.Event()

    def let_go() -> None:
        while not done.wait(_LET_GO_SECONDS):
            for mapping in mappings:
                mapping.madvise(mmap.MADV_DONTNEED)

    helper = threading.Thread(target=let_go, name="kexec-pages", daemon=True)
    helper.start()
    try:
        yield
    finally:
        done.set()
        helper.join()
