"""What the next kernel is told in its tree: /chosen, reservations, and what a DTB lacks.

A kernel started by kexec learns of its cmdline, its initrd and its firmware from /chosen
alone. The running tree carries what the running kernel was told, so the parts that are about
*it* are dropped; a DTB from a disk lacks what firmware adds when it starts a kernel, so that
is taken over from the running tree.

Bindings: dtschema ``chosen.yaml``; Documentation/arch/arm/uefi.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bootmenu.devicetree.flat import Reservation
from bootmenu.devicetree.memory import (
    RESERVED,
    Span,
    cells_of,
    is_memory,
    memory,
    memory_nodes,
    spans,
)
from bootmenu.devicetree.tree import DeviceTree, values
from bootmenu.errors import TreeError

CHOSEN = "/chosen"
UEFI_TABLE = "linux,uefi-system-table"
SEED_SIZES = {"kaslr-seed": 8, "rng-seed": 128}
ENTROPY = sum(SEED_SIZES.values())
"""How many random bytes :func:`hand_over` wants."""

_HEADER = "linux,elfcorehdr"
_USABLE = "linux,usable-memory-range"
_OF_THE_RUNNING_KERNEL = (
    _HEADER,
    _USABLE,
    "linux,ima-kexec-buffer",
    "linux,kho-fdt",
    "linux,kho-scratch",
)
_UEFI = "linux,uefi-"
_WHOLE = 1 << 30  # a range that is too large for its tree is parted at multiples of this
_MOST_PARTS = 1000


class Initrd(NamedTuple):
    """Where the initrd will lie: physical addresses, *end* is the first behind it."""

    start: int
    end: int


class Dump(NamedTuple):
    """What a crash kernel is told: (address, size) of the elfcorehdr, and of what it may use."""

    header: tuple[int, int]
    usable: tuple[tuple[int, int], ...]


def hand_over(
    tree: DeviceTree,
    *,
    cmdline: str,
    initrd: Initrd | None,
    entropy: bytes,
    page_size: int,
) -> None:
    """Make *tree* the next kernel's; *entropy* are :data:`ENTROPY` fresh random bytes."""
    drop_stale_reservations(tree, page_size)
    tree.add_node(CHOSEN)
    for name in _OF_THE_RUNNING_KERNEL:
        tree.remove(CHOSEN, name)
    if cmdline:
        tree.set(CHOSEN, "bootargs", cmdline.encode("utf-8", "surrogateescape") + b"\0")
    else:
        tree.remove(CHOSEN, "bootargs")
    if initrd is None:
        tree.remove(CHOSEN, "linux,initrd-start")
        tree.remove(CHOSEN, "linux,initrd-end")
    else:
        tree.set(CHOSEN, "linux,initrd-start", struct.pack(">Q", initrd.start))
        tree.set(CHOSEN, "linux,initrd-end", struct.pack(">Q", initrd.end))
        tree.reservations.append(Reservation(initrd.start, initrd.end - initrd.start))
    at = 0
    for name, size in SEED_SIZES.items():
        tree.set(CHOSEN, name, entropy[at : at + size])
        at += size
    tree.set(CHOSEN, "linux,booted-from-kexec", b"")


def hand_over_dump(tree: DeviceTree, dump: Dump) -> None:
    """Make *tree* a crash kernel's. Raises TreeError for addresses wider than the tree's cells."""
    cells = cells_of(tree, "/")
    tree.set(CHOSEN, _HEADER, _ranges([dump.header], cells))
    tree.set(CHOSEN, _USABLE, _ranges(dump.usable, cells))
    tree.reservations.append(Reservation(*dump.header))


def _ranges(ranges: Iterable[tuple[int, int]], cells: tuple[int, int]) -> bytes:
    """As reg has them: each address and size in as many *cells* of 32 bits as the root says."""
    try:
        return b"".join(
            number.to_bytes(4 * width, "big")
            for part in ranges
            for number, width in zip(part, cells, strict=True)
        )
    except OverflowError as error:
        raise TreeError(
            "the tree's addresses are too narrow for the crash kernel's memory",
            hint="start the running kernel with crashkernel=256M, without an offset or ,high",
        ) from error


def bootargs(tree: DeviceTree) -> str:
    """The cmdline that *tree* tells its kernel."""
    value = tree.get(CHOSEN, "bootargs") or b""
    return value.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def drop_stale_reservations(tree: DeviceTree, page_size: int) -> None:
    """Forget the memory that the running kernel's initrd and tree took.

    Loaders reserve either the exact size or whole pages. Where the running tree lies is not
    told to user space, its size is. Firmware may keep as much for itself (64 KiB are common), in
    the tree that the loader was given: the loader's own reservation comes last.
    """
    start = _number(tree.get(CHOSEN, "linux,initrd-start"))
    end = _number(tree.get(CHOSEN, "linux,initrd-end"))
    if start is not None and end is not None:
        sizes = (end - start, _up(end - start, page_size))
        tree.reservations[:] = [
            one for one in tree.reservations if one.address != start or one.size not in sizes
        ]
    sizes = (tree.size, _up(tree.size, page_size))
    own = [one for one in tree.reservations if tree.size and one.size in sizes]
    for last in own[-1:]:
        tree.reservations.remove(last)


