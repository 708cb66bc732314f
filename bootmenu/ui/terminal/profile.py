"""What kind of terminal this is, and what may be sent to it.

Anything that is not known to be more is a VT100 on a slow line: no colour, ASCII, and
none of the modes that came later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from bootmenu.ui.terminal.cells import Look


class Charset(Enum):
    """Which glyphs the terminal has."""

    ASCII = "ascii"
    CONSOLE = "console"  # Linux console font: Latin 1 and a few lines and blocks
    UNICODE = "unicode"


_CONSOLE_GLYPHS = frozenset("─│┌┐└┘├┤┬┴┼═║█▀▄░▒▓■•")


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of terminal. Times are in seconds."""

    name: str  # also the name of its theme
    charset: Charset
    colours: int  # 0, 8 or 256
    escape_delay: float  # after which a lone ESC is the Esc key
    rest: float  # how long a key must rest before the details follow the selection
    slow: bool = False  # whether somebody may be at the far end of a slow line

    def glyph(self, character: str) -> str:
        """What this terminal shows for *character*: itself, or ``?`` if it has no such glyph.

        Nothing alike is shown instead: what is shown is what runs.
        """
        if character.isascii() or self.charset is Charset.UNICODE:
            return character
        if self.charset is Charset.CONSOLE and (
            character < "\u0100" or character in _CONSOLE_GLYPHS
        ):
            return character
        return "?"

    def look(self, look: Look) -> Look:
        """*look* without the colours that this terminal does not have."""
        return look._replace(
            foreground=look.foreground if look.foreground < self.colours else -1,
            background=look.background if look.background < self.colours else -1,
        )


SERIAL = Profile("serial", Charset.ASCII, 0, escape_delay=0.5, rest=0.3, slow=True)
VT = Profile("vt", Charset.CONSOLE, 8, escape_delay=0.1, rest=0.15)
COLOUR = Profile("colour", Charset.UNICODE, 256, escape_delay=0.1, rest=0.15)

_VIRTUAL_TERMINAL = re.compile(r"tty\d+")
_SERIAL_LINE = re.compile(r"(tty[A-Za-z]+|hvc|hvsi|xvc|sclp_line)\d+")
_COLOUR_TERMS = re.compile(r"(xterm|screen|tmux|rxvt|alacritty|foot|kitty|konsole|gnome|st)\b")


def profile_for(tty: str, term: str) -> Profile:
    """The profile of the terminal at the device *tty* that calls itself *term* (``$TERM``)."""
    name = PurePath(tty).name
    if _VIRTUAL_TERMINAL.fullmatch(name):
        return VT
    if _SERIAL_LINE.fullmatch(name):
        return SERIAL
    if term == "linux":
        return VT
    return COLOUR if _COLOUR_TERMS.match(term) else SERIAL
