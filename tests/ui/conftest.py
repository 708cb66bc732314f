"""A menu without a terminal, as a client of the fake daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_daemon import FakeService, serving
from menu_pilot import MenuPilot, OpenMenu

from bootmenu.ui import theme as themes
from bootmenu.ui.app import MenuApp
from bootmenu.ui.client import Client


@pytest.fixture
def open_menu(tmp_path: Path) -> OpenMenu:
    """Open a menu on a FakeService: ``async with open_menu(service, size=...) as menu``."""

    @asynccontextmanager
    async def opened(
        service: FakeService,
        size: tuple[int, int] = (80, 24),
        *,
        shell: bool = False,
        stays: bool = False,
    ) -> AsyncIterator[MenuPilot]:
        path = str(tmp_path / "bootmenu.sock")
        async with serving(path, service):
            app = MenuApp(Client(path), look=themes.load("serial"), shell=shell, stays=stays)
            async with app.run_test(size=size) as pilot:
                menu = MenuPilot(app, pilot)
                await menu.until(lambda: app.state is not None)
                yield menu

    return opened
