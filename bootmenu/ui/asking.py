"""Keys and answers in the order in which a person means them.

Whoever types ahead of a slow daemon means the screen that is not there yet: keys wait
while the daemon is asked for what that screen shows, and go to no other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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


class Asking:
    """At most one question to the daemon, and the keys that wait for its answer."""

    def __init__(self, menu: MenuApp) -> None:
        self._menu = menu
        self._call: Worker[None] | None = None
        self._typed: deque[events.Key] = deque()

    def ask(self, method: str, request: Request, answered: Answered, refused: Refused) -> None:
        """Call *method* with *request*, then *answered* or *refused*; Esc gives up."""
        if self._call is None:
            work = self._answer(method, request, answered, refused)
            self._call = self._menu.run_worker(work)

    async def _answer(
        self, method: str, request: Request, answered: Answered, refused: Refused
    ) -> None:
        page = self._menu.screen
        patience = self._menu.set_timer(_PATIENCE, lambda: _say(page, "", _MOMENT))
        try:
            answer = await self._menu.client.call(method, request=request)
        except CallError as error:
            self._done(page, patience)
            refused(error)
        except asyncio.CancelledError:
            self._done(page, patience)
            raise
        else:
            self._done(page, patience)
            if self._menu.screen is page:
                answered(answer)
        self._take()

    def _done(self, page: Screen[object], patience: Timer) -> None:
        self._call = None
        patience.stop()
        _say(page, _MOMENT, "")

    def key(self, event: events.Key) -> None:
        """Give *event* to the screen that is shown when its turn comes."""
        self._typed.append(event)
        if self._call is not None and event.key == "escape":
            self._typed.clear()
            self._call.cancel()
        else:
            self._take()

    def _take(self) -> None:
        while self._typed:
            key = self._typed[0].key
            if key == "ctrl+l":
                self._menu.repaint()
            elif key == "ctrl+c":
                self._menu.quit()
            elif self._call is not None:
                return
            elif isinstance(self._menu.screen, Page):
                self._menu.screen.press(self._typed[0])
            self._typed.popleft()


def _say(page: object, instead_of: str, message: str) -> None:
    if isinstance(page, Page) and page.status.message == instead_of:
        page.status.say(message)
