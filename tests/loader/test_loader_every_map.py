"""Whatever memory a machine has: what a plan places lies where it may, and what is refused fits
nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import loader_pc
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from loader_kernels import write_kernel
from loader_maps import (
    GIB,
    KIB,
    MIB,
    PAGE_SIZES,
    RAM,
    Span,
    iomems,
    is_free,
    of_spans,
    overlap,
    places,
    small_maps,
)

from bootmenu.errors import PlacementError
from bootmenu.images import arm64, bzimage, riscv64
from bootmenu.images.kernel import KernelImage
from bootmenu.loader import arm64 as on_arm64
from bootmenu.loader import riscv64 as on_riscv64
from bootmenu.loader import x86_64 as on_x86_64
from bootmenu.loader.plan import prepare
from bootmenu.model import (
    Arch,
    FileSlice,
    FirmwareRange,
    IoResource,
    LoadPlan,
    Machine,
    Pc,
    Segment,
)

MakeInitrd = Callable[[int], FileSlice]
SILENT = (0x80000, 16 * MIB)  # what is assumed where the header gives no image_size

many = settings(max_examples=100)


# --- whole plans ---------------------------------------------------------------------------


class Files(NamedTuple):
    """What is loaded: what the kernel's header says, and sizes in bytes."""

    text_offset: int
    image_size: int
    flags: int
    initrds: tuple[int, ...]


FILES = st.builds(
    Files,
    st.sampled_from([0, 0x80000, 0x200000]) | st.integers(0, 3 * MIB - 1),
    st.integers(3 * MIB, 20 * MIB),
    st.sampled_from([0b1010, 0b0010, 0b0000]),
    st.lists(st.integers(1, 20 * MIB), max_size=3).map(tuple),
)


def _write(files: Files, arch: Arch, folder: Path) -> FileSlice:
    text_offset, image_size, flags, _ = files
    return write_kernel(
        folder / "kernel", arch, text_offset=text_offset, image_size=image_size, flags=flags
    )


@pytest.mark.parametrize("arch", Arch)
@many
@given(iomem=iomems(), page=st.sampled_from(PAGE_SIZES), files=FILES)
def test_every_page_of_a_plan_lies_where_it_may(
    arch: Arch,
    *,
    machine: Machine,
    make_initrd: MakeInitrd,
    tmp_path_factory: pytest.TempPathFactory,
    iomem: tuple[IoResource, ...],
    page: int,
    files: Files,
) -> None:
    kernel = _write(files, arch, tmp_path_factory.getbasetemp())
    firmware = tuple(FirmwareRange(r.start, r.end, r.name) for r in iomem if r.depth == 0)
    board = replace(
        machine,
        arch=arch,
        page_size=page if arch is Arch.ARM64 else 4 * KIB,
        iomem=iomem,
        pc=Pc(memmap=firmware) if arch is Arch.X86_64 else None,
    )
    initrds = [make_initrd(size) for size in files.initrds]
    try:
        plan = prepare(kernel=kernel, initrds=initrds, machine=board)
    except PlacementError as refusal:
        assert refusal.hint
        event("refused")
        return
    for segment in plan.segments:
        assert segment.mem % board.page_size == segment.memsz % board.page_size == 0
        assert segment.bufsz <= segment.memsz
        assert is_free(segment.mem, segment.end - 1, iomem), segment.name
    assert not overlap([(one.mem, one.end) for one in plan.segments])
    if arch is Arch.X86_64:
        _check_pc(plan, files)
    else:
        _check_described(plan, files, board.page_size)


