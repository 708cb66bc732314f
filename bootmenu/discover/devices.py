"""The block devices of this machine, from udev, and what becomes of them.

udevd has looked into every device already: the ``ID_FS_*`` and ``ID_PART_ENTRY_*``
properties of its database (written by its built-in blkid) say what filesystem there is.
Without a running udevd the same properties come from the ``blkid`` command, and the news from
the kernel itself. https://www.freedesktop.org/software/systemd/man/latest/udev.html
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from bootmenu.errors import VolumeError
from bootmenu.model import BlockDevice

_UDEV = Path("/run/udev")
_SECTOR = 512  # the unit of sysfs sizes, whatever the disk's own sectors are
_NEVER_BOOT = re.compile(r"(ram|zram|nbd|fd)\d+$")
_BUSES = {"nvme": "nvme", "mmcblk": "mmc", "vd": "virtio", "loop": "loop", "sr": "cdrom"}


class Action(StrEnum):
    """What happened to a device."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One piece of news; of a removed device only the name counts."""

    action: Action
    device: BlockDevice


class UdevDevices:
    """The devices that carry a filesystem, or may do so."""

    def __init__(self) -> None:
        self._context = _udev_context()
        self._daemon = (_UDEV / "control").exists()
        self._monitor: Any = None

    def listing(self) -> list[BlockDevice]:
        """Every such device now. Blocks for as long as reading sysfs takes."""
        found = (self._describe(d) for d in self._context.list_devices(subsystem="block"))
        return [device for device in found if device is not None]

    def watch(self, report: Callable[[DeviceEvent], None]) -> None:
        """Call *report* for all news from now on, in the running event loop."""
        import pyudev

        source = "udev" if self._daemon else "kernel"
        self._monitor = pyudev.Monitor.from_netlink(self._context, source=source)
        self._monitor.filter_by("block")
        self._monitor.start()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._monitor.fileno(), self._read_news, report)

    def busy(self) -> bool:
        """Whether udevd still works on something that happened."""
        return (_UDEV / "queue").exists()

    def roots(self) -> list[BlockDevice]:
        """Every device that a system's root may lie on, with its identity.

        None where that cannot be told: without udevd, or where some device holds what is put
        together or unlocked first, such as RAID, LVM or LUKS. Blocks as :meth:`listing` does.
        """
        found = []
        for device in self._context.list_devices(subsystem="block"):
            properties: Mapping[str, str] = device.properties
            if not (self._daemon and device.is_initialized):
                return []
            usage, fstype = properties.get("ID_FS_USAGE", ""), properties.get("ID_FS_TYPE", "")
            if usage not in {"", "filesystem"} and fstype != "swap":
                return []
            name: str = device.sys_name
            found.append(_with_filesystem(BlockDevice(name, f"/dev/{name}"), properties))
        return found

    def close(self) -> None:
        """No more news."""
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor = None

    def _read_news(self, report: Callable[[DeviceEvent], None]) -> None:
        while (news := self._monitor.poll(timeout=0)) is not None:
            gone = BlockDevice(name=news.sys_name, node="")
            if news.action == "remove":
                report(DeviceEvent(Action.REMOVE, gone))
            elif news.action in {"add", "change"}:
                device = self._describe(news)
                if device is None:  # a medium was taken out, or a filesystem wiped
                    report(DeviceEvent(Action.REMOVE, gone))
                else:
                    report(DeviceEvent(Action(news.action), device))

    def _describe(self, device: Any) -> BlockDevice | None:
        """What *device* is, or None when it has no filesystem."""
        name: str = device.sys_name
        sectors = _attribute(device, "size")
        size = int(sectors) * _SECTOR if sectors.isdigit() else 0
        if not size or _NEVER_BOOT.match(name):
            return None
        disk = device.find_parent("block", "disk") if device.device_type == "partition" else None
        properties: Mapping[str, str] = device.properties
        known = self._daemon and device.is_initialized
        if known and properties.get("ID_FS_USAGE") != "filesystem":
            return None
        # The image of a CD on a stick has a filesystem on the whole disk, which its partition
        # table then divides again; only one of the two can be mounted.
        if disk is not None and disk.properties.get("ID_FS_USAGE") == "filesystem":
            return None
        described = BlockDevice(
            name=name,
            node=device.device_node or f"/dev/{name}",
            size=size,
            disk=disk.sys_name if disk is not None else "",
            model=_model(properties),
            bus=properties.get("ID_BUS") or _bus(name),
            removable=_attribute(disk or device, "removable") == "1",
        )
        return _with_filesystem(described, properties) if known else described


