"""A request's files and a machine in, a load plan out.

A plan depends on the files, the machine and the random bytes that it is given, on nothing
else: the same ones give the same plan on any host. That is what makes a capture useful.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from bootmenu.devicetree.chosen import ENTROPY
from bootmenu.loader import crash, described, filecall, x86_64
from bootmenu.loader.completion import completed, taken
from bootmenu.loader.handover import Parameters, base_tree
from bootmenu.loader.method import chosen
from bootmenu.model import Arch, FileSlice, LoadPlan, Machine, Method, TreeEdit


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
    configuration: str = "",
    panic: bool = False,
    method: Method = Method.AUTO,
) -> LoadPlan:
    """Open the files and plan their load on *machine*; of large ones only the head is read.

    *parameters* are those of *dtb* and then of each of *overlays*. *entropy* are 136 random
    bytes for the next kernel's seeds, fresh ones by default. *configuration* names one of a
    FIT image's. With *panic* it is started when the running kernel crashes. *method* is the call
    that shall load it. Raises VolumeError for a file that cannot be read, ImageError, TreeError
    or PlacementError; what a load would fail on besides is among the plan's findings.
    """
    request = completed(
        kernel, initrds, dtb, overlays, cmdline, machine=machine, configuration=configuration
    )
    random = os.urandom(ENTROPY) if entropy is None else entropy
    kept = crash.reserve(machine) if panic else None
    if machine.arch is Arch.X86_64:
        x86_64.refuse_trees(asked=dtb is not None or bool(overlays), edits=edits)
        request = replace(request, dtb=None, overlays=())
    if chosen(method, machine) is Method.FILE:
        plan = filecall.prepare(
            request, parameters=parameters, edits=edits, machine=machine, panic=panic
        )
    elif machine.arch is Arch.X86_64:
        plan = x86_64.prepare(
            request.kernel,
            request.initrds,
            cmdline=request.cmdline,
            machine=machine,
            entropy=random,
            kept=kept,
        )
    else:
        base = base_tree(
            dtb=request.dtb, overlays=request.overlays, parameters=parameters, machine=machine
        )
        plan = described.prepare(
            request.kernel,
            request.initrds,
            base,
            cmdline=request.cmdline,
            edits=edits,
            machine=machine,
            entropy=random,
            kept=kept,
        )
    if kept is not None:
        plan = plan.with_findings(tuple(crash.findings(plan, kept, machine)))
    return plan.with_findings(tuple(taken(request, initrds, dtb)))
