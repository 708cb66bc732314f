"""Segments that are read, or unpacked, at the moment at which the kernel takes them.

The system call runs in the caller's thread and faults at each chunk of a buffer that it has not
seen; a thread here answers with the next chunk and forgets the one before, and another one makes
the one after it ready while the kernel copies. So neither a file nor what a decompressor gives is
ever held as a whole, and a disk that hangs holds up its reader alone: the load can be given up.
"""

from __future__ import annotations

import errno
import mmap
import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any

from bootmenu.errors import BootmenuError, CancelledError, KexecError
from bootmenu.kexec.causes import load_error
from bootmenu.kexec.digests import Digests
from bootmenu.kexec.given_up import LOOK
from bootmenu.kexec.sources import CHUNK, Chunk, chunks
from bootmenu.kexec.userfault import Region, Userfault
from bootmenu.model import FileSlice, Segment, Stream

Progress = Callable[[str, int, int], None]
"""Told of a step, the bytes handed over and the bytes in all."""

_KEPT = 64 << 20  # bytes; of a load that is larger, what was read is not worth its memory
_BUFFERS = 3  # beside the one that each segment waits with: those that wait for their digest
_LONG = 3  # seconds without a chunk, after which that is said
_PATIENCE = 1.0  # seconds in which a reader ends, unless its disk hangs


@dataclass(slots=True)
class _Served:
    """A segment whose bytes are served."""

    number: int
    segment: Segment
    region: Region
    chunks: Generator[Chunk]
    # The next chunk, or why there is none: asked for until all are given.
    read: queue.SimpleQueue[Chunk | BaseException] = field(default_factory=queue.SimpleQueue)
    begun: bool = False  # whether it was asked for
    given: int = 0  # bytes that the kernel has


