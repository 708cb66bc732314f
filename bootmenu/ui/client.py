"""The daemon, as the menu sees it: a state that changes, and calls that may fail.

asyncvarlink is imported when the first connection is made, after the first frame.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bootmenu.errors import DaemonError

if TYPE_CHECKING:
    from asyncvarlink import VarlinkErrorReply, VarlinkInterfaceProxy

    from bootmenu.daemon.interface import Entry, State

RETRY = 0.5
"""Seconds between attempts to reach the daemon."""
_ENDED = "it has ended"


class CallError(DaemonError):
    """A call that failed, with what the kernel logged meanwhile."""

    def __init__(self, message: str, *, hint: str = "", log: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.log = log


class EndedError(CallError):
    """The daemon ended before it answered: a failure, or the next kernel is on its way."""


Address = str | tuple[int, int, int]
"""The path of the daemon's socket, or three descriptors connected to a private daemon."""


class Client:
    """bootmenud at *address*, over three connections: replies come in the order of the calls,
    the state is a reply that never ends, and a load that is to be cancelled is a call that waits.

    A path is tried again and again for as long as the menu runs, unless *wait* is false
    and the first attempt fails. A private daemon does not come back.
    """

    def __init__(self, address: Address, *, wait: bool = True) -> None:
        self._address = address
        self._wait = wait
        self._calls: VarlinkInterfaceProxy | None = None
        self._cancels: VarlinkInterfaceProxy | None = None

    async def watch(self, changed: Callable[[State], None], lost: Callable[[str], None]) -> None:
        """Call *changed* with every new state, *lost* with the reason when there is none.

        Ends only by raising DaemonError, when there is nothing to reconnect to.
        """
        told = ""
        while True:
            try:
                async with AsyncExitStack() as connections:
                    made = [await self._connect(number, connections) for number in range(3)]
                    (states, self._calls, self._cancels), ends = zip(*made, strict=True)
                    self._wait, told = True, ""
                    following = asyncio.create_task(_follow(states, changed))
                    connections.callback(following.cancel)
                    # A call on a connection that has ended already is never answered.
                    await asyncio.wait({following, *ends}, return_when=asyncio.FIRST_COMPLETED)
                    reason = following.result() if following.done() else _ENDED
            except OSError as error:
                reason = error.strerror or str(error)
                if not self._wait:
                    raise DaemonError(
                        f"bootmenud cannot be reached at {self._address}: {reason}",
                        hint="is it running? `bootmenu daemon` starts it",
                    ) from error
            finally:
                self._calls = self._cancels = None
            if not isinstance(self._address, str):
                raise DaemonError("bootmenud, which was started for this menu, has ended")
            if reason != told:
                lost(reason)
                told = reason
            await asyncio.sleep(RETRY)

    async def _connect(
        self, number: int, until: AsyncExitStack
    ) -> tuple[VarlinkInterfaceProxy, asyncio.Future[None]]:
        """Connection *number*, open until *until* ends, and what is done when it has ended.

        Raises OSError.
        """
        from asyncvarlink import VarlinkClientProtocol, VarlinkTransport, connect_unix_varlink

        from bootmenu.daemon.interface import BootInterface

        if isinstance(self._address, str):
            transport, protocol = await connect_unix_varlink(VarlinkClientProtocol, self._address)
        else:
            connected = socket.socket(fileno=self._address[number])
            connected.setblocking(False)
            protocol = VarlinkClientProtocol()
            transport = VarlinkTransport(asyncio.get_running_loop(), connected, connected, protocol)
            await asyncio.sleep(0)  # the transport announces itself to the protocol
        until.callback(transport.close)
        return protocol.make_proxy(BootInterface), transport.closed_future

    async def call(self, method: str, /, **parameters: Any) -> Any:
        """What *method* of BootInterface returns. Raises CallError."""
        return await self._call(self._calls, method, parameters)

    async def tell(self, method: str) -> None:
        """Call *method* without parameters; a daemon that is away misses nothing."""
        with suppress(CallError):
            await self.call(method)

    async def cancel(self) -> bool:
        """Give up the load that is under way; whether there was one (already, or still)."""
        try:
            await self._call(self._cancels, "Cancel", {})
        except CallError:
            return False
        return True

    async def _call(
        self, proxy: VarlinkInterfaceProxy | None, method: str, parameters: dict[str, Any]
    ) -> Any:
        from asyncvarlink import VarlinkErrorReply
        from asyncvarlink.conversion import ConversionError

        if proxy is None:
            raise CallError("bootmenud cannot be reached", hint="wait until it is back")
        try:
            reply = await getattr(proxy, method)(**parameters)
        except VarlinkErrorReply as error:
            raise _failure(method, error) from error
        except (OSError, EOFError) as error:
            raise EndedError("bootmenud has ended during the call", hint="try again") from error
        except (ConversionError, ValueError, TypeError) as error:
            raise CallError(f"bootmenud answered {method} with something else: {error}") from error
        return next(iter(reply.values()), None) if isinstance(reply, dict) else reply


async def _follow(states: VarlinkInterfaceProxy, changed: Callable[[State], None]) -> str:
    """Pass on every state; returns why there are no more."""
    from asyncvarlink import VarlinkErrorReply
    from asyncvarlink.conversion import ConversionError

    replies = states.Watch()
    entries: list[Entry] = []
    while True:
        try:
            reply = await anext(replies)
        except (StopAsyncIteration, OSError, EOFError):
            return _ENDED
        except (ConversionError, VarlinkErrorReply, ValueError, TypeError):
            return "it is of another version"
        state: State = reply["state"]
        if state.entries_kept:
            state = replace(state, entries=entries)
        entries = state.entries
        changed(state)


def _failure(method: str, error: VarlinkErrorReply) -> CallError:
    said = error.paramstojson()
    if not error.name.endswith(".Failed") or "message" not in said:
        return CallError(f"bootmenud refused {method}: {error.name}")
    lines = said.get("log")
    log = tuple(str(line) for line in lines) if isinstance(lines, list) else ()
    return CallError(str(said["message"]), hint=str(said.get("hint", "")), log=log)
