"""A disk that neither answers nor fails: nobody waits for it, and the jump is not made."""

from __future__ import annotations

import pytest
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, choose, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

SLOW = 2 << 20  # bytes a second: a load takes long enough to be seen
HUNG = 1


def test_load_from_a_disk_that_hangs_is_given_up_and_no_jump_is_made_that_waits_for_it(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, disks.esp, append=HELD)
    await_menu(vm, "Debian GNU/Linux", "Debian from the ESP")
    choose(vm, "Debian GNU/Linux")
    _throttle(vm, "disk0", SLOW)
    vm.screen.press("enter")
    vm.screen.wait_for("s left")
    _throttle(vm, "disk0", HUNG)
    vm.screen.wait_for("waiting for more of it")
    print(vm.screen)
    vm.screen.press("escape")
    vm.screen.wait_for("Cancelled")
    choose(vm, "Debian from the ESP")
    vm.screen.press("enter")
    vm.screen.wait_for("no answer from vda")
    print(vm.screen)
    _throttle(vm, "disk0", 0)
    vm.screen.press("enter")
    await_menu(vm, "Debian GNU/Linux", "Debian from the ESP")
    choose(vm, "Debian from the ESP")
    vm.screen.press("enter")
    assert booted(vm) == (disks.release, "console=ttyAMA0 quiet")
    assert run(vm, "cat /etc/marker") == "marker: esp"


def _throttle(vm: Vm, device: str, bytes_a_second: int) -> None:
    """Let *device* give that much and no more."""
    line = f"block_set_io_throttle {device} {bytes_a_second} 0 0 0 0 0"
    vm.qmp.execute("human-monitor-command", command_line=line)
