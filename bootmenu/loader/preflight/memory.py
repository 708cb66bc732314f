"""Memory: whether its map is known, and whether there is enough of it.

kexec refuses more than half of all memory (kernel/kexec_core.c, sanity_check_segment_list).
What it takes besides the destination is less than :data:`BESIDES`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.errors import PlacementError
from bootmenu.images.kernel import KernelImage
from bootmenu.loader.memory import MIB, Holes, crash_regions, mib, no_room, usable
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.model import Finding, LoadPlan, Machine, Method

BESIDES = 32 * MIB
"""Memory that a classic load takes besides its destination, at most."""
_SMALLER = "use a smaller initrd (on Debian MODULES=dep), or give the machine more memory"


def known(machine: Machine) -> Iterator[Finding]:
    """A map of memory that is hidden or makes no sense."""
    try:
        usable(machine)
    except PlacementError as hidden:
        yield error(hidden.message, "", hidden.hint)


def enough(plan: LoadPlan, image: KernelImage, machine: Machine) -> Iterator[Finding]:
    """More than the machine, or what is free of it, can take; and how much is missing."""
    total, besides = sum(segment.memsz for segment in plan.segments), BESIDES
    if plan.method is Method.FILE:
        total = image.image_size + sum(file.size for file in plan.files if file.name == "initrd")
        # The kernel reads each file into memory first, beside what we copied of it.
        besides += sum(file.size * (2 if file.copied else 1) for file in plan.files)
        if plan.panic:
            yield from _set_aside(image, total - image.image_size, machine)
    half, free = machine.memory_total // 2, machine.memory_available
    if half and total > half:
        yield error(
            f"kernel and initrd take {mib(total)}, over half of the memory",
            f"kexec loads no more than half of {machine.memory_total // MIB:,} MiB: "
            f"{mib(total - half)} are missing",
            _SMALLER,
        )
    elif not plan.panic and free and total + besides > free:
        say = error if total > free else warning
        yield say(
            f"kernel and initrd take {mib(total)}, and the load up to {mib(besides)} besides",
            f"only {free // MIB:,} MiB are available: {mib(total + besides - free)} are missing",
            f"end what else runs here, {_SMALLER}",
        )


def _set_aside(image: KernelImage, initrd: int, machine: Machine) -> Iterator[Finding]:
    """Less memory for a crash kernel than its images take, where the running kernel places them."""
    regions = crash_regions(machine)
    if regions and image.image_size + initrd > regions[-1].size:
        lacking = no_room(image.image_size, initrd, Holes(regions[-1:]), "", crash=True)
        yield error(lacking.message, "", lacking.hint)
