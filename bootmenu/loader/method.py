"""Which of the two system calls loads a kernel, and when the other one is worth a try.

The classic call first: it takes every kernel and every device tree. Where it is missing or
forbidden, kexec_file_load may be there, with a signed kernel.
"""

from __future__ import annotations

import errno

from bootmenu.errors import KexecError
from bootmenu.model import Machine, Method

CALLS = {Method.CLASSIC: "kexec_load", Method.FILE: "kexec_file_load"}
"""The names of the calls."""


def chosen(asked: Method, machine: Machine) -> Method:
    """The call that *asked* means on *machine*, by what is known before anything is refused."""
    if asked is not Method.AUTO:
        return asked
    classic = works(Method.CLASSIC, machine)
    return Method.FILE if not classic and works(Method.FILE, machine) else Method.CLASSIC


def works(method: Method, machine: Machine) -> bool:
    """Whether the running kernel has the call, and does not forbid it altogether."""
    forbidden = method is Method.CLASSIC and machine.kexec.lockdown != "none"
    return method in machine.kexec.methods and not forbidden


def file_call_may_do(refusal: KexecError, machine: Machine, *, panic: bool = False) -> bool:
    """Whether the file call may do what the classic one was refused for, as *machine* is now.

    With *panic* that is to load a crash kernel.

    EPERM has many reasons, most of which hold for both calls; lockdown, which does not, may be
    invisible where securityfs is not mounted.
    """
    kexec = machine.kexec
    if Method.FILE not in kexec.methods:
        return False
    if refusal.errno == errno.EPERM:
        limit = kexec.load_limit_panic if panic else kexec.load_limit
        return kexec.privileged and not kexec.load_disabled and limit != 0
    return refusal.errno in (errno.ENOSYS, errno.EACCES)
