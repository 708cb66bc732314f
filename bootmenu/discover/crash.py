"""What a crash kernel must be told of the running one: its notes, and where it is mapped.

Sources: Documentation/ABI/testing (sysfs-devices-system-cpu, sysfs-kernel-vmcoreinfo) and the
head of /proc/kcore, an ELF core file whose loadable segments pair the kernel's virtual addresses
with physical ones. All of it is root's; what cannot be read is left out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bootmenu.model import CrashFacts, DumpNote, IoResource, KernelText

_CPUS = "sys/devices/system/cpu"
_CODE = "Kernel code"
_MAX_SEGMENTS = 4096
_HEADER = struct.Struct("<4s28xQ14xHH")  # magic; e_phoff; e_phentsize, e_phnum
_SEGMENT = struct.Struct("<II6Q")  # type, flags; offset, vaddr, paddr, filesz, memsz, align
_LOAD = 1
_NOT_MEMORY = 0xFFFF_FFFF_FFFF_FFFF
"""Physical address of what lies in no one place, such as vmalloc's area."""


def read_crash(root: Path, iomem: Sequence[IoResource]) -> CrashFacts:
    """The facts of the kernel whose /proc and /sys lie under *root*, *iomem* being its map."""
    code = next((resource.start for resource in iomem if resource.name == _CODE), 0)
    # The kernel is mapped twice: where it was linked to run, and with all other memory.
    mapped = sorted(
        (s for s in _segments(root / "proc/kcore") if s.physical <= code < s.physical + s.size),
        key=lambda segment: segment.size,
    )
    linear = mapped[-1] if mapped else None
    text = mapped[0] if len(mapped) > 1 else None
    return CrashFacts(
        cpus=tuple(_cpu_notes(root / _CPUS)),
        vmcoreinfo=_vmcoreinfo(root / "sys/kernel/vmcoreinfo"),
        linear=linear.virtual - linear.physical if linear else 0,
        text=KernelText(text.physical, text.size, text.virtual) if text else None,
    )


class _Segment(NamedTuple):
    physical: int
    size: int
    virtual: int


def _segments(kcore: Path) -> Iterator[_Segment]:
    """The parts of the kernel's memory of which it is known where they lie."""
    try:
        with kcore.open("rb", buffering=0) as file:
            magic, at, size, count = _HEADER.unpack(file.read(_HEADER.size))
            if magic != b"\x7fELF" or size != _SEGMENT.size:
                return
            file.seek(at)
            table = file.read(size * min(count, _MAX_SEGMENTS))
    except (OSError, struct.error):
        return
    for row in range(0, len(table) - size + 1, size):
        kind, _, _, virtual, physical, _, memory, _ = _SEGMENT.unpack_from(table, row)
        if kind == _LOAD and physical != _NOT_MEMORY:
            yield _Segment(physical, memory, virtual)


def _cpu_notes(folder: Path) -> Iterator[DumpNote]:
    for cpu in sorted(folder.glob("cpu[0-9]*"), key=lambda path: int(path.name[3:])):
        try:
            address = int((cpu / "crash_notes").read_text(), 16)
            yield DumpNote(address, int((cpu / "crash_notes_size").read_text()))
        except (OSError, ValueError):
            continue


def _vmcoreinfo(path: Path) -> DumpNote | None:
    """``0x00000000feedface 1024``, both in hexadecimal."""
    try:
        match = re.fullmatch(r"(0x[0-9a-f]+) ([0-9a-f]+)\s*", path.read_text())
    except (OSError, ValueError):
        return None
    return DumpNote(int(match[1], 16), int(match[2], 16)) if match else None
