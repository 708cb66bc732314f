"""A crash kernel: the memory that is set aside for it, and what it is told of the crashed one.

It lies in memory that the running kernel has kept free since its start (``crashkernel=``), stays
there as it is loaded, and runs in nothing else. With it lies an ELF core header, elfcorehdr: where
all other memory is, which it shows, together with that memory, as /proc/vmcore.

Rules: Documentation/admin-guide/kdump/kdump.rst; kernel/kexec_core.c and kernel/crash_core.c for
what the kernel itself does in kexec_file_load. The program headers' offsets are physical
addresses; the virtual ones are the running kernel's own, which is what makes the dump readable
with gdb and lets makedumpfile find page tables (0 is its word for "not known").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from bootmenu.errors import PlacementError
from bootmenu.loader.boot_params import E820, KINDS
from bootmenu.loader.memory import (
    MIB,
    Holes,
    Range,
    align_down,
    align_up,
    crash_regions,
    dumped,
    subtract,
)
from bootmenu.loader.preflight.findings import note, warning
from bootmenu.loader.preflight.words import value_of
from bootmenu.model import Arch, CrashFacts, Finding, LoadPlan, Machine, Segment

ROOM = 64 * MIB
"""Bytes beside its images below which a distribution's kernel hardly comes up."""
LOW = 1 << 20
"""Of x86: the kernel never uses what lies below once it has crashkernel= (Linux 5.5 and later)."""

_MACHINES = {Arch.ARM64: 183, Arch.X86_64: 62}  # EM_AARCH64, EM_X86_64
_HEADER = struct.Struct("<4s4B8x2HI3QI6H")
_SEGMENT = struct.Struct("<II6Q")  # type, flags; offset, vaddr, paddr, filesz, memsz, align
_CORE, _LOAD, _NOTE, _RWX = 4, 1, 4, 7
_MAX_SEGMENTS = 0xFFFE
_HANDED_ON = frozenset({KINDS[k] for k in ("Reserved", "ACPI Tables", "ACPI Non-volatile Storage")})


class Reserve(NamedTuple):
    """What is set aside, and how it is used."""

    regions: tuple[Range, ...]  # what the crash kernel may use, that of the segments last
    header: Segment  # elfcorehdr
    free: tuple[Range, ...]  # where everything else may lie


def reserve(machine: Machine) -> Reserve:
    """What *machine* has set aside for a crash kernel, with the elfcorehdr on top.

    With ``crashkernel=SIZE,high`` there is a region below 4 GiB as well, for devices: kexec takes
    segments in the upper one only. Raises PlacementError where nothing is set aside.
    """
    if machine.arch not in _MACHINES:
        raise PlacementError(
            f"crash kernels are not loaded on {machine.arch}",
            hint=f"this version loads them on {', '.join(_MACHINES)}",
        )
    memory = dumped(machine)
    regions = crash_regions(machine)
    if not regions:
        asked = value_of(machine.cmdline, "crashkernel")
        raise PlacementError(
            "no memory is set aside for a crash kernel",
            hint="start the running kernel with crashkernel=256M"
            if asked is None
            else f"the running kernel has not granted crashkernel={asked}, dmesg says why: start "
            "it with another size, as crashkernel=256M",
        )
    taken = [*regions, Range(0, LOW)] if machine.arch is Arch.X86_64 else regions
    header = elfcorehdr(machine.crash, subtract(memory, taken), machine.arch)
    page = machine.page_size
    main = Range(align_up(regions[-1].start, page), align_down(regions[-1].end, page))
    holes = Holes([main])
    size = align_up(len(header), page)
    at = holes.highest(size, page)
    if at is None:
        raise PlacementError(
            f"the {main.size >> 10} KiB set aside for a crash kernel have no room for its headers",
            hint="start the running kernel with crashkernel=256M",
        )
    why = "the map of what is to be dumped, at the end of the crash kernel's memory"
    segment = Segment("elfcorehdr", header, at, size, why)
    return Reserve(regions, segment, (Range(main.start, at),))


