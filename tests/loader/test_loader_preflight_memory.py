"""Loads that do not fit: refused before anything is read, and how much is missing is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import PlacementError, PreflightError
from bootmenu.images import arm64
from bootmenu.images.kernel import KernelImage
from bootmenu.loader.arm64 import place
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import check
from bootmenu.model import Arch, FileSlice, Machine, Severity

MakeKernel = Callable[..., FileSlice]
MakeInitrd = Callable[[int], FileSlice]
MIB = 1 << 20


def test_more_than_half_of_the_memory(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    plan = prepare(kernel=make_kernel(), initrds=[make_initrd(600 * MIB)], machine=machine)
    with pytest.raises(PreflightError, match=r"over half of the memory.*: 91 MiB are missing"):
        check(plan)


def test_more_than_is_free(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    full = replace(machine, memory_available=20 * MIB)
    plan = prepare(kernel=make_kernel(), initrds=[make_initrd(30 * MIB)], machine=full)
    with pytest.raises(PreflightError, match=r"only 20 MiB are available: 45 MiB are missing"):
        check(plan)


def test_scarcely_enough_is_a_warning(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    scarce = replace(machine, memory_available=50 * MIB)
    plan = prepare(kernel=make_kernel(), initrds=[make_initrd(30 * MIB)], machine=scarce)
    assert [finding.severity for finding in plan.findings] == [Severity.WARNING]
    check(plan)


@pytest.mark.parametrize(
    ("iomem", "initrd", "said"),
    [
        (
            "40000000-4fffffff : System RAM\n60000000-6fffffff : System RAM\n",
            300,
            "the initrd takes 300 MiB in one piece, and the largest free piece of memory has "
            "256 MiB: 44 MiB are missing",
        ),
        (
            "40000000-41ffffff : System RAM\n",
            31,
            "kernel and initrd take 33 MiB, and 32 MiB of memory are free: 1 MiB are missing",
        ),
        (
            "40000000-407fffff : System RAM\n4000000000-40064fffff : System RAM\n",
            100,
            "has 101 MiB, and the kernel must lie near its start, the initrd within 32 GiB of the "
            "kernel",
        ),
    ],
    ids=["no hole is large enough", "all is not enough", "out of reach"],
)
def test_no_room_says_what_is_missing(
    machine: Machine, tmp_path: Path, iomem: str, initrd: int, said: str
) -> None:
    header = arm64.Header(0, 2 * MIB, 0b0010)
    kernel = FileSlice(str(tmp_path / "Image"), 0, MIB)
    image = KernelImage(kernel, Arch.ARM64, "Image", header, kernel, kernel)
    scattered = replace(machine, iomem=parse_iomem(iomem))
    with pytest.raises(PlacementError) as caught:
        place(image, [initrd * MIB], scattered)
    assert said in caught.value.message
    assert "smaller initrd" in caught.value.hint
