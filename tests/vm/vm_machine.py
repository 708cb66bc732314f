"""A running virtual machine: its serial line as a screen, its control socket as a client."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import pexpect
from vm_qmp import Qmp
from vm_screen import COLUMNS, LINES, SECONDS, Screen

from bootmenu.appliance.vm import VirtualMachine


class Vm:
    """QEMU running *machine*, for the length of a ``with`` statement."""

    def __init__(self, machine: VirtualMachine) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vm-")
        control = Path(self._folder.name, "qmp")
        command = replace(machine, control=control, escape=False).command()
        self.started = time.monotonic()
        self._child = pexpect.spawn(
            command[0], command[1:], dimensions=(LINES, COLUMNS), echo=False
        )
        self.screen = Screen(self._send)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.qmp = Qmp(control)

    def __enter__(self) -> Vm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def seconds(self) -> float:
        """Since QEMU was started."""
        return time.monotonic() - self.started

    def wait_end(self) -> None:
        """Until the machine has switched itself off."""
        self._reader.join(SECONDS)
        if self._reader.is_alive():
            raise AssertionError(f"the machine did not end\n{self.screen}")

    def stop(self) -> None:
        """Pull the plug."""
        self.qmp.close()
        self._child.kill(signal.SIGKILL)
        self._child.wait()
        self._child.close()
        self._reader.join(10)
        self._folder.cleanup()

    def _send(self, data: bytes) -> None:
        self._child.send(data)

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self._child.fileno(), 65536):
                self.screen.feed(data)
        self.screen.end()


StartVm = Callable[..., Vm]
"""The fixture start_vm: drives, and fields of VirtualMachine by name."""
