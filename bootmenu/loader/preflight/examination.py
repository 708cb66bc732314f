"""Every check, of a machine and of a load.

:func:`diagnose` needs the machine alone (``bootmenu doctor``); :func:`examine` looks at one load
as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import PreflightError
from bootmenu.images.kernel import KernelImage
from bootmenu.loader.method import chosen
from bootmenu.loader.preflight import calls, cmdline, devices, memory, processors
from bootmenu.loader.preflight import tree as handed_over
from bootmenu.loader.preflight.findings import error
from bootmenu.model import Finding, LoadPlan, Machine, Method, Severity


def check(plan: LoadPlan) -> None:
    """Raise PreflightError when *plan* must not be loaded, with the first reason's remedy."""
    errors = [finding for finding in plan.findings if finding.severity is Severity.ERROR]
    if errors:
        texts = [f"{f.message}: {f.cause}" if f.cause else f.message for f in errors]
        raise PreflightError("; ".join(texts), hint=errors[0].remedy)


def diagnose(machine: Machine) -> tuple[Finding, ...]:
    """What on *machine* would make any kexec fail, or its next kernel suffer."""
    method = chosen(Method.AUTO, machine)
    return (*_whatever_is_loaded(machine, method), *_at_the_jump(machine))


def examine(
    plan: LoadPlan, image: KernelImage, tree: DeviceTree | None, machine: Machine
) -> tuple[Finding, ...]:
    """What would make the load of *plan*, with the kernel *image* and *tree*, fail or hang.

    *tree* is None where none is handed over.
    """
    given = () if tree is None else (tree,)
    return (
        *_whatever_is_loaded(machine, plan.method, panic=plan.panic),
        *(() if plan.panic else _at_the_jump(machine)),
        *processors.page_size(image, machine),
        *(finding for one in given for finding in handed_over.complete(plan, one)),
        *(finding for one in given for finding in handed_over.same_board(one, machine)),
        *memory.enough(plan, image, machine),
        *cmdline.length(plan, image),
        *cmdline.unseen(plan, tree),
        *cmdline.consoles(plan, tree, machine),
    )


def _whatever_is_loaded(
    machine: Machine, method: Method, *, panic: bool = False
) -> Iterator[Finding]:
    yield from calls.there(machine, method)
    yield from _kernel_policy(machine, panic=panic)
    yield from calls.locked_down(machine, method)
    yield from calls.survived(machine, panic=panic)
    yield from processors.parking(machine, panic=panic)
    yield from memory.known(machine)


def _at_the_jump(machine: Machine) -> Iterator[Finding]:
    """What goes on meanwhile; a crash kernel has memory that nothing else was ever given."""
    yield from devices.watchdogs(machine)
    yield from devices.network_ports(machine)
    yield from devices.message_interrupts(machine)


def _kernel_policy(machine: Machine, *, panic: bool) -> Iterator[Finding]:
    kexec = machine.kexec
    limit = kexec.load_limit_panic if panic else kexec.load_limit
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
    if kexec.protected_kvm and not panic:
        yield error(
            "kexec would be refused while the hypervisor is protected",
            "kvm-arm.mode=protected leaves it no way to let go of the machine",
            "start this boot menu's kernel without kvm-arm.mode=protected",
        )
    if not kexec.privileged:
        yield error(
            "no right to kexec",
            "CAP_SYS_BOOT is missing",
            "run this as root, outside of containers",
        )
    if not kexec.initial_pid_namespace:
        yield error(
            "inside a container the jump would never reach the kernel",
            "this is a child PID namespace",
            "run bootmenu on the host",
        )
