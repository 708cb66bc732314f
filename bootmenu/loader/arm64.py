"""Where a kernel, its initrd, its device tree and the trampoline lie on arm64.

Rules: Documentation/arch/arm64/booting.rst. The kernel lies text_offset behind a 2 MiB
boundary; the initrd within 32 GiB of the 1 GiB boundary below the kernel; the tree within a
2 MiB block.

**High, where the header allows it.** While it loads, the running kernel takes whatever free
page comes first, and a page that happens to lie inside a destination is set aside on a list
that every later page walks: loading into the low memory that it hands out first is quadratic
in the size of the images. So kernel and initrd go to the top of memory, except a kernel that
must lie near its start.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from bootmenu.images import KernelImage
from bootmenu.loader.initrd import MAX_INITRDS, consecutive, padded
from bootmenu.loader.memory import Holes, Range, align_down, align_up, no_room, usable
from bootmenu.model import Machine

BASE = 2 << 20
TREE_SIZE = 2 << 20
INITRD_WINDOW = 32 << 30
INITRD_BOUNDARY = 1 << 30


class Placement(NamedTuple):
    """Physical addresses; *initrds* has one per file, in order and without gaps."""

    kernel: int
    kernel_size: int  # whole pages
    initrds: tuple[int, ...]
    tree: int
    trampoline: int | None  # where one is needed
    high: bool


def place(
    image: KernelImage,
    initrds: Sequence[int],
    machine: Machine,
    *,
    trampoline: bool = True,
    inside: Sequence[Range] = (),
) -> Placement:
    """Find a place for everything; *initrds* are their sizes, in bytes and in order.

    It lies *inside* of what is set aside for a crash kernel, or in all usable memory. Raises
    PlacementError when there is none.
    """
    page = machine.page_size
    sizes = padded(initrds, page, MAX_INITRDS - bool(inside))
    kernel_size = align_up(image.image_size, page)
    needs = _Needs(kernel_size, image.text_offset, sum(sizes), page)
    orders = (_below_initrd, _top, _bottom) if image.anywhere else (_bottom,)
    free = inside or usable(machine)
    for order in orders:
        holes = Holes(free)
        pair = order(holes, needs)
        if pair is None:
            continue
        tree = holes.highest(TREE_SIZE, BASE)
        if tree is None:
            continue
        holes.take(tree, TREE_SIZE)
        page_of_code = holes.highest(page, page) if trampoline else None
        if trampoline and page_of_code is None:
            continue
        starts = consecutive(pair.initrd, sizes)
        high = order is not _bottom
        return Placement(pair.kernel, kernel_size, starts, tree, page_of_code, high)
    reach = (
        "the initrd must lie within 32 GiB of the kernel"
        if image.anywhere
        else "the kernel must lie near its start, the initrd within 32 GiB of the kernel"
    )
    raise no_room(needs.kernel, needs.initrd, Holes(free), reach, crash=bool(inside))


class _Needs(NamedTuple):
    kernel: int
    offset: int
    initrd: int
    page: int


class _Pair(NamedTuple):
    kernel: int
    initrd: int


def _below_initrd(holes: Holes, needs: _Needs) -> _Pair | None:
    """The initrd on top of memory and the kernel below it: always within the window."""
    initrd = holes.highest(needs.initrd, needs.page)
    if initrd is None:
        return None
    end = initrd + needs.initrd
    holes.take(initrd, needs.initrd)
    kernel = holes.highest(
        needs.kernel,
        BASE,
        offset=needs.offset,
        low=max(0, end - INITRD_WINDOW + INITRD_BOUNDARY),
        high=initrd if needs.initrd else None,
    )
    return _taken(holes, needs, kernel, initrd)


def _top(holes: Holes, needs: _Needs) -> _Pair | None:
    """The kernel on top of memory, the initrd wherever its window allows."""
    return _with_initrd(holes, needs, holes.highest(needs.kernel, BASE, offset=needs.offset))


def _bottom(holes: Holes, needs: _Needs) -> _Pair | None:
    """The kernel as low as it can lie, the initrd high in its window."""
    return _with_initrd(holes, needs, holes.lowest(needs.kernel, BASE, offset=needs.offset))


def _with_initrd(holes: Holes, needs: _Needs, kernel: int | None) -> _Pair | None:
    if kernel is None:
        return None
    holes.take(kernel, needs.kernel)
    low = align_down(kernel, INITRD_BOUNDARY)
    initrd = holes.highest(needs.initrd, needs.page, low=low, high=low + INITRD_WINDOW)
    return None if initrd is None else _taken(holes, needs, kernel, initrd)


def _taken(holes: Holes, needs: _Needs, kernel: int | None, initrd: int) -> _Pair | None:
    if kernel is None:
        return None
    holes.take(kernel, needs.kernel)
    holes.take(initrd, needs.initrd)
    return _Pair(kernel, initrd)


def trampoline_code(kernel: int, tree: int) -> bytes:
    """The 40 bytes that run between the two kernels.

    kexec_load enters with x0 = 0, the kernel wants the tree's address there and zeros in x1
    to x3. Position independent, no stack; the two addresses follow the code.
    """
    code = (
        0x580000C4,  # ldr x4, #0x18  the kernel
        0x580000E0,  # ldr x0, #0x1c  the tree
        0xAA1F03E1,  # mov x1, xzr
        0xAA1F03E2,  # mov x2, xzr
        0xAA1F03E3,  # mov x3, xzr
        0xD61F0080,  # br x4
    )
    return struct.pack("<6I2Q", *code, kernel, tree)
