"""The services of the image: what happens on a console when things end or are asked for."""

from __future__ import annotations

import re

import pytest
from vm_machine import StartVm
from vm_steps import enter, open_shell, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

ENTRY = re.compile(r"=> \* Debian GNU/Linux")
SHOWN = "until grep -q ' 03 .*bootmenu.sock' /proc/net/unix; do sleep 1; done; sleep 10"
"""Wait until a menu has reached the daemon and was seen by whoever reads the console."""


def kill(service: str) -> str:
    """The command that kills the process ``bootmenu SERVICE``."""
    return f"kill -9 $(ps -o pid,args | awk '/bootmenu {service}$/ {{print $1}}')"


def test_shell_on_request_and_services_that_come_back_in_a_small_machine(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, append="bootmenu.timeout=600", memory=384)
    screen = vm.screen
    screen.wait_for(ENTRY)
    assert "/init:" not in screen.transcript  # what the script of the start could not do
    open_shell(vm)

    # As root, in a session whose terminal is this console.
    assert run(vm, "echo user=$(id -u) tty=$(tty)") == "user=0 tty=/dev/ttyAMA0"
    assert run(vm, "cat /proc/sys/kernel/printk").split()[:2] == ["1", "4"]

    # A daemon that was killed is started again, and finds everything again; the menu goes on.
    enter(vm, f"({SHOWN}; {kill('daemon')}) &")
    enter(vm, "exit")
    screen.wait_for(ENTRY)
    screen.wait_for("bootmenud is away")
    screen.wait_gone("bootmenud is away")
    screen.wait_for(ENTRY)

    # So is a menu, which runs without privileges; it leaves the terminal as it found it.
    open_shell(vm)
    enter(vm, f"({SHOWN}; ps -o user,args >/tmp/seen; {kill('ui')}) &")
    enter(vm, "exit")
    screen.expect("the menu ended with status 137")
    screen.wait_gone("the menu ended")
    screen.wait_for(ENTRY)
    open_shell(vm)
    seen = run(vm, "grep 'bootmenu ui' /tmp/seen")
    assert re.search(r"^bootmenu .*bootmenu ui", seen, re.MULTILINE)
