"""The lines around a screen: what it is, what goes on, which keys work."""

from __future__ import annotations

from bootmenu import __version__
from bootmenu.ui.terminal.cells import crop, width_of
from bootmenu.ui.text import wrap
from bootmenu.ui.widgets.lines import Line, Lines


class Heading(Lines):
    """The first line: the program, what this screen is for, the machine."""

    def __init__(self, title: str = "") -> None:
        super().__init__(1)
        self.title = title

    def lines(self, width: int, height: int) -> list[Line]:
        """One line."""
        program = f"bootmenu {__version__}"
        state = self.menu.state
        about = self.title or (state.machine if state is not None else "")
        return [[(f"{program}  {about}" if about else program, "title"), ("", "title")]]


class Restrictions(Lines):
    """The second line: what may not be done on this machine, or nothing."""

    def __init__(self) -> None:
        super().__init__(1)

    def lines(self, width: int, height: int) -> list[Line]:
        """One line."""
        state = self.menu.state
        if state is None or not state.restrictions:
            return []
        text = f"Not possible here: {state.restrictions[0]}"
        all_of_it = len(state.restrictions) == 1 and width_of(text) <= width
        more = "" if all_of_it else "... (? says all)"
        return [[(crop(text, width - len(more)), "warning"), (more, "warning")]]


class Status(Lines):
    """What is awaited and why, or what just happened on this screen; two lines at most."""

    def __init__(self) -> None:
        super().__init__(2)
        self.message = ""
        self.follows = True  # shows the daemon's status when there is no message

    def say(self, message: str) -> None:
        """Show *message* instead of the daemon's status, until it is empty again."""
        if message != self.message:
            self.message = message
            self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """The text, in the lower line when one is enough."""
        role = "warning" if self.message else "status"
        text = self.message or (self.menu.status if self.follows else "")
        broken = wrap(text, width)[:height]
        free: list[Line] = [[]] * (height - len(broken))
        return free + [[(line, role), ("", "status")] for line in broken]


class KeyHelp(Lines):
    """The last line: the keys that do something here."""

    def __init__(self, text: str) -> None:
        super().__init__(1)
        self.text = text

    def say(self, text: str) -> None:
        """Show *text* from now on."""
        if text != self.text:
            self.text = text
            self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """One line, which leaves the terminal's last cell alone."""
        return [[(self.text[: width - 1], "keys"), ("", "keys")]]