def elfcorehdr(facts: CrashFacts, memory: list[Range], arch: Arch) -> bytes:
    """The ELF core header of a machine with *memory*, by the crashed kernel's *facts*.

    Raises PlacementError when it cannot name them all.
    """
    rows = list(_program_headers(facts, memory))
    if len(rows) > _MAX_SEGMENTS:
        raise PlacementError(
            f"the memory of this machine is in {len(rows):,} pieces",
            hint=f"a dump can have {_MAX_SEGMENTS:,}; please report this, with /proc/iomem",
        )
    ident = (b"\x7fELF", 2, 1, 1, 0)  # 64 bits, little-endian, version 1, System V
    head = _HEADER.pack(
        *ident,
        _CORE,
        _MACHINES[arch],
        1,  # version
        0,  # entry
        _HEADER.size,  # where the program headers begin
        0,  # section headers: none
        0,  # flags
        _HEADER.size,
        _SEGMENT.size,
        len(rows),
        0,
        0,
        0,
    )
    return head + b"".join(rows)


def _program_headers(facts: CrashFacts, memory: list[Range]) -> Iterator[bytes]:
    def row(kind: int, flags: int, start: int, virtual: int, size: int) -> bytes:
        return _SEGMENT.pack(kind, flags, start, virtual % (1 << 64), start, size, size, 0)

    info = (facts.vmcoreinfo,) if facts.vmcoreinfo else ()
    for part in (*facts.cpus, *info):
        yield row(_NOTE, 0, part.address, 0, part.size)
    if facts.text:
        yield row(_LOAD, _RWX, facts.text.start, facts.text.virtual, facts.text.size)
    for start, end in memory:
        yield row(_LOAD, _RWX, start, start + facts.linear if facts.linear else 0, end - start)


def memory_map(whole: list[E820], kept: Reserve) -> list[E820]:
    """The memory map of a PC's crash kernel, made from the firmware's *whole* one.

    Memory is what is set aside, and the first megabyte, which processors are started from. The
    elfcorehdr is none, so that it is kept.
    """
    found = [part for part in whole if part.kind in _HANDED_ON]
    memory = KINDS["System RAM"]
    low = (Range(p.address, min(p.address + p.size, LOW)) for p in whole if p.kind == memory)
    header = Range(kept.header.mem, kept.header.end)
    usable = subtract([*(r for r in low if r.size > 0), *kept.regions], [header])
    return sorted([*found, *(E820(r.start, r.size, memory) for r in usable)])


def findings(plan: LoadPlan, kept: Reserve, machine: Machine) -> Iterator[Finding]:
    """What a person should know of *plan*, which loads a crash kernel into *kept*."""
    if plan.segments:  # else the running kernel does it all itself, in kexec_file_load
        yield from _own_work(plan, kept, machine.crash)
    if "crashkernel=" in plan.cmdline:  # the kernel looks for just that, behind -- as well
        yield warning(
            "the crash kernel would set memory aside itself",
            "its cmdline has crashkernel=, as that of the running kernel",
            "remove crashkernel= from the cmdline",
        )
    wanted = {"nr_cpus=1": ("nr_cpus", "maxcpus", "nosmp"), "reset_devices": ("reset_devices",)}
    if machine.arch is Arch.X86_64:
        wanted["irqpoll"] = ("irqpoll",)
    missing = [
        word
        for word, same in wanted.items()
        if all(value_of(plan.cmdline, name) is None for name in same)
    ]
    if missing:
        yield note(
            f"its cmdline lacks {', '.join(missing)}",
            "recommended for a crash kernel: one processor takes less memory, and devices are "
            "in the state that the crash left them in",
            f"add to the cmdline: {' '.join(missing)}",
        )


def _own_work(plan: LoadPlan, kept: Reserve, facts: CrashFacts) -> Iterator[Finding]:
    if not facts.cpus or facts.vmcoreinfo is None:
        yield warning(
            "a dump would lack what it takes to read it",
            "the running kernel does not tell where its crash notes and vmcoreinfo lie",
            "run this as root, on a kernel with CONFIG_CRASH_DUMP=y",
        )
    left = sum(part.size for part in kept.regions) - sum(part.memsz for part in plan.segments)
    if left < ROOM:
        yield warning(
            f"the crash kernel has {left // MIB} MiB left to run in",
            f"its images take the rest of what is set aside; below {ROOM // MIB} MiB it may not "
            "come up",
            "set more aside (crashkernel=), or use a smaller initrd",
        )
