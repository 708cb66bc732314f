"""One state for all menus: built once per change, sent to whoever watches.

Changes come in bursts, and a slow line takes its time: what happens within a moment is sent
as one state, and a watcher that is behind gets the newest, not all those between. Entries that a
watcher has are not sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from bootmenu.daemon.interface import State

MOMENT = 0.05
"""Seconds within which changes are gathered."""


class Publisher:
    """Tells the watchers what *build* gives, whenever it was said to have changed."""

    def __init__(self, build: Callable[[], State]) -> None:
        self._build = build
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def watched(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._watches)

    def touch(self) -> None:
        """Something has changed."""
        if self._timer is None and self._watches:
            self._timer = asyncio.get_running_loop().call_later(MOMENT, self._publish)

    def watch(self) -> Watch:
        """A new watcher, which starts with the state now."""
        watch = Watch(self._watches.discard)
        self._watches.add(watch)
        watch.tell(self._build())
        return watch

    def close(self) -> None:
        """End every watch."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for watch in list(self._watches):
            watch.close()

    def _publish(self) -> None:
        self._timer = None
        state = self._build()
        for watch in self._watches:
            watch.tell(state)


class Watch(AsyncIterator[State]):
    """The states, from the one at the beginning to the newest, until it is closed."""

    def __init__(self, closed: Callable[[Watch], None]) -> None:
        self._news = asyncio.Event()
        self._state: State | None = None
        self._last: State | None = None
        self._open = True
        self._closed = closed

    def tell(self, state: State) -> None:
        """The state is *state* now."""
        self._state = state
        self._news.set()

    def close(self) -> None:
        """No more states."""
        self._open = False
        self._closed(self)
        self._news.set()

    async def __anext__(self) -> State:
        while self._open:
            state, self._state = self._state, None
            if state is not None and state != self._last:
                last, self._last = self._last, state
                if last is not None and last.entries == state.entries:
                    return replace(state, entries=[], entries_kept=True)
                return state
            self._news.clear()
            await self._news.wait()
        raise StopAsyncIteration
