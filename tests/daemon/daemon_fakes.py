"""Disks that a test plugs in, unplugs and lets hang; and a machine to start kernels on."""

import asyncio
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from bootmenu.discover.devices import Action, DeviceEvent
from bootmenu.errors import VolumeError
from bootmenu.model import Arch, BlockDevice, Cpu, IoResource, Machine, Volume

MIB = 1 << 20
SECONDS = 60.0
"""How long anything is waited for: a busy machine may take it, only a fault does not come."""


class FakeDisks:
    """A source of directories that come and go; see bootmenu.discover.sources.Source."""

    def __init__(self) -> None:
        self.volumes: dict[str, Volume] = {}
        self.hanging: dict[str, threading.Event] = {}
        self.broken: dict[str, str] = {}
        self.opened: list[str] = []  # as soon as it was begun
        self.closed: list[str] = []
        self.written: list[str] = []
        self.more_to_come = False
        self.tells_roots = False
        self.listed = False
        self.listed_late: threading.Event | None = None  # what a list has to wait for
        self._report: Callable[[DeviceEvent], None] | None = None

    def plug(self, root: Path, name: str, **identity: str) -> None:
        """A disk with the content of *root* is there."""
        self.volumes[name] = Volume(name, str(root), **identity)
        if self._report is not None:
            self._report(DeviceEvent(Action.ADD, self._device(name)))

    def unplug(self, name: str) -> None:
        """The disk is taken away."""
        device = self._device(name)
        del self.volumes[name]
        if self._report is not None:
            self._report(DeviceEvent(Action.REMOVE, device))

    def _device(self, name: str) -> BlockDevice:
        volume = self.volumes[name]
        return BlockDevice(name, f"/dev/{name}", uuid=volume.uuid, label=volume.label)

    def watch(self, report: Callable[[DeviceEvent], None]) -> None:
        self._report = report

    def listing(self) -> list[BlockDevice]:
        found = [self._device(name) for name in self.volumes]
        self.listed = True
        if self.listed_late is not None:
            self.listed_late.wait()
        return found

    def roots(self) -> list[BlockDevice]:
        return self.listing() if self.tells_roots else []

    def busy(self) -> bool:
        return self.more_to_come

    def identify(self, device: BlockDevice) -> BlockDevice | None:
        return device

    def open(self, device: BlockDevice) -> Volume:
        volume = self.volumes[device.name]
        self.opened.append(device.name)
        if device.name in self.hanging:
            self.hanging[device.name].wait()
        if device.name in self.broken:
            raise VolumeError(self.broken[device.name])
        return volume

    def overwrite(self, volume: Volume, path: str, content: bytes) -> None:
        self._write(volume, path)
        (Path(volume.root) / path.lstrip("/")).write_bytes(content)

    def rename(self, volume: Volume, path: str, name: str) -> None:
        self._write(volume, path)
        file = Path(volume.root) / path.lstrip("/")
        file.rename(file.with_name(name))

    def _write(self, volume: Volume, path: str) -> None:
        if volume.name in self.hanging:
            self.hanging[volume.name].wait()
        if volume.name in self.broken:
            raise VolumeError(self.broken[volume.name])
        self.written.append(f"{volume.name}:{path}")

    def close(self, volume: Volume) -> None:
        self.closed.append(volume.name)

    def close_all(self) -> None:
        self.closed.append("all")

    def stop(self) -> None:
        self._report = None


def linux(name: str = "linux", size: int = MIB) -> bytes:
    """The smallest file that every loader takes for an arm64 kernel of 4 KiB pages."""
    header = struct.pack("<IIQQQ24s4sI", 0x14000010, 0, 0, size, 0b1010, b"", b"ARM\x64", 0)
    banner = f"Linux version 6.12.0-{name} (test)".encode()
    return (header + banner).ljust(size, b"\0")


def bls(
    root: Path, name: str, *, title: str = "", kernel: str = "/Image", options: str = ""
) -> None:
    """Add an entry of the Boot Loader Specification, and its kernel."""
    entries = root / "loader" / "entries"
    entries.mkdir(parents=True, exist_ok=True)
    text = f"title {title or name}\nlinux {kernel}\noptions {options}\n"
    (entries / f"{name}.conf").write_text(text)
    path = root / kernel.lstrip("/")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(linux(name))


def loader_conf(root: Path, text: str) -> None:
    """Write the settings beside the entries."""
    (root / "loader").mkdir(parents=True, exist_ok=True)
    (root / "loader" / "loader.conf").write_text(text)


def grub_cfg(root: Path, text: str) -> None:
    """Write a configuration of GRUB."""
    (root / "boot" / "grub").mkdir(parents=True, exist_ok=True)
    (root / "boot" / "grub" / "grub.cfg").write_text(text)


TREE = """/dts-v1/;
/ {
    #address-cells = <2>;
    #size-cells = <2>;
    model = "a board";
    compatible = "vendor,board";
    cpus {
        #address-cells = <1>;
        #size-cells = <0>;
        cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a57"; reg = <0>; };
    };
    chosen { bootargs = "console=ttyAMA0"; stdout-path = "/pl011@9000000"; };
    memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x40000000>; };
};
"""


def board(fdt: bytes) -> Machine:
    """An arm64 machine with 1 GiB that may kexec."""
    return Machine(
        arch=Arch.ARM64,
        page_size=4096,
        iomem=(IoResource(0x40000000, 0x7FFFFFFF, "System RAM"),),
        fdt=fdt,
        cpus=(Cpu(0, 0x411FD070, "psci"), Cpu(1, 0x411FD070, "psci")),
        compatible=("vendor,board",),
        memory_total=1024 * MIB,
        memory_available=900 * MIB,
        consoles=("ttyAMA0",),
    )


async def until(condition: Callable[[], object]) -> None:
    """Wait for *condition*; fail when it does not come."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 (what is awaited has no event)
            await asyncio.sleep(0.005)
