"""What a plan says of a place is true of that machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from loader_kernels import write_kernel
from loader_pc import BIOS, GIB, MIB, bzimage

from bootmenu.discover.capture import restore
from bootmenu.files import whole
from bootmenu.loader.memory import usable
from bootmenu.loader.plan import prepare
from bootmenu.model import Arch, FileSlice, IoResource, LoadPlan, Machine, Segment

MACHINES = sorted((Path(__file__).parents[1] / "golden/machines").glob("*.json"))
LIMIT = 4 * GIB
LAST = "memory there is handed out last, which keeps the load fast"
APART = ((1 * GIB, 1 * GIB + 64 * MIB), (64 * GIB, 80 * GIB))
ABOVE = ((8 * GIB, 12 * GIB),)


class Place:
    """A segment, and what there is around it."""

    def __init__(self, segment: Segment, plan: LoadPlan, machine: Machine) -> None:
        self.segment = segment
        self.end = segment.end
        number = plan.segments.index(segment)
        self.before = plan.segments[number - 1] if number else None
        self.others = [other for other in plan.segments if other is not segment]
        self.images = [s for s in plan.segments if s.name in {"kernel", "initrd"}]
        self.kernel = next(s for s in plan.segments if s.name == "kernel")
        self.ram = sorted(r for r in _spans(machine, "System RAM"))
        self.reserves = _spans(machine, "Crash kernel")
        self.free = usable(machine)

    @property
    def in_upper_half(self) -> bool:
        """Of the memory on its side of 4 GiB."""
        above = self.end > LIMIT
        side = [r for r in self.free if (r.end > LIMIT) is above or r.start < LIMIT < r.end]
        return self.segment.mem > (side[0].start + side[-1].end) // 2

    @property
    def on_both_sides(self) -> bool:
        """Whether there is memory below 4 GiB and above."""
        return self.ram[0][0] < LIMIT < self.ram[-1][1]

    def room_below(self, size: int) -> bool:
        """Whether *size* bytes fit below 4 GiB."""
        return any(min(r.end, LIMIT) - r.start >= size for r in self.free)

    def apart(self, size: int) -> bool:
        """Whether nothing else lies in its block of *size* bytes."""
        block = self.segment.mem // size
        return all(not s.mem // size <= block <= (s.end - 1) // size for s in self.others)


def _spans(machine: Machine, name: str) -> list[tuple[int, int]]:
    return [(r.start, r.end + 1) for r in machine.iomem if r.name == name]


TRUE: dict[str, Callable[[Place, re.Match[str]], bool]] = {
    r"2 MiB boundary \+ (\w+)": lambda p, w: p.segment.mem % (2 * MIB) == int(w[1], 16),
    r"a multiple of (\d+) KiB": lambda p, w: p.segment.mem % (int(w[1]) << 10) == 0,
    f"high: {LAST}": lambda p, _: p.in_upper_half and not p.on_both_sides,
    f"below 4 GiB: {LAST}": lambda p, _: p.on_both_sides and p.end <= LIMIT and p.in_upper_half,
    "high: it had no room below 4 GiB, where memory is handed out last": lambda p, _: (
        p.on_both_sides and p.end > LIMIT and not p.room_below(sum(s.memsz for s in p.images[1:]))
    ),
    "high: it and its initrd had no room below 4 GiB, where memory is handed out last": (
        lambda p, _: (
            p.on_both_sides
            and p.end > LIMIT
            and p.in_upper_half
            and not p.room_below(sum(s.memsz for s in p.images))
        )
    ),
    "high, within 32 GiB of the kernel": lambda p, _: (
        _near(p) and p.in_upper_half and (p.end > LIMIT or not p.on_both_sides)
    ),
    "below 4 GiB, within 32 GiB of the kernel": lambda p, _: (
        _near(p) and p.end <= LIMIT and p.on_both_sides
    ),
    "as low as there is room: memory below it may be lost": lambda p, _: all(
        min(r.end, p.segment.mem) - r.start < p.segment.memsz + 4 * MIB for r in p.free
    ),
    "behind the one before": lambda p, _: (
        p.before is not None and p.before.name == "initrd" and p.before.end == p.segment.mem
    ),
    "in the memory that is set aside for a crash kernel": lambda p, _: any(
        start <= p.segment.mem and p.end <= end for start, end in p.reserves
    ),
    "the map of what is to be dumped, at the end of the crash kernel's memory": (
        lambda p, _: p.end in [end for _, end in p.reserves]
    ),
    "a 2 MiB block of its own": lambda p, _: p.apart(2 * MIB),
    "tells the kernel where its tree is": lambda p, _: p.segment.memsz >= 40,
    "loads a GDT, and tells where boot_params are": lambda p, _: p.segment.memsz >= 112,
    "the zero page, the cmdline and what the next kernel is told besides": (
        lambda p, _: p.segment.memsz > 4096
    ),
}
"""Patterns of what is said, and whether it is so. Nothing else is said."""


def _near(place: Place) -> bool:
    return abs(place.segment.mem - place.kernel.mem) < 32 * GIB


def assert_true(plan: LoadPlan, machine: Machine) -> None:
    for segment in plan.segments:
        for said in segment.reason.split("; ") if segment.name == "kernel" else [segment.reason]:
            words = next(w for pattern in TRUE if (w := re.fullmatch(pattern, said)))
            assert TRUE[words.re.pattern](Place(segment, plan, machine), words), segment


@pytest.mark.parametrize("panic", [False, True], ids=["next", "panic"])
@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [3 * MIB, 200 * MIB])
def test_of_every_captured_machine(
    path: Path, size: int, panic: bool, tmp_path: Path, make_initrd: Callable[[int], FileSlice]
) -> None:
    machine = restore(path.read_text())
    if panic and not _spans(machine, "Crash kernel"):
        return
    offset = 2 * MIB if machine.arch is Arch.RISCV64 else 0
    file = write_kernel(tmp_path / "Image", machine.arch, text_offset=offset, image_size=34 * MIB)
    initrds = [make_initrd(5 * MIB), make_initrd(min(size, 50 * MIB) if panic else size)]
    plan = prepare(kernel=file, initrds=initrds, machine=machine, panic=panic)
    assert_true(plan, machine)


@pytest.mark.parametrize(
    ("ram", "size", "kernel_says", "initrd_says"),
    [
        (((1 * GIB, 3 * GIB),), MIB, f"high: {LAST}", "high, within"),
        (((1 * GIB, 3 * GIB), (8 * GIB, 9 * GIB)), MIB, f"below 4 GiB: {LAST}", "below 4 GiB, wi"),
        (APART, 100 * MIB, "high: it and its initrd had no room below 4 GiB", "high, within"),
        (ABOVE, MIB, f"high: {LAST}", "high, within"),
    ],
)
def test_of_a_board(
    ram: tuple[tuple[int, int], ...],
    size: int,
    kernel_says: str,
    initrd_says: str,
    *,
    machine: Machine,
    make_kernel: Callable[..., FileSlice],
    make_initrd: Callable[[int], FileSlice],
) -> None:
    iomem = tuple(IoResource(start, end - 1, "System RAM") for start, end in ram)
    board = Machine(Arch.ARM64, 4096, iomem, fdt=machine.fdt)
    plan = prepare(kernel=make_kernel(), initrds=[make_initrd(size)], machine=board)
    assert_true(plan, board)
    kernel, initrd = plan.segments[:2]
    assert kernel_says in kernel.reason
    assert initrd.reason.startswith(initrd_says)


def test_of_a_pc_whose_initrd_has_no_room_below_4_gib(
    tmp_path: Path, make_initrd: Callable[[int], FileSlice]
) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage())
    plan = prepare(kernel=whole(str(path)), initrds=[make_initrd(3 << 29)], machine=BIOS)
    assert_true(plan, BIOS)
    kernel, initrd = plan.segments[:2]
    assert f"below 4 GiB: {LAST}" in kernel.reason
    assert initrd.reason.startswith("high: it had no room below 4 GiB")


def test_of_a_kernel_that_looks_for_its_initrd_low_only(
    tmp_path: Path, make_initrd: Callable[[int], FileSlice]
) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage(xloadflags=1, initrd_max=0x37FFFFFF))
    plan = prepare(kernel=whole(str(path)), initrds=[make_initrd(MIB)], machine=BIOS)
    initrd = plan.segments[1]
    assert initrd.end == 0x38000000
    assert initrd.reason == "as high as this kernel looks for it"
