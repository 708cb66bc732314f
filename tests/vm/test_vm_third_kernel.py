"""The boot menu starts itself, and what it starts then has lost nothing of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import image
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, open_shell, run

from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

THIRD = Disk(
    Filesystem.EXT4,
    label="third",
    uuid="3d3d3d3d-7a52-4d0e-9d6b-2f6f0d3c8a88",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c033",
    size=96,
)


class Facts(NamedTuple):
    """What a kernel finds of the machine."""

    chosen: str  # the properties of /chosen
    ranges: str  # of memory, as /proc/iomem lists them
    memory: int  # in MiB, without what is reserved and what the kernel takes for itself


def facts(vm: Vm) -> Facts:
    """What the kernel that runs in *vm* has found."""
    chosen = run(vm, "ls /proc/device-tree/chosen").split()
    ranges = run(vm, "grep 'System RAM' /proc/iomem")
    memory = run(vm, "grep MemTotal /proc/meminfo")
    return Facts(" ".join(sorted(chosen)), ranges, int(memory.split()[1]) >> 10)


@pytest.fixture(scope="module")
def third(disks: SampleDisks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk with the boot menu itself, and a system that it starts."""
    built = image(Arch.ARM64)
    files = {
        "Image": disks.kernel,
        "menu.img": built.initramfs.read_bytes(),
        "third.img": disks.initrd("third"),
    }
    disk = tmp_path_factory.mktemp("third") / "third.img"
    write_disk(THIRD, Tree({name: Node.file(data) for name, data in files.items()}), disk)
    return disk


def test_third_kernel_finds_the_machine_as_the_second_did(start_vm: StartVm, third: Path) -> None:
    vm = start_vm(third, append=HELD)
    await_menu(vm, THIRD.label)
    open_shell(vm)
    first = facts(vm)
    again = f"quiet console=ttyAMA0 {HELD} generation=2"
    vm.screen.type(boot("menu.img", again))
    vm.screen.wait_gone("~ #")
    await_menu(vm, THIRD.label)
    open_shell(vm)
    assert again in run(vm, "cat /proc/cmdline")
    second = facts(vm)
    vm.screen.type(boot("third.img", "console=ttyAMA0 generation=3"))
    assert booted(vm)[1] == "console=ttyAMA0 generation=3"
    assert run(vm, "cat /etc/marker") == "marker: third"
    last = facts(vm)
    print(first, second, last, sep="\n")
    assert last.chosen == second.chosen
    assert last.ranges == second.ranges == first.ranges
    assert abs(last.memory - first.memory) <= 2


def boot(initrd: str, cmdline: str) -> str:
    """The command that starts the disk's kernel with *initrd*."""
    return f"bootmenu boot --kernel vda1:/Image --initrd vda1:/{initrd} --append '{cmdline}'\n"
