"""A menu on a real pseudo-terminal, read through pyte as a person at a VT100 would."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import NamedTuple, Self

import pyte

KEYS = {
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "enter": b"\r",
    "linefeed": b"\n",
    "escape": b"\x1b",
    "up (application)": b"\x1bOA",
    "f10": b"\x1b[21~",
}
RUN = """
import sys
from bootmenu.errors import BootmenuError
from bootmenu.ui import run
try:
    sys.exit(run(socket=sys.argv[1], wait=bool(sys.argv[2])))
except BootmenuError as error:
    sys.exit(f"bootmenu: {error}")
"""


class _Screen(pyte.Screen):
    """Answers what it is asked, as a terminal does."""

    def __init__(self, columns: int, rows: int, master: int) -> None:
        super().__init__(columns, rows)
        self._master = master

    def write_process_input(self, data: str) -> None:
        os.write(self._master, data.encode())


class Terminal:
    """A pseudo-terminal of *size*, on which the menu of the daemon at *socket* runs.

    Without *reported* the size is 0x0, as on a serial line, and the menu must ask for it.
    """

    def __init__(
        self,
        socket: str,
        *,
        term: str = "vt100",
        size: tuple[int, int] = (80, 24),
        reported: bool = True,
        wait: bool = False,
        utf8: bool = True,
    ) -> None:
        self._master, slave = pty.openpty()
        self.screen = _Screen(*size, self._master)
        self._stream = pyte.ByteStream(self.screen)
        self._stream.use_utf8 = utf8
        self.output = b""
        if reported:
            self._set_size(slave, size)
        self._slave = slave  # kept open, to look at its settings after the menu has gone
        self.settings = termios.tcgetattr(slave)
        environment = {**os.environ, "TERM": term}
        environment.pop("COLORTERM", None)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, socket, "yes" if wait else ""],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    @staticmethod
    def _set_size(slave: int, size: tuple[int, int]) -> None:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def settings_now(self) -> list[object]:
        """The line's settings."""
        return termios.tcgetattr(self._slave)

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self.screen.resize(rows, columns)
        self._set_size(self._slave, (columns, rows))
        self.process.send_signal(signal.SIGWINCH)

    def write_over(self, data: bytes) -> None:
        """Write *data* on the terminal as another process does."""
        os.write(self._slave, data)

    def press(self, key: str) -> None:
        """Press the key *key*, or type it."""
        os.write(self._master, KEYS.get(key, key.encode()))

    def read(self, seconds: float) -> bool:
        """Take what comes within *seconds*; whether anything came."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.output += data
        self._stream.feed(data)
        return bool(data)

    def until(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        """Read until *true* is."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"did not come in {seconds} s; the screen is:\n{self.text}")
            self.read(0.1)

    def sees(self, *texts: str) -> None:
        """Read until all *texts* are on the screen."""
        self.until(lambda: all(text in self.text for text in texts))

    def settles(self, seconds: float = 0.45) -> bytes:
        """Read until nothing came for *seconds*; returns all since the last call."""
        while self.read(seconds):
            pass
        output, self.output = self.output, b""
        return output

    def ends(self) -> int:
        """Wait for the menu's end; returns its exit status."""
        while self.process.poll() is None:
            self.read(0.05)
        self.read(0.05)
        return self.process.returncode


class Cost(NamedTuple):
    """What a terminal of 80x24 was sent."""

    first_paint: int  # bytes until every entry and the details stand
    down_keys: list[int]  # bytes of each Down key, the details that follow included
    seconds: float  # from the start of the process until the entries stand


DOWN = (
    "2 entries; Enter or Right opens",
    "console=ttyAMA0 rescue",
    "Initrd   none",
    "Cannot start: ",
)
"""What each Down key brings, last of all, on the menu of the fake daemon."""


def cost(socket: str) -> Cost:
    """Run the menu of the fake daemon at *socket* on a VT100 and count the bytes."""
    with Terminal(socket, reported=False) as terminal:
        terminal.sees("Kernel   /", "From     ", "Enter start")
        seconds = time.monotonic() - terminal.started
        first = len(terminal.settles())
        down = []
        for sight in DOWN:
            terminal.press("down")
            terminal.sees(sight)
            down.append(len(terminal.settles()))
    return Cost(first, down, seconds)
