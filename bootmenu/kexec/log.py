"""What the kernel logged while it refused: often the only place where it says why.

Interface: Documentation/ABI/testing/dev-kmsg. Every error here means "no log", since the log
only adds to an error that is already being reported.
"""

from __future__ import annotations

import contextlib
import os

_RECORD = 8192
_LINES = 20


class KernelLog:
    """The lines that the kernel logs after this was made."""

    def __init__(self) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError):
            self._descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def __enter__(self) -> KernelLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def lines(self) -> tuple[str, ...]:
        """What was logged since, the last 20 lines; empty where the log cannot be read."""
        found: list[str] = []
        while self._descriptor >= 0:
            try:
                record = os.read(self._descriptor, _RECORD)
            except BrokenPipeError:  # older records were overwritten: the next read goes on
                continue
            except OSError:
                break
            # "6,339,5140900,-;text\n KEY=value": what follows the text is for machines
            text = record.decode("utf-8", "replace").split("\n", 1)[0]
            found.append(text.partition(";")[2])
        return tuple(found[-_LINES:])
