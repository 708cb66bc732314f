"""The plan of a kernel for x86_64: its zero page, a trampoline with a GDT, and where all lies.

Rules: Documentation/arch/x86/boot.rst, "64-bit Boot Protocol". The running kernel enters in
long mode, with interrupts off and memory mapped one to one; what the protocol asks for besides,
the trampoline does.

**High, where the header allows it**, as on arm64 (see :mod:`bootmenu.loader.arm64`). A kernel
that cannot lie above 4 GiB has everything below, and a vmlinux lies where it was linked to lie.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootmenu.errors import ImageError, PlacementError, TreeError
from bootmenu.images import bzimage, elf
from bootmenu.images.kernel import KernelImage
from bootmenu.loader import boot_params, crash
from bootmenu.loader.boot_params import SEED_SIZE, Told
from bootmenu.loader.crash import Reserve
from bootmenu.loader.fitting import Part, Places, fit, on_top
from bootmenu.loader.initrd import Initrds, consecutive, open_initrds, padded
from bootmenu.loader.memory import Holes, Range, align_up, no_room, ram, usable
from bootmenu.loader.preflight.examination import examine
from bootmenu.loader.preflight.findings import error, note, warning
from bootmenu.loader.reasons import ANYWHERE, IN_RESERVE, preferred
from bootmenu.model import (
    FileSlice,
    Finding,
    LoadPlan,
    Machine,
    Pc,
    Segment,
    Stream,
    TreeEdit,
    size_of,
)

LOWEST = 1 << 20
"""What lies below belongs to firmware, whatever the map says."""
LIMIT = 1 << 32
PAGE = 4096

PcHeader = bzimage.Header | elf.Header


class Placement(NamedTuple):
    """Physical addresses; *initrds* has one per file, in order and without gaps."""

    kernel: int
    kernel_size: int  # whole pages
    initrds: tuple[int, ...]
    params: int
    trampoline: int
    high: bool  # else some of it is wherever it fits


def prepare(
    image: KernelImage,
    initrds: Sequence[FileSlice | Stream],
    *,
    cmdline: str,
    machine: Machine,
    entropy: bytes,
    kept: Reserve | None = None,
) -> LoadPlan:
    """The plan that loads *image*; *entropy* are random bytes, SEED_SIZE or more.

    With *kept* it is a crash kernel, which lies in there. Raises as
    :func:`bootmenu.loader.plan.prepare` does.
    """
    header = _header(image)
    pc = machine.pc or Pc()
    efi = header.takes_efi and boot_params.takes_over_efi(pc)
    contents = open_initrds(initrds, required=efi)
    memory = boot_params.memory_map(pc)
    if kept is not None:
        memory = crash.memory_map(memory, kept)
        # Nothing but the cmdline tells an x86 kernel of it. First, since a -- may come later.
        cmdline = f"elfcorehdr={kept.header.mem:#x} {cmdline}".rstrip()
    told = Told(
        setup_header=header.raw,
        cmdline=cmdline.encode("utf-8", "surrogateescape"),
        initrd=None,
        seed=entropy[:SEED_SIZE],
        memory=memory,
        efi=efi,
    )
    size = len(boot_params.build(told, pc, 0))
    free = kept.free if kept else ()
    placed = place(header, [size_of(part) for part in contents], size, machine, free)
    if contents:
        start = placed.initrds[0]
        told = told._replace(initrd=(start, placed.initrds[-1] + size_of(contents[-1]) - start))
    params = boot_params.build(told, pc, placed.params)
    segments = tuple(_segments(image, header, contents, placed, params, machine=machine, kept=kept))
    plan = LoadPlan(
        arch=machine.arch,
        entry=placed.trampoline,
        segments=(*segments, kept.header) if kept else segments,
        cmdline=cmdline,
        kernel=f"{image.format}, {image.image_size:,} bytes in memory",
        panic=kept is not None,
    )
    findings = (*examine(plan, image, None, machine), *_findings(header, pc))
    return plan.with_findings(findings)


def refuse_trees(*, asked: bool, edits: Sequence[TreeEdit]) -> None:
    """Raise TreeError where the user wants a device tree handed over, which nothing here reads."""
    if asked or edits:
        raise TreeError(
            "an x86_64 kernel is handed no device tree",
            hint="remove the DTB, the overlays and the edits of the tree",
        )


def _header(image: KernelImage) -> PcHeader:
    if not isinstance(image.header, PcHeader):
        raise ImageError(
            f"{image.file}: {image.format}, which has no setup header",
            hint="choose a bzImage or a vmlinux",
        )
    return image.header


def place(
    header: PcHeader,
    initrds: Sequence[int],
    params: int,
    machine: Machine,
    inside: Sequence[Range] = (),
) -> Placement:
    """Find a place for everything; *initrds* and *params* are sizes, in bytes.

    It lies *inside* of what is set aside for a crash kernel, or in all usable memory. Raises
    PlacementError when there is none.
    """
    sizes = padded(initrds, PAGE)
    size = align_up(header.image_size, PAGE)
    free = inside or usable(machine)
    holes = Holes(free)
    places: Places = {}
    if not header.anywhere:
        places["kernel"] = _fixed(header, size, holes)
        holes.take(places["kernel"], size)
    parts = dict(_parts(header, size, sum(sizes), params))
    high = on_top(holes.free, parts)
    found = high or fit(holes.free, parts)
    if found is None:
        reach = "all must lie above 1 MiB" + ("" if header.above_4g else " and below 4 GiB")
        raise no_room(size, sum(sizes), Holes(free), reach, crash=bool(inside))
    places |= found
    starts = consecutive(places.get("initrd", 0), sizes)
    return Placement(
        places["kernel"], size, starts, places["params"], places["trampoline"], high is not None
    )


def _fixed(header: PcHeader, size: int, holes: Holes) -> int:
    """Where a kernel of *size* bytes lies that cannot be moved."""
    at = header.pref_address
    if at < LOWEST or holes.lowest(size, PAGE, low=at, high=at + size) is None:
        raise PlacementError(
            f"the kernel must lie at {at:#x}, and {size >> 20} MiB there are not free",
            hint="use its bzImage (vmlinuz), which may lie elsewhere"
            if isinstance(header, elf.Header)
            else "choose a kernel with CONFIG_RELOCATABLE, as those of all distributions",
        )
    return at


def _parts(header: PcHeader, kernel: int, initrd: int, params: int) -> Iterator[tuple[str, Part]]:
    """What is to be placed, of these sizes, the largest first."""
    limit, highest = (None, None) if header.above_4g else (LIMIT, header.initrd_max + 1)
    if header.anywhere:
        align = max(header.alignment, PAGE)
        yield "kernel", Part(kernel, align, low=max(LOWEST, header.pref_address), high=limit)
    if initrd:
        yield "initrd", Part(initrd, PAGE, low=LOWEST, high=highest)
    yield "params", Part(align_up(params, PAGE), PAGE, low=LOWEST, high=limit)
    yield "trampoline", Part(PAGE, PAGE, low=LOWEST, high=limit)


def _where(end: int, placed: Placement, machine: Machine, kept: Reserve | None) -> str:
    """Why an image that ends at *end* lies as high as it does."""
    if kept is not None:
        return IN_RESERVE
    return preferred(end, machine) if placed.high else ANYWHERE


def _where_initrd(
    end: int, header: PcHeader, placed: Placement, machine: Machine, kept: Reserve | None
) -> str:
    """Why the initrds, which end at *end*, lie as high as they do."""
    reach = header.initrd_max + 1
    if kept is None and not header.above_4g and reach < min(ram(machine)[-1].end, LIMIT):
        return "as high as this kernel looks for it"
    return _where(end, placed, machine, kept)


def _segments(
    image: KernelImage,
    header: PcHeader,
    initrds: Initrds,
    placed: Placement,
    params: bytes,
    *,
    machine: Machine,
    kept: Reserve | None,
) -> Iterator[Segment]:
    where = _where(placed.kernel + placed.kernel_size, placed, machine, kept)
    yield Segment(
        "kernel",
        image.source,
        placed.kernel,
        placed.kernel_size,
        f"a multiple of {header.alignment >> 10} KiB; {where}"
        if header.anywhere
        else "where it was linked to lie",
    )
    for number, (initrd, start) in enumerate(zip(initrds, placed.initrds, strict=True)):
        end = placed.initrds[-1] + size_of(initrds[-1])
        why = _where_initrd(end, header, placed, machine, kept)
        size = align_up(size_of(initrd), PAGE)
        yield Segment("initrd", initrd, start, size, "behind the one before" if number else why)
    yield Segment(
        "boot_params",
        params,
        placed.params,
        align_up(len(params), PAGE),
        "the zero page, the cmdline and what the next kernel is told besides",
    )
    code = trampoline_code(placed.trampoline, placed.kernel + header.entry, placed.params)
    yield Segment(
        "trampoline", code, placed.trampoline, PAGE, "loads a GDT, and tells where boot_params are"
    )


def five_levels(header: PcHeader, pc: Pc) -> Iterator[Finding]:
    """A kernel that the running one's page tables are, or may be, too deep for."""
    if pc.five_level and header.five_level is False:
        yield error(
            "this kernel cannot be entered with page tables of five levels, it would hang",
            "the running kernel uses them, and this one is older than Linux 4.14 or lacks support",
            "start this boot menu's kernel with no5lvl, or choose a newer kernel",
        )
    elif pc.five_level and header.five_level is None:
        yield warning(
            "whether this kernel can be entered with page tables of five levels is not known",
            "the running kernel uses them, and a vmlinux does not say",
            "if nothing comes up, use its bzImage",
        )


