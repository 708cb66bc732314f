"""The usable memory: what firmware and devices hold is never written to."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import PlacementError
from bootmenu.loader.memory import Holes, Range, merge, subtract, usable
from bootmenu.model import Arch, Machine


def of(text: str, page_size: int = 4096) -> tuple[Range, ...]:
    return usable(Machine(Arch.ARM64, page_size, parse_iomem(text)))


def test_running_kernel_is_free_and_reservations_are_not(machine: Machine) -> None:
    assert usable(machine) == (
        Range(0x40000000, 0x41DD0000),
        Range(0x42530000, 0x48000000),
        Range(0x48100000, 0x7D800000),
        Range(0x7F800000, 0x7F9AE000),
        Range(0x7F9C0000, 0x80000000),
    )


def test_crash_kernel_and_devices_inside_are_taken() -> None:
    text = (
        "00000000-0fffffff : System RAM\n"
        "  01000000-01ffffff : Crash kernel\n"
        "  02000000-02000fff : some device\n"
        "    02000100-020001ff : its part\n"
        "20000000-2fffffff : System RAM (kmem)\n"
    )
    assert of(text) == (Range(0, 0x1000000), Range(0x2001000, 0x10000000))


def test_reservations_beside_the_memory_count_as_on_riscv() -> None:
    text = "80000000-8003ffff : Reserved\n80000000-8fffffff : System RAM\n"
    assert of(text) == (Range(0x80040000, 0x90000000),)


def test_resource_behind_the_memory_is_not_inside() -> None:
    text = "00000000-00ffffff : System RAM\n01000000-01ffffff : pcie\n  01000000-0100ffff : bar\n"
    assert of(text) == (Range(0, 0x1000000),)


def test_only_whole_pages_of_a_64k_kernel() -> None:
    text = "00001000-0003ffff : System RAM\n  00020000-00020fff : reserved\n"
    assert of(text, 65536) == (Range(0x10000, 0x20000), Range(0x30000, 0x40000))


def test_hidden_addresses_ask_for_root(machine: Machine) -> None:
    hidden = tuple(dataclasses.replace(r, start=0, end=0) for r in machine.iomem)
    with pytest.raises(PlacementError, match="only zeros") as caught:
        usable(dataclasses.replace(machine, iomem=hidden))
    assert "root" in caught.value.hint


def test_no_map_at_all(machine: Machine) -> None:
    with pytest.raises(PlacementError, match="empty"):
        usable(dataclasses.replace(machine, iomem=()))
    with pytest.raises(PlacementError, match="names no System RAM"):
        of("00000000-00ffffff : reserved\n")


RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda p: Range(p[0], p[0] + p[1]))
)


def addresses(ranges: list[Range]) -> set[int]:
    return {address for part in ranges for address in range(part.start, part.end)}


@given(RANGES, RANGES)
def test_subtraction_is_that_of_sets(ranges: list[Range], taken: list[Range]) -> None:
    left = subtract(ranges, taken)
    assert addresses(left) == addresses(ranges) - addresses(taken)
    assert left == merge(left)


@given(RANGES, st.integers(1, 9), st.integers(1, 8), st.integers(0, 7), st.integers(0, 60))
def test_holes_are_found_wherever_there_are_some(
    ranges: list[Range], size: int, align: int, offset: int, low: int
) -> None:
    high = low + 30
    free = addresses(ranges)
    fits = [
        place
        for place in range(low, high - size + 1)
        if (place - offset) % align == 0 and free.issuperset(range(place, place + size))
    ]
    holes = Holes(ranges)
    assert holes.lowest(size, align, offset=offset, low=low, high=high) == min(fits, default=None)
    assert holes.highest(size, align, offset=offset, low=low, high=high) == max(fits, default=None)
