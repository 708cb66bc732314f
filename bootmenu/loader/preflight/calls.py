"""The system call that loads: whether the running kernel has it, permits it, and survives it.

Sources: kernel/kexec.c and kernel/kexec_file.c. Under lockdown kexec_load is refused altogether,
and kexec_file_load takes kernels whose signature the running kernel trusts.

On arm64 a load copies the kernel's page tables (arch/arm64/mm/trans_pgd.c); only a crash kernel's
does not. Those of five levels, which pages of 4 KiB need for addresses of 52 bits, Debian's Linux
6.12 does not survive, whoever loads; 7.3 does, and 6.12 with pages of 16 KiB (seen in QEMU).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootmenu.loader.method import CALLS, works
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.model import Arch, Finding, Machine, Method

_OPTIONS = {Method.CLASSIC: "CONFIG_KEXEC", Method.FILE: "CONFIG_KEXEC_FILE"}
_CRASHES, _SURVIVES = (6, 12), (7, 3)
"""Versions of Linux with page tables of five levels: the last and the first that was seen to."""
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


def survived(machine: Machine, *, panic: bool) -> Iterator[Finding]:
    """A running kernel that would crash while it loads another one."""
    five_levels = machine.page_size == 4096 and machine.address_bits > 48
    release = re.match(r"(\d{1,9})\.(\d{1,9})", machine.release)
    if machine.arch is not Arch.ARM64 or panic or not five_levels or release is None:
        return
    version = int(release[1]), int(release[2])
    if version >= _SURVIVES:
        return
    certain = version <= _CRASHES
    say = error if certain else warning
    yield say(
        f"the running kernel {'would' if certain else 'may'} crash while it loads another one",
        "its page tables have five levels, for addresses of 52 bits, and Linux 6.12 cannot copy "
        "those",
        "start this boot menu's kernel with arm64.nolva on its cmdline: the next kernel has "
        "long addresses again",
    )
