"""The services of the image: what happens on a console when things end or are asked for."""

from __future__ import annotations

import re

import pytest
from vm_machine import BOOT_SECONDS, StartVm

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

ENTRY = re.compile(r"=> \* Debian GNU/Linux")


def kill(service: str) -> str:
    """The command that kills the process ``bootmenu SERVICE``."""
    return f"kill -9 $(ps -o pid,args | awk '/bootmenu {service}$/ {{print $1}}')"


def test_shell_on_request_and_services_that_come_back_in_a_small_machine(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, append="bootmenu.timeout=600", memory=384)
    screen = vm.screen
    screen.wait_for(ENTRY, BOOT_SECONDS)
    assert "/init:" not in screen.transcript  # what the script of the start could not do
    screen.press("s")
    screen.wait_for("~ #")

    # As root, in a session whose terminal is this console.
    screen.type("echo user=$(id -u) tty=$(tty)\r")
    screen.wait_for("user=0 tty=/dev/ttyAMA0")
    screen.type("cat /proc/sys/kernel/printk\r")
    screen.wait_for(re.compile(r"^1\s+4", re.MULTILINE))

    # A daemon that was killed is started again, and finds everything again; the menu goes on.
    screen.type(f"(sleep 20; {kill('daemon')}) &\r")
    screen.type("exit\r")
    screen.wait_for(ENTRY, BOOT_SECONDS)
    screen.wait_for("bootmenud is away", BOOT_SECONDS)
    screen.wait_gone("bootmenud is away", BOOT_SECONDS)
    screen.wait_for(ENTRY, BOOT_SECONDS)

    # So is a menu, which runs without privileges; it leaves the terminal as it found it.
    screen.press("s")
    screen.wait_for("~ #")
    screen.type(f"(sleep 30; ps -o user,args >/tmp/seen; {kill('ui')}) &\r")
    screen.type("exit\r")
    screen.wait_for(ENTRY, BOOT_SECONDS)
    screen.wait_for("the menu ended with status 137", BOOT_SECONDS)
    screen.wait_for(ENTRY, BOOT_SECONDS)
    screen.press("s")
    screen.wait_for("~ #")
    screen.type("grep 'bootmenu ui' /tmp/seen\r")
    screen.wait_for(re.compile(r"^bootmenu .*bootmenu ui", re.MULTILINE))
