"""Why a system call of kexec failed, and what helps, by its errno.

Read from kernel/kexec.c, kernel/kexec_file.c, kernel/kexec_core.c, fs/kernel_read_file.c,
crypto/asymmetric_keys/verify_pefile.c and the loaders of arch/*/kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from bootmenu.errors import KexecError

_LOAD = {
    errno.EPERM: (
        "the kernel does not permit it",
        "it takes root (CAP_SYS_BOOT), kernel.kexec_load_disabled=0, some "
        "kernel.kexec_load_limit_reboot left (_panic for a crash kernel), and no lockdown: see "
        "bootmenu doctor",
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
_UNSIGNED = (
    "it is not signed",
    "use a kernel as its distribution signed it, e.g. of Debian's linux-image-amd64",
)
_UNTRUSTED = (
    "its signature, if it has one, is not by a key that is trusted here",
    "the keys are those of secure boot and those built into the running kernel: use a kernel of "
    "the same origin, or enrol its key (mokutil --import)",
)
_FILE_LOAD = _LOAD | {
    errno.EPERM: (
        "the kernel does not permit it",
        "under lockdown only signed kernels are taken; it takes root (CAP_SYS_BOOT), "
        "kernel.kexec_load_disabled=0 and some kernel.kexec_load_limit_reboot left "
        "(_panic for a crash kernel) as well",
    ),
    errno.EADDRNOTAVAIL: (
        "no piece of memory is large enough",
        "use a smaller initrd, or give the machine more memory",
    ),
    errno.EINVAL: (
        "it is no kernel that it can load, the cmdline is too long, or it takes more than half "
        "of the memory",
        "use --method classic, which says more, or a smaller initrd",
    ),
    errno.ENOEXEC: (
        "it is no kernel that kexec_file_load takes",
        "use --method classic, or a bzImage on x86_64, an Image on arm64, a vmlinux on riscv64",
    ),
    errno.ETXTBSY: (
        "the file is open for writing",
        "try again once nothing writes to it",
    ),
    errno.EFBIG: (
        "a file is too large",
        "use a smaller initrd",
    ),
    errno.ENOSYS: (
        "this kernel has no kexec_file_load",
        "use --method classic, or run bootmenu on a kernel with CONFIG_KEXEC_FILE=y",
    ),
    errno.ENODATA: _UNSIGNED,
    errno.ENOKEY: _UNTRUSTED,
    errno.EKEYREJECTED: (
        "its signature is wrong or was revoked",
        "copy the kernel again, or use another one: it was changed after it was signed",
    ),
    errno.EBADMSG: (
        "its signature is damaged",
        "copy the kernel again: it was changed after it was signed",
    ),
    errno.ELIBBAD: (
        "it is damaged, its signature cannot be found",
        "copy the kernel again",
    ),
    errno.ENOPKG: (
        "it is signed in a way that this kernel cannot verify",
        "use another kernel",
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
_LOCKED = "Lockdown: "
_NO_SIGNATURE = "Unsigned PE binary"
_STUCK = "CPUs are stuck in the kernel"


def load_error(number: int, log: Sequence[str] = ()) -> KexecError:
    """The error for a kexec_load that failed with errno *number*, *log* being the kernel's."""
    return _error("the kernel refused to load it", _LOAD, number, log)


def file_load_error(number: int, log: Sequence[str] = ()) -> KexecError:
    """The error for a kexec_file_load that failed with errno *number*; *log* as above.

    Under lockdown every bad signature is EPERM: what is wrong with it, only the log tells.
    """
    if number == errno.EPERM and any(_LOCKED in line for line in log):
        cause, hint = _UNSIGNED if any(_NO_SIGNATURE in line for line in log) else _UNTRUSTED
        message = f"the running kernel is locked down, and refused this one: {cause} (EPERM)"
        return KexecError(message, errno=number, hint=hint, log=tuple(log))
    return _error("the kernel refused to load the file", _FILE_LOAD, number, log)


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
