"""A command's way to a daemon: the one that runs, or a private one of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bootmenu.daemon import SOCKET
from bootmenu.daemon.calls import Daemon
from bootmenu.errors import DaemonError, UsageError

TYPE_CHECKING = False  # that of typing, see arguments.py
if TYPE_CHECKING:
    from typing import Any


@contextmanager
def open_daemon(arguments: Sequence[str] = ()) -> Iterator[Daemon]:
    """The running daemon, or a private one when *arguments* ask for something of its own.

    *arguments* are those of ``bootmenu daemon``. A private daemon ends with the context.
    Raises DaemonError.
    """
    if not arguments and _runs(SOCKET):
        yield Daemon(SOCKET)
        return
    from bootmenu.daemon.private import private_daemon

    with private_daemon(arguments) as path:
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


def request_for(
    daemon: Daemon,
    *,
    entry: str | None,
    kernel: str | None,
    initrds: Sequence[str] = (),
    dtb: str | None = None,
    overlays: Sequence[str] = (),
    cmdline: str | None = None,
) -> dict[str, Any]:
    """The request of a command line, see interface.Request: an *entry* by name, or files.

    Files are ``DEVICE:PATH``, or paths of this system. *cmdline* replaces an entry's own.
    Raises UsageError.
    """
    files = [kernel, *initrds, dtb, *overlays]
    if entry is not None:
        if any(files):
            raise UsageError("an entry brings its own files", hint="name ENTRY or --kernel")
        from bootmenu.daemon.selection import find

        found = find(daemon.settled().entries, entry)
        return {
            "entry": found.id,
            "kernel": found.kernel,
            "initrds": found.initrds,
            "dtb": found.dtb,
            "overlays": found.overlays,
            "cmdline": found.cmdline if cmdline is None else cmdline,
            "edits": [],
        }
    if kernel is None:
        hint = "bootmenu list shows the entries; --kernel FILE takes a file"
        raise UsageError("nothing was named to start", hint=hint)
    return {
        "entry": "",
        "kernel": _file(kernel),
        "initrds": [_file(path) for path in initrds],
        "dtb": _file(dtb) if dtb else "",
        "overlays": [_file(path) for path in overlays],
        "cmdline": cmdline or "",
        "edits": [],
    }


def _file(text: str) -> str:
    """*text* as the daemon needs it, which runs in another directory."""
    return os.path.abspath(text) if _is_here(text) else text  # noqa: PTH100 (links stay as typed)


def _is_here(text: str) -> bool:
    """Whether *text* is a path of this system, and may have to be made absolute."""
    if ":" not in text or os.path.exists(text):  # noqa: PTH110 (pathlib is slow to import)
        return True
    if ":/" in text and " " not in text:
        return False
    # An overlay's parameters and a section may have a colon, too: the model knows.
    from bootmenu.model import LOCAL, Resource

    return Resource.parse(text).volume == LOCAL
