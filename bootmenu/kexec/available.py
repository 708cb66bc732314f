"""Which of the two calls the running kernel was built with.

It is asked by calling them, from a thread that gave up the right to: then the kernel refuses
before it looks at anything, so that nothing happens, nothing is logged, and the attempt does not
count towards kernel.kexec_load_limit_reboot. Interface: capget(2), capset(2), capabilities(7).
"""

from __future__ import annotations

import errno
import functools
import struct
import threading

from bootmenu.kexec.system import calls, libc
from bootmenu.model import Method

_VERSION = 0x20080522
_CAP_SYS_BOOT = 22
_HEADER = struct.Struct("<Ii")  # version, thread: 0 is the caller
_SETS = struct.Struct("<6I")  # effective, permitted and inheritable; then their upper halves


@functools.cache
def available() -> tuple[Method, ...]:
    """The calls that are there; both, where it cannot be asked without harm.

    Raises KexecError where bootmenu knows no kexec.
    """
    numbers = calls()
    wanted = {Method.CLASSIC: numbers.kexec_load, Method.FILE: numbers.kexec_file_load}
    missing: list[Method] = []

    def ask() -> None:
        if _give_up_the_right():
            missing.extend(method for method, number in wanted.items() if not _is_there(number))

    asking = threading.Thread(target=ask, name="kexec-available")
    asking.start()
    asking.join()
    return tuple(method for method in wanted if method not in missing)


def _give_up_the_right() -> bool:
    """Drop CAP_SYS_BOOT from the calling thread's effective set; whether it is gone."""
    ffi, library = libc()
    header, sets = bytearray(_HEADER.pack(_VERSION, 0)), bytearray(_SETS.size)
    if library.syscall(calls().capget, ffi.from_buffer(header), ffi.from_buffer(sets)):
        return False
    effective, *others = _SETS.unpack(sets)
    sets[:] = _SETS.pack(effective & ~(1 << _CAP_SYS_BOOT), *others)
    return not library.syscall(calls().capset, ffi.from_buffer(header), ffi.from_buffer(sets))


def _is_there(number: int) -> bool:
    ffi, library = libc()
    none = ffi.cast("long", 0)
    status = library.syscall(number, none, none, none, none, none)
    return not (status < 0 and ffi.errno == errno.ENOSYS)
