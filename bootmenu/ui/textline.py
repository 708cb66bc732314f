"""A line of text being edited: the text, byte for byte, and a cursor in it."""

from __future__ import annotations

from collections.abc import Callable

from bootmenu.ui.terminal.cells import width_of
from bootmenu.ui.text import fold


class TextLine:
    """Text without line ends, and the index of the character that the cursor stands on."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.cursor = len(text)

    def insert(self, text: str) -> None:
        """Put *text* at the cursor."""
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def press(self, key: str, character: str | None) -> bool:
        """Do what *key* does while editing; whether it does anything."""
        action = _ACTIONS.get(key)
        if action is not None:
            action(self)
            return True
        if character is not None and len(character) == 1 and character.isprintable():
            self.insert(character)
            return True
        return False

    def place(self, width: int) -> tuple[int, int]:
        """Column and row of the cursor when the text is folded to *width* cells."""
        left = self.cursor
        lines = fold(self.text, width)
        for row, line in enumerate(lines):
            if left < len(line) or (left == len(line) and row == len(lines) - 1):
                column = width_of(line[:left])
                return (column, row) if column < width else (0, row + 1)
            left -= len(line)
        return 0, 0

    def move_row(self, step: int, width: int) -> bool:
        """Go one folded row up (-1) or down (1); false at the first or the last."""
        column, row = self.place(width)
        lines = fold(self.text, width)
        target = row + step
        if not 0 <= target < len(lines):
            return False
        self.cursor = sum(len(line) for line in lines[:target])
        self.cursor += min(column, len(lines[target]))
        return True

    def _left(self) -> None:
        self.cursor = max(0, self.cursor - 1)

    def _right(self) -> None:
        self.cursor = min(len(self.text), self.cursor + 1)

    def _home(self) -> None:
        self.cursor = 0

    def _end(self) -> None:
        self.cursor = len(self.text)

    def _word_left(self) -> None:
        before = self.text[: self.cursor].rstrip(" ")
        self.cursor = before.rfind(" ") + 1

    def _word_right(self) -> None:
        after = self.text[self.cursor :]
        blanks = len(after) - len(after.lstrip(" "))
        end = after.find(" ", blanks)
        self.cursor = len(self.text) if end < 0 else self.cursor + end

    def _backspace(self) -> None:
        if self.cursor:
            self.cursor -= 1
            self._delete()

    def _delete(self) -> None:
        self.text = self.text[: self.cursor] + self.text[self.cursor + 1 :]

    def _delete_word(self) -> None:
        end = self.cursor
        self._word_left()
        self.text = self.text[: self.cursor] + self.text[end:]

    def _delete_before(self) -> None:
        self.text = self.text[self.cursor :]
        self.cursor = 0

    def _delete_after(self) -> None:
        self.text = self.text[: self.cursor]


_ACTIONS: dict[str, Callable[[TextLine], None]] = {
    "left": TextLine._left,
    "ctrl+b": TextLine._left,
    "right": TextLine._right,
    "ctrl+f": TextLine._right,
    "home": TextLine._home,
    "ctrl+a": TextLine._home,
    "end": TextLine._end,
    "ctrl+e": TextLine._end,
    "ctrl+left": TextLine._word_left,
    "ctrl+right": TextLine._word_right,
    "backspace": TextLine._backspace,
    "delete": TextLine._delete,
    "ctrl+d": TextLine._delete,
    "ctrl+w": TextLine._delete_word,
    "ctrl+u": TextLine._delete_before,
    "ctrl+k": TextLine._delete_after,
}
