"""The terminal device: taken over before anything slow happens, and always given back.

Serial lines report a size of 0x0. The terminal is then asked (DSR, ``ESC [ 6 n``) where
the cursor ends up when it is sent far away, and whether it takes UTF-8: where the cursor
stands after a character of two bytes, which to an old terminal are two. The answers
arrive while the menu is still being imported and are read as any other input.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import tty
from collections import deque
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from types import TracebackType
from typing import Any, Self

from bootmenu.errors import UsageError
from bootmenu.ui.terminal.cells import Row
from bootmenu.ui.terminal.painter import Painter
from bootmenu.ui.terminal.profile import Charset, Profile, profile_for

FALLBACK = (80, 24)
_LEAST = (20, 6)  # columns and rows of the smallest terminal that is believed
_ASK_CHARSET = "\r\u00e9\x1b[6n\r".encode()
_ASK_SIZE = b"\x1b7\x1b[999;999H\x1b[6n\x1b8"
_STOP = b"\x1b[m\x1b[?7h"
_GIVE_UP = 2.0  # seconds to wait for a line that takes no more bytes


class Question(Enum):
    """What a terminal is asked at the start."""

    CHARSET = "charset"
    SIZE = "size"


class Console:
    """Standard input and output as one terminal; a context manager that restores it.

    On leaving, the cursor goes below the screen's last row so that a shell's prompt does
    not overwrite it, unless :attr:`keep` says that the last picture must stay.
    """

    def __init__(self) -> None:
        if not os.isatty(0):
            raise UsageError(
                "the menu needs a terminal, standard input is none",
                hint="use `bootmenu list` and `bootmenu boot ENTRY` in scripts",
            )
        self.input = 0
        self.output = 1 if os.isatty(1) else 0
        try:
            name = os.ttyname(0)
        except OSError:  # its device file is not visible here
            name = ""
        self.profile: Profile = profile_for(name, os.environ.get("TERM", ""))
        self._asked: deque[Question] = deque()  # what it has not answered yet
        self.size = self._reported() or FALLBACK
        self.painter = Painter(self.profile, *self.size)
        self.keep = False
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self.input)
        raw = termios.tcgetattr(self.input)
        raw[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[tty.IFLAG] &= ~(
            termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR
        )
        raw[tty.OFLAG] |= termios.OPOST | termios.ONLCR  # what the painter counts on
        raw[tty.CC][termios.VMIN] = 1
        raw[tty.CC][termios.VTIME] = 0
        termios.tcsetattr(self.input, termios.TCSANOW, raw)
        if self.profile.charset is Charset.ASCII:
            self._asked.append(Question.CHARSET)
            self.write(_ASK_CHARSET)
        if self._reported() is None:
            self._asked.append(Question.SIZE)
            self.write(_ASK_SIZE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.write(_STOP)
        if not self.keep:
            self.write(b"\x1b[H\x1b[J")
        else:
            self.write(f"\x1b[{self.size[1]}H\r\n".encode())
        if self._before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.input, termios.TCSANOW, self._before)

    def _reported(self) -> tuple[int, int] | None:
        """The size that the kernel knows, as columns and rows."""
        try:
            answer = fcntl.ioctl(self.output, termios.TIOCGWINSZ, bytes(8))
        except OSError:
            return None
        rows, columns, _, _ = struct.unpack("HHHH", answer)
        return (columns, rows) if columns and rows else None

    def resized(self, size: tuple[int, int] | None = None) -> bool:
        """Take *size*, or the one that the kernel knows; whether it is a new one."""
        size = self._reported() or size or self.size
        if size == self.size:
            return False
        self.size = size
        self.painter.resize(*size)
        return True

    def answered(self, column: int, row: int) -> Question | None:
        """Take the terminal's answer, a cursor position from 1; what changed by it.

        An unlikely answer to what was not asked is ignored: some function keys look alike.
        """
        if self._asked and self._asked[0] is Question.CHARSET:
            self._asked.popleft()
            if column in (2, 3):
                return Question.CHARSET if column == 2 and self.takes_unicode() else None
        if self._asked and column >= _LEAST[0] and row >= _LEAST[1]:
            return self._asked.popleft() if self.resized((column, row)) else None
        return None

    def takes_unicode(self) -> bool:
        """The terminal is one that knows UTF-8; whether that is news."""
        if self.profile.charset is not Charset.ASCII:
            return False
        self.profile = replace(self.profile, charset=Charset.UNICODE)
        self.painter.adopt(self.profile)
        return True

    def write(self, data: bytes) -> None:
        """Send *data*; what the line does not take within two seconds is dropped."""
        with suppress(OSError):  # the line hung up: there is nobody to write to
            while data and select.select([], [self.output], [], _GIVE_UP)[1]:
                data = data[os.write(self.output, data[:512]) :]

    def paint(self, frame: list[Row], cursor: tuple[int, int]) -> None:
        """Show *frame* now, before there is anything that could wait for the line."""
        self.write(self.painter.paint(frame, cursor))
