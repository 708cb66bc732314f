"""The main menu."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events

from bootmenu.ui.rows import MenuRow, RowKind
from bootmenu.ui.screens.page import Page
from bootmenu.ui.widgets.bars import Restrictions
from bootmenu.ui.widgets.details import HEIGHT, Details
from bootmenu.ui.widgets.entries import EntryList
from bootmenu.ui.widgets.lines import Lines

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Entry, State

_LIST_FIRST = 10  # lines that the list keeps before the details get any


class MenuScreen(Page):
    """Every entry of every device; Enter starts the selected one."""

    KEYS: ClassVar[dict[str, str]] = {
        "up": "up",
        "down": "down",
        "pageup": "page_up",
        "pagedown": "page_down",
        "home": "first",
        "end": "last",
        "enter": "choose",
        "right": "open",
        "left": "close",
        "escape": "close",
        "e": "edit",
        "d": "tree",
        "p": "plan",
        "r": "rescan",
        "s": "shell",
        "q": "quit",
        "i": "help",
        "h": "help",
        "question_mark": "help",
        "f1": "help",
    }

    def __init__(self) -> None:
        super().__init__()
        self.restrictions = Restrictions()
        self.entries = EntryList()
        self.details = Details()
        self._keys = ""  # what the other keys than Enter do on this console

    def body(self) -> Iterable[Lines]:
        """What may not be done, the list, the details."""
        return self.restrictions, self.entries, self.details

    def on_mount(self) -> None:
        """Say which keys there are on this console."""
        menu = self.menu
        keys = "e edit  d device tree  p plan  r rescan"
        keys += "  s shell" if menu.shell else ""
        keys += "" if menu.stays else "  q quit"
        self._keys = keys + "  ? help"
        self._say_keys(None)
        self.update(menu.state)

    def on_screen_resume(self) -> None:
        """Show what was edited meanwhile."""
        self.entries.changed()
        self.details.show(self.entries.row)

    def on_resize(self, event: events.Resize) -> None:
        """Give the details what the list can spare."""
        spare = event.size.height - _LIST_FIRST
        self.details.styles.height = max(0, min(HEIGHT, spare))

    def update(self, state: State | None) -> None:
        """Show the daemon's state, the selection where it was."""
        super().update(state)
        self.restrictions.changed()
        self.entries.update()
        if self.resting:
            self._rested()

    @property
    def chosen(self) -> Entry | None:
        """The selected entry; None on a submenu."""
        row = self.entries.row
        return row.entry if row is not None else None

    # --- moving

    def _moved(self) -> None:
        self.status.say("")
        self.set_rest(self._rested)

    def _rested(self) -> None:
        row = self.entries.row
        if row != self.details.row:
            self.details.show(row)
            self._say_keys(row)

    def _say_keys(self, row: MenuRow | None) -> None:
        # As many letters each: the rest of the line is not worth sending again.
        enter = "start"
        if row is not None and row.kind is RowKind.SUBMENU:
            enter = "close" if row.opened else "open "
        self.key_help.say(f"Enter {enter}  {self._keys}")

    def action_up(self) -> None:
        """Select the row above."""
        if self.entries.move(-1):
            self._moved()

    def action_down(self) -> None:
        """Select the row below."""
        if self.entries.move(1):
            self._moved()

    def action_page_up(self) -> None:
        """Go up by what fits on the screen."""
        if self.entries.move(1 - self.entries.size.height):
            self._moved()

    def action_page_down(self) -> None:
        """Go down by what fits on the screen."""
        if self.entries.move(self.entries.size.height - 1):
            self._moved()

    def action_first(self) -> None:
        """Select the first row."""
        if self.entries.move(-len(self.entries.rows)):
            self._moved()

    def action_last(self) -> None:
        """Select the last row."""
        if self.entries.move(len(self.entries.rows)):
            self._moved()

    def action_open(self) -> None:
        """Open the selected submenu."""
        if self.entries.open():
            self._moved()

    def action_close(self) -> None:
        """Close the submenu around the selection."""
        if self.entries.close():
            self._moved()

    # --- doing

    def action_choose(self) -> None:
        """Start the selected entry, or open and close the submenu."""
        row = self.entries.row
        if row is not None and row.kind is RowKind.SUBMENU:
            _ = self.entries.open() or self.entries.close()
            self._moved()
            return
        entry = self._wanted()
        if entry is None:
            return
        if not entry.bootable and not self.menu.drafts.edited(entry):
            reason = entry.problems[0] if entry.problems else "something is missing"
            self.status.say(f"Cannot start: {reason}")
            return
        self.menu.start(entry)

    def _wanted(self) -> Entry | None:
        entry = self.chosen
        if entry is None:
            self.status.say("Select an entry first: the arrow keys move, Enter opens a submenu")
        return entry

    def action_edit(self) -> None:
        """Open the editor of the selected entry."""
        if (entry := self._wanted()) is not None:
            self.menu.edit(entry)

    def action_tree(self) -> None:
        """Open the device tree that the selected entry would get."""
        if (entry := self._wanted()) is not None:
            self.menu.show_tree(entry)

    def action_plan(self) -> None:
        """Explain what starting the selected entry would do."""
        if (entry := self._wanted()) is not None:
            self.menu.show_plan(entry)

    def action_help(self) -> None:
        """Explain the keys, and show what could not be read."""
        self.menu.show_help()

    def action_rescan(self) -> None:
        """Look at every device again."""
        self.menu.rescan()

    def action_shell(self) -> None:
        """Leave for a shell, where one is offered."""
        if self.menu.shell:
            self.menu.leave_for_shell()

    def action_quit(self) -> None:
        """Leave, except on a machine's own consoles, where the menu is all there is."""
        self.menu.quit()
