"""Trees of files, as the tests of the parsers describe them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fdt import Node, PropBytes

from bootmenu.devicetree import flat
from bootmenu.model import Configuration

Scan = Callable[..., list[Configuration]]
"""The fixture scan_tree: files by their paths in, what they offer out."""


def make_tree(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write *files*, by their paths, under *root*."""
    for path, content in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content, encoding="utf-8", errors="surrogateescape")


def device_tree(*compatible: str, model: str = "A board") -> bytes:
    """A flattened device tree whose root has *model* and *compatible*."""
    root = Node("")
    root.append(PropBytes("model", data=model.encode() + b"\0"))
    root.append(PropBytes("compatible", data="".join(f"{n}\0" for n in compatible).encode()))
    return flat.write(root, [])
