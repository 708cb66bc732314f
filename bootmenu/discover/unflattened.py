"""/proc/device-tree, flattened: the running tree where the kernel keeps no flat one."""

from __future__ import annotations

from pathlib import Path

from bootmenu.devicetree.tree import DeviceTree

MAX_PROPERTY = 1 << 20


def flatten(folder: Path) -> bytes:
    """The tree in *folder*, where nodes are folders and properties files.

    What only root may read (seeds) is left out. Raises TreeError over 2 MiB.
    """
    tree = DeviceTree()
    waiting = [("/", folder)]
    while waiting:
        path, place = waiting.pop()
        for item in _items(place):
            if item.is_symlink():
                continue
            if item.is_dir():
                inner = f"{path.rstrip('/')}/{item.name}"
                tree.add_node(inner)
                waiting.append((inner, item))
            elif item.name != "name":  # made up by the kernel from the node's own name
                try:
                    value = item.read_bytes()
                except OSError:
                    continue
                tree.set(path, item.name, value[:MAX_PROPERTY])
    return tree.serialize()


def _items(folder: Path) -> list[Path]:
    """What is in *folder*, in one order on every machine; nothing if it just went away."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
