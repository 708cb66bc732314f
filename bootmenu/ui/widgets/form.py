"""Text fields below each other, each as many lines high as its text needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from bootmenu.ui.text import fold
from bootmenu.ui.textline import TextLine
from bootmenu.ui.widgets.lines import Line, Lines

_LABEL = 10


@dataclass
class Field:
    """One text field; *key* says what it belongs to."""

    key: str
    label: str
    line: TextLine = field(default_factory=TextLine)


class Form(Lines):
    """Fields and a button below them; one of them has the cursor."""

    def __init__(self, button: str) -> None:
        super().__init__()
        self.fields: list[Field] = []
        self.button = button
        self.at = 0  # len(fields) is the button
        self._top = 0

    @property
    def field(self) -> Field | None:
        """The field with the cursor; None on the button."""
        return self.fields[self.at] if self.at < len(self.fields) else None

    def press(self, key: str, character: str | None) -> bool:
        """Edit or move as *key* says; whether it did anything."""
        if key in ("tab", "shift+tab"):
            self._go(1 if key == "tab" else -1)
            return True
        if key in ("up", "down"):
            self._row(-1 if key == "up" else 1)
            return True
        if self.field is None or not self.field.line.press(key, character):
            return False
        self.changed()
        return True

    def paste(self, text: str) -> None:
        """Put *text* at the cursor."""
        if self.field is not None:
            self.field.line.insert(text)
            self.changed()

    def _row(self, step: int) -> None:
        if self.field is not None and self.field.line.move_row(step, self._room):
            self.changed()
        else:
            self._go(step)

    def _go(self, step: int) -> None:
        self.at = max(0, min(self.at + step, len(self.fields)))
        self.changed()

    @property
    def _room(self) -> int:
        return max(self.size.width - _LABEL - 1, 4)

    def _rows(self) -> tuple[list[Line], int, int]:
        """All lines, and column and line of the cursor among them."""
        rows: list[Line] = []
        column = line = 0
        for index, one in enumerate(self.fields):
            here = index == self.at
            folded = fold(one.line.text, self._room)
            if here:
                column, down = one.line.place(self._room)
                column, line = column + _LABEL, len(rows) + down
                if down == len(folded):
                    folded.append("")
            role = "field" if here else "value"
            for number, text in enumerate(folded):
                label = "" if number else one.label
                rows.append([(label.ljust(_LABEL), "label"), (text, role)])
        rows.append([])
        on_button = self.at == len(self.fields)
        if on_button:
            line = len(rows)
        rows.append([(f"[ {self.button} ]", "marker" if on_button else "button")])
        return rows, column, line

    @property
    def caret(self) -> tuple[int, int] | None:
        """In the text of the field, where the next character goes."""
        _, column, line = self._rows()
        return column, line - self._top

    def lines(self, width: int, height: int) -> list[Line]:
        """The lines around the cursor."""
        rows, _, line = self._rows()
        if not self._top <= line < self._top + height:
            self._top = max(0, line - height // 2)
        self._top = max(0, min(self._top, len(rows) - height))
        return rows[self._top : self._top + height]
