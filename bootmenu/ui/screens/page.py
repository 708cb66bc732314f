"""What every screen has: a heading, a status line, key help, and keys that call methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.screen import Screen
from textual.timer import Timer

from bootmenu.ui.widgets.bars import Heading, KeyHelp, Status
from bootmenu.ui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import App, ComposeResult

    from bootmenu.daemon.interface import State
    from bootmenu.ui.app import MenuApp


class Page(Screen[None], inherit_css=False, inherit_bindings=False):
    """A screen of :class:`Lines`. *KEYS* names the action (a method) of a key."""

    KEYS: ClassVar[dict[str, str]] = {}
    HELP: ClassVar[str] = ""

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self.styles.overflow_y = "hidden"
        self.heading = Heading(title)
        self.status = Status()
        self.key_help = KeyHelp(self.HELP)
        self._resting: Timer | None = None

    @property
    def menu(self) -> MenuApp:
        """The app."""
        return cast("MenuApp", cast("App[object]", self.app))

    def body(self) -> Iterable[Lines]:
        """The widgets between heading and status line."""
        raise NotImplementedError

    def on_resize(self, event: events.Resize) -> None:
        """Be generous to heading and status where there is room."""
        self.heading.styles.height = 2 if self.heading.title and event.size.height > 12 else 1
        self.status.styles.height = 2 if event.size.height > 12 else 1

    def compose(self) -> ComposeResult:
        """Heading, body, status line, key help."""
        yield self.heading
        yield from self.body()
        yield self.status
        yield self.key_help

    @property
    def caret(self) -> tuple[int, int]:
        """Where the terminal's cursor belongs on the screen."""
        for widget in reversed(self.query_children(Lines)):
            place = widget.caret
            if place is not None:
                return widget.region.x + place[0], widget.region.y + place[1]
        return 0, max(self.status.region.bottom - 1, 0)

    def press(self, event: events.Key) -> None:
        """Do the action of the key that was pressed.

        The app calls this for the screen that is shown, one key after the other.
        """
        name = self.KEYS.get(event.key)
        if name is not None:
            getattr(self, f"action_{name}")()
        else:
            self.other_key(event)

    def other_key(self, event: events.Key) -> None:
        """Take a key that *KEYS* does not name."""

    @property
    def resting(self) -> bool:
        """Whether nothing waits for the keys to rest."""
        return self._resting is None

    def set_rest(self, rested: Callable[[], None]) -> None:
        """Call *rested* when no key moves the selection any more.

        What follows the selection would else be rewritten for each row on the way, which
        a slow line does not keep up with.
        """
        if self._resting is not None:
            self._resting.stop()

        def now() -> None:
            self._resting = None
            rested()

        self._resting = self.set_timer(self.menu.profile.rest, now)

    def keep(self) -> None:
        """Save what was typed: the screen is about to be left."""

    def update(self, state: State | None) -> None:
        """The daemon's state has changed; None when it is away."""
        self.heading.changed()
        self.status.changed()

    def action_back(self) -> None:
        """Return to the screen before."""
        self.keep()
        self.menu.leave(self)
