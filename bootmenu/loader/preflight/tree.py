"""The device tree that is handed over: whether a kernel could find its machine in it."""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.devicetree.chosen import CHOSEN, UEFI_TABLE
from bootmenu.devicetree.memory import memory
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.loader.memory import Range, subtract
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.loader.preflight.words import value_of
from bootmenu.model import Finding, LoadPlan, Machine

_OWN_TREE = "leave the DTB empty for the tree that runs now, or give this board's"


def described(tree: DeviceTree) -> bool:
    """Whether it describes a machine: on one with ACPI it is a stub with little but /chosen."""
    return any(node.name not in ("chosen", "hypervisor") for node in tree.root.nodes)


def complete(plan: LoadPlan, tree: DeviceTree) -> Iterator[Finding]:
    """A tree that describes more than /chosen must describe a machine.

    One further node in ACPI's stub, and the kernel takes the tree for a description, ignores
    ACPI and dies for want of a processor. A kernel without memory dies before it can say so.
    """
    if not described(tree) or value_of(plan.cmdline, "acpi") in ("force", "on"):
        return
    if tree.node("/cpus") is None:
        yield error(
            "the device tree describes no processors, the kernel would hang",
            "it has nodes besides /chosen, so the kernel would not look at ACPI",
            "undo the nodes that were added, or add acpi=force to the cmdline",
        )
    elif not memory(tree) and tree.get(CHOSEN, UEFI_TABLE) is None:
        yield error(
            "the device tree names no memory, the kernel would hang without a message",
            "there is no /memory node with a size in it, nor in the tree that runs now",
            _OWN_TREE,
        )


def in_its_memory(plan: LoadPlan, base: DeviceTree, tree: DeviceTree) -> Iterator[Finding]:
    """Memory that was taken from *base* by hand, with something of *plan* in it.

    Linux 6.1 dies of a fault in its own text then, before it has a console (seen in QEMU).
    """
    named = memory(tree)
    if not named or named == memory(base) or tree.get(CHOSEN, UEFI_TABLE) is not None:
        return
    parts = [Range(at, at + size) for at, size in named]
    for segment in plan.segments:
        if subtract([Range(segment.mem, segment.end)], parts):
            yield error(
                f"the device tree names no memory where the {segment.name} would lie",
                f"that is at {segment.mem:#x}, which the tree had before it was edited",
                "leave /memory as it is; for less memory add mem=512M to the cmdline",
            )
            return


def same_board(tree: DeviceTree, machine: Machine) -> Iterator[Finding]:
    """A tree whose root shares no compatible with the one that runs now."""
    value = tree.get("/", "compatible") or b""
    names = [name for name in value.decode("utf-8", "replace").split("\0") if name]
    if names and machine.compatible and not set(names) & set(machine.compatible):
        yield warning(
            "the device tree is another board's",
            f"it is for {names[0]}, and this machine is {machine.compatible[0]}",
            _OWN_TREE,
        )
