"""What would make a load fail, or the kernel that it starts hang, seen beforehand.

:func:`diagnose` needs the machine alone (``bootmenu doctor``); :func:`examine` looks at one
load as well. Sources: kernel/kexec_core.c, arch/arm64/kernel/machine_kexec.c and
Documentation/arch/arm64/booting.rst.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import PlacementError, PreflightError
from bootmenu.images import KernelImage
from bootmenu.loader.cores import core_of
from bootmenu.loader.memory import usable
from bootmenu.model import Arch, Finding, LoadPlan, Machine, Severity

CMDLINE_MAX = 2047  # COMMAND_LINE_SIZE of arm64 without its NUL: what is longer is cut off
MIB = 1 << 20


def check(plan: LoadPlan) -> None:
    """Raise PreflightError when *plan* must not be loaded, with the first reason's remedy."""
    errors = [finding for finding in plan.findings if finding.severity is Severity.ERROR]
    if errors:
        texts = [f"{f.message}: {f.cause}" if f.cause else f.message for f in errors]
        raise PreflightError("; ".join(texts), hint=errors[0].remedy)


def diagnose(machine: Machine) -> tuple[Finding, ...]:
    """What on *machine* would make any kexec fail."""
    return (*_kernel_policy(machine), *_processors(machine), *_map(machine))


def examine(
    plan: LoadPlan, image: KernelImage, tree: DeviceTree | None, machine: Machine
) -> tuple[Finding, ...]:
    """What would make the load of *plan*, with the kernel *image* and *tree*, fail or hang.

    *tree* is None where none is handed over.
    """
    return (
        *_kernel_policy(machine, panic=plan.panic),
        *_processors(machine, panic=plan.panic),
        *_page_size(image, machine),
        *(_tree(plan, tree) if tree is not None else ()),
        *_sizes(plan, machine),
        *_cmdline(plan, machine),
    )


def error(message: str, cause: str, remedy: str) -> Finding:
    """A finding that forbids the load."""
    return Finding(Severity.ERROR, message, cause, remedy)


def warning(message: str, cause: str, remedy: str) -> Finding:
    """A finding that a person should know."""
    return Finding(Severity.WARNING, message, cause, remedy)


def note(message: str, cause: str, remedy: str) -> Finding:
    """A finding that explains."""
    return Finding(Severity.NOTE, message, cause, remedy)


def _kernel_policy(machine: Machine, *, panic: bool = False) -> Iterator[Finding]:
    kexec = machine.kexec
    limit = kexec.load_limit_panic if panic else kexec.load_limit
    if not kexec.supported:
        yield error(
            "the running kernel cannot kexec",
            "it was built without CONFIG_KEXEC",
            "run bootmenu on a kernel with CONFIG_KEXEC=y",
        )
    if kexec.load_disabled:
        yield error(
            "loading a kernel is switched off until the next reboot",
            "kernel.kexec_load_disabled is 1",
            "reboot, and keep that setting out of /etc/sysctl.d",
        )
    if limit is not None and limit <= 0:
        name = f"kernel.kexec_load_limit_{'panic' if panic else 'reboot'}"
        yield error(
            "no further load is permitted",
            f"{name} is used up: failed loads and unloads count as well",
            "reboot; the limit cannot be raised while the kernel runs",
        )
    if kexec.lockdown != "none":
        yield error(
            "the running kernel is locked down",
            f"lockdown is {kexec.lockdown}, as with secure boot",
            "switch secure boot off, or start the running kernel without lockdown=",
        )
    if not kexec.privileged:
        yield error("no right to kexec", "CAP_SYS_BOOT is missing", "run this as root")
    if not kexec.initial_pid_namespace:
        yield error(
            "inside a container the jump would never reach the kernel",
            "this is a child PID namespace",
            "run bootmenu on the host",
        )


