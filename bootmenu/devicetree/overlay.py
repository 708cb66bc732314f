"""Overlays (.dtbo), applied by libfdt: labels, phandles and fixups as every loader does it.

libfdt trusts the contents of an overlay, and a damaged one crashes it. Overlays come from
disks that nobody vouches for, so it runs in a process of its own: this module as a program,
which reads the tree and the overlays from its input and writes the merged tree.

Specification: Documentation/devicetree/overlay-notes.rst in the kernel's tree.
"""

from __future__ import annotations

import functools
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bootmenu.devicetree.flat import MAX_SIZE
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError

_LIBRARY = "libfdt.so.1"
_SECONDS = 20
_LENGTH = struct.Struct("<I")
_REPLY = struct.Struct("<iI")  # libfdt's error or 0, and the overlay that it is about
_NO_LIBRARY = -1000
_INTERNAL = -13  # FDT_ERR_INTERNAL
_CAUSES = {  # by libfdt's error numbers
    -1: "the tree lacks what it refers to: it is for another board, or the DTB has no symbols "
    "(compile that with dtc -@)",
    -3: f"no kernel takes a tree of more than {MAX_SIZE >> 20} MiB: use fewer overlays",
    -6: "a phandle in it or in the tree is damaged",
    -16: "it is no overlay, or its fixups are damaged (compile it with dtc -@)",
}
_OTHER_CAUSE = "use an overlay made for this board's device tree"


def apply_overlays(tree: DeviceTree, overlays: Sequence[tuple[str, bytes]]) -> DeviceTree:
    """*tree* with *overlays* applied in order: each a name, for messages, and its bytes.

    Raises TreeError naming the overlay that is damaged or does not fit the tree.
    """
    sound = []
    for name, data in overlays:
        try:
            parsed = DeviceTree.parse(data)
        except TreeError as error:
            raise TreeError(f"{name}: {error.message}", hint=error.hint) from error
        if all(node.get_subnode("__overlay__") is None for node in parsed.root.nodes):
            # libfdt would take it and change nothing.
            raise TreeError(
                f"{name}: a device tree, not an overlay", hint="give it as the DTB instead"
            )
        sound.append(parsed.serialize())
    status, at, merged = _merge((tree.serialize(), *sound))
    if status == _NO_LIBRARY:
        raise TreeError(f"overlays need {_LIBRARY}, which is not here", hint="install libfdt1")
    if status:
        raise TreeError(
            f"{overlays[at][0]}: the overlay does not apply ({merged.decode('utf-8', 'replace')})",
            hint=_CAUSES.get(status, _OTHER_CAUSE),
        )
    result = DeviceTree.parse(merged)
    result.size = tree.size
    return result


@functools.lru_cache(maxsize=4)
def _merge(blobs: tuple[bytes, ...]) -> tuple[int, int, bytes]:
    """A status, the overlay that it is about, and the merged tree or libfdt's words.

    Remembered: the menu shows a tree, its differences and its plan one after the other.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bootmenu.devicetree.overlay"],
            input=b"".join(_LENGTH.pack(len(blob)) + blob for blob in blobs),
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _INTERNAL, len(blobs) - 2, b"it took too long"
    if done.returncode or len(done.stdout) < _REPLY.size:
        return _INTERNAL, len(blobs) - 2, b"libfdt crashed on it"
    status, at = _REPLY.unpack_from(done.stdout)
    return status, at, done.stdout[_REPLY.size :]


def _work(source: BinaryIO, sink: BinaryIO) -> None:
    """The child's side: merge what *source* brings, and write the reply."""
    from bootmenu.devicetree._abi import ffi

    blobs = []
    while head := source.read(_LENGTH.size):
        blobs.append(source.read(_LENGTH.unpack(head)[0]))
    tree, *overlays = blobs
    try:
        lib: Any = ffi.dlopen(_LIBRARY)
    except OSError:
        sink.write(_REPLY.pack(_NO_LIBRARY, 0))
        return
    for number, overlay in enumerate(overlays):
        status, tree = _apply(ffi, lib, tree, overlay)
        if status < 0:
            words: Any = ffi.string(lib.fdt_strerror(status))
            sink.write(_REPLY.pack(status, number) + words)
            return
    sink.write(_REPLY.pack(0, 0) + tree)


def _apply(ffi: Any, lib: Any, tree: bytes, overlay: bytes) -> tuple[int, bytes]:
    # How much merging adds the overlay does not tell: each of its symbols gets its target's path.
    merged = ffi.new("char[]", MAX_SIZE)
    patch = ffi.new("char[]", overlay)
    status = lib.fdt_open_into(ffi.from_buffer(tree), merged, MAX_SIZE)
    status = status or lib.fdt_overlay_apply(merged, patch)
    status = status or lib.fdt_pack(merged)
    data = bytes(ffi.buffer(merged))
    return status, data[: int.from_bytes(data[4:8], "big")]


if __name__ == "__main__":
    _work(sys.stdin.buffer, sys.stdout.buffer)
