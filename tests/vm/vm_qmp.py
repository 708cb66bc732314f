"""QEMU's control socket: keys, pictures, and disks that come and go.

https://www.qemu.org/docs/master/interop/qmp-spec.html
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from vm_screen import SECONDS

from bootmenu.appliance.vm import HOTPLUG_PORT


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    """A client of the QMP socket *path*, which QEMU listens on."""

    def __init__(self, path: Path) -> None:
        end = time.monotonic() + SECONDS
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self._socket.settimeout(SECONDS)
        self._file = self._socket.makefile("rb")
        self._events: list[dict[str, Any]] = []
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """What *command* returns; underscores in arguments become dashes."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        request = {"execute": command, "arguments": named}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read()
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
            self._events.append(answer)

    def wait_event(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The next event *name* whose data holds *wanted*."""
        while True:
            for event in self._events:
                data = event.get("data", {})
                if event.get("event") == name and wanted.items() <= data.items():
                    self._events.remove(event)
                    return event
            self._events.append(self._read())

    def press(self, *keys: str) -> None:
        """Press keys of the machine's own keyboard, by QEMU's names: down, ret, shift-a."""
        for key in keys:
            codes = [{"type": "qcode", "data": code} for code in key.split("-")]
            self.execute("send-key", keys=codes, hold_time=50)
            time.sleep(0.15)

    def screendump(self, picture: Path) -> None:
        """Write what the graphics card shows to the PNG file *picture*."""
        self.execute("screendump", filename=str(picture), format="png")

    def plug(self, image: Path, name: str = "plugged") -> None:
        """Plug in a disk holding *image*; nothing is ever written to it."""
        file = {"driver": "file", "filename": str(image), "read-only": True}
        options = {"node-name": name, "driver": "raw", "file": file, "read-only": True}
        self.execute("blockdev-add", **options)
        self.execute("device_add", driver="virtio-blk-pci", id=name, drive=name, bus=HOTPLUG_PORT)

    def unplug(self, name: str = "plugged") -> None:
        """Pull out the disk *name*, and wait until it is gone."""
        self.execute("device_del", id=name)
        self.wait_event("DEVICE_DELETED", device=name)
        self.execute("blockdev-del", node_name=name)

    def _read(self) -> dict[str, Any]:
        line = self._file.readline()
        if not line:
            raise QmpError("QEMU has hung up")
        message: dict[str, Any] = json.loads(line)
        return message
