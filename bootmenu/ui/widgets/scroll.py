"""Text that may be longer than the screen."""

from __future__ import annotations

from bootmenu.ui.widgets.lines import Line, Lines

_STEPS = {"up": -1, "down": 1, "home": -100_000, "end": 100_000}


class Scroll(Lines):
    """Lines of which a window is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._top = 0

    def show(self, lines: list[Line]) -> None:
        """Show *lines*, from where the window stands."""
        self._lines = lines
        self.changed()

    @property
    def longer(self) -> bool:
        """Whether there is more than fits."""
        return len(self._lines) > self.size.height

    def press(self, key: str) -> bool:
        """Scroll as *key* says; whether it is a key that scrolls."""
        page = max(self.size.height - 1, 1)
        step = _STEPS.get(key) or {"pageup": -page, "pagedown": page, "space": page}.get(key)
        if step is None:
            return False
        last = max(0, len(self._lines) - self.size.height)
        top = max(0, min(self._top + step, last))
        if top != self._top:
            self._top = top
            self.changed()
        return True

    def lines(self, width: int, height: int) -> list[Line]:
        """The lines in the window."""
        return self._lines[self._top : self._top + height]
