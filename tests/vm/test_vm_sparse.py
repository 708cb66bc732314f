"""A server's memory: 64 GiB on four nodes in scattered ranges, some of a few pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm_machine import StartVm
from vm_sparse import holes, sparse_options
from vm_steps import HELD, await_menu, booted, enter, open_shell, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

RANGES = "grep -c 'System RAM' /proc/iomem"
TOTAL = "grep MemTotal /proc/meminfo"


def test_scattered_memory_of_64_gib_is_loaded_into_and_handed_on(
    start_vm: StartVm, disks: SampleDisks, tmp_path: Path
) -> None:
    vm = start_vm(disks.debian, append=HELD, memory=64 << 10, options=sparse_options(tmp_path))
    await_menu(vm, "Debian GNU/Linux")
    open_shell(vm)
    ranges = run(vm, RANGES)
    assert int(ranges) > len(list(holes()))
    total = run(vm, TOTAL)
    enter(vm, "bootmenu boot 'Debian GNU/Linux'")
    assert booted(vm)[0] == disks.release
    assert run(vm, "cat /etc/marker") == "marker: debian"
    assert run(vm, RANGES) == ranges
    assert abs(kilobytes(run(vm, TOTAL)) - kilobytes(total)) < 1 << 20


def kilobytes(line: str) -> int:
    """The number in ``Name:   123 kB``."""
    return int(line.split()[1])
