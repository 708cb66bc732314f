"""Placement on arm64: the boot protocol's rules hold on every memory map."""

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bootmenu.errors import PlacementError
from bootmenu.images.arm64 import Header
from bootmenu.images.kernel import KernelImage
from bootmenu.loader.arm64 import Placement, place, trampoline_code
from bootmenu.loader.memory import Range, usable
from bootmenu.model import Arch, FileSlice, IoResource, Machine

MIB, GIB = 1 << 20, 1 << 30
HIGH, LOW = 0b1010, 0b0010


def kernel(image_size: int = 32 * MIB, text_offset: int = 0, flags: int = HIGH) -> KernelImage:
    header = Header(text_offset, image_size, flags)
    file = FileSlice("Image", 0, image_size)
    return KernelImage(file, Arch.ARM64, "arm64 Image", header, file, file)


def initrds(*sizes: int) -> tuple[int, ...]:
    return sizes


def board(*ram: tuple[int, int], page_size: int = 4096) -> Machine:
    resources = tuple(IoResource(start, end - 1, "System RAM") for start, end in ram)
    return Machine(Arch.ARM64, page_size, resources)


def check(placed: Placement, image: KernelImage, files: tuple[int, ...], machine: Machine) -> None:
    page = machine.page_size
    parts = [Range(placed.kernel, placed.kernel + placed.kernel_size)]
    parts += [
        Range(start, start + -(-file // page) * page)
        for start, file in zip(placed.initrds, files, strict=True)
    ]
    parts += [Range(placed.tree, placed.tree + 2 * MIB)]
    assert placed.trampoline is not None
    parts += [Range(placed.trampoline, placed.trampoline + page)]
    free = usable(machine)
    for part in parts:
        assert part.start % page == 0
        assert part.end % page == 0
        assert any(hole.start <= part.start and part.end <= hole.end for hole in free)
    ordered = sorted(parts)
    assert all(before.end <= after.start for before, after in pairwise(ordered))
    assert (placed.kernel - image.text_offset) % (2 * MIB) == 0
    assert placed.kernel_size >= image.image_size
    assert placed.tree % (2 * MIB) == 0
    for before, after in pairwise(parts[1 : len(files) + 1]):
        assert before.end == after.start
    window = placed.kernel // GIB * GIB
    for part in parts[1 : len(files) + 1]:
        assert window <= part.start
        assert part.end <= window + 32 * GIB


def test_kernel_and_initrd_lie_high_and_side_by_side() -> None:
    machine, image, files = board((1 * GIB, 4 * GIB)), kernel(), initrds(100 * MIB + 5)
    placed = place(image, files, machine)
    check(placed, image, files, machine)
    assert placed.initrds[0] + 100 * MIB + 4096 == 4 * GIB
    assert placed.kernel == 4 * GIB - 134 * MIB
    assert placed.high


def test_initrd_is_never_below_the_window_of_a_kernel_on_a_boundary() -> None:
    """A kernel on top of this memory would start at 3 GiB, and its window with it."""
    machine, image, files = board((1 * GIB, 3 * GIB + 33 * MIB)), kernel(), initrds(200 * MIB)
    placed = place(image, files, machine)
    check(placed, image, files, machine)


def test_kernel_that_must_lie_low_does() -> None:
    machine = board((1 * GIB, 4 * GIB))
    image, files = kernel(16 * MIB, 0x80000, LOW), initrds(MIB)
    placed = place(image, files, machine)
    check(placed, image, files, machine)
    assert placed.kernel == GIB + 0x80000
    assert not placed.high


def test_initrd_stays_within_32_gib_of_a_low_kernel() -> None:
    machine = board((2 * GIB, 4 * GIB), (32 * GIB, 96 * GIB))
    image, files = kernel(16 * MIB, 0, LOW), initrds(2 * GIB)
    placed = place(image, files, machine)
    check(placed, image, files, machine)
    assert placed.initrds[0] == 34 * GIB - 2 * GIB


def test_initrd_too_large_for_the_upper_piece() -> None:
    machine = board((1 * GIB, 2 * GIB), (4 * GIB, 4 * GIB + 64 * MIB))
    image, files = kernel(), initrds(500 * MIB)
    placed = place(image, files, machine)
    check(placed, image, files, machine)


def test_no_room_says_what_is_there() -> None:
    with pytest.raises(PlacementError, match="largest free piece of memory has 128 MiB") as caught:
        place(kernel(), initrds(200 * MIB), board((GIB, GIB + 128 * MIB)))
    assert caught.value.hint


def test_memory_that_not_every_kernel_can_address_is_the_last_resort() -> None:
    low, high = (GIB, GIB + 128 * MIB), ((1 << 48) + GIB, (1 << 48) + 9 * GIB)
    machine, image = board(low, high), kernel()
    for files in (initrds(MIB), initrds(500 * MIB)):
        placed = place(image, files, machine)
        check(placed, image, files, machine)
        assert (placed.kernel > 1 << 48) == (files[0] > 128 * MIB)
    assert place(image, (), board((600 * GIB, 601 * GIB))).kernel > 600 * GIB


def test_old_kernel_finds_its_tree_near_and_has_room_for_its_page_tables() -> None:
    image, files = kernel(16 * MIB, 0x80000, LOW), initrds(MIB)
    machine = board((GIB + MIB, 8 * GIB))
    placed = place(image, files, machine)
    check(placed, image, files, machine)
    assert placed.kernel == GIB + 2 * MIB + 0x80000
    assert placed.kernel < placed.tree <= placed.kernel + 510 * MIB
    # Without a free tail the base is no place: those kernels write below their first byte.
    machine = board((GIB + 0x80000, GIB + 0x80000 + 17 * MIB), (2 * GIB, 3 * GIB))
    assert place(image, files, machine).kernel == 2 * GIB + 0x80000


def test_old_kernel_lies_low_even_where_little_else_fits() -> None:
    """The lowest hole has room for the kernel alone, and is out of the initrd's reach."""
    machine = board((GIB, GIB + 4 * MIB), (100 * GIB, 100 * GIB + 60 * MIB), (120 * GIB, 121 * GIB))
    image, files = kernel(4 * MIB, 0, LOW), initrds(40 * MIB)
    placed = place(image, files, machine)
    check(placed, image, files, machine)
    assert placed.kernel == 100 * GIB
    assert placed.initrds[0] > placed.kernel


def test_memory_at_address_0_is_used_but_not_for_the_tree() -> None:
    machine, image = board((0, 4 * MIB)), kernel(MIB)
    placed = place(image, (), machine)
    check(placed, image, (), machine)
    assert placed.tree == 2 * MIB
    with pytest.raises(PlacementError):
        place(image, (), board((0, 4 * MIB - 4096)))


def test_a_machine_in_ten_thousand_pieces() -> None:
    """Hours, if each piece were compared with each other one."""
    lines = []
    for number in range(256):
        start = number * 4 * GIB
        lines.append(IoResource(start, start + 2 * GIB - 1, "System RAM"))
        for inner in range(39):
            at = start + (inner * 50 + 1) * MIB
            lines.append(IoResource(at, at + 4095, "reserved", 1))
    machine, image = Machine(Arch.ARM64, 4096, tuple(lines)), kernel()
    files = initrds(*[20 * MIB] * 2)
    placed = place(image, files, machine)
    check(placed, image, files, machine)
    with pytest.raises(PlacementError, match="largest free piece"):
        place(image, initrds(200 * MIB), machine)


SIZES = st.integers(1, 80 * MIB)


@st.composite
def boards(draw: st.DrawFn) -> Machine:
    page_size = draw(st.sampled_from([4096, 16384, 65536]))
    at = draw(st.integers(0, 3 * GIB // 4096)) * 4096
    resources = []
    for _ in range(draw(st.integers(1, 4))):
        size = draw(st.integers(1, 512 * MIB))
        resources.append(IoResource(at, at + size - 1, "System RAM"))
        for _ in range(draw(st.integers(0, 3))):
            start = at + draw(st.integers(0, size - 1))
            end = min(at + size - 1, start + draw(st.integers(0, 8 * MIB)))
            resources.append(IoResource(start, end, "reserved", 1))
        at += size + draw(st.sampled_from([0, 1, 70_000, GIB, 40 * GIB]))
    return Machine(Arch.ARM64, page_size, tuple(resources))


@settings(max_examples=500)
@given(
    machine=boards(),
    image_size=SIZES,
    text_offset=st.sampled_from([0, 0x80000, 0x10000]),
    flags=st.sampled_from([HIGH, LOW]),
    sizes=st.lists(SIZES, max_size=4),
)
def test_rules_hold_on_every_map(
    machine: Machine, image_size: int, text_offset: int, flags: int, sizes: list[int]
) -> None:
    assume(text_offset < image_size)
    image, files = kernel(image_size, text_offset, flags), initrds(*sizes)
    try:
        placed = place(image, files, machine)
    except PlacementError:
        # One hole that holds everything, with slack for alignment, must always do.
        needed = image_size + sum(sizes) + (8 * MIB) + 65536 * 8
        assert flags == LOW or all(hole.size < needed for hole in safe(machine))
        return
    check(placed, image, files, machine)


def safe(machine: Machine) -> tuple[Range, ...]:
    try:
        return usable(machine)
    except PlacementError:
        return ()


def test_kernel_with_other_page_size_keeps_its_rules() -> None:
    machine = board((GIB, 2 * GIB), page_size=65536)
    files = initrds(5, 70_000)
    check(place(kernel(), files, machine), kernel(), files, machine)


def test_trampoline_loads_two_addresses_and_jumps() -> None:
    code = trampoline_code(0x1122334455667788, 0x99AABBCCDDEEFF00)
    assert len(code) == 40
    words = [int.from_bytes(code[at : at + 4], "little") for at in range(0, 24, 4)]
    literal = {
        (word & 0x1F): at * 4 + (word >> 5 & 0x7FFFF) * 4 for at, word in enumerate(words[:2])
    }
    assert literal == {4: 24, 0: 32}
    assert all(word >> 24 == 0x58 for word in words[:2])  # ldr Xt, literal
    assert words[2:5] == [0xAA1F03E0 | register for register in (1, 2, 3)]  # mov Xt, xzr
    assert words[5] == 0xD61F0000 | 4 << 5  # br x4
    assert code[24:] == bytes.fromhex("887766554433221100ffeeddccbbaa99")
