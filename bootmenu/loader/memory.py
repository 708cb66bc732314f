"""Where images may lie: the usable parts of physical memory, and holes to place things in.

The map is /proc/iomem. Memory is what is called ``System RAM``; whatever is listed inside of
it is in use by firmware or devices, except the running kernel itself, which is done once the
next one starts. A device tree's /memory is no map: the EFI stub removes those nodes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bootmenu.errors import PlacementError
from bootmenu.model import IoResource, Machine

RAM = "System RAM"
CRASH = "Crash kernel"
MIB = 1 << 20
LAST = 1 << 32
"""Below, memory is of the zones that Linux takes from when the others are used up."""
CRASH_OTHERS = 4 * MIB
"""Bytes that a crash kernel takes besides: a tree in a block of 2 MiB, alignment, a trampoline."""
_OF_THE_RUNNING_KERNEL = frozenset(
    {"Kernel code", "Kernel data", "Kernel rodata", "Kernel bss", "Kernel image"}
)
_END = 1 << 56  # no architecture has longer physical addresses
_NEVER = frozenset({"reserved", "Reserved", CRASH})  # on whatever level they stand


class Range(NamedTuple):
    """Physical addresses from *start* up to, not including, *end*."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self.end - self.start


def usable(machine: Machine) -> tuple[Range, ...]:
    """The memory of *machine* that segments may lie in, in whole pages, ascending.

    Raises PlacementError when the map is missing or its addresses were hidden.
    """
    taken = [Range(one.start, one.end + 1) for one in kept(machine)]
    return tuple(whole_pages(subtract(ram(machine), taken), machine.page_size))


def crash_regions(machine: Machine) -> tuple[Range, ...]:
    """What is set aside for a crash kernel, ascending; empty where nothing is."""
    found = (Range(r.start, r.end + 1) for r in machine.iomem if r.name == CRASH)
    return tuple(sorted(part for part in found if part.start < part.end))


def dumped(machine: Machine) -> list[Range]:
    """All memory that the running kernel keeps data in. Raises as :func:`usable` does.

    Other than :func:`ram`, with what drivers add to it, ``System RAM (virtio_mem)``: that is there
    only while its driver says so, which is not when the next kernel starts.
    """
    added = (r for r in machine.iomem if r.name.startswith(f"{RAM} ("))
    return merge([*ram(machine), *(Range(r.start, min(r.end + 1, _END)) for r in added)])


def ram(machine: Machine) -> list[Range]:
    """All memory of *machine*, whatever uses it. Raises as :func:`usable` does."""
    if not machine.iomem:
        raise PlacementError(
            "the memory map is unknown: /proc/iomem is empty",
            hint="run this on a kernel that provides /proc/iomem, or give a capture of a machine",
        )
    if not any(resource.end for resource in machine.iomem):
        raise PlacementError(
            "the memory map is hidden: /proc/iomem shows only zeros",
            hint="run this as root (it takes CAP_SYS_ADMIN)",
        )
    found = merge(Range(r.start, min(r.end + 1, _END)) for r in machine.iomem if r.name == RAM)
    if not found:
        raise PlacementError(
            f"the memory map names no {RAM}", hint="please report this, with /proc/iomem"
        )
    return found


