"""The boot menu starts itself, and what it starts then has lost nothing of the machine."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, enter, open_shell, run

from bootmenu.appliance import BuildResult
from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree
from bootmenu.devicetree.chosen import CHOSEN
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

THIRD = Disk(
    Filesystem.EXT4,
    label="third",
    uuid="3d3d3d3d-7a52-4d0e-9d6b-2f6f0d3c8a88",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c033",
    size=96,
)

HANDED_OVER = "efi|OF:|FDT|GIC|ITS|LPI|ACPI|initr|Initr|memory|reserv"
"""Words of those of the kernel's messages that are about what it was handed."""


class Facts(NamedTuple):
    """What a kernel finds of the machine."""

    tree: DeviceTree  # as it was handed over
    ranges: str  # of memory, as /proc/iomem lists them
    memory: int  # in MiB, without what is reserved and what the kernel takes for itself
    warnings: frozenset[str]  # of what it was handed, without their times

    @property
    def chosen(self) -> list[str]:
        """The properties of /chosen."""
        return sorted(self.tree.properties(CHOSEN))

    @property
    def initrd(self) -> tuple[int, int]:
        """Its address and its size, in bytes."""
        start, end = (
            int.from_bytes(self.tree.get(CHOSEN, f"linux,initrd-{name}") or b"", "big")
            for name in ("start", "end")
        )
        return start, end - start


def facts(vm: Vm) -> Facts:
    """What the kernel that runs in *vm* has found."""
    packed = run(vm, "gzip -c /sys/firmware/fdt | base64")
    ranges = run(vm, "grep 'System RAM' /proc/iomem")
    memory = run(vm, "grep MemTotal /proc/meminfo")
    warnings = run(vm, f"dmesg -r | grep -E '^<[0-4]>.*({HANDED_OVER})'")
    return Facts(
        DeviceTree.parse(gzip.decompress(base64.b64decode(packed))),
        ranges,
        int(memory.split()[1]) >> 10,
        frozenset(re.sub(r"^<.*?\] ", "", line) for line in warnings.splitlines()),
    )


@pytest.fixture(scope="module")
def third(
    disks: SampleDisks,
    image: Callable[[Arch], BuildResult],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
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


@pytest.mark.parametrize("uefi", [False, True], ids=["device-tree", "uefi-acpi"])
def test_third_kernel_finds_the_machine_as_the_second_did(
    start_vm: StartVm, third: Path, *, uefi: bool
) -> None:
    # An interrupt controller that goes on using tables in memory, which UEFI alone passes on.
    options = ("-machine", "gic-version=3,its=on") if uefi else ()
    vm = start_vm(third, append=HELD, uefi=uefi, options=options)
    await_menu(vm, THIRD.label)
    open_shell(vm)
    first = facts(vm)
    again = f"quiet console=ttyAMA0 {HELD} generation=2"
    enter(vm, boot("menu.img", again))
    vm.screen.wait_gone("~ #")
    await_menu(vm, THIRD.label)
    open_shell(vm)
    assert again in run(vm, "cat /proc/cmdline")
    second = facts(vm)
    enter(vm, boot("third.img", "console=ttyAMA0 generation=3"))
    assert booted(vm)[1] == "console=ttyAMA0 generation=3"
    assert run(vm, "cat /etc/marker") == "marker: third"
    last = facts(vm)
    assert last.chosen == second.chosen
    assert last.ranges == second.ranges == first.ranges
    assert abs(last.memory - first.memory) <= 2
    for found in (second, last):
        assert found.tree.reservations == [found.initrd]
        assert found.warnings <= first.warnings
    kept = run(vm, "dmesg | grep -c 'using reserved LPI pending table'")
    assert kept == ("2" if uefi else "0")


def boot(initrd: str, cmdline: str) -> str:
    """The command that starts the disk's kernel with *initrd*."""
    return f"bootmenu boot --kernel vda1:/Image --initrd vda1:/{initrd} --append '{cmdline}'"
