"""Why a system call of kexec failed, and what helps, by its errno.

Read from kernel/kexec.c, kernel/kexec_core.c and arch/arm64/kernel/machine_kexec.c.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from bootmenu.errors import KexecError

_LOAD = {
    errno.EPERM: (
        "the kernel does not permit it",
        "it takes root (CAP_SYS_BOOT), kernel.kexec_load_disabled=0, some "
        "kernel.kexec_load_limit_reboot left, and no lockdown: see bootmenu doctor",
    ),
    errno.EACCES: (
        "a security policy forbids it (IMA appraisal or secure boot)",
        "relax that policy, or sign the kernel",
    ),
    errno.EADDRNOTAVAIL: (
        "a segment lies outside of the memory that kexec may use",
        "please report this, with the output of bootmenu machine capture",
    ),
    errno.EINVAL: (
        "the segments overlap or take more than half of the memory",
        "use a smaller initrd or kernel; bootmenu plan shows what takes the space",
    ),
    errno.EBUSY: (
        "another load is under way, or a processor cannot be stopped",
        "wait and try again; if it stays, start this boot menu's kernel with nr_cpus=1",
    ),
    errno.ENOMEM: (
        "there is not enough free memory",
        "use a smaller initrd, or boot with fewer images open",
    ),
    errno.EFAULT: (
        "a file could not be read while it was loaded",
        "check the disk: dmesg shows what failed",
    ),
    errno.ENOSYS: (
        "this kernel has no kexec",
        "run bootmenu on a kernel with CONFIG_KEXEC=y",
    ),
}
_EXECUTE = {
    errno.EPERM: ("the kernel does not permit it", "it takes root (CAP_SYS_BOOT)"),
    errno.EINVAL: ("no kernel is loaded", "load one first"),
    errno.EBUSY: (
        "processors cannot be stopped, or a load is under way",
        "start this boot menu's kernel with nr_cpus=1, or use firmware with PSCI",
    ),
    errno.ENOSYS: _LOAD[errno.ENOSYS],
}
_STUCK = "CPUs are stuck in the kernel"


def load_error(number: int, log: Sequence[str] = ()) -> KexecError:
    """The error for a kexec_load that failed with errno *number*, *log* being the kernel's."""
    return _error("the kernel refused to load it", _LOAD, number, log)


def execute_error(number: int, log: Sequence[str] = ()) -> KexecError:
    """The error for a jump into the loaded kernel that failed with errno *number*."""
    return _error("the jump into the next kernel failed", _EXECUTE, number, log)


def _error(
    what: str, table: dict[int, tuple[str, str]], number: int, log: Sequence[str]
) -> KexecError:
    unknown = ("it gives no reason", "the kernel log (dmesg) may say more")
    cause, hint = table.get(number, unknown)
    if number == errno.EBUSY and any(_STUCK in line for line in log):
        cause = "this machine's firmware cannot stop the other processors"
        hint = "start this boot menu's kernel with nr_cpus=1, or use firmware with PSCI"
    name = errno.errorcode.get(number, str(number))
    return KexecError(f"{what}: {cause} ({name})", errno=number, hint=hint, log=tuple(log))
