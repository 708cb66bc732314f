"""What the initramfs takes: packed on a disk, and unpacked in the memory of the machine."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.machines import image

MIB = 1 << 20


def figures() -> Iterator[Figure]:
    """Both sizes."""
    built = image()
    yield Figure("size-packed", built.initramfs.stat().st_size / MIB, "MiB")
    yield Figure("size-memory", built.memory / MIB, "MiB")
