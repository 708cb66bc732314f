"""A daemon that is reached over a real socket, menus that reach it, and a kernel's stand-in."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from asyncvarlink import VarlinkClientProtocol, VarlinkInterfaceProxy, connect_unix_varlink
from daemon_fakes import SECONDS, FakeDisks, board

from bootmenu.daemon.interface import BootInterface, Request, State
from bootmenu.daemon.scanning import scan
from bootmenu.daemon.server import serve
from bootmenu.daemon.service import BootDaemon
from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import CancelledError


class Menu:
    """A client as every menu is: one connection for the states, one for calls."""

    def __init__(self, states: VarlinkInterfaceProxy, calls: VarlinkInterfaceProxy) -> None:
        self.calls = calls
        self.seen: list[State] = []
        self.kept = 0  # how many of them came without the entries
        self.watching = asyncio.create_task(self._watch(states))

    async def _watch(self, states: VarlinkInterfaceProxy) -> None:
        async for reply in states.Watch():
            state = reply["state"]
            if state.entries_kept:
                self.kept += 1
                state = replace(state, entries=self.state.entries)
            self.seen.append(state)

    @property
    def state(self) -> State:
        """The newest state."""
        return self.seen[-1]

    async def until(self, condition: Callable[[State], object]) -> State:
        """The first state, of the newest and all that follow, for which *condition* holds."""
        at = max(len(self.seen) - 1, 0)
        async with asyncio.timeout(SECONDS):
            while True:
                while at < len(self.seen):
                    if condition(self.seen[at]):
                        return self.seen[at]
                    at += 1
                await asyncio.sleep(0.005)

    async def call(self, method: str, /, **parameters: Any) -> Any:
        """The result of *method*."""
        reply = await getattr(self.calls, method)(**parameters)
        return next(iter(reply.values()), None)

    def request(self, title: str, **changes: Any) -> Request:
        """What booting the entry *title* asks for, with *changes*."""
        entry = next(entry for entry in self.state.entries if entry.title == title)
        fields = {
            "entry": entry.id,
            "kernel": entry.kernel,
            "initrds": entry.initrds,
            "dtb": entry.dtb,
            "overlays": entry.overlays,
            "cmdline": entry.cmdline,
            "edits": [],
        }
        return Request(**(fields | changes))


class Served:
    """A daemon that can be reached, and its disks."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.disks = FakeDisks()
        self.menus: list[Menu] = []
        self.transports: list[Any] = []
        self.ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.serving: asyncio.Task[None] | None = None

    def start(self, fdt: bytes, *, iomem: str = "", **settings: Any) -> BootDaemon:
        """Start it; *iomem* is more of the machine's map, *settings* are those of BootDaemon."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen()
        machine = board(fdt)
        machine = replace(machine, iomem=(*machine.iomem, *parse_iomem(iomem)))
        settings = {"owner": True, "settle": 600.0, "timeout": -1.0} | settings
        daemon = BootDaemon(self.disks, partial(scan, machine), lambda: machine, **settings)
        self.serving = asyncio.create_task(serve(daemon, listener, self.ending))
        return daemon

    async def connect(self) -> VarlinkInterfaceProxy:
        """One connection."""
        transport, protocol = await connect_unix_varlink(VarlinkClientProtocol, self.path)
        self.transports.append(transport)
        return protocol.make_proxy(BootInterface)

    async def menu(self) -> Menu:
        """A menu that has seen the first state."""
        menu = Menu(await self.connect(), await self.connect())
        self.menus.append(menu)
        await menu.until(lambda _: True)
        return menu

    async def stop(self) -> None:
        """End the daemon, then the menus."""
        self.ending.set_result(None)
        if self.serving is not None:
            await self.serving
        for menu in self.menus:
            menu.watching.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await menu.watching
        for transport in self.transports:
            transport.close()
            await transport.closed_future


class Kernel:
    """The system calls of kexec, which this machine must not make, and what was asked of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.plan: Any = None
        self.crash_plan: Any = None
        self.refusal: Exception | None = None
        self.stuck: Exception | None = None
        self.jumped = False
        self.slow = False  # a load lasts until it is cancelled
        self.late = False  # a load is done although it was cancelled
        self.notices = threading.Event()  # that it was cancelled
        self.notices.set()
        self.goes_on = threading.Event()  # what a load waits for
        self.goes_on.set()
        self.refused: dict[Any, Exception] = {}  # by the method of the plan

    def load(
        self, plan: Any, progress: Callable[[str, int, int], None], cancel: threading.Event
    ) -> Any:
        self.calls.append("load")
        if self.refusal is not None:
            raise self.refusal
        if plan.method in self.refused:
            raise self.refused[plan.method]
        progress("reading the kernel", 1, 2)
        self.goes_on.wait()
        if self.slow:
            cancel.wait()
            self.notices.wait()
            if not self.late:
                raise CancelledError
        if plan.panic:
            self.crash_plan = plan
        else:
            self.plan = plan
        return plan

    def loaded(self, *, panic: bool = False) -> bool:
        return (self.crash_plan if panic else self.plan) is not None

    def unload(self, *, panic: bool = False) -> None:
        self.calls.append("unload")
        if panic:
            self.crash_plan = None
        else:
            self.plan = None

    def execute(self) -> None:
        self.calls.append("execute")
        if self.stuck is not None:
            raise self.stuck
        self.jumped = True
