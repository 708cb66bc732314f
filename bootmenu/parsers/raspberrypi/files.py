"""The files that the firmware of a Raspberry Pi would load, by its rules for prefixes and names.

Specification: Raspberry Pi's documentation, "config.txt": ``os_prefix``, ``overlay_prefix``,
``kernel``, ``auto_initramfs``, ``device_tree``; and overlay_map.dtb, which says what an overlay is
called on a board.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bootmenu.errors import BootmenuError
from bootmenu.files import VolumeFiles
from bootmenu.parsers.raspberrypi.boards import Board
from bootmenu.parsers.trees import tree_for

if TYPE_CHECKING:
    from bootmenu.devicetree.tree import DeviceTree

MAX_TREE = 128 << 10  # bytes of an overlay

_KERNELS_OF_OTHERS = ("kernel8.img", "kernel_2712.img", "vmlinuz", "Image")


class FirmwareFiles:
    """What *settings* make the firmware load from the folder *base* ("" for a volume's root)."""

    def __init__(
        self,
        files: VolumeFiles,
        base: str,
        board: Board | None,
        compatible: tuple[str, ...],
        settings: Mapping[str, str],
    ) -> None:
        self._files = files
        self._base = base
        self._board = board
        self._compatible = compatible
        self._settings = settings
        self._map: dict[str, dict[str, str]] | None = None
        self._parameters: dict[str, frozenset[str] | None] = {}  # by the overlay's name
        wanted = settings.get("os_prefix", "upstream/" if self._upstream else "")
        self.prefix = wanted if wanted and self._viable(wanted) else ""

    @property
    def _upstream(self) -> bool:
        return self._settings.get("upstream_kernel", "0") == "1"

    def path(self, name: str) -> str:
        """Where the file *name* of a setting lies: behind the prefix, unless it begins with /."""
        return self._path(name, self.prefix)

    def is_file(self, path: str) -> bool:
        """Whether there is a file at *path*."""
        return self._files.is_file(path)

    def kernel(self) -> str:
        """The kernel's path; the file need not be there."""
        return self._path(self._kernel_name(self.prefix), self.prefix)

    def initramfs(self) -> str | None:
        """The initramfs that belongs to the kernel by its name, None without one."""
        name = self._kernel_name(self.prefix)
        folder, slash, leaf = name.rpartition("/")
        if not leaf.startswith("kernel"):
            return None
        leaf = "initramfs" + leaf.removeprefix("kernel").partition(".")[0]
        path = self.path(f"{folder}{slash}{leaf}")
        return path if self.is_file(path) else None

    def tree(self) -> str | None:
        """The device tree's path, None without one."""
        return self._tree(self.prefix)

    def overlay(self, name: str) -> str | None:
        """The path of the overlay *name*, None when it is not there or not for this board."""
        folder = self._settings.get("overlay_prefix", "overlays/")
        own = self.is_file(self._path(f"{folder}README", self.prefix))
        prefix = self.prefix if own else ""  # the overlays are shared
        if self._map is None:
            self._map = self._overlay_map(self._path(f"{folder}overlay_map.dtb", prefix))
        for _ in range(3):  # a renamed one may be called something else on this board
            known = self._map.get(name)
            soc = self._board.soc if self._board else None
            if known is None:
                break
            if "renamed" in known:
                name = known["renamed"]
                continue
            if "deprecated" in known or (soc is not None and soc not in known):
                return None
            name = known.get(soc or "", "") or name
            break
        path = self._path(f"{folder}{name.removesuffix('.dtbo')}.dtbo", prefix)
        return path if self.is_file(path) else None

    def knows(self, overlay: str, parameter: str) -> bool:
        """Whether *overlay* has the parameter in ``NAME=VALUE``; True if that cannot be told."""
        if overlay not in self._parameters:
            path = self.overlay(overlay)
            tree = self._read_tree(path) if path else None
            found = [n for n in tree.root.nodes if n.name == "__overrides__"] if tree else []
            names = frozenset(prop.name for node in found for prop in node.props)
            self._parameters[overlay] = names if tree else None
        known = self._parameters[overlay]
        return known is None or parameter.partition("=")[0] in known

    def _path(self, name: str, prefix: str) -> str:
        return f"{self._base}{name}" if name.startswith("/") else f"{self._base}/{prefix}{name}"

    def _viable(self, prefix: str) -> bool:
        """Whether a kernel and its tree are there behind *prefix*."""
        if not self.is_file(self._path(self._kernel_name(prefix), prefix)):
            return False
        return self._board is None or self._tree(prefix) is not None

    def _kernel_name(self, prefix: str) -> str:
        if name := self._settings.get("kernel"):
            return name
        board = self._board
        names: tuple[str, ...]
        if board is None:
            names = _KERNELS_OF_OTHERS
        elif board.kernels and self._settings.get("arm_64bit", str(int(board.arm_64bit))) != "0":
            names = board.kernels
        else:
            names = (board.kernel_32bit,)
        there = (name for name in names if self.is_file(self._path(name, prefix)))
        return next(there, names[0] if board is None else names[-1])

    def _tree(self, prefix: str) -> str | None:
        name = self._settings.get("device_tree")
        if name is not None:
            return self._path(name, prefix) if name else None
        if self._board is None:
            folder = self._path("", prefix).rstrip("/") or "/"
            return tree_for(self._files, folder, self._compatible)
        names = self._board.trees[::-1] if self._upstream else self._board.trees
        paths = (self._path(f"{name}.dtb", prefix) for name in names)
        return next((path for path in paths if self.is_file(path)), None)

    def _overlay_map(self, path: str) -> dict[str, dict[str, str]]:
        tree = self._read_tree(path) if self.is_file(path) else None
        if tree is None:
            return {}
        return {
            node.name: {
                prop.name: bytes(prop.data).rstrip(b"\0").decode("ascii", "replace")
                for prop in node.props
            }
            for node in tree.root.nodes
        }

    def _read_tree(self, path: str) -> DeviceTree | None:
        from bootmenu.devicetree.tree import DeviceTree

        try:
            return DeviceTree.parse(self._files.read_bytes(path, MAX_TREE))
        except BootmenuError:
            return None
