"""What udev says of a device becomes what a person knows it by."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from bootmenu.discover.devices import Action, DeviceEvent, UdevDevices
from bootmenu.model import BlockDevice


class FakeDevice:
    """As pyudev shows a device that udevd has looked into."""

    is_initialized = True

    def __init__(
        self,
        name: str,
        properties: dict[str, str],
        *,
        disk: FakeDevice | None = None,
        action: str = "add",
        **sysfs: str,
    ) -> None:
        self.sys_name = name
        self.device_node = f"/dev/{name}"
        self.device_type = "partition" if disk else "disk"
        self.properties = properties
        self.action = action
        self.disk = disk
        values = {"size": "2048", "removable": "0", **sysfs}
        self.attributes = SimpleNamespace(asstring=values.__getitem__)

    def find_parent(self, subsystem: str, devtype: str) -> FakeDevice | None:
        return self.disk


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> UdevDevices:
    found = UdevDevices()
    monkeypatch.setattr(found, "_daemon", True)
    return found


def describe(devices: UdevDevices, device: FakeDevice) -> Any:
    devices._context = SimpleNamespace(list_devices=lambda subsystem: [device])
    found = devices.listing()
    return found[0] if found else None


EXT4 = {"ID_FS_USAGE": "filesystem", "ID_FS_TYPE": "ext4", "ID_FS_UUID": "1234"}


def test_a_partition_is_described_with_its_disk(devices: UdevDevices) -> None:
    disk = FakeDevice("sda", {"ID_PART_TABLE_TYPE": "gpt"}, removable="1")
    properties = EXT4 | {
        "ID_FS_LABEL": "my_r_ot",
        "ID_FS_LABEL_ENC": r"my\x20r\xc3\xb6ot",
        "ID_PART_ENTRY_UUID": "abcd",
        "ID_PART_ENTRY_NAME": r"Linux\x20root",
        "ID_MODEL_ENC": r"SanDisk\x20Ultra\x20\x20",
        "ID_BUS": "usb",
    }
    found = describe(devices, FakeDevice("sda1", properties, disk=disk))
    assert (found.name, found.node, found.size, found.disk) == ("sda1", "/dev/sda1", 1 << 20, "sda")
    assert (found.fstype, found.uuid, found.label) == ("ext4", "1234", "my röot")
    assert (found.partuuid, found.partlabel) == ("abcd", "Linux root")
    assert (found.model, found.bus, found.removable) == ("SanDisk Ultra", "usb", True)


@pytest.mark.parametrize(
    "device",
    [
        FakeDevice("vda", {"ID_PART_TABLE_TYPE": "gpt"}),
        FakeDevice("vda2", {"ID_FS_USAGE": "other", "ID_FS_TYPE": "swap"}),
        FakeDevice("sr0", EXT4, size="0"),
        FakeDevice("zram0", EXT4),
        FakeDevice("sdb1", EXT4, disk=FakeDevice("sdb", EXT4 | {"ID_FS_TYPE": "iso9660"})),
    ],
    ids=["partitioned", "swap", "no medium", "compressed memory", "in a CD image on a stick"],
)
def test_what_cannot_hold_a_system_is_not_there(devices: UdevDevices, device: FakeDevice) -> None:
    assert describe(devices, device) is None


def roots(devices: UdevDevices, *found: FakeDevice) -> list[BlockDevice]:
    devices._context = SimpleNamespace(list_devices=lambda subsystem: found)
    return devices.roots()


def test_every_device_may_be_a_root(devices: UdevDevices) -> None:
    disk = FakeDevice("vda", {"ID_PART_TABLE_TYPE": "gpt"})
    swap = FakeDevice("vda2", {"ID_FS_USAGE": "other", "ID_FS_TYPE": "swap"}, disk=disk)
    system = FakeDevice("vda1", EXT4 | {"ID_PART_ENTRY_UUID": "abcd"}, disk=disk)
    found = roots(devices, disk, swap, system)
    assert [device.name for device in found] == ["vda", "vda2", "vda1"]
    assert (found[2].uuid, found[2].partuuid) == ("1234", "abcd")


@pytest.mark.parametrize(
    "properties",
    [
        {"ID_FS_USAGE": "crypto", "ID_FS_TYPE": "crypto_LUKS"},
        {"ID_FS_USAGE": "raid", "ID_FS_TYPE": "LVM2_member"},
        {"ID_FS_USAGE": "other", "ID_FS_TYPE": "bcache"},
    ],
)
def test_where_a_root_may_be_inside_nothing_is_told(
    devices: UdevDevices, properties: dict[str, str]
) -> None:
    assert roots(devices, FakeDevice("vda", EXT4), FakeDevice("vdb", properties)) == []


def test_news_come_as_they_happen(devices: UdevDevices) -> None:
    changed = FakeDevice("sr0", {}, action="change", size="0")
    news = [FakeDevice("vdb", EXT4), FakeDevice("vdb", EXT4, action="remove"), changed]
    devices._monitor = SimpleNamespace(poll=lambda timeout: news.pop(0) if news else None)
    told: list[DeviceEvent] = []
    devices._read_news(told.append)
    assert [(event.action, event.device.name) for event in told] == [
        (Action.ADD, "vdb"),
        (Action.REMOVE, "vdb"),
        (Action.REMOVE, "sr0"),  # its medium was taken out
    ]


def test_libudev_is_found_without_ldconfig_or_a_compiler() -> None:
    code = (
        "import ctypes.util; ctypes.util.find_library = lambda name: None\n"
        "from bootmenu.discover.devices import UdevDevices; UdevDevices().listing()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_device_that_goes_while_it_is_described_is_not_there(devices: UdevDevices) -> None:
    gone = FakeDevice("sdc", EXT4)
    gone.attributes = SimpleNamespace(asstring={}.__getitem__)
    assert describe(devices, gone) is None
