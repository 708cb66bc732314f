"""The system call that loads: whether the running kernel has it, and permits it.

Sources: kernel/kexec.c and kernel/kexec_file.c. Under lockdown kexec_load is refused altogether,
and kexec_file_load takes kernels whose signature the running kernel trusts.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.loader.method import CALLS, works
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.model import Finding, Machine, Method

_OPTIONS = {Method.CLASSIC: "CONFIG_KEXEC", Method.FILE: "CONFIG_KEXEC_FILE"}
_UNLOCK = "switch secure boot off, or start the running kernel without lockdown="


def there(machine: Machine, method: Method) -> Iterator[Finding]:
    """A kernel without *method*, and perhaps with the other one."""
    kexec = machine.kexec
    if not kexec.supported:
        yield error(
            "the running kernel cannot kexec",
            "it was built without CONFIG_KEXEC",
            "run bootmenu on a kernel with CONFIG_KEXEC=y",
        )
    elif method not in kexec.methods:
        others = [other for other in kexec.methods if works(other, machine)]
        yield error(
            f"the running kernel has no {CALLS[method]}",
            f"it was built without {_OPTIONS[method]}",
            f"use --method {others[0]}"
            if others
            else f"run bootmenu on a kernel with {_OPTIONS[method]}=y",
        )


def locked_down(machine: Machine, method: Method) -> Iterator[Finding]:
    """What lockdown leaves of *method*."""
    if machine.kexec.lockdown == "none":
        return
    cause = f"lockdown is {machine.kexec.lockdown}, as with secure boot"
    if method is Method.FILE:
        yield warning(
            "the running kernel takes only kernels whose signature it trusts",
            f"{cause}; kexec_file_load is what it leaves",
            f"use a kernel that the firmware would start as well; or {_UNLOCK}",
        )
    else:
        other = "use --method file with a signed kernel; or " * works(Method.FILE, machine)
        yield error("the running kernel is locked down", cause, f"{other}{_UNLOCK}")
