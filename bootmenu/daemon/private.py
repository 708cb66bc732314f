"""A daemon for one command: started by it, on a socket that nobody else knows, ended with it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bootmenu.daemon.calls import CallError
from bootmenu.errors import DaemonError

END = 3.0
"""Seconds that a private daemon has to end: a disk that hangs may keep it."""


@contextmanager
def private_daemon(arguments: Sequence[str]) -> Iterator[str]:
    """The path of a daemon's socket, which ends with the context.

    *arguments* are those of ``bootmenu daemon``. Raises DaemonError.
    """
    folder = ""
    try:
        with _uninterrupted():  # else nobody would know of the folder
            folder = tempfile.mkdtemp(prefix="bootmenu-")
        path, log = f"{folder}/socket", Path(folder, "log")
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            log.open("wb") as errors,
        ):
            _bind(listener, path)
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


def _bind(listener: socket.socket, path: str) -> None:
    try:
        listener.bind(path)
    except OSError as error:  # the kernel takes 107 bytes
        reason = error.strerror or str(error)
        hint = "TMPDIR=/tmp before the command takes a folder of a shorter name"
        raise DaemonError(f"{path}: no socket can be made: {reason}", hint=hint) from error


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(END)
    except subprocess.TimeoutExpired:
        child.kill()
