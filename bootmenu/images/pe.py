"""The section table of a PE executable: what EFI kernels and unified images are wrapped in.

Specification: Microsoft PE/COFF, sections 2-4. Only what tells kernels apart is read.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

SIGNATURE = b"PE\0\0"
COFF = struct.Struct("<4sHH12xHH")  # signature machine sections optional-header-size
SECTION = struct.Struct("<8sIIII")
SECTION_STRIDE = 40
MAX_SECTIONS = 4096  # Windows allows 96, a unified image may have a device tree in each
MAX_HEADER = 256 << 10
"""Bytes from the start of a file in which its section table ends, or is cut off."""

MACHINES = {0x8664: "x86_64", 0x014C: "i386", 0xAA64: "arm64", 0x5064: "riscv64", 0x01C2: "arm"}


class Section(NamedTuple):
    """One section; *offset* and *size* are where its bytes lie in the file.

    *memory* is its size when loaded: what lies behind it in the file is padding.
    """

    name: str
    offset: int
    size: int
    memory: int


class Executable(NamedTuple):
    """What a PE header says."""

    machine: str
    sections: tuple[Section, ...]


def read(head: bytes) -> Executable | None:
    """The PE header in the first bytes *head* of a file, None where there is none."""
    if head[:2] != b"MZ" or len(head) < 0x40:
        return None
    (offset,) = struct.unpack_from("<I", head, 0x3C)
    if len(head) < offset + COFF.size:
        return None
    signature, machine, count, optional, _ = COFF.unpack_from(head, offset)
    if signature != SIGNATURE:
        return None
    sections = []
    first = offset + COFF.size + optional
    for number in range(min(count, MAX_SECTIONS)):
        at = first + number * SECTION_STRIDE
        if len(head) < at + SECTION_STRIDE:
            break
        name, memory, _, size, where = SECTION.unpack_from(head, at)
        text = name.split(b"\0", 1)[0].decode("ascii", "replace")
        sections.append(Section(text, where, size, memory))
    return Executable(MACHINES.get(machine, f"machine {machine:#x}"), tuple(sections))


def table_end(head: bytes) -> int:
    """How many bytes from the start :func:`read` wants to see; 0 where there is no PE header."""
    if head[:2] != b"MZ" or len(head) < 0x40:
        return 0
    offset: int = struct.unpack_from("<I", head, 0x3C)[0]
    if len(head) < offset + COFF.size:
        return offset + COFF.size
    count: int
    optional: int
    _, _, count, optional, _ = COFF.unpack_from(head, offset)
    return offset + COFF.size + optional + min(count, MAX_SECTIONS) * SECTION_STRIDE


def needed_size(head: bytes) -> int:
    """How many bytes the file must have for its sections to be whole; 0 if it does not say."""
    executable = read(head)
    if executable is None:
        return 0
    # Where a section has no bytes in the file, such as .bss, its offset says nothing.
    return max((part.offset + part.size for part in executable.sections if part.size), default=0)
