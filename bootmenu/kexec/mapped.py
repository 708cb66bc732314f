"""Segments handed over from mapped files, where the kernel has no userfaultfd.

Every file is read to its end before the load: the system call would read it as well, but without
a sign of life, and a bad sector would only be a bad address. Streams have to be held as a whole.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

from bootmenu.errors import CancelledError
from bootmenu.kexec.digests import sha256
from bootmenu.kexec.given_up import unless_cancelled
from bootmenu.kexec.sources import opened, read, shorter
from bootmenu.kexec.streaming import Progress
from bootmenu.model import FileSlice, Segment

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
        self._done, self._total = 0, sum(segment.bufsz for segment in segments)
        self._open = ExitStack()
        self.buffers: dict[int, Any] = {}
        self.digests: dict[int, str] = {}

    def __enter__(self) -> Mapped:
        with ExitStack() as opened:
            mappings = []
            for number, segment in enumerate(self._segments):
                buffer = unless_cancelled(partial(self._read, segment), self._cancel)
                self.buffers[number] = opened.enter_context(self._ffi.from_buffer(buffer.view))
                self.digests[number] = buffer.digest
                if buffer.mapping is not None:
                    mappings.append(buffer.mapping)
            self._tell("handing it to the kernel")
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

    def _read(self, segment: Segment) -> _Buffer:
        """The bytes of *segment*, all of them read once."""
        source, total, mapping = segment.source, sha256(), None
        if isinstance(source, bytes | memoryview):
            view = memoryview(source)
            total.update(view)
            self._done += len(view)
        elif isinstance(source, FileSlice):
            with opened(source) as descriptor:
                for piece in self._told(segment, read(descriptor, source, keep=True)):
                    total.update(piece)
                mapping, view = _mapped(descriptor, source)
        else:
            # Pages of an anonymous mapping cost nothing until they are written, and it is the
            # buffer of the final size: nothing is ever moved to grow it.
            view, filled = memoryview(mmap.mmap(-1, source.size)), 0
            for piece in self._told(segment, map(memoryview, source.pieces())):
                view[filled : filled + len(piece)] = piece
                filled += len(piece)
                total.update(piece)
        return _Buffer(view, total.hexdigest(), mapping)

    def _told(self, segment: Segment, pieces: Iterable[memoryview]) -> Iterator[memoryview]:
        """*pieces* of *segment*, while it is told how far that is. Raises CancelledError."""
        for piece in pieces:
            if self._cancel is not None and self._cancel.is_set():
                raise CancelledError
            self._tell(f"reading the {segment.name}")
            yield piece
            self._done += len(piece)

    def _tell(self, step: str) -> None:
        if self._progress is not None:
            self._progress(step, self._done, self._total)


class _Buffer(NamedTuple):
    """A segment's bytes, their SHA-256, and the mapped part of the file that they lie in."""

    view: memoryview
    digest: str
    mapping: mmap.mmap | None


def _mapped(descriptor: int, source: FileSlice) -> tuple[mmap.mmap, memoryview]:
    """The pages of an open file in which *source* lies, and its bytes there."""
    start = source.offset - source.offset % mmap.ALLOCATIONGRANULARITY
    end = source.offset + source.size
    try:
        mapping = mmap.mmap(descriptor, end - start, prot=mmap.PROT_READ, offset=start)
    except ValueError as error:
        raise shorter(source) from error
    return mapping, memoryview(mapping)[source.offset - start :]


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