def _processors(machine: Machine, *, panic: bool = False) -> Iterator[Finding]:
    if machine.arch is not Arch.ARM64 or len(machine.cpus) < 2:
        return
    methods = {cpu.enable_method for cpu in machine.cpus} - {"", "psci"}
    if methods and panic:
        yield warning(
            "the other processors may not be stopped when this kernel crashes",
            f"they are started by {', '.join(sorted(methods))}, which cannot take them back",
            "if dumps fail, start the running kernel with nr_cpus=1, or use firmware with PSCI",
        )
    elif methods:
        yield error(
            "the other processors cannot be stopped, kexec would be refused",
            f"they are started by {', '.join(sorted(methods))}, which cannot take them back",
            "start this boot menu's kernel with nr_cpus=1, or use firmware with PSCI",
        )


def _map(machine: Machine) -> Iterator[Finding]:
    try:
        usable(machine)
    except PlacementError as hidden:
        yield error(hidden.message, "", hidden.hint)


def _page_size(image: KernelImage, machine: Machine) -> Iterator[Finding]:
    wanted = image.page_size
    if wanted is None or wanted == machine.page_size:
        return
    size, running = f"{wanted >> 10} KiB", f"{machine.page_size >> 10} KiB"
    remedy = f"choose a kernel with {running} pages"
    if machine.page_size == 4096:
        remedy += " (on Debian linux-image-arm64, whose name does not end in -16k)"
    cores = {core_of(cpu) for cpu in machine.cpus}
    unable = sorted(core.name for core in cores if core and wanted not in core.page_sizes)
    if unable:
        yield error(
            f"this kernel needs {size} pages, which {unable[0]} does not have",
            "it would hang without a message",
            remedy,
        )
    elif not cores or None in cores:
        yield warning(
            f"this kernel needs {size} pages",
            f"only {running} pages, which run now, are known to work on this processor",
            f"if nothing comes up, {remedy}",
        )


def _tree(plan: LoadPlan, tree: DeviceTree) -> Iterator[Finding]:
    """A tree that describes more than /chosen must describe a machine.

    On a machine with ACPI the tree is a stub. One further node in it, and the kernel takes
    the tree for a description, ignores ACPI and dies for want of a processor.
    """
    described = any(node.name not in ("chosen", "hypervisor") for node in tree.root.nodes)
    acpi = {"acpi=force", "acpi=on"} & set(plan.cmdline.split())
    if described and not acpi and tree.node("/cpus") is None:
        yield error(
            "the device tree describes no processors, the kernel would hang",
            "it has nodes besides /chosen, so the kernel would not look at ACPI",
            "undo the nodes that were added, or add acpi=force to the cmdline",
        )


def _sizes(plan: LoadPlan, machine: Machine) -> Iterator[Finding]:
    total = sum(segment.memsz for segment in plan.segments)
    half = machine.memory_total // 2
    if half and total > half:
        yield error(
            f"kernel and initrd take {total // MIB} MiB, over half of the memory",
            f"kexec loads no more than half of {machine.memory_total // MIB} MiB",
            "use a smaller initrd (on Debian MODULES=dep), or give the machine more memory",
        )
    elif not plan.panic and machine.memory_available and total > machine.memory_available:
        yield warning(
            f"kernel and initrd take {total // MIB} MiB, more than is free",
            f"{machine.memory_available // MIB} MiB are available",
            "if the load fails, use a smaller initrd or give the machine more memory",
        )


def _cmdline(plan: LoadPlan, machine: Machine) -> Iterator[Finding]:
    length = len(plan.cmdline.encode("utf-8", "surrogateescape"))
    if length > CMDLINE_MAX:
        yield error(
            f"the cmdline has {length:,} bytes",
            f"the kernel would cut it off after {CMDLINE_MAX:,}",
            "remove parameters from the cmdline",
        )
    named = [word[8:].split(",")[0] for word in plan.cmdline.split() if word.startswith("console=")]
    if named and machine.consoles and not set(named) & set(machine.consoles):
        yield warning(
            "the next kernel may be silent here",
            f"its console is {', '.join(named)}, this kernel's {', '.join(machine.consoles)}",
            f"add console={machine.consoles[-1]} to the cmdline",
        )
