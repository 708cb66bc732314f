"""bootmenud as a process: its socket, its connections, its end.

There are two kinds. The machine's own listens on :data:`~bootmenu.daemon.SOCKET`.
A private one serves the command that started it, on a listening socket that it inherits; it
ends with that command, keeps its mounts to itself, and starts nothing by itself.
"""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asyncvarlink import VarlinkTransport

from bootmenu.daemon import SOCKET
from bootmenu.daemon.countdown import timeout_option
from bootmenu.daemon.scanning import machine_reader, scan
from bootmenu.daemon.service import BootDaemon
from bootmenu.daemon.session import serve_connection
from bootmenu.discover.mounts import enter_private_namespace, root_is_initramfs
from bootmenu.discover.sources import BlockDevices, Directories, Source
from bootmenu.errors import DaemonError
from bootmenu.model import Arch, Platform, Volume

GROUP = "bootmenu"
"""Its members may use the socket, besides root."""
MOUNTS = "/run/bootmenu/mnt"
"""Where the machine's own daemon mounts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How a daemon is to run.

    *roots* are directories that it shows instead of devices, *capture* is the file of another
    machine's facts; *arch* and *platform* overrule those facts for the configurations.
    """

    descriptor: int | None = None  # of the listening socket of a private daemon
    roots: tuple[Volume, ...] = ()
    capture: str = ""
    arch: Arch | None = None
    platform: Platform | None = None


def main(options: Options) -> None:
    """Run until the process is told to end. Raises DaemonError."""
    logging.basicConfig(format="bootmenud: %(message)s", level=logging.INFO)
    # A menu that goes while it is being answered is no news.
    logging.getLogger("asyncvarlink").setLevel(logging.ERROR)
    private = options.descriptor is not None
    if private and os.geteuid() == 0 and not options.roots:
        # Before any thread is there. Where it is forbidden, mounting will be as well.
        with suppress(OSError):
            enter_private_namespace()
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    loop = asyncio.get_running_loop()
    ending = loop.create_future()

    def end() -> None:
        if not ending.done():
            ending.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    if options.descriptor is not None:
        # The other end of standard input is the command that we serve.
        lifeline = sys.stdin.fileno()

        def hung_up() -> None:
            loop.remove_reader(lifeline)
            end()

        loop.add_reader(lifeline, hung_up)
        listener = socket.socket(fileno=options.descriptor)
        mounts = tempfile.mkdtemp(prefix="mnt-", dir=Path(listener.getsockname()).parent)
    else:
        listener, mounts = _listen(SOCKET), MOUNTS
    await serve(_daemon(options, mounts), listener, ending)


def _daemon(options: Options, mounts: str) -> BootDaemon:
    owner = options.descriptor is None and not options.roots and root_is_initramfs()
    source: Source = (
        Directories(options.roots) if options.roots else BlockDevices(mounts, protect=owner)
    )
    machine = machine_reader(capture=options.capture, arch=options.arch, platform=options.platform)
    facts = machine()
    return BootDaemon(
        source,
        partial(scan, facts),
        machine,
        owner=owner,
        pretending=bool(options.capture or options.arch),
        timeout=timeout_option(facts.cmdline),
    )


def _listen(path: str) -> socket.socket:
    """The socket at *path*, for root and the group. Raises DaemonError."""
    if _answers(path):
        raise DaemonError(f"another bootmenud listens on {path}", hint="use that one")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        Path(path).unlink(missing_ok=True)  # of a daemon that was killed
        listener.bind(path)
        Path(path).chmod(0o600)
        with suppress(KeyError):  # without the group, root alone
            os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        Path(path).chmod(0o660)
        listener.listen()  # nobody could connect before
    except OSError as error:
        listener.close()
        message = f"cannot listen on {path}: {error.strerror}"
        raise DaemonError(message, hint="run it as root") from error
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(path)
        except OSError:
            return False
        return True


def _remove(listener: socket.socket) -> None:
    with listener, suppress(OSError):
        Path(listener.getsockname()).unlink()


async def serve(daemon: BootDaemon, listener: socket.socket, ending: asyncio.Future[None]) -> None:
    """Serve everyone who connects to *listener*, until *ending* is done.

    Then its socket is closed and removed, after all else has ended: until then no other daemon
    takes its place, whose mounts and socket this one would take away.
    """
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    connections: set[VarlinkTransport] = set()

    def accept() -> None:
        try:
            connection, _ = listener.accept()
        except OSError as error:  # it has gone again, or there are too many
            _log.warning("a menu could not connect: %s", error.strerror)
            return
        transport = serve_connection(daemon, connection)
        connections.add(transport)
        transport.closed_future.add_done_callback(lambda _: connections.discard(transport))

    loop.add_reader(listener, accept)
    running = asyncio.ensure_future(daemon.run())
    try:
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(listener)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        for transport in list(connections):
            transport.close()
            await transport.closed_future
        _remove(listener)
