"""What goes on by itself, as sysfs tells of it; and how ACPI starts processors."""

import os
from pathlib import Path

import pytest

from bootmenu.discover.capture import capture, restore
from bootmenu.discover.machine import read_machine
from bootmenu.discover.peripherals import ports, watchdogs
from bootmenu.errors import UsageError
from bootmenu.model import Arch, Cpu, Machine, NetworkPort, Watchdog


def _write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _port(root: Path, name: str, flags: str, driver: str = "", bus: str = "") -> None:
    _write(root, {f"sys/class/net/{name}/flags": f"{flags}\n"})
    if driver:
        device = root / f"sys/class/net/{name}/device"
        device.mkdir()
        (device / "driver").symlink_to(f"../../../bus/{bus}/drivers/{driver}")
        (device / "subsystem").symlink_to(f"../../../bus/{bus}")


def test_watchdogs(tmp_path: Path) -> None:
    _write(
        tmp_path / "sys/class/watchdog",
        {
            "watchdog0/identity": "i6300ESB timer\n",
            "watchdog0/state": "active\n",
            "watchdog0/nowayout": "0\n",
            "watchdog0/timeout": "30\n",
            "watchdog1/identity": "SBSA Generic Watchdog\n",
            "watchdog1/state": "inactive\n",
            "watchdog1/nowayout": "1\n",
            "watchdog1/timeout": "10\n",
            "watchdog2/timeout": "soon\n",
        },
    )
    assert watchdogs(tmp_path) == (
        Watchdog("watchdog0", "i6300ESB timer", running=True, timeout=30),
        Watchdog("watchdog1", "SBSA Generic Watchdog", nowayout=True, timeout=10),
        Watchdog("watchdog2"),
    )
    assert watchdogs(tmp_path / "empty") == ()


def test_network_ports_that_are_up(tmp_path: Path) -> None:
    _port(tmp_path, "end0", "0x1003", "fec", "platform")
    _port(tmp_path, "end1", "0x1002", "fec", "platform")
    _port(tmp_path, "enp1s0", "0x1003", "e1000e", "pci")
    _port(tmp_path, "lo", "0x9")
    assert ports(tmp_path) == (
        NetworkPort("end0", "fec", "platform"),
        NetworkPort("enp1s0", "e1000e", "pci"),
    )
    assert ports(tmp_path / "empty") == ()


@pytest.mark.parametrize(
    ("flags", "method"), [(b"\1\0", "psci"), (b"\3\0", "psci"), (b"\0\0", "parking-protocol")]
)
def test_acpi_says_how_processors_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: bytes, method: str
) -> None:
    names = list(os.uname())
    monkeypatch.setattr(os, "uname", lambda: os.uname_result([*names[:4], "aarch64"]))
    _write(
        tmp_path,
        {
            "sys/devices/system/cpu/possible": "0-1\n",
            "sys/devices/system/cpu/cpu0/uevent": "",
            "sys/devices/system/cpu/cpu1/online": "1\n",
            "sys/firmware/acpi/tables/FACP": b"FACP" + bytes(125) + flags + bytes(145),
        },
    )
    assert read_machine(str(tmp_path)).cpus == (
        Cpu(0, None, method, False),
        Cpu(1, None, method, True),
    )


def test_capture_holds_what_goes_on_and_an_older_one_nothing(tmp_path: Path) -> None:
    dog = Watchdog("watchdog0", "i6300ESB timer", running=True, timeout=30)
    port = NetworkPort("end0", "fec", "platform")
    cpus = (Cpu(0, 0x410FD034, "spin-table", False),)
    machine = Machine(Arch.ARM64, 4096, cpus=cpus, watchdogs=(dog,), ports=(port,))
    text = capture(machine)
    assert restore(text) == machine
    older = text.replace('"watchdogs"', '"a"').replace('"ports"', '"b"')
    older = older.replace(',\n   "stoppable": false', "")
    assert restore(older).cpus == (Cpu(0, 0x410FD034, "spin-table"),)
    assert (restore(older).watchdogs, restore(older).ports) == ((), ())
    for broken in ('"timeout": "30"', '"timeout": null', '"timer": 30'):
        with pytest.raises(UsageError, match="not a capture"):
            restore(text.replace('"timeout": 30', broken))
