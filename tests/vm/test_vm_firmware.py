"""arm64 with UEFI firmware: the running tree is only a stub, the default entry starts."""

from __future__ import annotations

import pytest
from vm_machine import StartVm
from vm_steps import booted, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm


def test_default_entry_boots_by_countdown(start_vm: StartVm, disks: SampleDisks) -> None:
    vm = start_vm(disks.debian, disks.esp, uefi=True)
    vm.screen.wait_for("any key stops it")
    vm.screen.wait_for("Starting Debian GNU/Linux")
    release, cmdline = booted(vm)
    assert release == disks.release
    assert cmdline.endswith("ro console=ttyAMA0 quiet")
    assert run(vm, "cat /etc/marker") == "marker: debian"
    assert run(vm, "ls /sys/firmware/efi/systab >/dev/null && echo efi") == "efi"
