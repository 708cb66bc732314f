"""Loads that would fail or hang are refused beforehand, with the reason and the remedy."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bootmenu.errors import PreflightError
from bootmenu.loader.doctor import examine
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import check, diagnose
from bootmenu.model import FileSlice, KexecLimits, Machine, Severity, Watchdog

MakeKernel = Callable[..., FileSlice]


def test_sound_load_has_no_findings(machine: Machine, make_kernel: MakeKernel) -> None:
    plan = prepare(kernel=make_kernel(), cmdline="console=ttyAMA0,115200", machine=machine)
    assert plan.findings == ()
    check(plan)
    assert diagnose(machine) == ()


@pytest.mark.parametrize(
    ("limits", "message", "hint"),
    [
        ({"supported": False}, "cannot kexec", "CONFIG_KEXEC"),
        ({"load_disabled": True}, "switched off", "reboot"),
        ({"load_limit": 0}, "kexec_load_limit_reboot", "reboot"),
        ({"lockdown": "integrity"}, "locked down", "secure boot"),
        ({"protected_kvm": True}, "protected", "kvm-arm.mode"),
        ({"privileged": False}, "CAP_SYS_BOOT", "root"),
        ({"initial_pid_namespace": False}, "PID namespace", "host"),
    ],
)
def test_running_kernel_that_forbids_it(
    machine: Machine, make_kernel: MakeKernel, limits: dict[str, Any], message: str, hint: str
) -> None:
    forbidding = replace(machine, kexec=KexecLimits(**limits))
    plan = prepare(kernel=make_kernel(), machine=forbidding)
    with pytest.raises(PreflightError, match=message) as caught:
        check(plan)
    assert hint in caught.value.hint
    assert len(diagnose(forbidding)) == 1


@pytest.mark.parametrize(
    ("release", "facts", "severity"),
    [
        ("6.12.118+deb13-arm64", {}, Severity.ERROR),
        ("6.18.2", {}, Severity.WARNING),
        ("7.3.4+deb13-arm64", {}, None),
        ("6.12.118+deb13-arm64", {"address_bits": 48}, None),
        ("6.12.118+deb13-arm64", {"address_bits": 0}, None),
        ("6.12.117+deb13-arm64-16k", {"page_size": 16384}, None),
        ("9" * 5000 + ".1", {}, None),  # of a capture: more digits than Python makes a number of
    ],
)
def test_kernel_that_crashes_as_it_copies_page_tables_of_five_levels(
    machine: Machine,
    make_kernel: MakeKernel,
    release: str,
    facts: dict[str, int],
    severity: Severity | None,
) -> None:
    bits, page = facts.get("address_bits", 52), facts.get("page_size", machine.page_size)
    running = replace(machine, release=release, address_bits=bits, page_size=page)
    found = [finding for finding in diagnose(running) if "crash" in finding.message]
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all("arm64.nolva" in finding.remedy for finding in found)
    if severity is Severity.ERROR:
        with pytest.raises(PreflightError, match="would crash while it loads"):
            check(prepare(kernel=make_kernel(), machine=running))


def test_one_load_left_is_a_load(machine: Machine, make_kernel: MakeKernel) -> None:
    limited = replace(machine, kexec=KexecLimits(load_limit=1))
    check(prepare(kernel=make_kernel(), machine=limited))


def test_hidden_memory_map_is_diagnosed(machine: Machine) -> None:
    (finding,) = diagnose(replace(machine, iomem=()))
    assert finding.severity is Severity.ERROR
    assert finding.remedy


def test_diagnosis_reads_well_on_a_terminal_and_in_a_program(machine: Machine) -> None:
    limits = KexecLimits(lockdown="integrity", initial_pid_namespace=False)
    dog = Watchdog("watchdog0", "i6300ESB timer", running=True, timeout=30)
    found = examine(replace(machine, kexec=limits, watchdogs=(dog,)))
    lines = found.text().splitlines()
    assert max(map(len, lines)) <= 80
    starts = [line.split(":")[0] for line in lines if line[:1].isalpha() and ":" in line]
    assert starts == ["error", "error", "warning"]
    assert lines[-1] == "kexec would fail on this machine."
    stored = json.loads(found.json())
    assert stored["schema"] == "bootmenu.doctor/1"
    assert stored["fails"]
    assert {"severity", "message", "cause", "remedy"} == set(stored["findings"][0])


def test_warnings_alone_do_not_fail_a_diagnosis(machine: Machine) -> None:
    dog = Watchdog("watchdog0", running=True, timeout=30)
    found = examine(replace(machine, watchdogs=(dog,)))
    assert not found.fails
    assert "expected to work" in found.text()
    assert examine(machine).text() == "Nothing on this machine is known to make kexec fail."
