"""Kernels that would hang or cannot be: a clear error, and the menu stays."""

from __future__ import annotations

import pytest
from vm_machine import StartVm
from vm_steps import HELD, await_menu, booted, choose, run

from bootmenu.appliance.samples import BROKEN_TITLES, SampleDisks

pytestmark = pytest.mark.vm

SAID = {
    "truncated": ("truncated", "What to do:"),
    "x86": ("x86", "What to do:"),
    "16k": ("16K", "What to do:"),
}
"""What the error screen must name."""


def test_broken_kernels_are_refused_in_words_and_the_next_entry_boots(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.broken, disks.debian, append=HELD)
    await_menu(vm, *BROKEN_TITLES.values(), "Debian GNU/Linux")
    for name, title in BROKEN_TITLES.items():
        choose(vm, title)
        vm.screen.press("enter")
        vm.screen.wait_for(f"Could not start {title}")
        for words in SAID[name]:
            vm.screen.wait_for(words)
        assert "Traceback" not in vm.screen.text
        vm.screen.wait_quiet()  # a person reads it first
        print(vm.screen)
        vm.screen.press("enter")
        vm.screen.wait_for("Enter start")
    choose(vm, "Debian GNU/Linux")
    vm.screen.press("enter")
    release, _ = booted(vm)
    assert release == disks.release
    assert run(vm, "cat /etc/marker") == "marker: debian"
