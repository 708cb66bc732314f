"""The plan of a kernel that is handed a device tree, as on arm64 and riscv64."""

from __future__ import annotations

from collections.abc import Sequence

from bootmenu.devicetree.chosen import CHOSEN, ENTROPY, UEFI_TABLE, Dump, Initrd, bootargs
from bootmenu.devicetree.memory import memory, reserved
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.images.kernel import KernelImage
from bootmenu.loader import arm64, riscv64
from bootmenu.loader.completion import completed
from bootmenu.loader.crash import Reserve
from bootmenu.loader.handover import Parameters, base_tree, finish
from bootmenu.loader.initrd import Initrds, open_initrds
from bootmenu.loader.inset import inset
from bootmenu.loader.memory import Range, align_down, align_up, subtract, usable, whole_pages
from bootmenu.loader.preflight.examination import examine
from bootmenu.loader.preflight.tree import in_its_memory
from bootmenu.loader.reasons import ANYWHERE, IN_RESERVE, level, preferred
from bootmenu.model import Arch, FileSlice, LoadPlan, Machine, Segment, Stream, TreeEdit, size_of


def prepare(
    image: KernelImage,
    initrds: Sequence[FileSlice | Stream],
    base: DeviceTree,
    *,
    cmdline: str,
    edits: Sequence[TreeEdit],
    machine: Machine,
    entropy: bytes,
    kept: Reserve | None = None,
) -> LoadPlan:
    """The plan that loads *image* with *base* as its tree, once /chosen and *edits* are in it.

    With *kept* it is a crash kernel, which lies in there. Raises as
    :func:`bootmenu.loader.plan.prepare` does.
    """
    contents = _initrds(initrds, base)
    placed = _place(image, contents, base, machine, kept)
    final = finish(
        base,
        cmdline=cmdline,
        initrd=_extent(placed, contents),
        edits=edits,
        entropy=entropy,
        machine=machine,
        dump=_dump(kept) if kept else None,
    )
    plan = make_plan(image, contents, placed=placed, tree=final, machine=machine, kept=kept)
    return plan.with_findings(tuple(in_its_memory(plan, base, final)))


def make_plan(
    image: KernelImage,
    initrds: Initrds,
    *,
    placed: arm64.Placement,
    tree: DeviceTree,
    machine: Machine,
    kept: Reserve | None = None,
) -> LoadPlan:
    """The plan that loads *image* with *tree* to where it was placed."""
    page = machine.page_size
    where = _where(placed, image, machine, kept)
    first = _where_initrd(placed, initrds, machine, kept)
    flat = tree.serialize()
    dtb = Segment("dtb", flat, placed.tree, align_up(len(flat), page), "a 2 MiB block of its own")
    images = [
        Segment(
            "kernel",
            inset(placed.kernel % page, image.source),
            align_down(placed.kernel, page),
            placed.kernel_size,
            f"2 MiB boundary + {image.text_offset:#x}; {where}",
        ),
        *(
            Segment(
                "initrd",
                initrd,
                start,
                align_up(size_of(initrd), page),
                "behind the one before" if number else first,
            )
            for number, (initrd, start) in enumerate(zip(initrds, placed.initrds, strict=True))
        ),
    ]
    if placed.trampoline is None:
        segments = [dtb, *images]
    else:
        code = arm64.trampoline_code(placed.kernel, placed.tree)
        why = "tells the kernel where its tree is"
        segments = [*images, dtb, Segment("trampoline", code, placed.trampoline, page, why)]
    plan = LoadPlan(
        arch=machine.arch,
        entry=placed.kernel if placed.trampoline is None else placed.trampoline,
        segments=(*segments, kept.header) if kept else tuple(segments),
        cmdline=bootargs(tree),
        kernel=f"{image.format}, {_pages(image)}, {image.image_size:,} bytes in memory",
        tree=flat,
        panic=kept is not None,
    )
    return plan.with_findings(examine(plan, image, tree, machine))


