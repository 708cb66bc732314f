"""Processors: whether the running kernel can park them, and what page sizes they have.

On arm64 a load is refused (EBUSY, "CPUs are stuck in the kernel") while more than one
processor is *possible* and their enable-method cannot take one back: only PSCI can. That is
why maxcpus=1 changes nothing: it starts one and leaves the others possible. On riscv64 each
processor is switched off on the way to the next kernel, and one that refuses is a panic: that
takes the HSM extension of the firmware's SBI. An x86 processor can always be halted.

Sources: arch/arm64/kernel/smp.c (cpus_are_stuck_in_kernel), kernel/cpu.c
(smp_shutdown_nonboot_cpus), Documentation/arch/arm64/booting.rst; the first was seen on an
emulated Raspberry Pi 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.images.kernel import KernelImage
from bootmenu.loader.preflight.cores import core_of
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.loader.preflight.words import value_of
from bootmenu.model import Arch, Finding, Machine


def parking(machine: Machine, *, panic: bool) -> Iterator[Finding]:
    """Processors that cannot be stopped before the jump, with *panic* after a crash."""
    if len(machine.cpus) < 2:
        return
    methods = sorted({cpu.enable_method for cpu in machine.cpus} - {"", "psci"})
    if panic and machine.arch is Arch.ARM64 and methods:
        yield warning(
            "the other processors may not be stopped when this kernel crashes",
            f"they are started by {', '.join(methods)}, which cannot take them back",
            "if dumps fail, start the running kernel with nr_cpus=1, or use firmware with PSCI",
        )
    elif machine.arch is Arch.ARM64 and methods:
        vain = value_of(machine.cmdline, "maxcpus") is not None
        yield error(
            "the other processors cannot be stopped, kexec would be refused",
            f"firmware starts them by {', '.join(methods)}, which cannot take them back"
            + ("; maxcpus= does not help, as they stay possible" if vain else ""),
            "start this boot menu's kernel with nr_cpus=1 on its cmdline: the next kernel has "
            f"all {len(machine.cpus)} again; or use firmware with PSCI",
        )
    elif machine.arch is Arch.RISCV64 and all(cpu.stoppable is False for cpu in machine.cpus):
        yield error(
            "the other processors cannot be stopped, the machine would die on the jump",
            "the firmware's SBI has no HSM extension",
            "update the firmware: OpenSBI has it since version 0.7",
        )


def page_size(image: KernelImage, machine: Machine) -> Iterator[Finding]:
    """Pages of a size that a processor lacks, or is not known to have."""
    wanted = image.page_size
    if wanted is None or wanted == machine.page_size:
        return
    size, running = f"{wanted >> 10} KiB", f"{machine.page_size >> 10} KiB"
    remedy = f"choose a kernel with {running} pages"
    if machine.page_size == 4096:
        remedy += " (on Debian linux-image-arm64, whose name does not end in -16k)"
    cores = {core_of(cpu) for cpu in machine.cpus}
    unable = sorted(core.name for core in cores if core and wanted in core.lacks)
    if unable:
        yield error(
            f"this kernel needs {size} pages, which {unable[0]} does not have",
            "it would hang without a message",
            remedy,
        )
    elif not cores or any(core is None or wanted not in core.has for core in cores):
        yield warning(
            f"this kernel needs {size} pages",
            f"only {running} pages, which run now, are known to work on this processor",
            f"if nothing comes up, {remedy}",
        )
