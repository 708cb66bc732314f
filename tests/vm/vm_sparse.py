"""A machine with 64 GiB on four nodes, whose memory lies in scattered ranges.

The holes are regions that the device tree takes away (``no-map``): to Linux, and in
/proc/iomem, they end a range of memory as an address without memory does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from bootmenu.appliance.vm import VirtualMachine
from bootmenu.devicetree.tree import DeviceTree

NODES = 4
NODE_MIB = 16 << 10
RAM = 0x40000000
"""Where the memory of QEMU's machine starts."""
END = RAM + (NODES * NODE_MIB << 20)
PAGE = 4096


def holes() -> Iterator[tuple[int, int]]:
    """Start and size of each hole; none is in the first 3 GiB, where QEMU puts what it loads."""
    at = 0x1_0000_2000
    for number in range(20):
        size = (number % 5 + 1) * 0x0F0F_7000
        yield at, size
        # A range of a few pages, which nothing fits into.
        yield at + size + (number + 1) * PAGE, 0x0100_5000
        at += 0xC000_0000 + number * PAGE
    # On top a range that has no room for an initrd.
    yield END - 0x1000_0000, 0x1000_0000 - 0x0040_3000


def sparse_options(folder: Path) -> tuple[str, ...]:
    """What QEMU is given besides; the device tree is made in *folder*."""
    nodes: list[str] = []
    for number in range(NODES):
        cpu = f",cpus={number}" if number < 2 else ""
        backend = f"memory-backend-ram,id=node{number},size={NODE_MIB}M,reserve=off"
        nodes += ["-object", backend, "-numa", f"node,nodeid={number},memdev=node{number}{cpu}"]
    whole, holed = folder / "whole.dtb", folder / "holed.dtb"
    dump = ("-machine", f"dumpdtb={whole}", *nodes)
    none = Path("/dev/null")
    machine = VirtualMachine(none, none, memory=NODES * NODE_MIB, options=dump)
    subprocess.run(machine.command(), check=True, stdin=subprocess.DEVNULL, capture_output=True)
    tree = DeviceTree.parse(whole.read_bytes())
    tree.add_node("/reserved-memory")
    for name in ("#address-cells", "#size-cells"):
        tree.set("/reserved-memory", name, (2).to_bytes(4, "big"))
    tree.set("/reserved-memory", "ranges", b"")
    for start, size in holes():
        path = f"/reserved-memory/hole@{start:x}"
        tree.add_node(path)
        tree.set(path, "reg", start.to_bytes(8, "big") + size.to_bytes(8, "big"))
        tree.set(path, "no-map", b"")
    holed.write_bytes(tree.serialize())
    return ("-dtb", str(holed), *nodes)
