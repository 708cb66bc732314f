"""The memory that a tree names, and what of it the tree keeps from its kernel.

As Linux reads it (drivers/of/fdt.c, of_reserved_mem.c): memory is what has a ``device_type`` of
that name, whatever its node is called.
"""

from __future__ import annotations

from collections.abc import Iterator

from fdt import Node

from bootmenu.devicetree.tree import DeviceTree, is_available, values
from bootmenu.errors import TreeError

RESERVED = "/reserved-memory"

Span = tuple[int, int]
"""A physical address and a size in bytes."""

_MEMORY = b"memory\0"
_DEFAULT_CELLS = (2, 1)  # #address-cells and #size-cells of a node that says none
_MOST_CELLS = 4  # OF_MAX_ADDR_CELLS


def memory_nodes(tree: DeviceTree) -> list[Node]:
    """The nodes that name memory; those of no size are for firmware to fill in."""
    cells = cells_of(tree, "/")
    return [
        node
        for node in tree.root.nodes
        if values(node).get("device_type") == _MEMORY
        and is_available(node)
        and any(_spans(node, cells))
    ]


def is_memory(node: Node) -> bool:
    """Whether *node*, below the root, is of memory by its name or to a kernel."""
    return node.name.split("@")[0] == "memory" or values(node).get("device_type") == _MEMORY


def memory(tree: DeviceTree) -> list[Span]:
    """All memory that *tree* names."""
    cells = cells_of(tree, "/")
    return [span for node in memory_nodes(tree) for span in _spans(node, cells)]


def reserved(tree: DeviceTree) -> list[Span]:
    """What *tree* keeps from its kernel: for firmware, or for devices."""
    regions = tree.node(RESERVED)
    cells = cells_of(tree, RESERVED)
    nodes = regions.nodes if regions else ()
    return [
        *((entry.address, entry.size) for entry in tree.reservations if entry.size),
        *(span for node in nodes if is_available(node) for span in _spans(node, cells)),
    ]


def cells_of(tree: DeviceTree, path: str) -> tuple[int, int]:
    """How many 32-bit cells the nodes below *path* have for an address, and for a size.

    Raises TreeError for more than any kernel reads.
    """
    address, size = (tree.get(path, f"#{name}-cells") for name in ("address", "size"))
    cells = (
        _DEFAULT_CELLS[0] if address is None else int.from_bytes(address, "big"),
        _DEFAULT_CELLS[1] if size is None else int.from_bytes(size, "big"),
    )
    if max(cells) > _MOST_CELLS:
        raise TreeError(
            f"the device tree is damaged: {path} has addresses of {cells[0]} cells and sizes of "
            f"{cells[1]}",
            hint="use another DTB, or copy this one again",
        )
    return cells


def spans(reg: bytes, cells: tuple[int, int]) -> Iterator[Span]:
    """The ranges in *reg*, of so many *cells* each, that are not empty."""
    width, step = 4 * cells[0], 4 * sum(cells)
    for at in range(0, len(reg) - step + 1, step or 1):
        address = int.from_bytes(reg[at : at + width], "big")
        size = int.from_bytes(reg[at + width : at + step], "big")
        if size:
            yield address, size


def _spans(node: Node, cells: tuple[int, int]) -> Iterator[Span]:
    return spans(values(node).get("reg", b""), cells)
