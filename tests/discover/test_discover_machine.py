"""The facts of a machine: read from /proc and /sys, captured, and replayed elsewhere."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.discover.capture import capture, restore
from bootmenu.discover.machine import parse_iomem, read_machine
from bootmenu.errors import BootmenuError
from bootmenu.model import Arch, Cpu, IoResource, KexecLimits, Machine, Platform

IOMEM = """\
09000000-09000fff : pl011@9000000
  09000000-09000fff : 9000000.pl011 pl011@9000000
40000000-7fffffff : System RAM
  40210000-41dcffff : Kernel code
8000000000-ffffffffff : PCI Bus 0000:00
"""


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An arm64 board's /proc and /sys, as far as they are read."""
    names = list(os.uname())
    monkeypatch.setattr(
        os, "uname", lambda: os.uname_result([*names[:2], "6.12.0-arm64", "", "aarch64"])
    )
    files = {
        "proc/iomem": IOMEM,
        "proc/cmdline": "console=ttyAMA0 quiet\n",
        "proc/meminfo": "MemTotal:        1000 kB\nMemAvailable:     700 kB\nHugePages_Total: 0\n",
        "proc/self/status": "Name:\tx\nCapEff:\t000001ffffffffff\n",
        "proc/sys/kernel/kexec_load_disabled": "0\n",
        "proc/sys/kernel/kexec_load_limit_reboot": "-1\n",
        "sys/kernel/kexec_loaded": "0\n",
        "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "sys/class/tty/console/active": "tty0 ttyAMA0\n",
        "sys/devices/system/cpu/possible": "0-1\n",
        "sys/devices/system/cpu/cpu0/regs/identification/midr_el1": "0x00000000411fd070\n",
        "sys/devices/system/cpu/cpu0/of_node/enable-method": "psci\0",
        "proc/device-tree/compatible": "acme,board\0linux,dummy-virt\0",
        "proc/device-tree/name": "\0",
        "proc/device-tree/chosen/bootargs": "quiet\0",
        "proc/device-tree/cpus/cpu@0/reg": "\0\0\0\1",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_everything_that_a_plan_needs_is_read(board: Path) -> None:
    machine = read_machine(str(board))
    assert machine.arch is Arch.ARM64
    assert machine.page_size == os.sysconf("SC_PAGE_SIZE")
    assert machine.iomem[3] == IoResource(0x40210000, 0x41DCFFFF, "Kernel code", 1)
    assert machine.cmdline == "console=ttyAMA0 quiet"
    assert machine.release == "6.12.0-arm64"
    assert machine.platform is Platform.NONE
    assert machine.cpus == (Cpu(0, 0x411FD070, "psci", False), Cpu(1))
    assert machine.compatible == ("acme,board", "linux,dummy-virt")
    assert (machine.memory_total, machine.memory_available) == (1000 << 10, 700 << 10)
    assert machine.consoles == ("tty0", "ttyAMA0")
    assert machine.kexec == KexecLimits(lockdown="integrity")


def test_tree_is_flattened_where_the_kernel_keeps_no_flat_one(board: Path) -> None:
    tree = DeviceTree.parse(read_machine(str(board)).fdt)
    assert [path for path, _ in tree.nodes()] == ["/", "/chosen", "/cpus", "/cpus/cpu@0"]
    assert tree.properties("/") == {"compatible": b"acme,board\0linux,dummy-virt\0"}
    assert tree.get("/cpus/cpu@0", "reg") == b"\0\0\0\1"
    (board / "sys/firmware").mkdir()
    (board / "sys/firmware/fdt").write_bytes(b"the firmware's")
    assert read_machine(str(board)).fdt == b"the firmware's"


def test_restrictions_are_read(board: Path) -> None:
    (board / "sys/kernel/kexec_loaded").unlink()
    (board / "proc/sys/kernel/kexec_load_disabled").write_text("1\n")
    (board / "proc/sys/kernel/kexec_load_limit_reboot").write_text("0\n")
    (board / "proc/self/status").write_text("CapEff:\t0000000000000000\n")
    (board / "proc/self/ns").mkdir()
    (board / "proc/self/ns/pid").symlink_to("pid:[4026532000]")
    (board / "sys/firmware/efi").mkdir(parents=True)
    machine = read_machine(str(board))
    assert machine.platform is Platform.EFI
    assert machine.kexec == KexecLimits(
        supported=False,
        load_disabled=True,
        load_limit=0,
        lockdown="integrity",
        privileged=False,
        initial_pid_namespace=False,
    )


def test_protected_hypervisor_is_known_where_it_runs(board: Path) -> None:
    (board / "proc/cmdline").write_text("quiet kvm-arm.mode=protected\n")
    assert not read_machine(str(board)).kexec.protected_kvm  # there is none in a virtual machine
    (board / "sys/class/misc/kvm").mkdir(parents=True)
    assert read_machine(str(board)).kexec.protected_kvm


def test_nothing_readable_is_no_error(board: Path, tmp_path: Path) -> None:
    machine = read_machine(str(tmp_path / "empty"))
    assert (machine.iomem, machine.fdt, machine.cpus) == ((), b"", ())
    assert not machine.kexec.supported


def test_this_very_machine_can_be_read_and_captured() -> None:
    machine = read_machine()
    assert machine.memory_total > 1 << 20
    assert machine.cpus
    assert machine.cmdline == Path("/proc/cmdline").read_text().strip("\n")
    assert restore(capture(machine)) == machine


def test_unknown_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(os.uname())
    monkeypatch.setattr(os, "uname", lambda: os.uname_result([*names[:4], "sparc64"]))
    with pytest.raises(BootmenuError, match="sparc64"):
        read_machine()


def test_odd_lines_of_iomem_are_passed_over() -> None:
    assert parse_iomem("garbage\n00-0f : a : b\n  nonsense-10 : x\n") == (
        IoResource(0, 0xF, "a : b"),
    )


@pytest.fixture(scope="session")
def running_tree(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("virt") / "virt.dtb"
    machine = ["-M", f"virt,dumpdtb={path}", "-cpu", "cortex-a57", "-display", "none"]
    subprocess.run(["qemu-system-aarch64", *machine], check=True, capture_output=True)
    return path.read_bytes()


def test_capture_is_small_and_has_no_secrets(board: Path, running_tree: bytes) -> None:
    (board / "sys/firmware").mkdir()
    (board / "sys/firmware/fdt").write_bytes(running_tree)
    machine = read_machine(str(board))
    seed = DeviceTree.parse(running_tree).get("/chosen", "rng-seed")
    assert seed is not None
    assert any(seed)
    text = capture(machine)
    assert len(text) < 20_000
    again = restore(text)
    assert seed not in again.fdt
    assert len(again.fdt) == len(machine.fdt)
    assert again.iomem == machine.iomem
    assert again.kexec == machine.kexec
    assert capture(again) == text


@given(st.data())
def test_garbled_capture_only_gives_clear_errors(data: st.DataObject) -> None:
    stored = json.loads(capture(Machine(Arch.ARM64, 4096, fdt=b"")))
    name = data.draw(st.sampled_from(sorted(stored)))
    values = st.none() | st.integers() | st.text() | st.lists(st.integers())
    stored[name] = data.draw(values | st.dictionaries(st.text(), values))
    try:
        restore(json.dumps(stored))
    except BootmenuError as error:
        assert error.hint


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"schema": "other/1"}', "\0", "[" * 100_000]
)
def test_other_files_are_no_captures(text: str) -> None:
    with pytest.raises(BootmenuError) as caught:
        restore(text)
    assert caught.value.hint
