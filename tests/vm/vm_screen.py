"""What a person sees on a serial terminal, and the keys that they press."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import pyte

COLUMNS, LINES = 80, 24
SECONDS = 600
"""How long anything is waited for: emulated on a busy machine, all may take ten times as long."""

KEYS = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[1~",
    "insert": "\x1b[2~",
    "delete": "\x1b[3~",
    "end": "\x1b[4~",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f10": "\x1b[21~",
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "backspace": "\x7f",
}
"""What a terminal sends for a key; a single character stands for itself."""

Condition = str | re.Pattern[str] | Callable[["Screen"], bool]


class _Terminal(pyte.Screen):
    """A terminal that answers what it is asked, through *answer*."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Screen:
    """A terminal of 80 by 24 that is fed from another thread, and its transcript."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._terminal = _Terminal(send)
        self._stream = pyte.ByteStream(self._terminal)
        self._send = send
        self._changed = threading.Condition()
        self._received = bytearray()
        self._marked = 0
        self._ended = False
        self._last = time.monotonic()

    # --- from the machine ---

    def feed(self, data: bytes) -> None:
        """Show *data*, which the machine wrote."""
        with self._changed:
            self._received += data
            self._stream.feed(data)
            self._last = time.monotonic()
            self._changed.notify_all()

    def end(self) -> None:
        """The machine has ended: nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # --- to the machine ---

    def press(self, *keys: str) -> None:
        """Press *keys* by name, one after the other."""
        for key in keys:
            control = key.removeprefix("ctrl+")
            text = chr(ord(control) & 0x1F) if control != key else KEYS.get(key, key)
            self._send(text.encode())

    def type(self, text: str) -> None:
        """Type *text* as it stands."""
        self._send(text.encode())

    # --- what is seen ---

    @property
    def lines(self) -> list[str]:
        """The lines, without spaces at their ends."""
        with self._changed:
            return [line.rstrip() for line in self._terminal.display]

    @property
    def text(self) -> str:
        """All that is to be read on it."""
        return "\n".join(self.lines)

    def line_of(self, text: str) -> str:
        """The first line that holds *text*; "" when none does."""
        return next((line for line in self.lines if text in line), "")

    def reversed_text(self) -> str:
        """What is shown in reverse video, line by line."""
        with self._changed:
            rows = self._terminal.buffer
            found = (
                "".join(rows[y][x].data for x in range(COLUMNS) if rows[y][x].reverse)
                for y in range(LINES)
            )
            return "\n".join(line.rstrip() for line in found if line.strip())

    @property
    def transcript(self) -> str:
        """Everything that the machine wrote since it started, escapes and all."""
        with self._changed:
            return self._received.decode(errors="replace")

    @property
    def received(self) -> int:
        """How many bytes the machine wrote since it started."""
        with self._changed:
            return len(self._received)

    def __str__(self) -> str:
        edge = "+" + "-" * COLUMNS + "+"
        return "\n".join([edge, *(f"|{line:{COLUMNS}}|" for line in self.lines), edge])

    # --- waiting ---

    def wait_for(self, what: Condition) -> None:
        """Until the screen shows *what*: a text, a pattern, or what a function finds true.

        Raises AssertionError with a picture of the screen after SECONDS, or when the machine ends.
        """

        def seen() -> bool:
            if callable(what):
                return what(self)
            if isinstance(what, re.Pattern):
                return what.search(self.text) is not None
            return what in self.text

        self._wait(seen, f"the screen never showed {what!r}")

    def wait_gone(self, text: str) -> None:
        """Until the screen no longer shows *text*."""
        self._wait(lambda: text not in self.text, f"the screen kept showing {text!r}")

    def wait_quiet(self, seconds: float = 1.0) -> None:
        """Until the machine wrote nothing for *seconds*."""

        def quiet() -> bool:
            return time.monotonic() - self._last >= seconds

        self._wait(quiet, f"the machine was never quiet for {seconds} s")

    def expect(self, pattern: str) -> re.Match[str]:
        """The first match of *pattern* in what was written since the last call.

        For output that is longer than a line of the screen, or scrolls out of it.
        """
        found: list[re.Match[str]] = []

        def written() -> bool:
            with self._changed:
                rest = self._received[self._marked :].decode(errors="surrogateescape")
            match = re.search(pattern, rest)
            if match is None:
                return False
            self._marked += len(rest[: match.end()].encode(errors="surrogateescape"))
            found.append(match)
            return True

        self._wait(written, f"the machine never wrote {pattern!r}")
        return found[0]

    def _wait(self, done: Callable[[], bool], failure: str) -> None:
        end = time.monotonic() + SECONDS
        while not done():
            left = end - time.monotonic()
            if left <= 0 or self._ended:
                why = "the machine has ended" if self._ended else f"waited {SECONDS} s"
                raise AssertionError(f"{failure}; {why}\n{self}")
            with self._changed:
                self._changed.wait(min(left, 0.2))
