"""What a command asks a daemon: one call at a time, over Varlink.

Spoken with the standard library alone, a connection for each call: to import asyncvarlink and
the model takes longer than all else that a command does. What is answered comes as the wire has
it, see bootmenu.daemon.interface, its objects with attributes.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from types import SimpleNamespace

from bootmenu.daemon import INTERFACE
from bootmenu.errors import DaemonError

TYPE_CHECKING = False  # that of typing, see arguments.py
if TYPE_CHECKING:
    from typing import Any

Told = Callable[[str, int, int], None]
"""Told of a step, the bytes done and the bytes in all, 0 where they are not known."""

BRIEF = 1.0
"""Seconds after which a person is told how far it is."""
_READ = 1 << 16  # bytes


class CallError(DaemonError):
    """What the daemon answered instead of a result; *log* is what the kernel said."""

    def __init__(self, message: str, *, hint: str, log: list[str]) -> None:
        super().__init__(message, hint=hint)
        self.log = tuple(log)


class Daemon:
    """The daemon that listens at *path*, for a command that does nothing else meanwhile."""

    def __init__(self, path: str) -> None:
        self.path = path

    def call(self, method: str, /, **parameters: Any) -> Any:
        """What *method* of BootInterface returns. Raises CallError or DaemonError."""
        with self._called(method, parameters) as answers:
            return _result(answers)

    def load(self, method: str, told: Told, /, **parameters: Any) -> Any:
        """As :meth:`call`, of Load or Boot; *told* follows it once it is not brief.

        Ctrl-C cancels the load, and waits until that has ended; a second one does not.
        """
        with self._called(method, parameters) as answers:
            try:
                self._follow(answers, told)
            except KeyboardInterrupt:
                with suppress(CallError):  # it has just ended by itself
                    self.call("Cancel")
            return _result(answers)

    def _follow(self, answers: BufferedReader, told: Told) -> None:
        """Tell of the states until there is an answer."""
        if select.select([answers], [], [], BRIEF)[0]:
            return
        with self._called("Watch", {}, more=True) as states:
            begun = b""
            while answers not in select.select([answers, states], [], [])[0]:
                if not (news := states.read1(_READ)):
                    return  # the daemon ends
                *replies, begun = (begun + news).split(b"\0")
                if replies:
                    state = json.loads(replies[-1])["parameters"]["state"]
                    now = state.get("progress") or {"step": state["status"], "done": 0, "total": 0}
                    told(now["step"], now["done"], now["total"])

    def settled(self) -> Any:
        """The state once the devices have settled, see interface.State. Raises DaemonError."""
        return self.call("Settled")

    def verify(self, told: Told, **parameters: Any) -> str:
        """What Verify of BootInterface reports in the end: every file is read to its end.

        Raises CallError or DaemonError.
        """
        with self._called("Verify", parameters, more=True) as answers:
            continues = True
            while continues:
                result, continues = _answer(answers)
                told("reading", result.reading.done, result.reading.total)
        return str(result.reading.report)

    @contextmanager
    def _called(
        self, method: str, parameters: dict[str, Any], *, more: bool = False
    ) -> Iterator[BufferedReader]:
        """What is answered to a call of *method*."""
        call = {"method": f"{INTERFACE}.{method}", "parameters": parameters, "more": more}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(self.path)
            except OSError as error:
                message = f"bootmenud cannot be reached: {error.strerror}"
                raise DaemonError(message, hint="bootmenu daemon starts it") from error
            try:
                connection.sendall(json.dumps(call).encode() + b"\0")
                with connection.makefile("rb") as answers:
                    yield answers
            except OSError as error:
                raise DaemonError(f"bootmenud gave up: {error.strerror}") from error


def _result(answers: BufferedReader) -> Any:
    """What a method returns: one result, or none. Raises CallError or DaemonError."""
    result, _ = _answer(answers)
    return next(iter(vars(result).values()), None)


def _answer(answers: BufferedReader) -> tuple[Any, bool]:
    """The next of *answers*, and whether there are more. Raises CallError or DaemonError."""
    message = bytearray()
    while not message.endswith(b"\0"):
        ahead = answers.peek()
        if not ahead:
            raise DaemonError("bootmenud gave up: it has ended during the call", hint="try again")
        message += answers.read(ahead.find(b"\0") + 1 or len(ahead))
    reply = json.loads(message[:-1], object_hook=lambda fields: SimpleNamespace(**fields))
    result, error = getattr(reply, "parameters", SimpleNamespace()), getattr(reply, "error", "")
    if error == f"{INTERFACE}.Failed":
        raise CallError(result.message, hint=result.hint, log=result.log)
    if error:
        raise DaemonError(f"bootmenud gave up: {error}")
    return result, getattr(reply, "continues", False)
