"""Kernels of every architecture, as far as a plan reads them."""

from __future__ import annotations

import struct
from pathlib import Path

from loader_pc import bzimage

from bootmenu.files import whole
from bootmenu.model import Arch, FileSlice

MIB = 1 << 20


def write_kernel(
    path: Path, arch: Arch, *, text_offset: int, image_size: int, flags: int = 0b1010
) -> FileSlice:
    """A kernel at *path* that takes *image_size* bytes, sparse but for its first ones.

    On x86_64 bit 1 of *flags* says that it may lie above 4 GiB.
    """
    head = _head(arch, text_offset, image_size, flags)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(max(image_size - MIB, len(head)))
    return whole(str(path))


def _head(arch: Arch, text_offset: int, image_size: int, flags: int) -> bytes:
    if arch is Arch.ARM64:
        return struct.pack("<IIQQQ24x4sI", 1, 1, text_offset, image_size, flags, b"ARM\x64", 0)
    if arch is Arch.RISCV64:
        numbers = (0x106F, 0, text_offset, image_size, 0, 2)
        return struct.pack("<IIQQQI12x8s4sI", *numbers, b"RISCV\0\0\0", b"RSC\x05", 0)
    return bzimage(init_size=image_size, xloadflags=0x7F if flags & 2 else 0x7D)
