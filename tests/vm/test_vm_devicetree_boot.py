"""arm64, started with a device tree, two CPUs, a serial line: choose, edit, start."""

from __future__ import annotations

import pytest
from vm_machine import StartVm, Vm
from vm_steps import (
    HELD,
    add_property,
    await_menu,
    booted,
    choose,
    enter,
    find_in_tree,
    run,
    selected,
)

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

LISTED = (
    "Debian GNU/Linux",
    "Advanced options for Debian GNU/Linux",
    "Debian from the ESP",
    "Debian from the ESP, verbose",
)


def test_edited_cmdline_and_tree_reach_the_next_kernel_as_shown(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, disks.esp, append=HELD)
    screen = vm.screen
    await_menu(vm, *LISTED)
    choose(vm, "Debian from the ESP, verbose")

    screen.press("e")
    screen.wait_for("Edit: Debian from the ESP, verbose")
    screen.wait_for("console=ttyAMA0")
    screen.press("end")
    screen.type(' probe="two  words" é=ü')
    screen.wait_for('probe="two  words" é=ü')

    screen.press("ctrl+t")
    screen.wait_for("Device tree: Debian from the ESP, verbose")
    _set_property(vm, "model", '"A board of ours"')
    screen.press("home")
    add_property(vm, "/", "ours,added = <0x12345678 42>")

    screen.press("ctrl+x")
    screen.wait_for("This differs from what its configuration says")
    for shown in ('"A board of ours"', "ours,added", 'probe="two  words" é=ü'):
        screen.wait_for(shown)
    screen.press("enter")

    release, cmdline = booted(vm)
    assert release == disks.release
    assert cmdline == 'console=ttyAMA0 probe="two  words" é=ü'
    assert run(vm, "cat /etc/marker") == "marker: esp"
    assert run(vm, "cat /proc/device-tree/model | tr '\\0' '!'") == "A board of ours!"
    added = run(vm, "hexdump -C /proc/device-tree/ours,added | head -n 1")
    assert added.startswith("00000000  12 34 56 78 00 00 00 2a")
    assert run(vm, "nproc") == "2"
    assert run(vm, "test -e /proc/device-tree/chosen/linux,booted-from-kexec && echo yes") == "yes"
    enter(vm, "poweroff")
    vm.wait_end()


def test_entry_inside_a_submenu_boots_with_its_own_cmdline(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, append=HELD, memory=384)
    await_menu(vm, *LISTED[:2])
    choose(vm, "Advanced options for Debian GNU/Linux")
    vm.screen.press("right")
    vm.screen.wait_for("(recovery mode)")
    choose(vm, "(recovery mode)")
    vm.screen.press("enter")
    release, cmdline = booted(vm)
    assert release == disks.release
    assert " ro single console=ttyAMA0" in cmdline
    assert run(vm, "cat /etc/marker") == "marker: debian"


def test_disk_that_is_plugged_in_appears_and_goes_when_pulled(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, append=HELD)
    await_menu(vm, *LISTED[:2])
    vm.screen.wait_for(lambda screen: "!" in screen.line_of("(on /dev/sda1)"))

    vm.qmp.plug(disks.stick)
    vm.screen.wait_for("stick (")
    vm.screen.wait_for("Debian on the stick")
    vm.screen.wait_for(lambda screen: "!" not in screen.line_of("(on /dev/sda1)"))
    vm.screen.wait_quiet()
    chosen = selected(vm.screen)

    vm.qmp.unplug()
    vm.screen.wait_gone("Debian on the stick")
    vm.screen.wait_for(lambda screen: "!" in screen.line_of("(on /dev/sda1)"))
    vm.screen.wait_for(lambda screen: selected(screen) == chosen)


def _set_property(vm: Vm, name: str, value: str) -> None:
    """Find *name* in the tree and give it *value*."""
    screen = vm.screen
    find_in_tree(vm, name)
    screen.press("enter")
    screen.wait_for(f"{name} = ")
    screen.press("ctrl+u")
    screen.type(value)
    screen.press("enter")
    screen.wait_for("Enter change")
    screen.wait_for(value)
