"""Screens to read: a plan, the help, the difference before starting, an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events

from bootmenu.ui.client import CallError
from bootmenu.ui.screens.page import Page
from bootmenu.ui.text import fold, wrap
from bootmenu.ui.widgets.lines import Line, Lines
from bootmenu.ui.widgets.scroll import Scroll

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Entry, Request

_SCROLL = "Up Down PgUp PgDn scroll  Esc back"


class ReadScreen(Page):
    """A text that scrolls; *paragraphs* are broken to the screen's width, roles first."""

    KEYS: ClassVar[dict[str, str]] = {"escape": "back", "q": "back", "enter": "back"}
    HELP: ClassVar[str] = _SCROLL

    def __init__(self, title: str, paragraphs: list[tuple[str, str]], *, words: bool) -> None:
        super().__init__(title)
        self.paragraphs = paragraphs
        self._words = words  # wrapped between words, or folded as the lines stand
        self.scroll = Scroll()

    def body(self) -> Iterable[Lines]:
        """The text."""
        return (self.scroll,)

    def on_resize(self, event: events.Resize) -> None:
        """Break the lines anew."""
        width = max(event.size.width - 1, 8)
        lines: list[Line] = []
        for role, text in self.paragraphs:
            broken = wrap(text, width) if self._words else fold(text, width)
            lines.extend([(line, role)] for line in broken)
        self.scroll.show(lines)

    def other_key(self, event: events.Key) -> None:
        """Scroll."""
        self.scroll.press(event.key)


class ReviewScreen(ReadScreen):
    """What the person changed, before it starts."""

    KEYS: ClassVar[dict[str, str]] = {"escape": "back", "enter": "start", "e": "edit", "p": "plan"}
    HELP: ClassVar[str] = "Enter start it  e edit  p plan  Esc back"

    def __init__(self, entry: Entry, request: Request, differences: list[str]) -> None:
        head = [("label", "This differs from what its configuration says:"), ("", "")]
        shown = [(_ROLES.get(line[:1], "value"), line) for line in differences]
        if shown:
            shown = head + shown
        else:
            shown = [("value", "Nothing is changed: it starts as its configuration says.")]
        if entry.writes:
            shown += [("", ""), ("label", "Starting it changes on a disk:")]
            shown += [("value", f"  {change}") for change in entry.writes]
        super().__init__(f"Start {entry.title}?", shown, words=False)
        self.entry = entry
        self.request = request

    def action_start(self) -> None:
        """Start exactly this."""
        self.menu.boot(self.entry, self.request)

    def action_edit(self) -> None:
        """To the editor."""
        self.menu.edit(self.entry)

    def action_plan(self) -> None:
        """Explain what would be loaded where."""
        self.menu.show_plan(self.entry)


_ROLES = {"+": "added", "-": "removed"}


class ErrorScreen(ReadScreen):
    """What failed, why, and what to do; every key that does not scroll returns."""

    KEYS: ClassVar[dict[str, str]] = {}
    HELP: ClassVar[str] = "Any key returns to the menu"

    def __init__(self, title: str, failure: CallError) -> None:
        paragraphs = [("", ""), ("error", failure.message)]
        if failure.hint:
            paragraphs += [("", ""), ("", f"What to do: {failure.hint}")]
        if failure.log:
            paragraphs += [("", ""), ("label", "The kernel said meanwhile:")]
            paragraphs += [("value", f"  {line}") for line in failure.log]
        super().__init__(title, paragraphs, words=True)
        self.status.follows = False  # it would say the same again

    def other_key(self, event: events.Key) -> None:
        """Scroll what is longer than the screen; return on anything else."""
        if not (self.scroll.longer and self.scroll.press(event.key)):
            self.action_back()


HELP = """\
Every system found on the disks of this machine is listed below its device. \
The marker in the first column shows the selected one, * the one that starts by itself, \
! one that cannot start and why is said below the list.

Up, Down, PgUp, PgDn, Home, End   select
Enter    start the selected entry, or open a submenu
Right, Left   open and close a submenu
e        edit the cmdline, the kernel, its initrds, its DTB and overlays
d        browse and change the device tree that it gets
p        plan: which file goes where in memory, and what would fail
r        look at every device again
Ctrl-L   draw the screen again, when something else wrote on it
Esc      while a system is loaded: cancel that, on whichever console it was started

A countdown stops on any key, on all consoles. Changes are kept while the menu runs \
and are never written to a disk; they are shown once more before they start."""
