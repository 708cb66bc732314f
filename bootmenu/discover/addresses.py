"""How long a process's addresses can be: what the running kernel makes of its processors."""

from __future__ import annotations

import ctypes
import mmap

_COMMON = 48
_LONG = 52
_PROT_NONE = 0


def address_bits() -> int:
    """Bits of the longest virtual address that arm64 gives a process; 0 where that is not told.

    Addresses of more than 48 bits are for those who ask for one, see "52-bit userspace VAs" in
    Documentation/arch/arm64/memory.rst.
    """
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    wanted, size = ctypes.c_void_p(1 << _LONG - 1), ctypes.c_size_t(mmap.PAGESIZE)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    at = libc.mmap(wanted, size, _PROT_NONE, flags, -1, ctypes.c_long(0))
    if at is None or at == ctypes.c_void_p(-1).value:
        return 0
    libc.munmap(ctypes.c_void_p(at), size)
    return _LONG if at >= 1 << _COMMON else _COMMON
