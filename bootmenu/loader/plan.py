"""A request's files and a machine in, a load plan out.

A plan depends on the files, the machine and the random bytes that it is given, on nothing
else: the same ones give the same plan on any host. That is what makes a capture useful.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from bootmenu.devicetree.chosen import ENTROPY, Initrd, bootargs
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.images import KernelImage, open_kernel
from bootmenu.images.kernel import Progress
from bootmenu.loader import arm64
from bootmenu.loader.handover import Parameters, base_tree, finish
from bootmenu.loader.initrd import Initrds, open_initrds, size_of
from bootmenu.loader.memory import align_up
from bootmenu.loader.preflight import examine
from bootmenu.model import FileSlice, LoadPlan, Machine, Segment, TreeEdit


def prepare(
    *,
    kernel: FileSlice,
    initrds: Sequence[FileSlice] = (),
    dtb: FileSlice | None = None,
    overlays: Sequence[FileSlice] = (),
    parameters: Parameters = (),
    cmdline: str = "",
    edits: Sequence[TreeEdit] = (),
    machine: Machine,
    entropy: bytes | None = None,
    progress: Progress | None = None,
) -> LoadPlan:
    """Open the files and plan their load on *machine*.

    *parameters* are those of *dtb* and then of each of *overlays*. *entropy* are 136 random
    bytes for the next kernel's seeds, fresh ones by default. *progress* is told of
    decompression. Raises VolumeError for a file that cannot be read,
    ImageError, TreeError or PlacementError; what a load would fail on besides is among the
    plan's findings.
    """
    image = open_kernel(kernel, machine.arch)
    base = base_tree(dtb=dtb, overlays=overlays, parameters=parameters, machine=machine)
    contents = open_initrds(initrds, base)
    placed = arm64.place(image, [size_of(part) for part in contents], machine)
    final = finish(
        base,
        cmdline=cmdline,
        initrd=_extent(placed, contents),
        edits=edits,
        entropy=os.urandom(ENTROPY) if entropy is None else entropy,
        machine=machine,
    )
    # Decompression takes longest, so it comes once everything else is known to fit.
    return make_plan(
        image, image.load(progress), contents, placed=placed, tree=final, machine=machine
    )


def make_plan(
    image: KernelImage,
    source: FileSlice | memoryview,
    initrds: Initrds,
    *,
    placed: arm64.Placement,
    tree: DeviceTree,
    machine: Machine,
) -> LoadPlan:
    """The plan that loads *source*, the bytes of *image*, with *tree* to where it was placed."""
    page = machine.page_size
    where = (
        "high: memory there is handed out last, which keeps the load fast"
        if placed.high
        else "lowest hole: "
        + ("nothing higher has room" if image.anywhere else "it must lie near the start of memory")
    )
    flat = tree.serialize()
    code = arm64.trampoline(placed.kernel, placed.tree)
    segments = [
        Segment(
            "kernel",
            source,
            placed.kernel,
            placed.kernel_size,
            f"2 MiB boundary + {image.text_offset:#x}; {where}",
        ),
        *(
            Segment(
                "initrd",
                initrd,
                start,
                align_up(size_of(initrd), page),
                _reason(initrd, number),
            )
            for number, (initrd, start) in enumerate(zip(initrds, placed.initrds, strict=True))
        ),
        Segment("dtb", flat, placed.tree, align_up(len(flat), page), "a 2 MiB block of its own"),
        Segment("trampoline", code, placed.trampoline, page, "tells the kernel where its tree is"),
    ]
    plan = LoadPlan(
        arch=machine.arch,
        entry=placed.trampoline,
        segments=tuple(segments),
        cmdline=bootargs(tree),
        kernel=f"{image.format}, {_pages(image)}, {image.image_size:,} bytes in memory",
        tree=flat,
    )
    return plan.with_findings(examine(plan, image, tree, machine))


def tree(
    *,
    kernel: FileSlice | None = None,
    initrds: Sequence[FileSlice] = (),
    dtb: FileSlice | None = None,
    overlays: Sequence[FileSlice] = (),
    parameters: Parameters = (),
    cmdline: str = "",
    edits: Sequence[TreeEdit] = (),
    machine: Machine,
) -> DeviceTree:
    """The tree that :func:`prepare` would hand over, without reading whole images.

    The seeds, which each load draws afresh, are zeros. Where the initrd lies depends on the
    kernel: without *kernel* the tree says nothing of it. Raises as :func:`prepare` does.
    """
    base = base_tree(dtb=dtb, overlays=overlays, parameters=parameters, machine=machine)
    extent = None
    if kernel is not None:
        contents = open_initrds(initrds, base)
        image = open_kernel(kernel, machine.arch)
        placed = arm64.place(image, [size_of(part) for part in contents], machine)
        extent = _extent(placed, contents)
    return finish(
        base,
        cmdline=cmdline,
        initrd=extent,
        edits=edits,
        entropy=bytes(ENTROPY),
        machine=machine,
    )


def _extent(placed: arm64.Placement, initrds: Initrds) -> Initrd | None:
    """From the first byte of the first initrd to the last of the last."""
    if not initrds:
        return None
    return Initrd(placed.initrds[0], placed.initrds[-1] + size_of(initrds[-1]))


def _reason(initrd: FileSlice | bytes, number: int) -> str:
    if isinstance(initrd, bytes):
        return "empty, so that the kernel does not take up this boot menu's own"
    return "behind the one before" if number else "high, within 32 GiB of the kernel"


def _pages(image: KernelImage) -> str:
    return f"{image.page_size >> 10} KiB pages" if image.page_size else "pages unspecified"
