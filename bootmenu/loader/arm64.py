"""Where a kernel, its initrd, its device tree and the trampoline lie on arm64.

Rules: Documentation/arch/arm64/booting.rst. The kernel lies text_offset behind a 2 MiB
boundary; kernel and initrd within 32 GiB from a 1 GiB boundary; the tree within a 2 MiB block,
and not at address 0, which stands for none.

**High, where the header allows it.** While it loads, the running kernel takes whatever free
page comes first, and a page that happens to lie inside a destination is set aside on a list
that every later page walks: loading into the low memory that it hands out first is quadratic
in the size of the images. So kernel and initrd go to the top of memory, except a kernel that
must lie near its start: that is one of before 4.6, which cannot use the memory below itself and
which wants its tree within 512 MiB. The top is that of what lies below 4 GiB while there is room:
the kernel takes what lies above before any of that. Nor do they go above 48 bits, which many
kernels cannot address, while there is room below.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bootmenu.images.kernel import KernelImage
from bootmenu.loader.fitting import Part, Places, fit
from bootmenu.loader.initrd import consecutive, padded
from bootmenu.loader.memory import Holes, Range, align_down, align_up, no_room, usable
from bootmenu.model import Machine

BASE = 2 << 20
TREE_SIZE = 2 << 20
TREE_REACH = 512 << 20
"""Where kernels of before 4.2 look for their tree."""
INITRD_WINDOW = 32 << 30
INITRD_BOUNDARY = 1 << 30
COMMON_REACH = 1 << 48
"""The physical addresses that every kernel can use."""


class Placement(NamedTuple):
    """Physical addresses; *initrds* has one per file, in order and without gaps.

    The *kernel*'s first byte may lie within a page, of which it then takes all.
    """

    kernel: int
    kernel_size: int  # whole pages
    initrds: tuple[int, ...]
    tree: int
    trampoline: int | None  # where one is needed
    high: bool  # the kernel
    initrd_high: bool


def place(
    image: KernelImage,
    initrds: Sequence[int],
    machine: Machine,
    *,
    trampoline: bool = True,
    inside: Sequence[Range] | None = None,
    crash: bool = False,
    tree_reach: int | None = None,
) -> Placement:
    """Find a place for everything; *initrds* are their sizes, in bytes and in order.

    It lies *inside* of these or else in all usable memory, with *crash* of what is set aside for
    a crash kernel; the tree no further than *tree_reach* bytes above the kernel if that is given.
    Raises PlacementError when there is no place.
    """
    page = machine.page_size
    sizes = padded(initrds, page)
    needs = _needs(image, sum(sizes), page, trampoline=trampoline, tree_reach=tree_reach)
    free = usable(machine) if inside is None else inside
    for pieces in _by_reach(free):
        found = _preferred(pieces, needs) or _anyhow(pieces, needs)
        if found is not None:
            return Placement(
                found.kernel + needs.before,
                needs.kernel - align_down(needs.before, page),
                consecutive(found.initrd, sizes),
                found.tree,
                found.trampoline,
                found.high,
                found.initrd_high,
            )
    reach = (
        "the initrd must lie within 32 GiB of the kernel"
        if image.anywhere
        else "the kernel must lie near its start, the initrd within 32 GiB of the kernel"
    )
    raise no_room(needs.kernel, needs.initrd, Holes(free), reach, crash=crash)


class _Needs(NamedTuple):
    kernel: int  # bytes, of which *before* lie before its first one
    before: int
    offset: int  # of all these behind a 2 MiB boundary
    initrd: int
    page: int
    trampoline: bool
    anywhere: bool
    tree_reach: int | None

    @property
    def orders(self) -> tuple[_Order, ...]:
        """The ways to lay out kernel and initrd, the best first."""
        if not self.anywhere:
            return (_bottom,)
        return (_below_initrd, _top, _bottom) if self.initrd else (_top, _bottom)

    @property
    def tree_reaches(self) -> tuple[int | None, ...]:
        """How far from the kernel the tree may lie, the best first."""
        if self.tree_reach is not None:
            return (self.tree_reach,)
        return (None,) if self.anywhere else (TREE_REACH, None)


def _needs(
    image: KernelImage, initrd: int, page: int, *, trampoline: bool, tree_reach: int | None
) -> _Needs:
    # Segments are whole pages. What has no image_size keeps page tables before its first byte.
    silent = getattr(image.header, "silent", False)
    before = image.text_offset if silent else image.text_offset % page
    return _Needs(
        align_up(before + image.image_size, page),
        before,
        image.text_offset - before,
        initrd,
        page,
        trampoline,
        image.anywhere,
        tree_reach,
    )


class _Found(NamedTuple):
    kernel: int  # with what it needs before its first byte
    initrd: int
    tree: int
    trampoline: int | None
    high: bool
    initrd_high: bool


def _by_reach(free: Sequence[Range]) -> Iterator[Sequence[Range]]:
    """*free* as far as every kernel can address it, then all of it."""
    common = [
        Range(part.start, min(part.end, COMMON_REACH)) for part in free if part.start < COMMON_REACH
    ]
    yield common
    if common != list(free):
        yield free


def _preferred(free: Sequence[Range], needs: _Needs) -> _Found | None:
    for order in needs.orders:
        for reach in needs.tree_reaches:
            holes = Holes(free)
            pair = order(holes, needs)
            if pair is None:
                break
            low, high = _tree_window(pair.kernel, reach)
            tree = holes.highest(TREE_SIZE, BASE, low=low, high=high)
            if tree is None:
                continue
            holes.take(tree, TREE_SIZE)
            code = holes.highest(needs.page, needs.page) if needs.trampoline else None
            if code is not None or not needs.trampoline:
                high = order is not _bottom
                return _Found(pair.kernel, pair.initrd, tree, code, high, initrd_high=True)
    return None


def _anyhow(free: Sequence[Range], needs: _Needs) -> _Found | None:
    """Whatever the rules allow, however slow it may be to load."""
    reach = needs.tree_reaches[-1]
    parts = {
        "kernel": Part(needs.kernel, BASE, needs.offset, lowest=not needs.anywhere),
        "tree": Part(TREE_SIZE, BASE, low=BASE, hub="" if reach is None else "kernel"),
    }
    if needs.initrd:
        parts["initrd"] = Part(needs.initrd, needs.page, hub="kernel")
    if needs.trampoline:
        parts["trampoline"] = Part(needs.page, needs.page)

    def allowed(places: Places) -> bool:
        kernel, initrd, tree = (places.get(name) for name in ("kernel", "initrd", "tree"))
        if kernel is None:
            return True
        low, high = _tree_window(kernel, reach)
        if tree is not None and not low <= tree <= (high or tree + TREE_SIZE) - TREE_SIZE:
            return False
        if initrd is None:
            return True
        end = max(kernel + needs.kernel, initrd + needs.initrd)
        first = min(kernel + needs.before, initrd)
        near = end <= align_down(first, INITRD_BOUNDARY) + INITRD_WINDOW
        return near and (needs.anywhere or initrd > kernel)

    found = fit(free, parts, allowed)
    if found is None:
        return None
    initrd = found.get("initrd", 0)
    code = found.get("trampoline")
    return _Found(found["kernel"], initrd, found["tree"], code, high=False, initrd_high=False)


def _tree_window(kernel: int, reach: int | None) -> tuple[int, int | None]:
    """The first address of the tree, which is not 0, and the first behind it."""
    return (BASE, None) if reach is None else (max(BASE, kernel), kernel + reach)


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
    low = max(0, end - INITRD_WINDOW + INITRD_BOUNDARY)
    kernel = holes.highest(needs.kernel, BASE, offset=needs.offset, low=low, high=initrd)
    return _taken(holes, needs, kernel, initrd)


def _top(holes: Holes, needs: _Needs) -> _Pair | None:
    """The kernel on top of memory, the initrd wherever its window allows."""
    return _with_initrd(holes, needs, holes.highest(needs.kernel, BASE, offset=needs.offset))


def _bottom(holes: Holes, needs: _Needs) -> _Pair | None:
    """The kernel as low as it can lie, the initrd high in its window."""
    return _with_initrd(holes, needs, holes.lowest(needs.kernel, BASE, offset=needs.offset))


_Order = Callable[[Holes, _Needs], _Pair | None]


def _with_initrd(holes: Holes, needs: _Needs, kernel: int | None) -> _Pair | None:
    if kernel is None:
        return None
    holes.take(kernel, needs.kernel)
    if not needs.initrd:
        return _Pair(kernel, 0)
    window = align_down(kernel + needs.before, INITRD_BOUNDARY)
    initrd = holes.highest(
        needs.initrd,
        needs.page,
        low=window if needs.anywhere else kernel,
        high=window + INITRD_WINDOW,
    )
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
