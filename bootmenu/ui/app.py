"""The menu as a Textual app: one console's view of the daemon's state."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import TYPE_CHECKING

from textual import events
from textual.app import App

from bootmenu.errors import BootmenuError, DaemonError
from bootmenu.ui import EXIT_SHELL, LOOKING
from bootmenu.ui.asking import Asking
from bootmenu.ui.client import CallError, Client, EndedError
from bootmenu.ui.drafts import Drafts
from bootmenu.ui.screens.menu import MenuScreen
from bootmenu.ui.screens.page import Page
from bootmenu.ui.terminal.driver import ConsoleDriver
from bootmenu.ui.terminal.frame import Frame
from bootmenu.ui.terminal.profile import COLOUR, Profile
from bootmenu.ui.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.console import RenderableType
    from textual.screen import Screen

    from bootmenu.daemon.interface import Entry, Request, State
    from bootmenu.ui.terminal.console import Console

_MOMENT = 0.2
"""Seconds after which a load that had not begun is cancelled again."""
_BUSY = frozenset({"loading", "starting"})


class MenuApp(App[int], inherit_css=False, inherit_bindings=False):
    """Everything that one console shows.

    *terminal* is the console, None in tests without one; *shell* says that leaving with
    status EXIT_SHELL gives the person a shell, *stays* that there is nothing to quit to.
    """

    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        client: Client,
        *,
        look: Theme,
        terminal: Console | None = None,
        shell: bool = False,
        stays: bool = False,
    ) -> None:
        super().__init__(driver_class=ConsoleDriver, ansi_color=True)
        self._disable_tooltips = self._disable_notifications = True
        self.client = client
        self.look = look
        self.terminal = terminal
        self.profile: Profile = terminal.profile if terminal is not None else COLOUR
        self.shell = shell
        self.stays = stays
        self.drafts = Drafts()
        self.state: State | None = None
        self.asking = Asking(self)
        self.booting = ""  # title of what this console asked to start
        self.cancelling = False  # whether this console gave it up
        self.frame = Frame()
        self.failed: BootmenuError | None = None  # why the menu ended, if not by choice
        self._away = ""
        self._stops_at: float | None = None  # when the countdown ends, in monotonic seconds

    def get_default_screen(self) -> Screen[None]:
        """The main menu."""
        return MenuScreen()

    def on_mount(self) -> None:
        """Connect to the daemon, after the first frame is on its way."""
        self.call_after_refresh(self._connect)
        self.set_interval(1.0, self._tick)

    def _connect(self) -> None:
        self.run_worker(self._watch(), exit_on_error=True)

    async def _watch(self) -> None:
        try:
            await self.client.watch(self._changed, self._lost)
        except DaemonError as error:
            if not self._starting:
                self.failed = error
                self.exit(1)

    # --- the daemon's state

    def _changed(self, state: State) -> None:
        self._away = ""
        stayed = self._starting and state.phase.name != "starting"
        self.state = state
        self._stops_at = monotonic() + state.countdown if state.countdown is not None else None
        busy = state.phase.name in _BUSY
        if busy and not self._loading:
            self._show_loading()
        elif not busy and self._loading and not self.booting:
            self._end_loading()
        if self.terminal is not None:
            self.terminal.keep = state.phase.name == "starting"
        self._update()
        if stayed:  # the daemon has already written its last line over the menu
            self.repaint()

    def _lost(self, reason: str) -> None:
        if self._starting:
            return
        self._stops_at = None
        if self.state is None:
            self._away = f"Waiting for bootmenud to start ({reason})..."
        else:
            self._away = f"bootmenud is away ({reason}); waiting until it is back..."
        self._update()

    def _update(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, Page):
                screen.update(self.state)

    @property
    def _starting(self) -> bool:
        return self.state is not None and self.state.phase.name == "starting"

    @property
    def _loading(self) -> bool:
        from bootmenu.ui.screens.load import LoadScreen

        return any(isinstance(screen, LoadScreen) for screen in self.screen_stack)

    @property
    def status(self) -> str:
        """The status line: what is awaited, and why."""
        if self._away:
            return self._away
        if self.state is None:
            return LOOKING
        if self._stops_at is None:
            return self.state.status
        left = max(0, round(self._stops_at - monotonic()))
        default = next((e for e in self.state.entries if e.id == self.state.default), None)
        title = default.title if default is not None else self.state.title
        return f"Starting in {left:2} s (any key stops it): {title}"

    def _tick(self) -> None:
        if self._stops_at is not None and isinstance(self.screen, Page):
            self.screen.status.changed()

    def person_is_here(self) -> None:
        """A key was pressed: stop the countdown, on every console."""
        if self._stops_at is not None:
            self._stops_at = None
            self._run(self.client.tell("StopCountdown"))
            self._update()

    # --- what the screens ask for

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self.run_worker(work, exit_on_error=True)

    async def on_event(self, event: events.Event) -> None:
        """Keys go to the screen that is shown, in order; the rest is Textual's."""
        if isinstance(event, events.Key):
            self.person_is_here()
            self.asking.key(event)
        else:
            await super().on_event(event)

    def leave(self, screen: Page) -> None:
        """Return from *screen* to the one before."""
        if self.screen is screen and len(self.screen_stack) > 1:
            self.pop_screen()

    def _to_menu(self) -> None:
        while len(self.screen_stack) > 1:
            if isinstance(self.screen, Page):
                self.screen.keep()
            self.pop_screen()

    def quit(self) -> None:
        """End the menu, except where there is nothing else to go to."""
        if not self.stays:
            self.exit(0)

    def edit(self, entry: Entry) -> None:
        """Open the editor of *entry*."""
        from bootmenu.ui.screens.edit import EditScreen

        self._to_menu()
        self.push_screen(EditScreen(entry, self.drafts.request(entry)))

    def show_tree(self, entry: Entry) -> None:
        """Open the device tree of *entry*."""
        from bootmenu.ui.screens.tree import TreeScreen

        title = f"No device tree for {entry.title}"
        self.asking.ask(
            "ShowTree",
            self.drafts.request(entry),
            lambda nodes: self.push_screen(TreeScreen(entry, nodes)),
            lambda error: self.show_failure(title, error),
        )

    def show_plan(self, entry: Entry) -> None:
        """Explain what starting *entry* would do."""
        from bootmenu.ui.screens.reading import ReadScreen

        def read(report: str) -> None:
            text = [("value", line) for line in report.splitlines()]
            self.push_screen(ReadScreen(f"Plan: {entry.title}", text, words=False))

        title = f"No plan for {entry.title}"
        request = self.drafts.request(entry)
        self.asking.ask("Plan", request, read, lambda error: self.show_failure(title, error))

    def show_help(self) -> None:
        """Explain the keys, and say what could not be done or read."""
        from bootmenu.ui.screens.reading import HELP, ReadScreen

        text = [("", line) for line in HELP.splitlines()]
        if self.state is not None:
            sections = (
                ("Not possible on this machine:", self.state.restrictions),
                ("What could not be used of the boot configurations:", self.state.problems),
            )
            for title, lines in sections:
                if lines:
                    text += [("", ""), ("label", title), *(("", f"- {line}") for line in lines)]
        self.push_screen(ReadScreen("Help", text, words=True))

    def rescan(self) -> None:
        """Look at every device again."""
        self._run(self.client.tell("Rescan"))

    def start(self, entry: Entry) -> None:
        """Start *entry*; what was edited is shown first."""
        if self.drafts.edited(entry):
            self.review(entry)
        else:
            self.boot(entry, self.drafts.request(entry))

    def review(self, entry: Entry) -> None:
        """Show what the draft of *entry* changes; Enter starts it there."""
        from bootmenu.ui.screens.reading import ReviewScreen

        request = self.drafts.request(entry)
        title = f"Cannot start {entry.title}"
        self.asking.ask(
            "Differences",
            request,
            lambda lines: self.push_screen(ReviewScreen(entry, request, lines)),
            lambda error: self.show_failure(title, error),
        )

    def boot(self, entry: Entry, request: Request) -> None:
        """Load and start *request*; an error returns to the menu."""
        if not self.booting:
            self.booting = entry.title
            self._show_loading()
            self._run(self._boot(entry, request))

    async def _boot(self, entry: Entry, request: Request) -> None:
        try:
            await self.client.call("Boot", request=request)
        except CallError as error:
            self.booting = ""
            # An answer is a failure, even if it came before the state that follows from it.
            if not (self._starting and isinstance(error, EndedError)):
                self._to_menu()
                if not self.cancelling:  # what the person did themselves, the status line says
                    self.show_failure(f"Could not start {entry.title}", error)
        self.booting = ""

    def cancel(self) -> None:
        """Give up the load that is under way, on whichever console it was asked for."""
        if not self._starting and not self.cancelling:
            self.cancelling = True
            self._run(self._cancel())
            self._update()

    async def _cancel(self) -> None:
        """Cancel what was asked for, even where that has not reached the daemon yet."""
        while self._loading and not self._starting and not await self.client.cancel():  # noqa: ASYNC110
            await asyncio.sleep(_MOMENT)

    def _show_loading(self) -> None:
        from bootmenu.ui.screens.load import LoadScreen
        from bootmenu.ui.screens.reading import ErrorScreen

        self.cancelling = False
        # A failure stays below until it was read: the state of a load that failed at once
        # can come after its answer, on another connection.
        if not any(isinstance(screen, ErrorScreen) for screen in self.screen_stack[-1:]):
            self._to_menu()
        self.push_screen(LoadScreen())

    def _end_loading(self) -> None:
        while self._loading:
            self.pop_screen()

    def show_failure(self, title: str, error: CallError) -> None:
        """Show what failed and what to do, until a key is pressed."""
        from bootmenu.ui.screens.reading import ErrorScreen

        self.push_screen(ErrorScreen(title, error))

    def leave_for_shell(self) -> None:
        """End the menu so that its console gets a shell."""
        self.exit(EXIT_SHELL)

    # --- the terminal

    def _fatal_error(self) -> None:
        """Textual's last step after a mistake of ours: end, and say where it was."""
        _, error, trace = sys.exc_info()
        where = ""
        while trace is not None:
            module = trace.tb_frame.f_globals.get("__name__", "")
            if module.startswith("bootmenu."):
                where = f" ({module}, line {trace.tb_lineno})"
            trace = trace.tb_next
        self.failed = BootmenuError(
            f"the menu met an error of its own: {type(error).__name__}: {error}{where}",
            hint="please report it",
        )
        self._close_messages_no_wait()

    def repaint(self) -> None:
        """Draw everything again."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.repaint()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Textual's one way out: take the cells here, the driver sends what changed."""
        if renderable is None or self._batch_count or not self._running or self._closed:
            self.post_display_hook()
            return
        self.frame.resize(*self.size)
        self.frame.update(renderable)
        if isinstance(self._driver, ConsoleDriver) and isinstance(screen, Page):
            self._driver.show(self.frame.rows, screen.caret)
        self.post_display_hook()
