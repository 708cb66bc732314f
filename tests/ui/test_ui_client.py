"""The menu's connections, with a daemon that goes at a bad moment."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bootmenu.ui.client import Client


class SlowClient(Client):
    """A menu on a machine that is busy while it connects."""

    async def _connect(self, number: int, until: AsyncExitStack) -> Any:
        made = await super()._connect(number, until)
        await asyncio.sleep(0.05)
        return made


@pytest.mark.parametrize("ending", range(3))
async def test_a_connection_that_ends_before_it_is_used_is_made_again(
    tmp_path: Path, ending: int
) -> None:
    """Two daemons, of which the second one starts while the menu connects to the first."""
    path, lost = str(tmp_path / "socket"), asyncio.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        watching = asyncio.create_task(SlowClient(path).watch(lambda _: None, lambda _: lost.set()))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(5), AsyncExitStack() as kept:
                for number in range(3):
                    connection, _ = await loop.sock_accept(listener)
                    if number == ending:
                        connection.close()
                    else:
                        kept.callback(connection.close)
                await lost.wait()
                kept.callback((await loop.sock_accept(listener))[0].close)
        finally:
            while not watching.done():
                watching.cancel()
                await asyncio.sleep(0)
