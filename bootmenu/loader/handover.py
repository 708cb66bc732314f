"""The device tree that the next kernel is handed, from wherever it comes.

The user's DTB, completed with what only the running tree knows, else the running tree
itself; then overlays, then /chosen, and the user's edits last: what they say is what runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootmenu.devicetree.chosen import (
    Dump,
    Initrd,
    drop_stale_reservations,
    graft,
    hand_over,
    hand_over_dump,
)
from bootmenu.devicetree.edits import apply_edits
from bootmenu.devicetree.flat import MAX_SIZE
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError
from bootmenu.files import pieces_of
from bootmenu.model import Arch, FileSlice, Machine, Stream, TreeEdit

Parameters = Sequence[Sequence[str]]
"""``NAME=VALUE`` texts: those of the DTB first, then those of each overlay; may end early."""


def base_tree(
    *,
    dtb: FileSlice | Stream | None,
    overlays: Sequence[FileSlice | Stream],
    parameters: Parameters = (),
    machine: Machine,
) -> DeviceTree:
    """The tree before anything of this boot is written into it.

    Raises TreeError naming the file that is damaged, VolumeError for one that cannot be read.
    """
    tree = _given(dtb, machine)
    if parameters and parameters[0]:
        from bootmenu.devicetree.overrides import apply_parameters

        apply_parameters(tree, parameters[0], str(dtb or "the running tree"))
    if overlays:
        from bootmenu.devicetree.overlay import apply_overlays

        said = dict(enumerate(parameters[1:]))
        given = [(str(o), _overlay(o, said.get(n, ()))) for n, o in enumerate(overlays)]
        tree = apply_overlays(tree, given)
    return tree


def _overlay(file: FileSlice | Stream, parameters: Sequence[str]) -> bytes:
    """The overlay in *file*, changed by its *parameters*."""
    from bootmenu.devicetree.overrides import apply_parameters, forget_parameters

    tree = _parsed(file)
    apply_parameters(tree, parameters, str(file))
    forget_parameters(tree)
    return tree.serialize()


def finish(
    tree: DeviceTree,
    *,
    cmdline: str,
    initrd: Initrd | None,
    edits: Sequence[TreeEdit],
    entropy: bytes,
    machine: Machine,
    dump: Dump | None = None,
) -> DeviceTree:
    """A copy of *tree* that says *cmdline*, *initrd* and *dump*, with *edits* applied last."""
    done = tree.copy()
    hand_over(done, cmdline=cmdline, initrd=initrd, entropy=entropy, page_size=machine.page_size)
    if dump is not None:
        hand_over_dump(done, dump)
    apply_edits(done, edits)
    return done


def _given(dtb: FileSlice | Stream | None, machine: Machine) -> DeviceTree:
    running = DeviceTree.parse(machine.fdt) if machine.fdt else None
    if dtb is None:
        if running is None:
            raise _no_tree(machine)
        return running
    tree = _parsed(dtb)
    # The kernel frees its own tree's memory, but never reserved this file's.
    tree.size = 0
    if running is not None:
        drop_stale_reservations(running, machine.page_size)
        graft(tree, running)
    return tree


def _no_tree(machine: Machine) -> TreeError:
    what = "this machine has no device tree to hand over"
    if machine.arch is Arch.X86_64:
        return TreeError(what, hint="a PC is described by ACPI: edit the cmdline instead")
    return TreeError(
        what, hint="give the board's DTB, or run this as root: /sys/firmware/fdt is root's"
    )


def _parsed(file: FileSlice | Stream) -> DeviceTree:
    data = _read(file)
    try:
        return DeviceTree.parse(data)
    except TreeError as error:
        raise TreeError(f"{file}: {error.message}", hint=error.hint) from error


def _read(file: FileSlice | Stream) -> bytes:
    data = bytearray()
    if not isinstance(file, FileSlice) or file.size <= MAX_SIZE:
        for piece in pieces_of(file):
            data += piece
            if len(data) > MAX_SIZE:
                break
        else:
            return bytes(data)
    raise TreeError(f"{file}: too large for a device tree", hint="the limit is 2 MiB")