def kept(machine: Machine) -> Iterator[IoResource]:
    """What is in use: everything nested in RAM, and reservations wherever they are listed.

    The latter is the second look: riscv64 lists reservations beside the memory, not inside.
    """
    resources = machine.iomem
    inside: int | None = None
    for resource in resources:
        if inside is not None and resource.depth <= inside:
            inside = None
        if resource.name == RAM:
            inside = resource.depth if inside is None else inside
        elif resource.name in _NEVER or (
            inside is not None and resource.name not in _OF_THE_RUNNING_KERNEL
        ):
            yield resource


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The same addresses as few, ascending, disjoint ranges."""
    merged: list[Range] = []
    for part in sorted(part for part in ranges if part.start < part.end):
        if merged and part.start <= merged[-1].end:
            merged[-1] = Range(merged[-1].start, max(merged[-1].end, part.end))
        else:
            merged.append(part)
    return merged


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """*ranges* without every address in *taken*."""
    holes, at = merge(taken), 0
    left = []
    for part in merge(ranges):
        start = part.start
        while at < len(holes) and holes[at].start < part.end:
            if start < holes[at].start:
                left.append(Range(start, holes[at].start))
            start = max(start, holes[at].end)
            if holes[at].end > part.end:  # it may reach into the next one
                break
            at += 1
        if start < part.end:
            left.append(Range(start, part.end))
    return left


def whole_pages(ranges: Iterable[Range], page_size: int) -> list[Range]:
    """What of *ranges* are whole pages of *page_size* bytes."""
    whole = (Range(align_up(r.start, page_size), align_down(r.end, page_size)) for r in ranges)
    return [part for part in whole if part.start < part.end]


def align_up(value: int, step: int) -> int:
    """*value*, or the next multiple of *step*."""
    return -(-value // step) * step


def align_down(value: int, step: int) -> int:
    """*value*, or the multiple of *step* before it."""
    return value // step * step


class Holes:
    """Usable memory that is handed out piece by piece."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._free = merge(ranges)

    def take(self, start: int, size: int) -> None:
        """Mark *size* bytes at *start* as used."""
        end = start + size
        first = bisect_right(self._free, start, key=lambda part: part.end)
        last = bisect_left(self._free, end, key=lambda part: part.start)
        touched = self._free[first:last]
        self._free[first:last] = subtract(touched, [Range(start, end)])

    @property
    def free(self) -> tuple[Range, ...]:
        """What is left, ascending."""
        return tuple(self._free)

    def highest(
        self, size: int, align: int, *, offset: int = 0, low: int = 0, high: int | None = None
    ) -> int | None:
        """The highest address below 4 GiB, else above, that has *size* free bytes, or None.

        It lies *offset* behind a multiple of *align*, and the bytes within *low*..*high*. What
        lies below 4 GiB the kernel hands out last, once nothing is left above.
        """
        ends = (LAST, high) if high is None or high > LAST else (high,)
        for limit in ends:
            for part in reversed(self._free):
                start = max(part.start, low)
                end = part.end if limit is None else min(part.end, limit)
                place = align_down(end - size - offset, align) + offset
                if place >= start:
                    return place
        return None

    def lowest(
        self, size: int, align: int, *, offset: int = 0, low: int = 0, high: int | None = None
    ) -> int | None:
        """As :meth:`highest`, the lowest one."""
        for part in self._free:
            place = align_up(max(part.start, low) - offset, align) + offset
            end = part.end if high is None else min(part.end, high)
            if place + size <= end:
                return place
        return None

    def largest(self) -> int:
        """Bytes of the largest hole."""
        return max((part.size for part in self._free), default=0)

    def total(self) -> int:
        """Bytes of all holes."""
        return sum(part.size for part in self._free)


def mib(size: int) -> str:
    """*size* bytes in words, rounded up to whole MiB."""
    return f"{-(-size // MIB):,} MiB"


def no_room(
    kernel: int, initrds: int, holes: Holes, reach: str, *, crash: bool = False
) -> PlacementError:
    """The error for *kernel* and *initrds* bytes, each in one piece, that fit nowhere in *holes*.

    *reach* says in words where they must lie. With *crash*, *holes* is the memory that is set
    aside for a crash kernel.
    """
    if crash:
        return _no_crash_room(kernel, initrds, holes.largest())
    largest, free = holes.largest(), holes.total()
    name, size = ("kernel", kernel) if kernel > initrds else ("initrd", initrds)
    if size > largest:
        missing = (
            f"the {name} takes {mib(size)} in one piece, and the largest free piece of memory "
            f"has {largest // MIB:,} MiB: {mib(size - largest)} are missing"
        )
    elif kernel + initrds > free:
        missing = (
            f"kernel and initrd take {mib(kernel + initrds)}, and {free // MIB:,} MiB of memory "
            f"are free: {mib(kernel + initrds - free)} are missing"
        )
    else:
        missing = (
            f"the kernel takes {mib(kernel)} in one piece, the initrd {mib(initrds)}, and what "
            f"they are told some more; the largest free piece of memory has "
            f"{largest // MIB:,} MiB, and {reach}"
        )
    return PlacementError(
        f"no room: {missing}", hint="use a smaller initrd, or give the machine more memory"
    )


def _no_crash_room(kernel: int, initrds: int, largest: int) -> PlacementError:
    needed = kernel + initrds + CRASH_OTHERS
    missing = max(needed - largest, MIB)
    wanted = max(256, align_up(2 * needed // MIB, 64))
    return PlacementError(
        f"no room: the kernel takes {mib(kernel)} in one piece, the initrd {mib(initrds)}, and "
        f"what they are told some more; {largest // MIB:,} MiB are set aside for a crash kernel, "
        f"{mib(missing)} too few",
        hint=f"start the running kernel with crashkernel={wanted}M, or use a smaller initrd",
    )
