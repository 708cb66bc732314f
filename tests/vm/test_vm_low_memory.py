"""An initrd of over a third of the memory is loaded without a copy, and unpacked by its kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm_large import LARGE, MEMORY, MIB, SIZE, large_initrd
from vm_machine import StartVm
from vm_steps import HELD, await_menu, booted, enter, open_shell, run

from bootmenu.appliance.disk import write_disk
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree

pytestmark = pytest.mark.vm

FIND = (
    "for D in /proc/[0-9]*; do "
    "tr '\\0' ' ' <$D/cmdline | grep -q 'bootmenu daemon' && P=$D; done 2>/dev/null"
)
# Free pages that wait in each processor's own lists are not in MemAvailable.
AVAILABLE = (
    'awk \'/^MemAvailable/ {k = $2} $1 == "count:" {k += 4 * $2} END {print "Available:", k}\' '
    "/proc/meminfo /proc/zoneinfo"
)
WATCH = f"while sleep 0.2; do grep RssAnon $P/status; {AVAILABLE}; done >/tmp/watched 2>/dev/null &"
HIGHEST = "sort -k2 -n /tmp/watched | grep RssAnon | tail -n 1"
LOWEST = "grep Available /tmp/watched | sort -k2 -n | head -n 1"


@pytest.fixture(scope="module")
def large(disks: SampleDisks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk with the kernel and its initrd."""
    image = tmp_path_factory.mktemp("large") / "large.img"
    files = Tree({"Image": Node.file(disks.kernel), "big.img": Node.file(large_initrd(disks))})
    write_disk(LARGE, files, image)
    return image


def test_large_initrd_costs_its_own_size_and_little_of_ours(
    start_vm: StartVm, disks: SampleDisks, large: Path
) -> None:
    vm = start_vm(large, append=HELD, memory=MEMORY)
    await_menu(vm, "large")
    open_shell(vm)
    before = number(run(vm, AVAILABLE))
    run(vm, FIND)
    run(vm, f"{WATCH} true")
    load = "bootmenu load --kernel vda1:/Image --initrd vda1:/big.img"
    print(run(vm, f"time {load} --append 'console=ttyAMA0 from=large'"))
    process, lowest = number(run(vm, HIGHEST)), number(run(vm, LOWEST))
    print(f"process {process >> 10} MiB; memory {(before - lowest) >> 10} MiB of {SIZE // MIB}")
    assert process < 64 << 10
    place = int.from_bytes(disks.kernel[16:24], "little")  # with its BSS: image_size
    command = 16 << 10  # bootmenu load itself, which waits for the daemon
    assert before - lowest < (SIZE + place >> 10) + command + (32 << 10)
    # What was loaded is started as it is: a second load would need the memory twice.
    enter(vm, "python3 -c 'from bootmenu.kexec import call; call.execute()'")
    assert booted(vm)[1] == "console=ttyAMA0 from=large"
    assert run(vm, "cat /etc/marker; stat -c %s /big") == f"marker: large\n{SIZE}"


def number(line: str) -> int:
    """The number in ``Name:   123 kB``."""
    return int(line.split()[1])
