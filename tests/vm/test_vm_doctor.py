"""A machine whose processors keep it from kexec says so beforehand, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from vm_machine import StartVm
from vm_steps import HELD, await_menu, booted, open_shell, run

from bootmenu.appliance.image import debian_kernel, default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Tree
from bootmenu.appliance.vm import VirtualMachine
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

DTB = "/broadcom/bcm2837-rpi-3-b.dtb"


@dataclass(frozen=True, slots=True)
class RaspberryPi(VirtualMachine):
    """A Raspberry Pi 3, which starts its processors by spin-table. It has no PCI."""

    dtb: Path = Path()

    def command(self) -> list[str]:
        """The command line of QEMU; the console is the second serial line."""
        command = ["qemu-system-aarch64", "-nodefaults", "-M", "raspi3b", "-accel", "tcg"]
        command += ["-kernel", str(self.kernel), "-initrd", str(self.initramfs)]
        command += ["-dtb", str(self.dtb), "-append", self.append, "-display", "none"]
        command += ["-qmp", f"unix:{self.control},server=on,wait=off"]
        return [*command, "-serial", "null", "-serial", "stdio"]


def test_processors_of_a_raspberry_pi_3_cannot_be_stopped(
    start_vm: StartVm, tmp_path: Path
) -> None:
    packages = debian_kernel(Arch.ARM64, default_cache(), print)
    ((_, node),) = Tree.of_tar(packages.archive, lambda path: path.endswith(DTB)).items()
    dtb = tmp_path / "board.dtb"
    dtb.write_bytes(node.data)
    append = f"{HELD} console=ttyS1,115200 maxcpus=1"
    vm = start_vm(kind=RaspberryPi, dtb=dtb, append=append)
    vm.screen.wait_for("cannot be stopped")
    print(vm.screen)
    open_shell(vm)
    said = " ".join(run(vm, "bootmenu doctor; echo status $?").split())
    assert "error: the other processors cannot be stopped, kexec would be refused" in said
    assert "by spin-table, which cannot take them back; maxcpus= does not help" in said
    assert "nr_cpus=1 on its cmdline: the next kernel has all 4 again" in said
    assert said.endswith("status 1")


TITLE = "Debian GNU/Linux"
LONG = "max,pauth-impdef=on"
"""A processor with addresses of 52 bits, without what makes its emulation slow."""


def test_long_addresses_would_crash_the_kernel_and_without_them_it_loads(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, cpu=LONG, append=HELD)
    await_menu(vm, TITLE)
    vm.screen.press("enter")
    vm.screen.wait_for(f"Could not start {TITLE}")
    vm.screen.wait_for("arm64.nolva")
    print(vm.screen)
    vm.stop()
    vm = start_vm(disks.debian, cpu=LONG, append=f"{HELD} arm64.nolva")
    await_menu(vm, TITLE)
    vm.screen.press("enter")
    assert booted(vm)[0] == disks.release
