"""Run in a virtual machine: say where in memory a page of ours lies, and at Enter crash the kernel.

A kernel that crashes does not send what the serial line still had to: who reads it says when.
"""

import mmap
import struct
from pathlib import Path

from bootmenu.kexec._abi import ffi

PAGE = mmap.PAGESIZE

page = mmap.mmap(-1, PAGE)
page[:] = b"remember the crashed kernel's memory".ljust(PAGE // 2, b".") * 2
virtual = int(ffi.cast("uintptr_t", ffi.from_buffer(page)))
with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
    pagemap.seek(virtual // PAGE * 8)
    (entry,) = struct.unpack("<Q", pagemap.read(8))
input(f"the page lies at {(entry & (1 << 55) - 1) * PAGE:#x}. Enter crashes the kernel.")
Path("/proc/sysrq-trigger").write_text("c")
