"""Segments that are read, or unpacked, at the moment at which the kernel takes them.

The system call runs in the caller's thread and faults at each chunk of a buffer that it has not
seen; a thread here answers with the next chunk and forgets the one before. So neither a file
nor what a decompressor gives is ever held as a whole.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple

from bootmenu.errors import BootmenuError, CancelledError, KexecError
from bootmenu.kexec.sources import CHUNK, Chunk, chunks
from bootmenu.kexec.userfault import Region, Userfault
from bootmenu.model import FileSlice, Segment, Stream

Progress = Callable[[str, int, int], None]
"""Told of a step, the bytes handed over and the bytes in all."""

_WAITING = 3  # chunks that may wait for their digest


class _Served(NamedTuple):
    """A segment whose bytes are served."""

    number: int
    segment: Segment
    region: Region
    chunks: Iterator[Chunk]


class Streams:
    """The segments of one load that are streams or files, served for a ``with`` statement.

    *buffers* has the address of each such segment's bytes, by its number.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        userfault: Userfault,
        ffi: Any,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._userfault, self._ffi = userfault, ffi
        self._progress, self._cancel = progress, cancel
        self._total = sum(segment.bufsz for segment in segments)
        self._done = 0
        self._started = time.monotonic()
        self._served: list[_Served] = []
        self._digests = _Digests()
        self._next: dict[int, int] = {}  # by segment, the offset that comes next
        self.error: BootmenuError | None = None
        self.buffers: dict[int, Any] = {}
        self._open = ExitStack()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="kexec-streams", daemon=True)
        for number, segment in enumerate(segments):
            source = segment.source
            if isinstance(source, bytes | memoryview):
                self._done += segment.bufsz
                self._digests.whole(number, source)
            elif segment.bufsz:
                self._add(number, segment, source)

    def _add(self, number: int, segment: Segment, source: FileSlice | Stream) -> None:
        region = Region(segment.bufsz, self._ffi)
        self._open.callback(region.close, self._ffi)
        self._userfault.watch(region)
        pieces = chunks(source, os.sysconf("SC_PAGE_SIZE"))
        self._served.append(_Served(number, segment, region, pieces))
        self.buffers[number] = region.buffer

    def __enter__(self) -> Streams:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._digests.end()
        os.close(self._stop)
        for served in self._served:
            with suppress(AttributeError):
                served.chunks.close()  # type: ignore[attr-defined]
        self._open.close()

    def digests(self) -> dict[int, str]:
        """The SHA-256 of each segment's bytes, by its number, once all were handed over."""
        return self._digests.results()

    def _serve(self) -> None:
        while (address := self._userfault.wait(self._stop)) is not None:
            try:
                self._answer(*self._place(address))
            except BootmenuError as error:
                self._fail(error)
            except Exception as error:
                self._fail(KexecError(f"the load failed midway: {error!r}", errno=0))

    def _place(self, address: int) -> tuple[_Served, int]:
        """Whose byte lies at *address*, and which one it is."""
        for served in self._served:
            offset = address - served.region.address
            if 0 <= offset < served.region.size:
                return served, offset
        raise LookupError(f"a fault at {address:#x}, which is no segment's")

    def _answer(self, served: _Served, offset: int) -> None:
        number, segment, region, pieces = served
        expected = self._next.get(number, 0)
        if self.error is not None:
            raise self.error
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError
        if not expected <= offset < expected + CHUNK:
            raise KexecError(
                f"{segment.name}: the kernel read it out of order, at byte {offset:,}",
                errno=0,
                hint="please report this, with the kernel's version",
            )
        data, size = next(pieces)
        if expected + len(data) >= region.size:
            # What comes behind the last byte tells whether it was sound: checksums, lengths.
            for _ in pieces:
                pass
        self._userfault.fill(region.address + expected, data)
        if expected:
            region.let_go(expected - CHUNK, CHUNK)
        self._next[number] = expected + len(data)
        self._digests.add(number, data, size)
        self._done += min(len(data), segment.bufsz - expected)
        self._tell(segment.name)

    def _fail(self, error: BootmenuError) -> None:
        self.error = self.error or error
        for served in self._served:
            self._userfault.refuse(served.region)

    def _tell(self, name: str) -> None:
        if self._progress is None:
            return
        seconds = time.monotonic() - self._started
        rate = self._done / max(seconds, 0.001)
        left = (self._total - self._done) / max(rate, 1)
        step = f"loading the {name}"
        if seconds > 1:
            step += f", {rate / (1 << 20):.0f} MiB/s, {left:.0f} s left"
        self._progress(step, self._done, self._total)


class _Digests:
    """SHA-256 sums, taken in a thread of their own beside the load."""

    def __init__(self) -> None:
        self._sums: dict[int, Any] = {}
        self._queue: queue.Queue[tuple[int, bytes | memoryview, int] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="kexec-digests", daemon=True)
        self._thread.start()

    def whole(self, number: int, data: bytes | memoryview) -> None:
        self.add(number, data, len(data))

    def add(self, number: int, data: bytes | memoryview, size: int) -> None:
        """The next *size* bytes of the segment *number* are the first of *data*."""
        self._queue.put((number, data, size))

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            number, data, size = item
            total = self._sums.setdefault(number, hashlib.sha256())
            total.update(memoryview(data)[:size])

    def end(self) -> None:
        """Wait until all is summed up."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def results(self) -> dict[int, str]:
        self.end()
        return {number: total.hexdigest() for number, total in self._sums.items()}
