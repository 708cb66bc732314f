"""Processors that cannot be stopped, or that lack the pages which the next kernel needs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bootmenu.errors import PreflightError
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import check, diagnose
from bootmenu.model import Arch, Cpu, FileSlice, Machine, Severity

MakeKernel = Callable[..., FileSlice]
SPINNING = tuple(Cpu(number, 0x410FD034, "spin-table", False) for number in range(4))
"""A Raspberry Pi 3's, as seen on an emulated one."""


def test_processors_that_cannot_be_stopped(machine: Machine, make_kernel: MakeKernel) -> None:
    spinning = replace(machine, cpus=SPINNING)
    with pytest.raises(PreflightError, match="spin-table") as caught:
        check(prepare(kernel=make_kernel(), machine=spinning))
    assert "nr_cpus=1" in caught.value.hint
    assert "all 4 again" in caught.value.hint
    check(prepare(kernel=make_kernel(), machine=replace(machine, cpus=SPINNING[:1])))


def test_maxcpus_does_not_help_and_the_person_is_told(machine: Machine) -> None:
    (plain,) = diagnose(replace(machine, cpus=SPINNING))
    assert "maxcpus" not in plain.cause
    (finding,) = diagnose(replace(machine, cpus=SPINNING, cmdline="quiet maxcpus=1"))
    assert "maxcpus= does not help" in finding.cause


def test_parking_protocol_of_acpi_cannot_stop_processors(machine: Machine) -> None:
    parked = tuple(Cpu(number, None, "parking-protocol", False) for number in range(2))
    (finding,) = diagnose(replace(machine, cpus=parked))
    assert "parking-protocol" in finding.cause


def test_boot_processor_without_a_method_is_no_alarm(machine: Machine) -> None:
    assert diagnose(replace(machine, cpus=(Cpu(0), Cpu(1, None, "psci", True)))) == ()


def test_riscv64_processors_without_hsm(machine: Machine) -> None:
    board = replace(machine, arch=Arch.RISCV64, fdt=b"")
    able = tuple(Cpu(number, stoppable=True) for number in range(2))
    assert diagnose(replace(board, cpus=able)) == ()
    assert diagnose(replace(board, cpus=(Cpu(0), Cpu(1)))) == ()  # an older capture
    unable = tuple(Cpu(number, stoppable=False) for number in range(2))
    (finding,) = diagnose(replace(board, cpus=unable))
    assert finding.severity is Severity.ERROR
    assert "OpenSBI" in finding.remedy
    assert diagnose(replace(board, cpus=unable[:1])) == ()
    assert diagnose(replace(board, cpus=(unable[0], able[1]))) == ()


def test_x86_processors_are_always_stopped(machine: Machine) -> None:
    fixed = tuple(Cpu(number, stoppable=False) for number in range(2))
    assert diagnose(replace(machine, arch=Arch.X86_64, fdt=b"", cpus=fixed)) == ()


def test_16k_kernel_on_a_core_without_16k_pages(machine: Machine, make_kernel: MakeKernel) -> None:
    plan = prepare(kernel=make_kernel(flags=0b1100), machine=machine)
    with pytest.raises(PreflightError, match="16 KiB pages, which Cortex-A57 does not") as caught:
        check(plan)
    assert "4 KiB pages" in caught.value.hint


@pytest.mark.parametrize(
    ("midr", "pages", "severity"),
    [
        (0x411FD070, 64, None),  # Cortex-A57
        (0x414FD0B1, 16, None),  # Cortex-A76
        (0x410FD4F0, 16, None),  # Neoverse V2
        (0x481FD010, 16, Severity.ERROR),  # Kunpeng 920
        (0x481FD010, 64, None),
        (0x611F0220, 64, Severity.ERROR),  # Apple M1
        (0x611F0220, 16, None),
        (0x431F0AF1, 64, None),  # ThunderX2
        (0x431F0AF1, 16, Severity.WARNING),
        (0x000F0510, 16, Severity.WARNING),  # QEMU's own
        (None, 64, Severity.WARNING),
    ],
)
def test_page_sizes_of_cores(
    machine: Machine,
    make_kernel: MakeKernel,
    midr: int | None,
    pages: int,
    severity: Severity | None,
) -> None:
    cores = replace(machine, cpus=(Cpu(0, midr, "psci"),))
    flags = 0b1100 if pages == 16 else 0b1110
    findings = prepare(kernel=make_kernel(flags=flags), machine=cores).findings
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_page_size_without_a_processor_known_is_a_warning(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    plan = prepare(kernel=make_kernel(flags=0b1100), machine=replace(machine, cpus=()))
    assert [finding.severity for finding in plan.findings] == [Severity.WARNING]
    check(plan)


def test_one_weak_core_among_strong_ones_decides(machine: Machine, make_kernel: MakeKernel) -> None:
    mixed = replace(machine, cpus=(Cpu(0, 0x414FD0B1, "psci"), Cpu(1, 0x410FD034, "psci")))
    with pytest.raises(PreflightError, match="Cortex-A53"):
        check(prepare(kernel=make_kernel(flags=0b1100), machine=mixed))
