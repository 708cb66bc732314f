"""The plan of a load by kexec_file_load: which files are handed over, and what cannot be.

The running kernel places them, and writes the device tree or the zero page of the next one
itself. Its loaders (arch/*/kernel/kexec_*.c) take one format each, unpacked, and one initrd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bootmenu.files import is_whole
from bootmenu.images import bzimage, elf
from bootmenu.images.contents import Contents
from bootmenu.images.kernel import KernelImage
from bootmenu.loader import x86_64
from bootmenu.loader.handover import Parameters
from bootmenu.loader.initrd import Initrds, open_initrds
from bootmenu.loader.method import works
from bootmenu.loader.preflight.examination import examine
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.model import (
    Arch,
    FileSlice,
    Finding,
    HandedFile,
    LoadPlan,
    Machine,
    Method,
    Pc,
    Platform,
    Stream,
    TreeEdit,
)

_AS_IT_LIES = "as it lies on its disk"


def prepare(
    request: Contents,
    *,
    parameters: Parameters,
    edits: Sequence[TreeEdit],
    machine: Machine,
    panic: bool = False,
) -> LoadPlan:
    """The plan of *request*, with *panic* as a crash kernel.

    What cannot be handed over is an error among its findings. Raises as
    :func:`bootmenu.loader.plan.prepare` does.
    """
    image = request.kernel
    initrds = open_initrds(request.initrds, required=machine.platform is Platform.EFI)
    plan = LoadPlan(
        arch=machine.arch,
        entry=0,
        segments=(),
        cmdline=request.cmdline,
        kernel=f"{image.format}, {image.image_size:,} bytes in memory",
        panic=panic,
        method=Method.FILE,
        files=(_kernel(image), *_initrd(initrds)),
    )
    findings = (
        *_trees(request, parameters, edits, machine),
        *_format(image, machine),
        *examine(plan, image, None, machine),
    )
    return plan.with_findings(findings)


def _kernel(image: KernelImage) -> HandedFile:
    if not isinstance(image.bare, FileSlice):
        return HandedFile("kernel", (image.bare,), copied=True, reason="unpacked into memory")
    return _handed("kernel", image.bare)


def _initrd(initrds: Initrds) -> Iterator[HandedFile]:
    if len(initrds) > 1:
        why = f"{len(initrds)} files joined in memory, which a classic load does not need"
        yield HandedFile("initrd", initrds, copied=True, reason=why)
    for initrd in initrds if len(initrds) == 1 else ():
        yield _handed("initrd", initrd)


def _handed(name: str, source: FileSlice | Stream | bytes) -> HandedFile:
    if isinstance(source, bytes):
        return HandedFile(
            name, (source,), copied=True, reason="empty, so that none of the firmware's is taken"
        )
    if isinstance(source, FileSlice) and is_whole(source):
        return HandedFile(name, (source,), copied=False, reason=_AS_IT_LIES)
    return HandedFile(
        name, (source,), copied=True, reason="copied into memory, since it is a part of a file"
    )


def _trees(
    request: Contents, parameters: Parameters, edits: Sequence[TreeEdit], machine: Machine
) -> Iterator[Finding]:
    """The running kernel hands over its own tree, so nobody else's."""
    impossible = {
        f"the DTB {request.dtb}": request.dtb is not None,
        "overlays": bool(request.overlays),
        "parameters of the device tree": any(parameters),
        "edits of the device tree": bool(edits),
    }
    instead = "use --method classic" if works(Method.CLASSIC, machine) else "lift the lockdown"
    for what, there in impossible.items():
        if there:
            yield error(
                f"kexec_file_load cannot hand over {what}",
                "the running kernel hands over its own device tree, as it is",
                f"{instead}, or boot without them",
            )


def _format(image: KernelImage, machine: Machine) -> Iterator[Finding]:
    """What the running kernel's own loader does not take, unpacked though it is."""
    instead = ", or use --method classic" * works(Method.CLASSIC, machine)
    if isinstance(image.header, elf.Header):
        yield error(
            f"kexec_file_load takes no {image.format}",
            "on x86_64 it takes a bzImage only",
            f"choose the bzImage (vmlinuz) of this kernel{instead}",
        )
    elif isinstance(image.header, bzimage.Header):
        yield from x86_64.five_levels(image.header, machine.pc or Pc())
        if not image.header.above_4g:
            yield error(
                "kexec_file_load does not take this kernel",
                "it takes none that has to lie below 4 GiB",
                f"choose a kernel with CONFIG_RELOCATABLE{instead}",
            )
    if machine.arch is Arch.RISCV64 and not isinstance(image.source, elf.Layout):
        release = re.match(r"(\d{1,9})\.(\d{1,9})", machine.release)
        if release is not None and (int(release[1]), int(release[2])) < _RISCV_IMAGE:
            yield warning(
                "kexec_file_load may refuse this kernel",
                f"on riscv64, Linux {release[0]} takes a vmlinux only",
                "choose the vmlinux of this kernel, or use --method classic",
            )


_RISCV_IMAGE = (6, 16)  # the first Linux whose riscv64 loader takes an Image
