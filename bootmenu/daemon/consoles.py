"""The last line before the jump, on every console that the kernel names."""

from __future__ import annotations

import os
import re
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 3.0
"""Seconds that a console may take to write out what it was given: 9600 baud are 960 a second."""

_ACTIVE = Path("/sys/class/tty/console/active")
# Attributes and margins back to normal, cursor visible, long lines wrapped, below everything:
# the next kernel's messages scroll the menu away instead of being drawn into it.
_BELOW = b"\x1b[0m\x1b[r\x1b[?25h\x1b[?7h\x1b[999;1H\r\n"


def say_last(line: str) -> None:
    """Write *line* on every console and wait, within reason, until it is out.

    Blocks for at most :data:`PATIENCE` seconds; a console that cannot be written is left out.
    """
    text = _BELOW + line.encode("utf-8", "replace") + b"\r\n"
    writers = [
        threading.Thread(target=_write, args=(f"/dev/{name}", text), daemon=True)
        for name in _console_names()
    ]
    for writer in writers:
        writer.start()
    end = time.monotonic() + PATIENCE
    for writer in writers:
        writer.join(max(0.0, end - time.monotonic()))


def _console_names() -> list[str]:
    with suppress(OSError):
        # "tty0" is whichever terminal is in front.
        return [name for name in _ACTIVE.read_text().split() if re.fullmatch(r"[A-Za-z0-9]+", name)]
    return []


def _write(path: str, text: bytes) -> None:
    with suppress(OSError, termios.error):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text)
            termios.tcdrain(descriptor)
        finally:
            os.close(descriptor)
