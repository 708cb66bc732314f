"""A kernel starts whatever it is wrapped in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from vm_formats import COMMANDS, ZBOOT, formats_disk
from vm_machine import StartVm
from vm_steps import HELD, await_menu, booted, open_shell, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def formats(disks: SampleDisks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk with the kernels."""
    return formats_disk(disks, tmp_path_factory.mktemp("formats"))


def test_each_format_loads_the_very_same_kernel_and_a_fit_starts_with_its_ramdisk(
    start_vm: StartVm, formats: Path, disks: SampleDisks
) -> None:
    vm = start_vm(formats, append=HELD)
    await_menu(vm, "FORMATS")
    open_shell(vm)
    whole = hashlib.sha256(disks.kernel).hexdigest()
    for name in ["Image", *COMMANDS, *ZBOOT]:
        vm.screen.type(f"bootmenu load --kernel vda1:/{name} --json; echo END\n")
        output = vm.screen.expect(r"(?s)\n(\{.*?)END\r*\n", 120)[1]
        (kernel, *_) = json.loads(output.replace("\r", ""))["segments"]
        assert kernel["sha256"] == whole, name
    vm.screen.type("bootmenu boot --kernel vda1:/image.itb --append 'console=ttyAMA0 from=fit'\n")
    release, cmdline = booted(vm)
    assert release == disks.release
    assert cmdline == "console=ttyAMA0 from=fit"
    assert run(vm, "cat /etc/marker") == "marker: fit"
