"""Keys and answers in the order in which a person means them.

Whoever types ahead of a slow daemon means the screen that is not there yet: keys wait
while the daemon is asked for what that screen shows, and go to no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from bootmenu.ui.client import CallError
from bootmenu.ui.screens.page import Page

if TYPE_CHECKING:
    from textual import events
    from textual.screen import Screen
    from textual.timer import Timer
    from textual.worker import Worker

    from bootmenu.daemon.interface import Request
    from bootmenu.ui.app import MenuApp

_PATIENCE = 0.5
"""Seconds after which a call that is still being answered is worth a word."""
_MOMENT = "One moment... (Esc gives up)"

Answered = Callable[[Any], object]
Refused = Callable[[CallError], object]


class _Question(NamedTuple):
    """What was asked on *page*; *patience* is the timer after which that is worth a word."""

    page: Screen[object]
    patience: Timer
    worker: Worker[None]


class Asking:
    """At most one question to the daemon, and the keys that wait for its answer."""

    def __init__(self, menu: MenuApp) -> None:
        self._menu = menu
        self._asked: _Question | None = None
        self._typed: deque[events.Key] = deque()

    def ask(self, method: str, request: Request, answered: Answered, refused: Refused) -> None:
        """Call *method* with *request*, then *answered* or *refused*; Esc gives up."""
        if self._asked is None:
            page = self._menu.screen
            patience = self._menu.set_timer(_PATIENCE, lambda: _say(page, "", _MOMENT))
            work = partial(self._answer, page, method, request, answered, refused)
            self._asked = _Question(page, patience, self._menu.run_worker(work))

    async def _answer(
        self,
        page: Screen[object],
        method: str,
        request: Request,
        answered: Answered,
        refused: Refused,
    ) -> None:
        try:
            answer = await self._menu.client.call(method, request=request)
        except CallError as error:
            self._done()
            refused(error)
        else:
            self._done()
            if self._menu.screen is page:
                answered(answer)
        self._take()

    def _done(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.patience.stop()
            _say(asked.page, _MOMENT, "")

    def key(self, event: events.Key) -> None:
        """Give *event* to the screen that is shown when its turn comes."""
        self._typed.append(event)
        if self._asked is not None and event.key == "escape":
            self._typed.clear()
            self._asked.worker.cancel()
            self._done()  # a worker that has not begun yet never runs
        else:
            self._take()

    def _take(self) -> None:
        while self._typed:
            key = self._typed[0].key
            if key == "ctrl+l":
                self._menu.repaint()
            elif key == "ctrl+c":
                self._menu.quit()
            elif self._asked is not None:
                return
            elif isinstance(self._menu.screen, Page):
                self._menu.screen.press(self._typed[0])
            self._typed.popleft()


def _say(page: object, instead_of: str, message: str) -> None:
    if isinstance(page, Page) and page.status.message == instead_of:
        page.status.say(message)
