"""One connected menu: what it may ask for, and what ends when it goes."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from asyncvarlink import (
    AnnotatedResult,
    FileDescriptorArray,
    VarlinkInterfaceRegistry,
    VarlinkInterfaceServerProtocol,
    VarlinkMethodCall,
    VarlinkMethodSignature,
    VarlinkTransport,
)
from asyncvarlink.serviceinterface import VarlinkServiceInterface
from asyncvarlink.types import JSONObject

from bootmenu import __version__
from bootmenu.daemon import interface as wire
from bootmenu.daemon import loading, reports
from bootmenu.daemon.publish import Watch
from bootmenu.daemon.service import BootDaemon
from bootmenu.model import Method

MESSAGE_LIMIT = 1 << 20
"""Bytes of one call: a cmdline has 2,048, and nobody writes a thousand edits."""


class Peer:
    """What stands behind the interface for one connection; see wire.BootService.

    *local* says whether it may name files of the running system.
    """

    def __init__(self, daemon: BootDaemon, *, local: bool) -> None:
        self._daemon = daemon
        self._local = local
        self._watches: list[Watch] = []
        self._gone = threading.Event()

    def gone(self) -> None:
        """The connection has ended."""
        self._gone.set()
        for watch in self._watches:
            watch.close()

    def watch(self) -> AsyncIterator[wire.State]:
        """The state now, and again after every change."""
        watch = self._daemon.publisher.watch()
        self._watches.append(watch)
        return watch

    async def settled(self) -> wire.State:
        """The state once the devices have settled."""
        await self._daemon.settled()
        return self._daemon.state()

    def stop_countdown(self) -> None:
        """No autoboot until someone chooses."""
        self._daemon.stop_countdown()

    async def show_tree(self, request: wire.Request) -> list[wire.Node]:
        """The tree that *request* would hand over."""
        return await reports.tree(self._daemon, request, local=self._local)

    async def differences(self, request: wire.Request) -> list[str]:
        """What *request* changes of its entry."""
        return await reports.differences(self._daemon, request, local=self._local)

    async def plan(
        self,
        request: wire.Request,
        *,
        json: bool = False,
        panic: bool = False,
        method: wire.Method = wire.Method.auto,
    ) -> str:
        """The plan of *request*, as text or JSON; with *panic* as a crash kernel."""
        return await reports.plan(
            self._daemon,
            request,
            local=self._local,
            json=json,
            panic=panic,
            method=Method(method.value),
        )

    def verify(
        self,
        request: wire.Request,
        *,
        json: bool,
        panic: bool,
        width: int,
        method: wire.Method = wire.Method.auto,
    ) -> AsyncIterator[wire.Reading]:
        """Read every file of *request*: how far that is, and at last its plan."""
        return reports.verified(
            self._daemon,
            request,
            local=self._local,
            json=json,
            panic=panic,
            width=width,
            method=Method(method.value),
            gone=self._gone,
        )

    async def load(
        self,
        request: wire.Request,
        *,
        panic: bool = False,
        method: wire.Method = wire.Method.auto,
    ) -> list[str]:
        """Load *request*, with *panic* as a crash kernel; its warnings."""
        plan = await self._daemon.load(
            request,
            local=self._local,
            panic=panic,
            method=Method(method.value),
        )
        return loading.warnings(plan)

    async def loaded(self, *, panic: bool = False) -> str:
        """The plan of what was loaded, as JSON; with *panic* that of the crash kernel."""
        return reports.loaded(self._daemon, panic=panic)

    async def boot(
        self,
        request: wire.Request,
        *,
        method: wire.Method = wire.Method.auto,
    ) -> None:
        """Load and start *request*."""
        await self._daemon.boot(
            request,
            local=self._local,
            method=Method(method.value),
        )

    def cancel(self) -> None:
        """Give up the load that is under way."""
        self._daemon.cancel()

    async def start(self) -> None:
        """Start what was loaded."""
        await self._daemon.start()

    async def unload(self, *, panic: bool = False) -> None:
        """Forget what was loaded, with *panic* the crash kernel."""
        await self._daemon.unload(panic=panic)

    async def rescan(self) -> None:
        """Look at every device again."""
        await self._daemon.rescan()

    async def list_entries(self, *, json: bool = False) -> str:
        """Everything that was found, once the devices have settled."""
        return await reports.listing(self._daemon, json=json)

    async def show(self, entry: str, *, json: bool = False) -> str:
        """The entry whose id or title is *entry*, with where every field came from."""
        return await reports.entry(self._daemon, entry, json=json)


class _Replies(AsyncIterator[AnnotatedResult]):
    """Replies that are closed when nobody reads them any more.

    asyncvarlink 0.3 calls aclose() then, and does not await it: here that is a task.
    """

    def __init__(self, replies: AsyncGenerator[AnnotatedResult, None]) -> None:
        self._replies = replies

    async def __anext__(self) -> AnnotatedResult:
        return await anext(self._replies)

    def aclose(self) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._replies.aclose())


class _Registry(VarlinkInterfaceRegistry):
    """The interfaces, whose methods with more than one reply give :class:`_Replies`."""

    def lookup_method(
        self, call: VarlinkMethodCall
    ) -> tuple[Callable[..., Any], VarlinkMethodSignature]:
        """The method that *call* names, and its types."""
        method, signature = super().lookup_method(call)
        if not signature.more:
            return method, signature
        return lambda **parameters: _Replies(method(**parameters)), signature


class Session(VarlinkInterfaceServerProtocol):
    """The server's end of one connection."""

    def __init__(self, peer: Peer) -> None:
        registry = _Registry()
        registry.register_interface(wire.BootInterface(peer))
        about = VarlinkServiceInterface("bootmenu", "bootmenud", __version__, "", registry)
        registry.register_interface(about)
        super().__init__(registry)
        self._peer = peer
        self._streaming = False

    def message_received(self, data: bytes, fds: FileDescriptorArray | None) -> None:
        """Take in a part of a call; one without an end is not gathered for ever."""
        super().message_received(data, fds)
        if len(self._recv_buffer) > MESSAGE_LIMIT:
            self.close()

    def call_received(
        self, call: VarlinkMethodCall, fds: FileDescriptorArray | None
    ) -> asyncio.Future[None] | None:
        """Begin a call."""
        self._streaming = self._streaming or call.more
        answer: asyncio.Future[None] | None = super().call_received(call, fds)
        return None if answer is None else asyncio.ensure_future(_ended(answer))

    def request_received(
        self, obj: JSONObject, fds: FileDescriptorArray | None
    ) -> asyncio.Future[None] | None:
        """Answer calls one after the other, but go on listening while states are streamed.

        A connection that is not read does not say that its peer has gone.
        """
        done: asyncio.Future[None] | None = super().request_received(obj, fds)
        return None if self._streaming else done

    def eof_received(self) -> None:
        """The menu has gone."""
        self._peer.gone()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The menu has gone, without a word."""
        self._peer.gone()
        super().connection_lost(exc)


async def _ended(answer: asyncio.Future[None]) -> None:
    """Wait for *answer*, which the end of the daemon may cancel: asyncvarlink would be surprised.

    Its traceback was the last word of a private daemon, and so the command's.
    """
    with suppress(asyncio.CancelledError):
        await answer


def serve_connection(daemon: BootDaemon, connection: socket.socket) -> VarlinkTransport:
    """Serve the interface on *connection* until its other end goes."""
    connection.setblocking(False)
    session = Session(Peer(daemon, local=_uid(connection) in {0, os.geteuid()}))
    return VarlinkTransport(asyncio.get_running_loop(), connection, connection, session)


def _uid(connection: socket.socket) -> int:
    """The user at the other end, see SO_PEERCRED in unix(7)."""
    layout = struct.Struct("3i")  # pid, uid, gid
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    uid: int = layout.unpack(credentials)[1]
    return uid