class _Buffers:
    """*count* buffers of one chunk each, used again and again."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * CHUNK)
        # The one used last comes first: those that are never needed take no memory.
        self._free: queue.LifoQueue[memoryview] = queue.LifoQueue()
        whole = memoryview(self._memory)
        for start in range(0, len(whole), CHUNK):
            self._free.put(whole[start : start + CHUNK])

    def take(self) -> memoryview:
        """One that is free, once there is one."""
        return self._free.get()

    def give_back(self, buffer: memoryview) -> None:
        """What began with *buffer* may be overwritten."""
        self._free.put(buffer)


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
        self._asked: queue.SimpleQueue[_Served | None] = queue.SimpleQueue()
        read = [one for one in segments if not isinstance(one.source, bytes | memoryview)]
        self._chunks = _Buffers(_BUFFERS + len(read))
        self.error: BootmenuError | None = None
        self.buffers: dict[int, Any] = {}
        self._server = threading.Thread(target=self._serve, name="kexec-streams", daemon=True)
        self._reader = threading.Thread(target=self._read, name="kexec-reader", daemon=True)
        self._open = ExitStack()
        with self._open:
            self._digests = Digests()
            self._open.callback(self._digests.results)
            self._stop = os.eventfd(0, os.EFD_CLOEXEC)
            self._open.callback(os.close, self._stop)
            for number, segment in enumerate(segments):
                source = segment.source
                if isinstance(source, bytes | memoryview):
                    self._done += segment.bufsz
                    self._digests.add(number, source)
                elif segment.bufsz:
                    self._add(number, segment, source)
            self._open = self._open.pop_all()

    def _add(self, number: int, segment: Segment, source: FileSlice | Stream) -> None:
        region = Region(segment.bufsz, self._ffi)
        self._open.callback(region.close, self._ffi)
        self._userfault.watch(region)
        keep = self._total <= _KEPT
        pieces = chunks(source, mmap.PAGESIZE, self._chunks.take, keep=keep)
        self._served.append(_Served(number, segment, region, pieces))
        self.buffers[number] = region.buffer

    def __enter__(self) -> Streams:
        with self._open:
            self._reader.start()
            self._open.callback(self._reader.join, _PATIENCE)
            self._open.callback(self._asked.put, None)
            self._server.start()
            self._open.callback(self._server.join)
            self._open.callback(os.eventfd_write, self._stop, 1)
            self._open = self._open.pop_all()
        for first in self._served[:1]:
            self._ask(first)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def digests(self) -> dict[int, str]:
        """The SHA-256 of each segment's bytes, by its number, once the ``with`` statement is left.

        Before that the last chunk, which the kernel has, may be missing from them.
        """
        return self._digests.results()

    def _read(self) -> None:
        """Read what is asked for. In the end let go of the files, however late that may be."""
        while (served := self._asked.get()) is not None:
            try:
                served.read.put(next(served.chunks))
            except BaseException as error:  # the load waits for an answer, whatever it is
                served.read.put(error)
        for served in self._served:
            served.chunks.close()

    def _serve(self) -> None:
        while (address := self._userfault.wait(self._stop)) is not None:
            try:
                served, offset = self._place(address)
                self._answer(served, offset)
            except BootmenuError as error:
                self._fail(error)
            except OSError as error:  # there is no page for what was read
                self._fail(load_error(error.errno or errno.EFAULT))
            except MemoryError:  # a decompressor has no room for its dictionary
                self._fail(load_error(errno.ENOMEM))
            except BaseException as error:
                self._fail(KexecError(f"the load failed midway: {error!r}", errno=0))

    def _place(self, address: int) -> tuple[_Served, int]:
        """Whose byte lies at *address*, and which one it is."""
        for served in self._served:
            offset = address - served.region.address
            if 0 <= offset < served.region.size:
                return served, offset
        raise LookupError(f"a fault at {address:#x}, which is no segment's")

    def _answer(self, served: _Served, offset: int) -> None:
        """Hand over the next chunk, which the kernel waits for, and let go of the one before."""
        segment, region, start = served.segment, served.region, served.given
        if self.error is not None:
            raise self.error
        self._check_cancelled()
        if not start <= offset < start + CHUNK:
            raise KexecError(
                f"{segment.name}: the kernel read it out of order, at byte {offset:,}",
                errno=0,
                hint="please report this, with the kernel's version",
            )
        if not served.begun:
            self._ask(served)
        chunk = self._next(served)
        self._userfault.fill(region.address + start, chunk.buffer[: chunk.length])
        if start:
            region.let_go(start - CHUNK, CHUNK)
        served.given += chunk.length
        if served.given < region.size:
            self._ask(served)
        elif others := [one for one in self._served if not one.begun]:
            self._ask(others[0])
        self._digests.add(
            served.number,
            chunk.buffer[: chunk.filled],
            seen=partial(self._chunks.give_back, chunk.buffer),
        )
        self._done += min(chunk.length, segment.bufsz - start)
        self._tell(segment.name)

    def _ask(self, served: _Served) -> None:
        """Have the next chunk of *served* read, before those of any that the kernel takes later."""
        served.begun = True
        self._asked.put(served)

    def _next(self, served: _Served) -> Chunk:
        """The next chunk of *served*, waited for until the load is given up."""
        begun = time.monotonic()
        while True:
            try:
                found = served.read.get(timeout=LOOK)
            except queue.Empty:
                self._check_cancelled()
                self._tell_waiting(served.segment.name, int(time.monotonic() - begun))
                continue
            if isinstance(found, BaseException):
                raise found
            return found

    def _check_cancelled(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError

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
        if not left:  # an arm64 kernel then takes all of it out of its caches
            step = "the kernel completes the load"
        elif seconds > 1:
            step += f", {rate / (1 << 20):.0f} MiB/s, {left:.0f} s left"
        self._progress(step, self._done, self._total)

    def _tell_waiting(self, name: str, seconds: int) -> None:
        if self._progress is not None and seconds >= _LONG:
            step = f"loading the {name}, waiting for more of it for {seconds} s"
            self._progress(step, self._done, self._total)
