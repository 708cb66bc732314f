"""A plan made elsewhere, from a machine's capture, is the load that the machine does."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from vm_machine import StartVm
from vm_steps import HELD, await_menu, open_shell, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

CMDLINE = "console=ttyAMA0 probe"


def test_plan_from_a_capture_has_the_segments_that_the_machine_loaded(
    start_vm: StartVm, disks: SampleDisks, tmp_path: Path
) -> None:
    vm = start_vm(disks.debian, append=HELD)
    await_menu(vm, "Debian GNU/Linux")
    open_shell(vm)
    healthy = "Nothing on this machine is known to make kexec fail."
    assert run(vm, "bootmenu doctor && echo works") == f"{healthy}\nworks"
    run(vm, "mkdir /mnt; modprobe ext4; mount -o ro,noload /dev/vda1 /mnt")
    run(vm, "bootmenu machine capture /tmp/machine")
    capture = tmp_path / "machine.json"
    capture.write_bytes(base64.b64decode(run(vm, "base64 /tmp/machine")))

    release = disks.release
    kernel, initrd = f"boot/vmlinuz-{release}", f"boot/initrd.img-{release}"
    load = f"--kernel /mnt/{kernel} --initrd /mnt/{initrd} --append '{CMDLINE}'"
    said = run(vm, f"bootmenu load --method file {load} 2>&1")
    assert "the running kernel has no kexec_file_load" in said
    assert "hint: use --method classic" in said
    loaded = json.loads(run(vm, f"bootmenu load --json {load} 2>/dev/null"))
    assert run(vm, "cat /sys/kernel/kexec_loaded") == "1"
    assert run(vm, "bootmenu unload && cat /sys/kernel/kexec_loaded") == "0"

    for root, warned in (("/dev/vda1", False), ("LABEL=elsewhere", True)):
        report = run(vm, f"bootmenu plan --kernel vda1:/{kernel} --append '{CMDLINE} root={root}'")
        assert ("is on no disk here" in report) is warned, report
        assert report.count("warning:") == warned, report

    (tmp_path / "kernel").write_bytes(disks.kernel)
    (tmp_path / "initrd").write_bytes(disks.initrd("debian"))
    planned = _plan(capture, tmp_path)
    assert _segments(planned) == _segments(loaded)
    assert planned["entry"] == loaded["entry"]


def _plan(capture: Path, folder: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "bootmenu", "plan", "--json", "--machine", str(capture)]
    command += ["--kernel", str(folder / "kernel"), "--initrd", str(folder / "initrd")]
    result = subprocess.run(
        [*command, "--append", CMDLINE], capture_output=True, text=True, check=True
    )
    plan: dict[str, object] = json.loads(result.stdout)
    return plan


def _segments(plan: dict[str, object]) -> list[tuple[object, ...]]:
    segments = plan["segments"]
    if not isinstance(segments, list):
        raise AssertionError(f"no segments: {plan}")
    return [tuple(one[key] for key in ("name", "mem", "memsz", "bufsz")) for one in segments]
