"""A kernel starts whatever it is wrapped in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from vm_formats import KERNELS, RAMDISKS, formats_disk
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, enter, open_shell, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def formats(disks: SampleDisks) -> Path:
    """The disk with the kernels."""
    return formats_disk(disks)


def shell(start_vm: StartVm, formats: Path) -> Vm:
    """A machine with that disk, at its shell."""
    vm = start_vm(formats, append=HELD)
    await_menu(vm, "FORMATS")
    open_shell(vm)
    return vm


def test_each_format_loads_the_very_same_kernel_and_a_fit_starts_with_its_ramdisk(
    start_vm: StartVm, formats: Path, disks: SampleDisks
) -> None:
    vm = shell(start_vm, formats)
    run(vm, "mkdir /formats; mount -o ro,noload /dev/vda1 /formats")
    names = " ".join(f"vda1:/{name}" for name in KERNELS)
    output = run(vm, f"python3 /formats/load_each.py {names}")
    loaded = dict(json.loads(line) for line in output.splitlines() if line.startswith("["))
    whole = hashlib.sha256(disks.kernel).hexdigest()
    for name in KERNELS:
        kernel, *others = loaded[f"vda1:/{name}"]
        assert kernel == ["kernel", whole], name
        ramdisk = ["initrd", hashlib.sha256(disks.initrd(RAMDISKS.get(name, ""))).hexdigest()]
        assert (ramdisk in others) == (name in RAMDISKS), name
    append = "console=ttyAMA0 from=fit"
    enter(vm, f"bootmenu boot --kernel vda1:/image.itb#conf-other --append '{append}'")
    release, cmdline = booted(vm)
    assert release == disks.release
    assert cmdline == append
    assert run(vm, "cat /etc/marker") == "marker: named"


def test_unified_image_starts_with_initrds_of_three_formats(
    start_vm: StartVm, formats: Path
) -> None:
    vm = shell(start_vm, formats)
    initrds = ("ukify.efi#.initrd", "more.cpio.xz", "plain.cpio")
    words = " ".join(f"--initrd vda1:/{name}" for name in initrds)
    enter(vm, f"bootmenu boot --kernel vda1:/ukify.efi {words}")
    assert booted(vm)[1] == "console=ttyAMA0 from=ukify"
    assert run(vm, "cat /etc/marker /etc/more /etc/plain") == "marker: uki\nmore\nplain"
