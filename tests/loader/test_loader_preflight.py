"""Loads that would fail or hang are refused beforehand, with the reason and the remedy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bootmenu import loader
from bootmenu.errors import PreflightError
from bootmenu.model import Cpu, EditAction, FileSlice, KexecLimits, Machine, Severity, TreeEdit

MakeKernel = Callable[..., FileSlice]
MIB = 1 << 20


def test_sound_load_has_no_findings(machine: Machine, make_kernel: MakeKernel) -> None:
    plan = loader.prepare(kernel=make_kernel(), cmdline="console=ttyAMA0,115200", machine=machine)
    assert plan.findings == ()
    loader.check(plan)
    assert loader.diagnose(machine) == ()


@pytest.mark.parametrize(
    ("limits", "message", "hint"),
    [
        ({"supported": False}, "cannot kexec", "CONFIG_KEXEC"),
        ({"load_disabled": True}, "switched off", "reboot"),
        ({"load_limit": 0}, "kexec_load_limit_reboot", "reboot"),
        ({"lockdown": "integrity"}, "locked down", "secure boot"),
        ({"privileged": False}, "CAP_SYS_BOOT", "root"),
        ({"initial_pid_namespace": False}, "PID namespace", "host"),
    ],
)
def test_running_kernel_that_forbids_it(
    machine: Machine, make_kernel: MakeKernel, limits: dict[str, Any], message: str, hint: str
) -> None:
    forbidding = replace(machine, kexec=KexecLimits(**limits))
    plan = loader.prepare(kernel=make_kernel(), machine=forbidding)
    with pytest.raises(PreflightError, match=message) as caught:
        loader.check(plan)
    assert hint in caught.value.hint
    assert len(loader.diagnose(forbidding)) == 1


def test_one_load_left_is_a_load(machine: Machine, make_kernel: MakeKernel) -> None:
    limited = replace(machine, kexec=KexecLimits(load_limit=1))
    loader.check(loader.prepare(kernel=make_kernel(), machine=limited))


def test_processors_that_cannot_be_stopped(machine: Machine, make_kernel: MakeKernel) -> None:
    spinning = replace(machine, cpus=(Cpu(0), Cpu(1, None, "spin-table")))
    with pytest.raises(PreflightError, match="spin-table") as caught:
        loader.check(loader.prepare(kernel=make_kernel(), machine=spinning))
    assert "nr_cpus=1" in caught.value.hint
    alone = replace(machine, cpus=(Cpu(0, None, "spin-table"),))
    loader.check(loader.prepare(kernel=make_kernel(), machine=alone))


def test_16k_kernel_on_a_core_without_16k_pages(machine: Machine, make_kernel: MakeKernel) -> None:
    plan = loader.prepare(kernel=make_kernel(flags=0b1100), machine=machine)
    with pytest.raises(PreflightError, match="16 KiB pages, which Cortex-A57 does not") as caught:
        loader.check(plan)
    assert "4 KiB pages" in caught.value.hint


def test_64k_kernel_on_a_core_with_64k_pages(machine: Machine, make_kernel: MakeKernel) -> None:
    assert loader.prepare(kernel=make_kernel(flags=0b1110), machine=machine).findings == ()


def test_page_size_on_an_unknown_core_is_a_warning(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    for cpus in ((), (Cpu(0, 0x000F0510, "psci"),), (Cpu(0),)):
        unknown = replace(machine, cpus=cpus)
        plan = loader.prepare(kernel=make_kernel(flags=0b1100), machine=unknown)
        assert [finding.severity for finding in plan.findings] == [Severity.WARNING]
        loader.check(plan)


def test_one_weak_core_among_strong_ones_decides(machine: Machine, make_kernel: MakeKernel) -> None:
    mixed = replace(machine, cpus=(Cpu(0, 0x414FD0B1, "psci"), Cpu(1, 0x410FD034, "psci")))
    with pytest.raises(PreflightError, match="Cortex-A53"):
        loader.check(loader.prepare(kernel=make_kernel(flags=0b1100), machine=mixed))


def test_more_than_half_of_the_memory(
    machine: Machine, make_kernel: MakeKernel, make_initrd: Callable[[int], FileSlice]
) -> None:
    plan = loader.prepare(kernel=make_kernel(), initrds=[make_initrd(600 * MIB)], machine=machine)
    with pytest.raises(PreflightError, match="over half of the memory"):
        loader.check(plan)


def test_more_than_is_free_is_a_warning(
    machine: Machine, make_kernel: MakeKernel, make_initrd: Callable[[int], FileSlice]
) -> None:
    full = replace(machine, memory_available=20 * MIB)
    plan = loader.prepare(kernel=make_kernel(), initrds=[make_initrd(30 * MIB)], machine=full)
    assert [finding.severity for finding in plan.findings] == [Severity.WARNING]


def test_cmdline_that_would_be_cut_off(machine: Machine, make_kernel: MakeKernel) -> None:
    loader.check(loader.prepare(kernel=make_kernel(), cmdline="x" * 2047, machine=machine))
    with pytest.raises(PreflightError, match="2,048 bytes"):
        loader.check(loader.prepare(kernel=make_kernel(), cmdline="x" * 2048, machine=machine))


def test_console_that_is_not_here(machine: Machine, make_kernel: MakeKernel) -> None:
    plan = loader.prepare(kernel=make_kernel(), cmdline="console=ttyS0,9600", machine=machine)
    assert "add console=ttyAMA0" in plan.findings[0].remedy
    plan = loader.prepare(
        kernel=make_kernel(), cmdline="console=ttyS0 console=tty0", machine=machine
    )
    assert plan.findings == ()


def test_node_in_the_stub_of_an_acpi_machine(
    machine: Machine, make_kernel: MakeKernel, virt_dtb: bytes
) -> None:
    """The kernel would take the tree for a description and find no processor in it."""
    from bootmenu.devicetree import DeviceTree

    stub = DeviceTree()
    stub.add_node("/chosen")
    acpi = replace(machine, fdt=stub.serialize())
    edits = [TreeEdit(EditAction.ADD_NODE, "/mine")]
    loader.check(loader.prepare(kernel=make_kernel(), machine=acpi))
    with pytest.raises(PreflightError, match="no processors") as caught:
        loader.check(loader.prepare(kernel=make_kernel(), machine=acpi, edits=edits))
    assert "acpi=force" in caught.value.hint
    loader.check(
        loader.prepare(kernel=make_kernel(), machine=acpi, edits=edits, cmdline="acpi=force")
    )


def test_hidden_memory_map_is_diagnosed(machine: Machine) -> None:
    (finding,) = loader.diagnose(replace(machine, iomem=()))
    assert finding.severity is Severity.ERROR
    assert finding.remedy