@pytest.mark.parametrize("arch", [Arch.ARM64, Arch.X86_64])
@many
@given(iomem=iomems(), size=st.integers(64 * MIB, 400 * MIB), files=FILES)
def test_every_page_of_a_crash_kernel_lies_in_what_is_set_aside(
    arch: Arch,
    *,
    machine: Machine,
    make_initrd: MakeInitrd,
    tmp_path_factory: pytest.TempPathFactory,
    iomem: tuple[IoResource, ...],
    size: int,
    files: Files,
) -> None:
    kernel = _write(files, arch, tmp_path_factory.getbasetemp())
    first = max(one.end for one in iomem) + 1
    start = -(-first // (2 * MIB)) * 2 * MIB + 16 * MIB
    aside = (
        IoResource(start - MIB, start + size + MIB, RAM),
        IoResource(start, start + size - 1, "Crash kernel", 1),
    )
    firmware = (FirmwareRange(start - MIB, start + size + MIB, RAM),)
    pc = Pc(memmap=firmware) if arch is Arch.X86_64 else None
    board = replace(machine, arch=arch, iomem=(*iomem, *aside), pc=pc)
    initrds = [make_initrd(size) for size in files.initrds]
    try:
        plan = prepare(kernel=kernel, initrds=initrds, machine=board, panic=True)
    except PlacementError as refusal:
        assert refusal.hint
        event("refused")
        return
    kept = [(one.start, one.end + 1) for one in board.iomem if one.name == "Crash kernel"]
    for segment in plan.segments:
        assert segment.mem % 4096 == segment.memsz % 4096 == 0
        assert any(low <= segment.mem and segment.end <= high for low, high in kept)
    assert not overlap([(one.mem, one.end) for one in plan.segments])


def _named(plan: LoadPlan, name: str) -> list[Segment]:
    return [segment for segment in plan.segments if segment.name == name]


def _check_described(plan: LoadPlan, files: Files, page: int) -> None:
    text_offset, image_size, flags, _ = files
    low = not flags & 8
    (kernel,), (tree,), initrds = (_named(plan, name) for name in ("kernel", "dtb", "initrd"))
    entry = plan.entry
    if plan.arch is Arch.ARM64:
        (code,) = _named(plan, "trampoline")
        assert plan.entry == code.mem
        assert isinstance(code.source, bytes)
        entry, handed = struct.unpack("<QQ", code.source[24:])
        assert handed == tree.mem
    else:
        assert plan.segments[0] is tree
        assert tree.end <= kernel.mem + 32 * GIB
        low = True
    assert (entry - text_offset) % (2 * MIB) == 0
    assert kernel.mem == entry // page * page
    assert kernel.end >= entry + image_size
    assert kernel.end - page < entry + image_size
    assert tree.mem
    assert tree.mem % (2 * MIB) + tree.memsz <= 2 * MIB
    assert all(before.end == after.mem for before, after in pairwise(initrds))
    if initrds:
        first = min(entry, initrds[0].mem)
        assert max(kernel.end, initrds[-1].end) <= first // GIB * GIB + 32 * GIB
        assert not low or initrds[0].mem > entry


def _check_pc(plan: LoadPlan, files: Files) -> None:
    (kernel,), (params,), initrds = (
        _named(plan, name) for name in ("kernel", "boot_params", "initrd")
    )
    assert kernel.mem % (2 * MIB) == 0
    assert kernel.mem >= 16 * MIB
    assert kernel.memsz == -(-files.image_size // 4096) * 4096
    assert all(before.end == after.mem for before, after in pairwise(initrds))
    assert all(segment.mem >= MIB for segment in plan.segments)
    assert isinstance(params.source, bytes)
    said = struct.unpack_from("<II", params.source, 0x218)
    if initrds:
        size = initrds[-1].mem + initrds[-1].bufsz - initrds[0].mem
        assert said == (initrds[0].mem & 0xFFFFFFFF, size)
    if not files.flags & 2:
        assert all(segment.end <= 1 << 32 for segment in plan.segments)
        assert all(segment.end <= 1 << 31 for segment in initrds)


# --- what is refused -----------------------------------------------------------------------


def _refused(place: Callable[[], object]) -> bool:
    try:
        place()
    except PlacementError:
        return True
    return False


def _rest(free: Sequence[Span], taken: Sequence[Span], page: int, pages: Sequence[int]) -> bool:
    """Whether small parts of *pages* pages, one after the other, fit into what is left.

    Each of them is tried at the first place that it fits: none is larger than the one before.
    """
    taken = list(taken)
    for count in pages:
        size = count * page
        at = next(
            (p for p in places(free, size, page) if not overlap([*taken, (p, p + size)])), None
        )
        if at is None:
            return False
        taken.append((at, at + size))
    return True


def _fits_described(
    image: KernelImage, initrd: int, machine: Machine, free: Sequence[Span], arch: Arch
) -> bool:
    page = machine.page_size
    before = image.text_offset if (image.text_offset, image.image_size) == SILENT else 0
    for kernel in places(free, image.image_size, 2 * MIB, image.text_offset):
        block = (
            (kernel - before) // page * page,
            -(-(kernel + image.image_size) // page) * page,
        )
        if not any(start <= block[0] and block[1] <= end for start, end in free):
            continue
        for tree in places(free, 2 * MIB, 2 * MIB):
            if not tree or overlap([block, (tree, tree + 2 * MIB)]):
                continue
            far = tree + 2 * MIB > kernel + 32 * GIB or tree < kernel
            if arch is Arch.RISCV64 and far:
                continue
            taken = [block, (tree, tree + 2 * MIB)]
            for at in places(free, initrd, page) if initrd else [None]:
                whole = taken
                if at is not None:
                    whole = [*taken, (at, at + initrd)]
                    start = min(kernel, at) // GIB * GIB
                    near = max(block[1], at + initrd) <= start + 32 * GIB
                    if overlap(whole) or not near or not (image.anywhere or at > kernel):
                        continue
                if arch is Arch.RISCV64 or _rest(free, whole, page, [1]):
                    return True
    return False


@pytest.mark.parametrize("arch", [Arch.ARM64, Arch.RISCV64])
@many
@given(data=st.data())
def test_what_is_refused_fits_nowhere(arch: Arch, data: st.DataObject) -> None:
    page = data.draw(st.sampled_from(PAGE_SIZES[1:] if arch is Arch.ARM64 else PAGE_SIZES[:1]))
    free = data.draw(small_maps(page))
    offsets = st.sampled_from([0, 0x80000, 0x200000, 0x8000])
    size = data.draw(st.integers(1, 4 * MIB // page)) * page
    header: arm64.Header | riscv64.Header
    if arch is Arch.ARM64:
        header = arm64.Header(data.draw(offsets), size, data.draw(st.sampled_from([8, 0])))
        if data.draw(st.integers(0, 9)) == 0:
            header = arm64.Header(*SILENT, 0)
    else:
        header = riscv64.Header(data.draw(offsets), size, 0)
    file = FileSlice("Image", 0, size)
    image = KernelImage(file, arch, "Image", header, file, file)
    initrd = data.draw(st.integers(0, 5 * MIB // page)) * page
    board = Machine(arch, page, of_spans(free))
    place = on_arm64.place if arch is Arch.ARM64 else on_riscv64.place
    if _refused(lambda: place(image, [initrd] if initrd else [], board)):
        event("refused")
        assert not _fits_described(image, initrd, board, free, arch)


@many
@given(data=st.data())
def test_what_is_refused_on_x86_64_fits_nowhere(data: st.DataObject) -> None:
    page = 4096
    base = data.draw(small_maps(page))
    free = [(start + 20 * MIB, end + 20 * MIB) for start, end in base]
    size = data.draw(st.integers(1, 4 * MIB // page)) * page
    flags = data.draw(st.sampled_from([0x7D, 0x7F]))
    header = bzimage.parse(loader_pc.bzimage(init_size=max(size, MIB), xloadflags=flags), "kernel")
    size = header.image_size
    initrd = data.draw(st.integers(0, 5 * MIB // page)) * page
    params = data.draw(st.integers(1, 4))
    board = Machine(Arch.X86_64, page, of_spans(free))
    place = on_x86_64.place
    if _refused(lambda: place(header, [initrd] if initrd else [], params * page, board)):
        event("refused")
        high = None if header.above_4g else 1 << 32
        assert not _fits_pc(size, initrd, params, _below(free, high), page)


def _below(free: Sequence[Span], limit: int | None) -> list[Span]:
    if limit is None:
        return list(free)
    return [(start, min(end, limit)) for start, end in free if start < limit]


def _fits_pc(size: int, initrd: int, params: int, free: Sequence[Span], page: int) -> bool:
    for kernel in places(free, size, 2 * MIB):
        if kernel < 16 * MIB:
            continue
        block = (kernel, kernel + size)
        for at in places(free, initrd, page) if initrd else [None]:
            taken = [block] if at is None else [block, (at, at + initrd)]
            if not overlap(taken) and _rest(free, taken, page, [params, 1]):
                return True
    return False
