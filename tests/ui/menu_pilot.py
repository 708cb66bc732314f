"""A person at a menu without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from textual import events
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from bootmenu.ui.app import MenuApp

SECONDS = 60
"""How long anything is waited for: a busy machine may take it, only a fault does not come."""


class MenuPilot:
    """Presses keys and reads the screen as a person would."""

    def __init__(self, app: MenuApp, pilot: Pilot[int]) -> None:
        self.app = app
        self._pilot = pilot

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.app.frame.text())

    @property
    def selected(self) -> str:
        """The line with the marker, without it."""
        marker = self.app.look.glyphs["marker"]
        lines = [line for line in self.app.frame.text() if line.startswith(marker)]
        return lines[0].removeprefix(marker).strip(" *!+-") if lines else ""

    async def press(self, *keys: str) -> None:
        """Press *keys*, named as Textual names them, each after the screen has settled."""
        for key in keys:
            self.app.post_message(events.Key(key, key_to_character(key)))
            await self._pilot.pause(0)
        await self._pilot.pause(0.02)

    async def type(self, text: str) -> None:
        """Type *text* at once."""
        for character in text:
            self.app.post_message(events.Key(_character_to_key(character), character))
        await self._pilot.pause(0.02)

    async def sees(self, *texts: str) -> None:
        """Wait until all *texts* are on the screen."""
        await self.until(lambda: all(text in self.text for text in texts))

    async def selects(self, start: str) -> None:
        """Wait until a line that begins with *start* is selected."""
        await self.until(lambda: self.selected.startswith(start))

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until *true* is."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await self._pilot.pause(0)
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"did not come in {SECONDS} s; the screen is:\n{self.text}")


OpenMenu = Callable[..., AbstractAsyncContextManager[MenuPilot]]
