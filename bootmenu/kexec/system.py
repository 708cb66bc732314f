"""The C library and the numbers of the machine that this runs on."""

from __future__ import annotations

import functools
import os
from typing import Any

from bootmenu.errors import KexecError
from bootmenu.kexec.numbers import CALLS, Calls
from bootmenu.model import Arch


@functools.cache
def libc() -> tuple[Any, Any]:
    """The declarations of kexec's system calls, and the library that makes them."""
    from bootmenu.kexec._abi import ffi

    return ffi, ffi.dlopen(None)


def calls() -> Calls:
    """The numbers of this machine's system calls. Raises KexecError where they are not known."""
    machine = os.uname().machine
    arch = Arch.of_machine(machine)
    if arch is None:
        raise KexecError(
            f"kexec is not known on {machine}",
            errno=0,
            hint=f"bootmenu starts kernels on {', '.join(CALLS)}",
        )
    return CALLS[arch]
