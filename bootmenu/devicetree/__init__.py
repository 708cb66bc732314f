"""Read, edit, overlay and write device trees. The only room that knows fdt and libfdt."""

from bootmenu.devicetree.edits import apply_edits, compare, describe
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.devicetree.values import bytes_of, kind_of, text_of

__all__ = [
    "DeviceTree",
    "apply_edits",
    "bytes_of",
    "compare",
    "describe",
    "kind_of",
    "text_of",
]
