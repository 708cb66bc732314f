"""Unified kernel images, as the tests of the parsers describe them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

MACHINES = {"arm64": 0xAA64, "x86_64": 0x8664}
ALIGNMENT = 512


def make_image(
    sections: Sequence[tuple[str, bytes]],
    *,
    machine: str = "arm64",
    sizes: dict[int, int] | None = None,
) -> bytes:
    """A PE file of *sections*, in their order.

    *sizes* are what the header says of a section's size, by its index, if not the truth.
    """
    start = 0x40 + 24 + 240
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    head += struct.pack("<4sHH12xHH", b"PE\0\0", MACHINES[machine], len(sections), 240, 0x206)
    head = head.ljust(start, b"\0")
    offset = _padded(start + 40 * len(sections))
    table = body = b""
    for index, (name, content) in enumerate(sections):
        memory = (sizes or {}).get(index, len(content))
        size = _padded(memory)
        table += struct.pack("<8sIIII16x", name.encode(), memory, 0, size, offset + len(body))
        body += content.ljust(_padded(len(content)), b"\0")
    return (head + table).ljust(offset, b"\0") + body


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
