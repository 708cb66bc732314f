"""The device tree of this machine, among the many that a system brings for all its boards.

A boot loader on a board knows its tree by a file name that its vendor compiled in. Here the trees
themselves are asked: the root node's ``compatible`` names a board, most specific name first
(Devicetree Specification v0.4, 2.3.1), and is compared with the running tree's. A tree that
only shares the name of the chip is another board's and is never taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles

MAX_TREES = 2000
"""Trees of a folder that are looked at."""

_HEAD = 4096  # bytes that hold the root node's properties
_STRINGS = 256 << 10  # bytes of the block of property names that are read
_MAGIC = 0xD00DFEED
_BEGIN_NODE, _PROP, _NOP = 1, 3, 4


def tree_for(files: VolumeFiles, folder: str, compatible: Sequence[str]) -> str | None:
    """The path of the ``.dtb`` in *folder*, or one folder deeper, that is best for *compatible*.

    *compatible* is the running tree's. None when no tree is for this machine; raises nothing.
    """
    wanted = [name.encode("utf-8", "replace") for name in compatible]
    if not wanted:
        return None
    best: tuple[int, int, str] | None = None
    for path in _trees(files, folder):
        rank = _rank(root_compatible(files, path, wanted), wanted)
        # Of variants with one name, the plain one: imx8mm-evk.dtb before imx8mm-evk-rpmsg.dtb.
        if rank is not None and (best is None or (rank, len(path), path) < best):
            best = (rank, len(path), path)
    return best[2] if best else None


class Trees:
    """As :func:`tree_for`, for many folders: each is looked into once, however it is called."""

    def __init__(self, files: VolumeFiles, compatible: Sequence[str]) -> None:
        self._files = files
        self._compatible = compatible
        self._inner: dict[str, str | None] = {}  # the tree within the folder, by where that is

    def find(self, folder: str) -> str | None:
        """The path of the tree in *folder* for this machine."""
        try:
            real = self._files.path_of(folder)
        except VolumeError:
            return None
        if real not in self._inner:
            tree = tree_for(self._files, folder, self._compatible)
            self._inner[real] = tree[len(folder) :] if tree else None
        inner = self._inner[real]
        return folder + inner if inner else None


def _rank(offered: list[bytes], wanted: list[bytes]) -> int | None:
    """How far a tree that is compatible with *offered* is from *wanted*; None when too far."""
    if offered == wanted:
        return 0
    if not offered:
        return None
    if offered[0] in wanted[: max(1, len(wanted) - 1)]:  # the last name is the chip's
        return 1 + wanted.index(offered[0])
    # A revision of the board that the running tree does not tell from the others.
    return 1 + len(wanted) if offered[-len(wanted) :] == wanted else None


def _trees(files: VolumeFiles, folder: str) -> Iterator[str]:
    """The ``.dtb`` files in *folder* and the folders in it, one per vendor."""
    left = MAX_TREES
    for name in _names(files, folder):
        path = f"{folder.rstrip('/')}/{name}"
        inner = [path] if name.endswith(".dtb") else [f"{path}/{n}" for n in _names(files, path)]
        for tree in inner:
            if tree.endswith(".dtb") and left > 0:
                left -= 1
                yield tree


def root_compatible(
    files: VolumeFiles, path: str, wanted: Sequence[bytes], offset: int = 0
) -> list[bytes]:
    """The root's ``compatible`` in the flattened tree at *offset* of the file *path*.

    Empty if it has none of the names *wanted*, or is damaged; raises nothing.
    """
    try:
        head = files.read_at(path, offset, _HEAD)
        if not any(name + b"\0" in head for name in wanted):
            return []
        magic, _, structure, strings, *_, strings_size, _ = struct.unpack_from(">10I", head)
        if magic != _MAGIC:
            return []
        names = files.read_at(path, offset + strings, min(strings_size, _STRINGS))
        for name, value in _properties(head, structure):
            if names.startswith(b"compatible\0", name):
                return value.rstrip(b"\0").split(b"\0")
    except (VolumeError, struct.error):
        return []
    return []


def _properties(head: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The root node's properties: the offset of each name among the strings, and the value."""
    if struct.unpack_from(">I", head, at)[0] != _BEGIN_NODE:
        return
    at += 8  # its name is empty
    while True:
        token, size, name = struct.unpack_from(">3I", head, at)
        if token == _NOP:
            at += 4
            continue
        if token != _PROP:
            return
        yield name, head[at + 12 : at + 12 + size]
        at += 12 + (size + 3) // 4 * 4


def _names(files: VolumeFiles, directory: str) -> list[str]:
    try:
        return files.listdir(directory)
    except VolumeError:
        return []