def tree(
    *,
    kernel: FileSlice,
    initrds: Sequence[FileSlice] = (),
    dtb: FileSlice | None = None,
    overlays: Sequence[FileSlice] = (),
    parameters: Parameters = (),
    cmdline: str = "",
    edits: Sequence[TreeEdit] = (),
    machine: Machine,
    configuration: str = "",
    placed: bool = True,
) -> DeviceTree:
    """The tree that a load would hand over, without reading whole images.

    The seeds, which each load draws afresh, are zeros. Where the initrd lies depends on the
    kernel's size: if not *placed* the tree says nothing of it. Raises as :func:`prepare` does.
    """
    request = completed(
        kernel, initrds, dtb, overlays, cmdline, machine=machine, configuration=configuration
    )
    base = base_tree(
        dtb=request.dtb, overlays=request.overlays, parameters=parameters, machine=machine
    )
    extent = None
    if placed:
        contents = _initrds(request.initrds, base)
        where = _place(request.kernel, contents, base, machine)
        extent = _extent(where, contents)
    return finish(
        base,
        cmdline=request.cmdline,
        initrd=extent,
        edits=edits,
        entropy=bytes(ENTROPY),
        machine=machine,
    )


def _place(
    image: KernelImage,
    initrds: Initrds,
    base: DeviceTree,
    machine: Machine,
    kept: Reserve | None = None,
) -> arm64.Placement:
    sizes = [size_of(part) for part in initrds]
    if kept is not None:
        return arm64.place(image, sizes, machine, inside=kept.free, crash=True)
    place = riscv64.place if machine.arch is Arch.RISCV64 else arm64.place
    return place(image, sizes, machine, inside=_within(usable(machine), base, machine.page_size))


def _within(free: Sequence[Range], tree: DeviceTree, page: int) -> list[Range]:
    """What of *free* the next kernel has for itself, by its own *tree*, in whole pages.

    A DTB from a disk may name less memory than there is, and it or an overlay keep some for
    devices that this kernel knows nothing of. A kernel outside of its memory hangs silently.
    """
    own = tree.size == 0 and tree.get(CHOSEN, UEFI_TABLE) is None
    named = [Range(at, at + size) for at, size in memory(tree)] if own else []
    if named:
        free = subtract(free, subtract([Range(0, 1 << 64)], named))
    kept = (Range(at, at + size) for at, size in reserved(tree))
    return whole_pages(subtract(free, kept), page)


def _dump(kept: Reserve) -> Dump:
    """That of the segments comes first: before Linux 5.19 it was the only one that counted."""
    header = kept.header
    regions = tuple((region.start, region.size) for region in reversed(kept.regions))
    return Dump((header.mem, header.memsz), regions)


def _where(
    placed: arm64.Placement, image: KernelImage, machine: Machine, kept: Reserve | None
) -> str:
    """Why the kernel lies as high as it does."""
    if kept is not None:
        return IN_RESERVE
    if placed.high:
        what = "it and its initrd" if placed.initrds else "it"
        return preferred(placed.kernel + placed.kernel_size, machine, what)
    if image.anywhere:
        return ANYWHERE
    return "as low as there is room: memory below it may be lost"


def _where_initrd(
    placed: arm64.Placement, initrds: Initrds, machine: Machine, kept: Reserve | None
) -> str:
    """Why the first initrd, if there is any, lies where it does."""
    extent = _extent(placed, initrds)
    if extent is not None and isinstance(initrds[0], bytes):
        return "empty, so that the kernel does not take up this boot menu's own"
    if kept is not None:
        return IN_RESERVE
    near = "within 32 GiB of the kernel"
    if extent is None or not placed.initrd_high:
        return near
    return f"{level(extent.end, machine)}, {near}"


def _initrds(files: Sequence[FileSlice | Stream], base: DeviceTree) -> Initrds:
    return open_initrds(files, required=base.get(CHOSEN, UEFI_TABLE) is not None)


def _extent(placed: arm64.Placement, initrds: Initrds) -> Initrd | None:
    """From the first byte of the first initrd to the last of the last."""
    if not initrds:
        return None
    return Initrd(placed.initrds[0], placed.initrds[-1] + size_of(initrds[-1]))


def _pages(image: KernelImage) -> str:
    return f"{image.page_size >> 10} KiB pages" if image.page_size else "pages unspecified"