def identify(device: BlockDevice) -> BlockDevice | None:
    """*device* with its filesystem, as blkid finds it, or None when it has none.

    For a machine without udevd, or before that has looked. Takes as long as the device does to
    answer. Raises VolumeError when it cannot be found out.
    """
    command = ["blkid", "-p", "-o", "udev", device.node]
    try:
        run = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        hint = "start udevd, or install util-linux"
        raise VolumeError("what it holds is not known without udevd or blkid", hint=hint) from None
    lines = run.stdout.decode("utf-8", "replace").splitlines()
    properties = dict(line.split("=", 1) for line in lines if "=" in line)
    if properties.get("ID_FS_USAGE") == "filesystem":
        return _with_filesystem(device, properties)
    if run.stderr:
        reason = run.stderr.decode("utf-8", "replace").strip().rpartition(": ")[2]
        hint = "" if os.geteuid() == 0 else "run bootmenu as root"
        raise VolumeError(f"cannot be read: {reason}", hint=hint)
    return None


def _udev_context() -> Any:
    """The context of pyudev, with libudev found by its name alone.

    ctypes looks for libraries with ldconfig, gcc or ld; a small root has none of them, while
    the dynamic loader itself needs no help with a name that is complete.
    """
    from pyudev import Context
    from pyudev._ctypeslib import utils

    original = utils.find_library
    utils.find_library = {"udev": "libudev.so.1"}.get
    try:
        return Context()
    except OSError as error:
        hint = "install libudev1"
        raise VolumeError("no devices can be found without libudev", hint=hint) from error
    finally:
        utils.find_library = original


def _attribute(device: Any, name: str) -> str:
    """A sysfs attribute, or "" when the device has none, or has just gone."""
    with suppress(KeyError, UnicodeDecodeError, OSError):
        text: str = device.attributes.asstring(name)
        return text.strip()
    return ""


def _with_filesystem(device: BlockDevice, properties: Mapping[str, str]) -> BlockDevice:
    return replace(
        device,
        fstype=properties.get("ID_FS_TYPE", ""),
        uuid=properties.get("ID_FS_UUID", ""),
        label=_decoded(properties, "ID_FS_LABEL_ENC") or properties.get("ID_FS_LABEL", ""),
        partuuid=properties.get("ID_PART_ENTRY_UUID", ""),
        partlabel=_decoded(properties, "ID_PART_ENTRY_NAME"),
    )


def _model(properties: Mapping[str, str]) -> str:
    """What is printed on the disk, as far as the disk says it."""
    model = _decoded(properties, "ID_MODEL_ENC") or properties.get("ID_MODEL", "")
    vendor = _decoded(properties, "ID_VENDOR_ENC") or properties.get("ID_VENDOR", "")
    text = f"{vendor} {model}" if model else properties.get("ID_NAME", "")
    return " ".join(text.replace("_", " ").split())


def _bus(name: str) -> str:
    return next((bus for prefix, bus in _BUSES.items() if name.startswith(prefix)), "")


def _decoded(properties: Mapping[str, str], key: str) -> str:
    r"""A property in which udev wrote unusual bytes as ``\xNN``."""
    escaped = properties.get(key, "")

    def byte(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)])

    raw = re.sub(rb"\\x([0-9a-fA-F]{2})", byte, escaped.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "replace").strip()
