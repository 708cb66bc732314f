"""riscv64, started by OpenSBI: choose, edit, start; what is reserved stays as it is."""

from __future__ import annotations

import json

import pytest
from vm_machine import StartVm
from vm_steps import (
    HELD,
    add_property,
    await_menu,
    booted,
    choose,
    enter,
    find_in_tree,
    open_shell,
    run,
)

from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.discover.machine import parse_iomem
from bootmenu.loader.memory import Range, usable
from bootmenu.model import Arch, Machine

pytestmark = pytest.mark.vm

FIRMWARE = "mmode_resv0@80000000"
"""The node of the memory that OpenSBI keeps; the machine begins with it."""
LOAD = (
    "bootmenu load --json --kernel vda1:/boot/vmlinuz-{0} --initrd vda1:/boot/initrd.img-{0} "
    "--append console=ttyS0 2>/dev/null"
)


def test_edited_cmdline_and_tree_reach_the_next_kernel_and_nothing_reserved_is_overwritten(
    start_vm: StartVm,
) -> None:
    disks = SampleDisks(default_cache(), print, Arch.RISCV64)
    vm = start_vm(disks.debian, disks.esp, arch=Arch.RISCV64, append=HELD)
    screen = vm.screen
    await_menu(vm, "Debian GNU/Linux", "Debian from the ESP, verbose")

    open_shell(vm)
    inside, beside = reserved(run(vm, "cat /proc/iomem"))
    assert inside
    assert not beside
    loaded = json.loads(run(vm, LOAD.format(disks.release)))
    segments = [Range(s["mem"], s["mem"] + s["memsz"]) for s in loaded["segments"]]
    assert len(segments) == 3  # tree, kernel and initrd
    assert not [(s, r) for s in segments for r in inside if overlap(s, r)]
    enter(vm, "exit")

    await_menu(vm, "Debian from the ESP, verbose")
    choose(vm, "Debian from the ESP, verbose")
    screen.press("e")
    screen.wait_for("Edit: Debian from the ESP, verbose")
    screen.press("end")
    screen.type(' probe="two  words"')
    screen.press("ctrl+t")
    screen.wait_for("Device tree: Debian from the ESP, verbose")
    find_in_tree(vm, FIRMWARE)
    add_property(vm, f"/reserved-memory/{FIRMWARE}", "no-map")
    screen.press("ctrl+x")
    screen.wait_for("This differs from what its configuration says")
    screen.press("enter")

    release, cmdline = booted(vm)
    assert release == disks.release
    assert cmdline == 'console=ttyS0 probe="two  words"'
    assert run(vm, "cat /etc/marker") == "marker: esp"
    assert run(vm, f"ls /proc/device-tree/reserved-memory/{FIRMWARE}/no-map").endswith("/no-map")
    assert run(vm, "nproc") == "2"
    # With that property Linux lists the firmware's memory beside the rest, not inside of it.
    text = run(vm, "cat /proc/iomem")
    inside, beside = reserved(text)
    assert inside
    assert [part.start for part in beside] == [0x80000000]
    free = usable(Machine(Arch.RISCV64, 4096, iomem=parse_iomem(text)))
    assert not [(f, r) for f in free for r in inside + beside if overlap(f, r)]


def overlap(one: Range, other: Range) -> bool:
    return one.start < other.end and other.start < one.end


def reserved(iomem: str) -> tuple[list[Range], list[Range]]:
    """What is reserved, listed inside of memory and beside it."""
    found = [part for part in parse_iomem(iomem) if part.name == "Reserved"]
    inside, beside = (
        [Range(part.start, part.end + 1) for part in found if bool(part.depth) is nested]
        for nested in (True, False)
    )
    return inside, beside