def _findings(header: PcHeader, pc: Pc) -> Iterator[Finding]:
    yield from five_levels(header, pc)
    if pc.efi is not None and not header.takes_efi:
        yield note(
            "the next kernel starts without UEFI's runtime services",
            "it cannot take them over: Linux 3.14 and later can",
            "boot it from the firmware to change UEFI variables",
        )


def trampoline_code(at: int, kernel: int, params: int) -> bytes:
    """What runs between the two kernels, for the page at the address *at*.

    The protocol wants flat segments from a GDT with the code at 0x10 and the data at 0x18, a
    stack, and %rsi to have the address of boot_params. The stack is the rest of the page.
    """
    gdt = struct.pack("<4Q", 0, 0, 0x00AF9A000000FFFF, 0x00CF92000000FFFF)
    data = 48  # where the numbers begin that follow the code
    entry_at, params_at, gdtr_at, gdt_at = data, data + 8, data + 16, data + 32
    code = bytearray()

    def relative(opcode: bytes, target: int) -> None:
        code.extend(opcode + struct.pack("<i", target - len(code) - len(opcode) - 4))

    relative(b"\x0f\x01\x15", gdtr_at)  # lgdt gdtr(%rip)
    code += b"\xb8\x18\x00\x00\x00"  # mov $0x18, %eax
    code += b"\x8e\xd8\x8e\xc0\x8e\xd0"  # mov %eax, to %ds, %es and %ss
    relative(b"\x48\x8d\x25", PAGE)  # lea end(%rip), %rsp
    relative(b"\x48\x8b\x35", params_at)  # mov params(%rip), %rsi
    code += b"\x6a\x10"  # push $0x10
    relative(b"\xff\x35", entry_at)  # push entry(%rip)
    code += b"\x48\xcb"  # lretq: with the segment first, backwards
    numbers = struct.pack("<2Q", kernel, params)
    gdtr = struct.pack("<HQ6x", len(gdt) - 1, at + gdt_at)
    return bytes(code.ljust(data, b"\x90")) + numbers + gdtr + gdt
