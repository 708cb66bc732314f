"""SHA-256 sums, by the running kernel where it offers that: it uses what the processor has.

Python's own module is portable C when OpenSSL is left out, and an order of magnitude slower
than a processor's instructions for it. Interface: Documentation/crypto/userspace-if.rst.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

_SIZE = 32  # bytes of the sum


class Sum(Protocol):
    """A sum that is being taken."""

    def update(self, data: memoryview, /) -> None:
        """The next bytes."""

    def hexdigest(self) -> str:
        """The sum, once, when all bytes are in."""


def sha256() -> Sum:
    """A new SHA-256 sum."""
    try:
        return _OfKernel()
    except OSError:  # a kernel without the module algif_hash
        return hashlib.sha256()


class _OfKernel:
    """A sum that the kernel takes. Raises OSError where it does not."""

    def __init__(self) -> None:
        with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as algorithm:
            algorithm.bind(("hash", "sha256"))
            self._socket, _ = algorithm.accept()

    def update(self, data: memoryview, /) -> None:
        self._socket.sendall(data, socket.MSG_MORE)

    def hexdigest(self) -> str:
        with self._socket:
            return self._socket.recv(_SIZE).hex()


class _Part(NamedTuple):
    """Bytes of the segment *number*; *seen* is called once they are not needed any more."""

    number: int
    data: memoryview
    seen: Callable[[], None]


class Digests:
    """The sums of several segments, taken in a thread of their own beside the load."""

    def __init__(self) -> None:
        self._sums: dict[int, Sum] = {}
        self._queue: queue.SimpleQueue[_Part | None] = queue.SimpleQueue()
        self._results: dict[int, str] = {}
        self._lost: set[int] = set()
        self._thread = threading.Thread(target=self._work, name="kexec-digests", daemon=True)
        self._thread.start()

    def add(
        self, number: int, data: bytes | memoryview, seen: Callable[[], None] = lambda: None
    ) -> None:
        """The next bytes of the segment *number*; *seen* is called once they were added."""
        self._queue.put(_Part(number, memoryview(data), seen))

    def _work(self) -> None:
        while (part := self._queue.get()) is not None:
            try:
                if part.number not in self._sums:
                    self._sums[part.number] = sha256()
                self._sums[part.number].update(part.data)
            except OSError:  # the kernel's sum ran out of memory: a load needs none of them
                self._lost.add(part.number)
            part.seen()
        for number, total in self._sums.items():
            with suppress(OSError):
                digest = total.hexdigest()
                if number not in self._lost:
                    self._results[number] = digest

    def results(self) -> dict[int, str]:
        """The SHA-256 of each segment's bytes, in hexadecimal, by its number; ends the thread.

        One that could not be taken is not among them.
        """
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        return self._results
