"""The virtual machine that runs the image: QEMU, emulating, with no need for /dev/kvm."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootmenu.appliance.image import build, default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tools import find, require
from bootmenu.errors import BuildError
from bootmenu.model import Arch

FIRMWARE = Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd")
"""UEFI for the virtual machine, of Debian's qemu-efi-aarch64."""
HOTPLUG_PORT = "free-port"
"""The id of the PCI port that takes devices while the machine runs."""
QUIET = "quiet"
"""The cmdline that images are started with: silence until the menu is there."""


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """An arm64 machine with its serial line on standard input and output.

    *memory* is in MiB; *drives* are raw images, to which nothing is ever written.
    """

    kernel: Path
    initramfs: Path
    drives: tuple[Path, ...] = ()
    append: str = QUIET
    memory: int = 1024
    cpu: str = "cortex-a57"
    cpus: int = 2
    firmware: Path | None = None
    display: bool = False  # a graphics card and a USB keyboard
    control: Path | None = None  # Unix socket of QMP, which QEMU listens on
    escape: bool = True  # Ctrl-A x ends it; otherwise every byte goes to the machine

    def command(self) -> list[str]:
        """The command line of QEMU. Raises BuildError when it is not installed."""
        require(["qemu-system-aarch64"])
        command = [find("qemu-system-aarch64") or "", "-nodefaults", "-no-user-config"]
        command += ["-machine", "virt", "-accel", "tcg,thread=multi", "-cpu", self.cpu]
        command += ["-smp", str(self.cpus), "-m", str(self.memory)]
        command += ["-kernel", str(self.kernel), "-initrd", str(self.initramfs)]
        command += ["-append", self.append]
        for number, drive in enumerate(self.drives):
            command += [
                "-drive",
                f"if=none,id=disk{number},format=raw,snapshot=on,file={_escaped(drive)}",
                "-device",
                f"virtio-blk-pci,drive=disk{number}",
            ]
        command += ["-device", f"pcie-root-port,id={HOTPLUG_PORT},chassis=1"]
        if self.firmware is not None:
            command += ["-bios", str(self.firmware)]
        if self.display:
            command += ["-device", "virtio-gpu-pci", "-device", "qemu-xhci"]
            command += ["-device", "usb-kbd"]
        if self.control is not None:
            command += ["-qmp", f"unix:{_escaped(self.control)},server=on,wait=off"]
        mux = "mux=on" if self.escape else "mux=off"
        command += ["-chardev", f"stdio,id=serial,signal=off,{mux}", "-serial", "chardev:serial"]
        if self.escape:
            command += ["-mon", "chardev=serial,mode=readline"]
        return [*command, "-display", "none"]


def demo(
    arch: Arch,
    *,
    cache: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Build what is missing and become a virtual machine on this terminal: never returns.

    Raises :class:`BuildError` when something cannot be built or QEMU is not there.
    """
    if arch is not Arch.ARM64:
        raise BuildError(f"there is no demo of {arch} yet", hint="bootmenu demo --arch arm64")
    require(["qemu-system-aarch64"])
    cache = cache or default_cache()
    image = build(arch, cache / "demo" / arch, cache=cache, report=report)
    disks = SampleDisks(cache, report)
    machine = VirtualMachine(image.kernel, image.initramfs, drives=(disks.debian, disks.esp))
    report("starting the virtual machine; Ctrl-A x ends it, wherever it is")
    command = machine.command()
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error


def _escaped(path: Path) -> str:
    """*path* as a value in QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
