"""A request's files and a machine in, a load plan out.

A plan depends on the files, the machine and the random bytes that it is given, on nothing
else: the same ones give the same plan on any host. That is what makes a capture useful.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from bootmenu.devicetree.chosen import ENTROPY
from bootmenu.images import open_kernel
from bootmenu.loader import described
from bootmenu.loader.handover import Parameters, base_tree
from bootmenu.model import FileSlice, LoadPlan, Machine, TreeEdit


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
) -> LoadPlan:
    """Open the files and plan their load on *machine*; of large ones only the head is read.

    *parameters* are those of *dtb* and then of each of *overlays*. *entropy* are 136 random
    bytes for the next kernel's seeds, fresh ones by default. Raises VolumeError for a file
    that cannot be read, ImageError, TreeError or PlacementError; what a load would fail on
    besides is among the plan's findings.
    """
    image = open_kernel(kernel, machine.arch)
    base = base_tree(dtb=dtb, overlays=overlays, parameters=parameters, machine=machine)
    return described.prepare(
        image,
        initrds,
        base,
        cmdline=cmdline,
        edits=edits,
        machine=machine,
        entropy=os.urandom(ENTROPY) if entropy is None else entropy,
    )
