"""An initrd of over a third of a small machine's memory."""

from __future__ import annotations

import os

from bootmenu.appliance.disk import Disk, Filesystem
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree

MIB = 1 << 20
SIZE = 1100 * MIB
"""Bytes of the file ``/big`` in the initrd."""
MEMORY = 3072
"""MiB of the machine: the second kernel holds the initrd and what it unpacks, 2.2 GB."""
LARGE = Disk(
    Filesystem.EXT4,
    label="large",
    uuid="1a46e000-7a52-4d0e-9d6b-2f6f0d3c8a66",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c066",
    size=1408,
)


def large_initrd(disks: SampleDisks) -> bytes:
    """The sample system's initrd, and an archive with one large file behind it."""
    big = Tree({"big": Node.file(os.urandom(MIB) * (SIZE // MIB))})
    small = disks.initrd("large")
    return small + bytes(-len(small) % 4) + big.cpio()