def graft(tree: DeviceTree, running: DeviceTree) -> None:
    """Give *tree*, from a disk, what firmware told the running kernel: memory and UEFI.

    Memory that it keeps for itself may be in a reservation alone, as U-Boot has that of TF-A and
    OP-TEE on some boards: whoever touches that dies. *running* has no stale ones any more.
    """
    new = [one for one in running.reservations if one not in tree.reservations]
    tree.reservations.extend(new)
    _graft_memory(tree, running)
    _graft_reserved(tree, running)
    # One that was copied from a running system tells where that one's UEFI lay.
    for name in [name for name in tree.properties(CHOSEN) if name.startswith(_UEFI)]:
        tree.remove(CHOSEN, name)
    given = running.properties(CHOSEN)
    uefi = {name: value for name, value in given.items() if name.startswith(_UEFI)}
    if uefi:
        tree.add_node(CHOSEN)
        for name, value in uefi.items():
            tree.set(CHOSEN, name, value)


def _graft_memory(tree: DeviceTree, running: DeviceTree) -> None:
    """Take over /memory nodes, unless the DTB says itself how much memory there is.

    Many say a size of 0 there, for firmware to fill in, and some more than there is: mainline's
    Raspberry Pi 3 has that of its GPU. So what the running tree does not name is taken away.
    """
    real = memory(running)
    if not real:
        return
    cells = cells_of(tree, "/")
    nodes = memory_nodes(tree)
    there = [_common(spans(values(node)["reg"], cells), real) for node in nodes]
    if any(there):
        for node, parts in zip(nodes, there, strict=True):
            tree.set(f"/{node.name}", "reg", _reg(parts, cells))
        return
    tree.root.nodes[:] = [node for node in tree.root.nodes if not is_memory(node)]
    for node in memory_nodes(running):
        tree.graft("/", node)
        _recode(tree, f"/{node.name}", cells_of(running, "/"), cells)


def _common(ranges: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """What *ranges* have in common with *others*."""
    pairs = (
        (max(at, start), min(at + size, start + length))
        for at, size in ranges
        for start, length in others
    )
    return [(start, end - start) for start, end in pairs if start < end]


def _graft_reserved(tree: DeviceTree, running: DeviceTree) -> None:
    """Take over regions of /reserved-memory that the DTB does not name.

    Those without an address are wishes of drivers of that tree, not facts of the machine.
    """
    reserved = running.node(RESERVED)
    if reserved is None:
        return
    if tree.node(RESERVED) is None:
        tree.add_node(RESERVED)
        # With other cells than the root's a kernel ignores all that is below.
        for name, cells in zip(("#address-cells", "#size-cells"), cells_of(tree, "/"), strict=True):
            tree.set(RESERVED, name, cells.to_bytes(4, "big"))
        tree.set(RESERVED, "ranges", b"")
    for region in reserved.nodes:
        inner = f"{RESERVED}/{region.name}"
        if tree.node(inner) is None and running.get(inner, "reg") is not None:
            tree.graft(RESERVED, region)
            # Nothing here refers to it, and the number may be another node's.
            tree.remove(inner, "phandle")
            tree.remove(inner, "linux,phandle")
            _recode(tree, inner, cells_of(running, RESERVED), cells_of(tree, RESERVED))


def _recode(tree: DeviceTree, path: str, given: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Rewrite the reg of *path* from *given* (address, size) cells to *wanted*."""
    value = tree.get(path, "reg")
    if value is not None and given != wanted:
        tree.set(path, "reg", _reg(spans(value, given), wanted))


def _reg(ranges: Iterable[Span], cells: tuple[int, int]) -> bytes:
    """*ranges* in so many *cells* each, parted where a size has too few.

    What is too high for them is left out: of memory there nobody learns then.
    """
    limit = 1 << 32 * cells[0]
    most = max(0, (1 << 32 * cells[1]) - _WHOLE)
    out = bytearray()
    for address, size in ranges:
        end = min(address + size, limit)
        for start in range(address, end, most)[:_MOST_PARTS] if most else ():
            out += start.to_bytes(4 * cells[0], "big")
            out += min(end - start, most).to_bytes(4 * cells[1], "big")
    return bytes(out)


def _number(value: bytes | None) -> int | None:
    """The number in one cell or two, None where there is none."""
    return int.from_bytes(value, "big") if value is not None and len(value) in (4, 8) else None


def _up(size: int, page_size: int) -> int:
    return -(-size // page_size) * page_size
