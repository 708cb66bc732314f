"""Memory maps as machines have them, and worse, for tests that hold on any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from bootmenu.model import IoResource

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PAGE_SIZES = (4 * KIB, 16 * KIB, 64 * KIB)
RAM = "System RAM"

FAR = (0, GIB - 3 * MIB, 31 * GIB + 5 * MIB, 33 * GIB, 512 * GIB, (1 << 48) - 2 * MIB, 1 << 50)
"""Where the pieces of a small map may lie: around every border that a rule knows."""

Span = tuple[int, int]
"""Physical addresses from the first up to, not including, the second."""


@st.composite
def small_maps(draw: st.DrawFn, page: int) -> tuple[Span, ...]:
    """A few free pieces of whole pages, none larger than 8 MiB: all places in them can be tried."""
    pieces = []
    for at in draw(st.lists(st.sampled_from(FAR), min_size=1, max_size=4, unique=True)):
        start = at + draw(st.integers(0, 20)) * page
        pieces.append((start, start + draw(st.integers(1, 8 * MIB // page)) * page))
    return tuple(sorted(pieces))


def of_spans(spans: Sequence[Span]) -> tuple[IoResource, ...]:
    """A map whose memory is *spans*, all of it free."""
    return tuple(IoResource(start, end - 1, RAM) for start, end in spans)


@st.composite
def iomems(draw: st.DrawFn) -> tuple[IoResource, ...]:
    """Scattered, tiny and unaligned memory, with all that may lie in it and beside it."""
    at = draw(st.sampled_from([0, 4096, 512 * MIB, GIB, 2 * GIB, 600 * GIB, (1 << 48) - GIB]))
    found = []
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(1, 64 * KIB) | st.integers(64 * MIB, 512 * MIB))
        end = at + size - 1
        found.append(IoResource(at, end, draw(st.sampled_from([RAM] * 4 + ["System RAM (kmem)"]))))
        for _ in range(draw(st.integers(0, 3))):
            found += draw(_inside(at, end))
        if draw(st.booleans()):  # beside the memory, but about it, as on riscv64
            start = draw(st.integers(max(0, at - MIB), end))
            reserved = IoResource(start, start + draw(st.integers(0, 2 * MIB)), "Reserved")
            found.insert(draw(st.sampled_from([0, len(found)])), reserved)
        at = end + 1 + draw(st.sampled_from([0, 1, 4096, 70_000, GIB, 40 * GIB, 1 << 40]))
    return tuple(found)


@st.composite
def _inside(draw: st.DrawFn, first: int, last: int) -> list[IoResource]:
    start = draw(st.integers(first, last))
    end = min(last, start + draw(st.integers(0, 16 * MIB)))
    names = ["reserved", "Reserved", "Kernel code", "Crash kernel", "ACPI Tables", "some device"]
    outer = IoResource(start, end, draw(st.sampled_from(names)), 1)
    inner = draw(st.integers(start, end))
    return [outer, *([IoResource(inner, end, "reserved", 2)] if draw(st.booleans()) else [])]


RUNNING = {"Kernel code", "Kernel data", "Kernel rodata", "Kernel bss", "Kernel image"}


def is_free(first: int, last: int, iomem: Sequence[IoResource]) -> bool:
    """Whether the addresses *first*..*last* are memory that nobody keeps, by the map itself."""
    ram: list[Span] = []
    parents: list[str] = []
    for one in iomem:
        del parents[one.depth :]
        parents.append(one.name)
        inside = RAM in parents[:-1]
        kept = (inside and one.name not in RUNNING) or one.name.lower() == "reserved"
        if (kept or one.name == "Crash kernel") and one.start <= last and first <= one.end:
            return False
        if one.name == RAM:
            ram.append((one.start, one.end))
    return _covered(first, last, sorted(ram))


def _covered(first: int, last: int, ram: Sequence[Span]) -> bool:
    for start, end in ram:
        if start <= first <= end:
            first = end + 1
    return first > last


def overlap(spans: Sequence[Span]) -> bool:
    """Whether any two of *spans* share an address."""
    return any(before[1] > after[0] for before, after in pairwise(sorted(spans)))


def places(free: Sequence[Span], size: int, step: int, offset: int = 0) -> Iterator[int]:
    """Every address that is *offset* behind a multiple of *step* and has *size* free bytes."""
    for start, end in free:
        first = -(-(start - offset) // step) * step + offset
        yield from range(first, end - size + 1, step)
