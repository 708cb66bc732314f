"""Textual's driver for a :class:`Console`: keys in, frames out, no threads.

Output waits until the line takes more bytes (a tty polls as writable while fewer than 256
bytes are queued). Frames that come meanwhile replace each other, so that a slow line
always shows the newest and a held key never builds up a queue.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from codecs import getincrementaldecoder
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.geometry import Size

from bootmenu.ui.terminal.cells import Row
from bootmenu.ui.terminal.console import Console, Question

if TYPE_CHECKING:
    from textual.message import Message

_CHUNK = 512  # bytes written at a time
_AWAY = 60.0  # seconds without a key after which a person may have just plugged in
_ESCAPE = "\x1b"
_LONE_ESCAPE = re.compile(r"(\x1b(?![\[O]))")
_SAME_KEYS = {"ctrl+j": "enter", "ctrl+m": "enter", "ctrl+h": "backspace"}
_NOISE = frozenset({"ctrl+@", "<ignore>"})  # NUL: a break condition on a serial line


class ConsoleDriver(Driver):
    """Drives the console that the app carries as ``app.terminal``."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._console: Console = app.terminal
        self._size = self._console.size
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._parser = XTermParser()
        self._frame: tuple[list[Row], tuple[int, int]] | None = None
        self._pending = b""
        self._waiting = False
        self._escape = ""  # an Esc of which it is not known yet what it begins
        self._timer: asyncio.TimerHandle | None = None
        self._last_key = monotonic()

    # --- output

    def show(self, rows: list[Row], cursor: tuple[int, int]) -> None:
        """Show *rows* with the cursor at *cursor* (x, y) as soon as the line is free."""
        self._frame = ([*rows], cursor)
        if not self._waiting:
            self._waiting = True
            self._loop.add_writer(self._console.output, self._writable)

    def repaint(self) -> None:
        """Send everything again: something else may have written to the terminal."""
        self._console.painter.forget()
        self._app.refresh(layout=True)

    def _writable(self) -> None:
        if not self._pending and self._frame is not None:
            rows, cursor = self._frame
            self._frame = None
            if (len(rows), len(rows[0]) if rows else 0) == self._console.size[::-1]:
                self._pending = self._console.painter.paint(rows, cursor)
        if self._pending:
            try:
                sent = os.write(self._console.output, self._pending[:_CHUNK])
            except OSError:  # the line hung up
                sent = len(self._pending)
                self._app.exit(1)
            self._pending = self._pending[sent:]
        if not self._pending and self._frame is None:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._console.output)

    def write(self, data: str) -> None:
        """Textual's own escape sequences (modes, OSC) are not for this terminal."""

    # --- input

    def _readable(self) -> None:
        try:
            data = os.read(self._console.input, 4096)
        except OSError:
            data = b""
        if not data:  # the line hung up
            self._loop.remove_reader(self._console.input)
            self._app.exit(1)
            return
        self._feed(self._decode(data))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(constants.ESCAPE_DELAY + 0.01, self._rested)

    def _feed(self, text: str) -> None:
        """Parse *text*, an Esc that begins no sequence being the key of that name.

        Textual would take Esc and Enter in quick succession for Alt-Enter, or for Enter.
        """
        text, self._escape = self._escape + text, ""
        if text.endswith(_ESCAPE):
            text, self._escape = text[:-1], _ESCAPE
        for part in _LONE_ESCAPE.split(text):
            if part == _ESCAPE:
                self._take(events.Key("escape", _ESCAPE))
            elif part:
                for message in self._parser.feed(part):
                    self._take(message)

    def _rested(self) -> None:
        if self._escape:
            self._escape = ""
            self._take(events.Key("escape", _ESCAPE))
        for message in self._parser.tick():
            self._take(message)

    def _take(self, message: Message) -> None:
        if isinstance(message, events.CursorPosition):
            self._answered(self._console.answered(message.x + 1, message.y + 1))
            return
        if isinstance(message, events.Key):
            if message.key in _NOISE or message.character == "\ufffd":
                return
            self._pressed(message)
            if message.key in _SAME_KEYS:
                message = events.Key(_SAME_KEYS[message.key], message.character)
        message.set_sender(self._app)
        self._app.post_message(message)

    def _pressed(self, key: events.Key) -> None:
        typed = key.character
        if typed is not None and not typed.isascii() and self._console.takes_unicode():
            self._answered(Question.CHARSET)
        now = monotonic()
        if self._console.profile.slow and now - self._last_key > _AWAY:
            self.repaint()
        self._last_key = now

    def _answered(self, change: Question | None) -> None:
        if change is Question.CHARSET:
            self._app.refresh(layout=True)
        elif change is Question.SIZE:
            self._take_size()

    def _resized(self) -> None:
        if self._console.resized():
            self._take_size()

    def _take_size(self) -> None:
        self._size = self._console.size
        size = Size(*self._size)
        self._app.post_message(events.Resize(size, size))

    # --- life

    def start_application_mode(self) -> None:
        """Listen to the console, which is in raw mode already, and to signals."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._console.input, self._readable)
        loop.add_signal_handler(signal.SIGWINCH, self._resized)
        self._resized()  # what came before was not heard
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._app.exit, 1)

    def disable_input(self) -> None:
        """Take no more keys."""
        self._loop.remove_reader(self._console.input)

    def stop_application_mode(self) -> None:
        """Send what is still waiting; the console itself restores the terminal."""
        self.disable_input()
        self._stop_waiting()
        self._console.write(self._pending)
        self._pending = b""
        if self._frame is not None:
            self._console.paint(*self._frame)
            self._frame = None
        for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP):
            self._loop.remove_signal_handler(number)
