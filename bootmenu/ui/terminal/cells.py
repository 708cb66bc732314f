"""What one screen shows: rows of cells, each a glyph and the look it is shown in.

A wide glyph takes two cells, the second of which is the empty string. Every glyph that
enters a frame is printable: a title read from a foreign disk cannot carry an escape
sequence to the terminal.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple


class Look(NamedTuple):
    """How a cell is shown. Colours are numbers of the 256-colour palette, -1 for none."""

    bold: bool = False
    reverse: bool = False
    underline: bool = False
    foreground: int = -1
    background: int = -1

    @property
    def hides_blanks(self) -> bool:
        """Whether a blank in this look is the same as a plain one."""
        return not (self.reverse or self.underline or self.background >= 0)


PLAIN = Look()

Cell = tuple[str, Look]
Row = list[Cell]
BLANK: Cell = (" ", PLAIN)


@lru_cache(maxsize=4096)
def glyph(character: str) -> str:
    """What stands for *character* on a screen: itself, or ``?`` when it cannot be shown."""
    if not character.isprintable() or unicodedata.combining(character):
        return "?"
    return character


@lru_cache(maxsize=4096)
def columns(character: str) -> int:
    """How many cells *character* takes: 1 or 2."""
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def shown(text: str) -> str:
    """*text* as a screen shows it: as many characters, all of them printable."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(glyph(character) for character in text)


def width_of(text: str) -> int:
    """How many cells *text* takes."""
    if text.isascii():
        return len(text)
    return sum(columns(character) for character in text)


def crop(text: str, width: int) -> str:
    """As much of *text* as fits into *width* cells."""
    if text.isascii():
        return text[:width]
    used = 0
    for index, character in enumerate(text):
        used += columns(character)
        if used > width:
            return text[:index]
    return text


def crop_middle(text: str, width: int) -> str:
    """*text* in *width* cells, with dots for what is left out of its middle.

    Of a list of kernels or snapshots, the ends of the titles are what differs.
    """
    if width_of(text) <= width or width < 8:
        return crop(text, width)
    tail = crop(text[::-1], (width - 3) // 2)[::-1]
    return f"{crop(text, width - 3 - width_of(tail))}...{tail}"


def blank_row(width: int) -> Row:
    """A row of *width* blanks."""
    return [BLANK] * width


def put(row: Row, x: int, text: str, look: Look) -> int:
    """Write *text* into *row* from cell *x*; returns the cell after it."""
    for character in shown(text):
        wide = columns(character) == 2
        if x + wide >= len(row):
            break
        row[x] = (character, look)
        if wide:
            row[x + 1] = ("", look)
        x += 1 + wide
    return x
