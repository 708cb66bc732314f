"""The virtual machine that runs the image: QEMU, emulating, with no need for /dev/kvm."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootmenu.appliance.image import build, default_cache
from bootmenu.appliance.machines import FACTS
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tools import find, require
from bootmenu.errors import BuildError
from bootmenu.model import Arch

HOTPLUG_PORT = "free-port"
"""The id of the PCI port that takes devices while the machine runs."""
QUIET = "quiet"
"""The cmdline that images are started with: silence until the menu is there."""


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """A machine of *arch* with its serial line on standard input and output.

    *memory* is in MiB; *drives* are raw images, to which nothing is ever written.
    """

    kernel: Path
    initramfs: Path
    arch: Arch = Arch.ARM64
    drives: tuple[Path, ...] = ()
    append: str = QUIET
    memory: int = 1024
    cpu: str = ""  # else the architecture's usual one
    cpus: int = 2
    uefi: bool = False
    options: tuple[str, ...] = ()  # of QEMU, besides: other memory, other devices
    display: bool = False  # a graphics card and a USB keyboard
    control: Path | None = None  # Unix socket of QMP, which QEMU listens on
    escape: bool = True  # Ctrl-A x ends it; otherwise every byte goes to the machine

    def command(self) -> list[str]:
        """The command line of QEMU. Raises BuildError when it is not installed."""
        facts = FACTS[self.arch]
        require([facts.program])
        if self.uefi and not facts.uefi:
            raise BuildError(f"Debian 12 has no UEFI for {self.arch}", hint="start it without")
        command = [find(facts.program) or "", "-nodefaults", "-no-user-config"]
        command += ["-machine", facts.machine, "-accel", f"tcg,thread={facts.threads}"]
        command += ["-cpu", self.cpu or facts.cpu, "-smp", str(self.cpus), "-m", str(self.memory)]
        command += facts.uefi if self.uefi else ()
        command += ["-kernel", str(self.kernel), "-initrd", str(self.initramfs)]
        command += ["-append", f"{facts.cmdline} {self.append}".strip()]
        for number, drive in enumerate(self.drives):
            command += [
                "-drive",
                f"if=none,id=disk{number},format=raw,snapshot=on,file={_escaped(drive)}",
                "-device",
                f"virtio-blk-pci,drive=disk{number}",
            ]
        command += ["-device", f"pcie-root-port,id={HOTPLUG_PORT},chassis=1"]
        if self.display:
            command += ["-device", "virtio-gpu-pci", "-device", "qemu-xhci"]
            command += ["-device", "usb-kbd"]
        if self.control is not None:
            command += ["-qmp", f"unix:{_escaped(self.control)},server=on,wait=off"]
        mux = "mux=on" if self.escape else "mux=off"
        command += ["-chardev", f"stdio,id=serial,signal=off,{mux}", "-serial", "chardev:serial"]
        if self.escape:
            command += ["-mon", "chardev=serial,mode=readline"]
        return [*command, "-display", "none", *self.options]


def demo(
    arch: Arch,
    *,
    cache: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Build what is missing and become a virtual machine on this terminal: never returns.

    Raises :class:`BuildError` when something cannot be built or QEMU is not there.
    """
    require([FACTS[arch].program])
    cache = cache or default_cache()
    image = build(arch, cache / "demo" / arch, cache=cache, report=report)
    disks = SampleDisks(cache, report, arch)
    drives = (disks.debian, disks.esp)
    machine = VirtualMachine(image.kernel, image.initramfs, arch, drives=drives)
    report("starting the virtual machine; Ctrl-A x ends it, wherever it is")
    command = machine.command()
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error


def _escaped(path: Path) -> str:
    """*path* as a value in QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
