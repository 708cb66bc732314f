"""One question and the text that answers it."""

from __future__ import annotations

from bootmenu.ui.text import fold
from bootmenu.ui.textline import TextLine
from bootmenu.ui.widgets.lines import Line, Lines

HEIGHT = 4


class Prompt(Lines):
    """A line of text to edit below its question; nothing while nothing is asked."""

    def __init__(self) -> None:
        super().__init__(HEIGHT)
        self.question = ""
        self.note: list[str] = []
        self.line = TextLine()

    @property
    def asking(self) -> bool:
        """Whether it waits for an answer."""
        return bool(self.question)

    def ask(self, question: str, text: str = "") -> None:
        """Ask *question*; *text* is the answer so far."""
        self.question = question
        self.line = TextLine(text)
        self.changed()

    def close(self) -> None:
        """Ask nothing."""
        self.question = ""
        self.changed()

    def tell(self, note: list[str]) -> None:
        """While nothing is asked, show the lines *note*."""
        if note != self.note:
            self.note = note
            self.changed()

    def press(self, key: str, character: str | None) -> bool:
        """Edit the answer; whether *key* did anything."""
        done = self.line.press(key, character)
        if done:
            self.changed()
        return done

    @property
    def caret(self) -> tuple[int, int] | None:
        """In the answer."""
        if not self.asking:
            return None
        column, row = self.line.place(max(self.size.width - 1, 4))
        return column, 1 + row - self._hidden(row)

    def _hidden(self, row: int) -> int:
        return max(0, row - (self.size.height - 2))

    def lines(self, width: int, height: int) -> list[Line]:
        """Question and answer, or the note."""
        if not self.asking:
            return [[(text, "value")] for text in self.note]
        room = max(width - 1, 4)
        hidden = self._hidden(self.line.place(room)[1])
        answer = fold(self.line.text, room)[hidden:]
        return [[(self.question, "label")], *([(text, "field")] for text in answer)]
