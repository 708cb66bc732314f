"""A command's way to a daemon: the one that runs, or a private one of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from asyncvarlink import (
    VarlinkClientProtocol,
    VarlinkErrorReply,
    VarlinkInterfaceProxy,
    connect_unix_varlink,
)

from bootmenu.daemon import SOCKET
from bootmenu.daemon.convert import wire_request
from bootmenu.daemon.interface import BootInterface, Failed, Reading, Request, State
from bootmenu.daemon.selection import find
from bootmenu.errors import DaemonError, UsageError
from bootmenu.model import LOCAL, Resource

END = 3.0
"""Seconds that a private daemon has to end: a disk that hangs may keep it."""


@contextmanager
def open_daemon(arguments: Sequence[str] = ()) -> Iterator[Daemon]:
    """The running daemon, or a private one when *arguments* ask for something of its own.

    *arguments* are those of ``bootmenu daemon``. A private daemon ends with the context.
    Raises DaemonError.
    """
    if not arguments and _runs(SOCKET):
        yield Daemon(SOCKET)
        return
    with _private_daemon(arguments) as path:
        yield Daemon(path)


@contextmanager
def menu_address(arguments: Sequence[str] = ()) -> Iterator[str | tuple[int, int, int]]:
    """Where a menu finds its daemon, as ``ui.run`` takes it; as :func:`open_daemon`."""
    with open_daemon(arguments) as daemon:
        if daemon.path == SOCKET:
            yield SOCKET
        else:
            yield _connected(daemon.path), _connected(daemon.path), _connected(daemon.path)


def _connected(path: str) -> int:
    """A descriptor connected to the socket at *path*, which the caller owns."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.connect(path)
        return end.detach()


def _runs(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except PermissionError:
            hint = "become root, or a member of the group bootmenu"
            raise DaemonError("the running bootmenud is not for you", hint=hint) from None
        return True


@contextmanager
def _private_daemon(arguments: Sequence[str]) -> Iterator[str]:
    folder = ""
    try:
        with _uninterrupted():  # else nobody would know of the folder
            folder = tempfile.mkdtemp(prefix="bootmenu-")
        path, log = f"{folder}/socket", Path(folder, "log")
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            log.open("wb") as errors,
        ):
            listener.bind(path)
            listener.listen()
            descriptor = listener.fileno()
            child = subprocess.Popen(
                [sys.executable, "-m", "bootmenu", "daemon", f"--fd={descriptor}", *arguments],
                stdin=subprocess.PIPE,  # which tells it when this process ends
                stdout=errors,
                stderr=errors,
                pass_fds=[descriptor],
                process_group=0,  # Ctrl-C is for the command
            )
        try:
            yield path
        except CallError:
            raise
        except DaemonError as error:
            with suppress(subprocess.TimeoutExpired):
                child.wait(END)
                raise _last_words(log, error) from error
            raise
        finally:
            _end(child)
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _last_words(log: Path, error: DaemonError) -> DaemonError:
    """Why the daemon gave up, as far as it said so."""
    lines = log.read_text(errors="replace").splitlines()
    said = [line.removeprefix("bootmenu: ") for line in lines if line.startswith("bootmenu: ")]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    if not said:
        said, hints = lines[-1:], []
    return DaemonError(said[0] if said else error.message, hint=hints[0] if hints else error.hint)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(END)
    except subprocess.TimeoutExpired:
        child.kill()


_LOADING = frozenset({"Load", "Boot"})
"""What may take long, and can be cancelled."""


class CallError(DaemonError):
    """What the daemon answered instead of a result; *log* is what the kernel said."""

    def __init__(self, message: str, *, hint: str, log: Sequence[str]) -> None:
        super().__init__(message, hint=hint)
        self.log = tuple(log)


class Daemon:
    """The daemon that listens at *path*, for a command that does nothing else meanwhile."""

    def __init__(self, path: str) -> None:
        self.path = path

    def call(self, method: str, /, **parameters: Any) -> Any:
        """What *method* of BootInterface returns. Raises CallError or DaemonError.

        Ctrl-C cancels a load that it waits for, and waits until that has ended; a second one
        does not.
        """
        return asyncio.run(self._call(method, parameters))

    def settled(self) -> State:
        """The state once the devices have settled. Raises DaemonError."""
        state: State = self.call("Settled")
        return state

    def verify(self, told: Callable[[int, int], None], **parameters: Any) -> str:
        """What Verify of BootInterface reports in the end: every file is read to its end.

        *told* is told of the bytes that were read and of all. Raises CallError or DaemonError.
        """
        return asyncio.run(self._verify(told, parameters))

    async def _call(self, method: str, parameters: dict[str, Any]) -> Any:
        async with self._proxy() as proxy:
            answer = asyncio.ensure_future(getattr(proxy, method)(**parameters))
            try:
                reply = await asyncio.shield(answer)
            except asyncio.CancelledError:  # Ctrl-C
                if method not in _LOADING:
                    answer.cancel()
                    raise
                with suppress(CallError):  # it has just ended by itself
                    await self._call("Cancel", {})
                reply = await answer
            return next(iter(reply.values()), None)  # a method has one result, or none

    async def _verify(self, told: Callable[[int, int], None], parameters: dict[str, Any]) -> str:
        report = ""
        async with self._proxy() as proxy:
            async for reply in proxy.Verify(**parameters):
                reading: Reading = reply["reading"]
                told(reading.done, reading.total)
                report = reading.report
        return report

    @asynccontextmanager
    async def _proxy(self) -> AsyncIterator[VarlinkInterfaceProxy]:
        hint = "bootmenu daemon starts it"
        try:
            transport, protocol = await connect_unix_varlink(VarlinkClientProtocol, self.path)
        except OSError as error:
            message = f"bootmenud cannot be reached: {error.strerror}"
            raise DaemonError(message, hint=hint) from error
        try:
            yield protocol.make_proxy(BootInterface)
        except Failed as error:
            said: dict[str, Any] = error.parameters
            raise CallError(said["message"], hint=said["hint"], log=said["log"]) from error
        except (OSError, VarlinkErrorReply) as error:
            raise DaemonError(f"bootmenud gave up: {error}") from error
        finally:
            transport.close()
            await transport.closed_future


def request_for(
    daemon: Daemon,
    *,
    entry: str | None,
    kernel: str | None,
    initrds: Sequence[str] = (),
    dtb: str | None = None,
    overlays: Sequence[str] = (),
    cmdline: str | None = None,
) -> Request:
    """The request of a command line: an *entry* by name, or files.

    Files are ``DEVICE:PATH``, or paths of this system. *cmdline* replaces an entry's own.
    Raises UsageError.
    """
    files = [kernel, *initrds, dtb, *overlays]
    if entry is not None:
        if any(files):
            raise UsageError("an entry brings its own files", hint="name ENTRY or --kernel")
        request = wire_request(find(daemon.settled().entries, entry))
        return request if cmdline is None else replace(request, cmdline=cmdline)
    if kernel is None:
        hint = "bootmenu list shows the entries; --kernel FILE takes a file"
        raise UsageError("nothing was named to start", hint=hint)
    return Request(
        entry="",
        kernel=_file(kernel),
        initrds=[_file(path) for path in initrds],
        dtb=_file(dtb) if dtb else "",
        overlays=[_file(path) for path in overlays],
        cmdline=cmdline or "",
        edits=[],
    )


def _file(text: str) -> str:
    """*text* as the daemon needs it, which runs in another directory."""
    local = Resource.parse(text).volume == LOCAL or Path(text).exists()
    return os.path.abspath(text) if local else text  # noqa: PTH100 (links are kept as typed)
