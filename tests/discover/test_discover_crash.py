"""What a crash kernel must know of the running one, read where only root can, and captured."""

import json
import struct
from pathlib import Path

import pytest

from bootmenu.discover.capture import capture, restore
from bootmenu.discover.crash import read_crash
from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import UsageError
from bootmenu.model import Arch, CrashFacts, DumpNote, KernelText, Machine

IOMEM = parse_iomem("""\
40000000-7fffffff : System RAM
  40210000-41f3ffff : Kernel code
  60000000-6fffffff : Crash kernel
""")
LINEAR, TEXT = 0xFFFF_3774_0000_0000, 0xFFFF_C746_D5A0_0000
FACTS = CrashFacts(
    cpus=(DumpNote(0x7FDB1400, 424), DumpNote(0x7FDD3400, 424), DumpNote(0x7FDF5400, 424)),
    vmcoreinfo=DumpNote(0x4308E000, 0x1024),
    linear=LINEAR,
    text=KernelText(0x40200000, 0x2510000, TEXT),
)


def kcore(*rows: tuple[int, int, int, int]) -> bytes:
    """An ELF core file with segments of a type, a virtual and a physical address, and a size."""
    head = struct.pack("<4s4B8x2HI3QI6H", b"\x7fELF", 2, 1, 1, 0, 4, 183, 1, 0, 64, 0, 0, 64, 56,
                       len(rows), 0, 0, 0)  # fmt: skip
    return head + b"".join(
        struct.pack("<II6Q", kind, 7, virtual & 0xFFFFFFFF, virtual, physical, size, size, 4096)
        for kind, virtual, physical, size in rows
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """/proc and /sys of a machine with three processors."""
    files = {
        "sys/kernel/vmcoreinfo": b"0x000000004308e000 1024\n",
        "proc/kcore": kcore(
            (4, 0, 0, 0x1000),
            (1, 0xFFFF_8000_0000_0000, (1 << 64) - 1, 1 << 40),  # vmalloc's
            (1, TEXT, 0x40200000, 0x2510000),
            (1, LINEAR + 0x40000000, 0x40000000, 0x40000000),
            (1, LINEAR + 0x140000000, 0x140000000, 0x40000000),
        ),
        "sys/devices/system/cpu/cpufreq/boost": b"0",
    }
    for number, note in ((0, "7fdb1400"), (10, "7fdf5400"), (2, "7fdd3400")):
        files[f"sys/devices/system/cpu/cpu{number}/crash_notes"] = f"{note}\n".encode()
        files[f"sys/devices/system/cpu/cpu{number}/crash_notes_size"] = b"424\n"
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_notes_and_addresses_are_read(root: Path) -> None:
    assert read_crash(root, IOMEM) == FACTS


def test_kernel_that_maps_itself_nowhere_else_has_no_text_of_its_own(root: Path) -> None:
    (root / "proc/kcore").write_bytes(kcore((1, LINEAR + 0x40000000, 0x40000000, 0x40000000)))
    facts = read_crash(root, IOMEM)
    assert (facts.linear, facts.text) == (LINEAR, None)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"x" * 4096, kcore((1, 2, 3, 4))[:80]])
def test_what_cannot_be_read_is_left_out(root: Path, data: bytes) -> None:
    (root / "proc/kcore").write_bytes(data)
    (root / "sys/kernel/vmcoreinfo").write_bytes(data)
    (root / "sys/devices/system/cpu/cpu2/crash_notes").write_bytes(data)
    facts = read_crash(root, IOMEM)
    assert (facts.linear, facts.text, facts.vmcoreinfo, len(facts.cpus)) == (0, None, None, 2)
    assert read_crash(root / "nothing", ()) == CrashFacts()


def test_capture_has_the_facts_without_the_kernels_virtual_addresses() -> None:
    machine = Machine(Arch.ARM64, 4096, IOMEM, crash=FACTS)
    text = capture(machine)
    assert str(LINEAR) not in text
    assert str(TEXT) not in text
    again = restore(text)
    assert (again.crash.cpus, again.crash.vmcoreinfo) == (FACTS.cpus, FACTS.vmcoreinfo)
    assert again.crash.text == KernelText(0x40200000, 0x2510000, 0)
    stored = json.loads(text)
    stored["crash"]["vmcoreinfo"]["address"] = -1
    with pytest.raises(UsageError, match="not a capture"):
        restore(json.dumps(stored))
    del stored["crash"]
    assert restore(json.dumps(stored)).crash == CrashFacts()
