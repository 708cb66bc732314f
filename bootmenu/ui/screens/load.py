"""While an entry is loaded and started: how far it has come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from bootmenu.ui.screens.page import Page
from bootmenu.ui.text import size_text
from bootmenu.ui.widgets.lines import Line, Lines

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Progress, State

_BAR = 40


class LoadBar(Lines):
    """What is loaded, and the part of it that is done."""

    def lines(self, width: int, height: int) -> list[Line]:
        """At most six lines."""
        state = self.menu.state
        title = self.menu.booting or (state.title if state is not None else "")
        if state is not None and state.phase.name == "starting":
            return [
                [],
                [(f"Starting {state.title or title}...", "field")],
                [],
                [("What comes next on this console is said by its own kernel.", "")],
            ]
        verb = "Cancelling" if self.menu.cancelling else "Loading"
        lines: list[Line] = [[], [(f"{verb} {title}", "field")], []]
        progress = state.progress if state is not None else None
        if progress is not None:
            lines += [[(progress.step, "value")], self._bar(progress, min(_BAR, width - 8))]
        return lines

    def _bar(self, progress: Progress, width: int) -> Line:
        if progress.total <= 0:
            return [(size_text(progress.done) if progress.done else "", "value")]
        part = min(progress.done / progress.total, 1.0)
        full = int(part * width)
        return [
            (self.look.glyphs["bar"] * full, "bar"),
            (self.look.glyphs["bar_left"] * (width - full), "value"),
            (f" {part:4.0%}", "value"),
            (f"  {size_text(progress.done)} of {size_text(progress.total)}", "value"),
        ]


class LoadScreen(Page):
    """Stays until the next kernel takes over, or the menu returns."""

    KEYS: ClassVar[dict[str, str]] = {"escape": "cancel"}
    HELP: ClassVar[str] = "Esc cancel"

    def __init__(self) -> None:
        super().__init__()
        self.bar = LoadBar()

    def body(self) -> Iterable[Lines]:
        """The bar."""
        return (self.bar,)

    def update(self, state: State | None) -> None:
        """Show how far it has come, and whether it can be cancelled still."""
        super().update(state)
        self.bar.changed()
        starting = state is not None and state.phase.name == "starting"
        self.key_help.say("" if starting or self.menu.cancelling else self.HELP)

    def action_cancel(self) -> None:
        """Give it up, whichever console asked for it."""
        self.menu.cancel()
