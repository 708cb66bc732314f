"""The flattened device tree: bytes to nodes and back.

Specification: Devicetree Specification v0.4, chapter 5. Versions 16 and 17 are read, 17 is
written. FDT_NOP is accepted anywhere between tokens: the running kernel's own tree has them.

The nodes are those of the ``fdt`` package; its reader is not used, since it knows no FDT_NOP
and guesses at the types of properties, which loses bytes (an empty string in a list). Here
every property is a ``PropBytes`` with its very bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from fdt import Node, PropBytes

from bootmenu.errors import TreeError

MAGIC = 0xD00DFEED
HEADER = struct.Struct(">10I")
RESERVATION = struct.Struct(">QQ")
WORD = struct.Struct(">I")
PROPERTY = struct.Struct(">II")

BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9

MAX_SIZE = 2 << 20  # the arm64 boot protocol's limit, and others' too
MAX_DEPTH = 64  # the kernel's own, FDT_MAX_DEPTH
MAX_PATH = 1024  # of one node: 100,000 below one with a name of a megabyte are 100 GB of paths
VERSION, COMPATIBLE_VERSION = 17, 16

DAMAGED = "use another DTB, or copy this one again"


class Reservation(NamedTuple):
    """Memory that the next kernel must leave alone: a physical address and a size."""

    address: int
    size: int


class Flat(NamedTuple):
    """What a flattened tree holds."""

    root: Node
    reservations: list[Reservation]
    boot_cpu: int
    size: int  # totalsize, padding included


class _Value(NamedTuple):
    """A property met while scanning; its bytes are data[start:end]."""

    name: str
    start: int
    end: int


class _Layout(NamedTuple):
    size: int
    struct_start: int
    struct_end: int
    strings_start: int
    strings_end: int
    reservations: int
    boot_cpu: int


def read(data: bytes) -> Flat:
    """The tree in *data*; whatever follows its totalsize is ignored.

    Raises TreeError when anything in it is not as specified.
    """
    try:
        layout = _layout(data)
        return Flat(_nodes(data, layout), _reservations(data, layout), layout.boot_cpu, layout.size)
    except (struct.error, ValueError) as error:
        raise _damaged("its blocks overlap its end") from error


def blank(data: bytes, names: frozenset[str]) -> bytes:
    """*data* with the values of all properties called *names* zeroed, else the same tree.

    Zeroed is what lies between and behind its blocks, too: there firmware leaves whatever was in
    memory. Raises TreeError as :func:`read` does.
    """
    clean = bytearray(len(data))
    try:
        layout = _layout(data)
        reserved = RESERVATION.size * (len(_reservations(data, layout)) + 1)
        for start, end in (
            (0, HEADER.size),
            (layout.reservations, layout.reservations + reserved),
            (layout.struct_start, layout.struct_end),
            (layout.strings_start, layout.strings_end),
        ):
            clean[start:end] = data[start:end]
        for token in _tokens(data, layout):
            if isinstance(token, _Value) and token.name in names:
                clean[token.start : token.end] = bytes(token.end - token.start)
    except (struct.error, ValueError) as error:
        raise _damaged("its blocks overlap its end") from error
    return bytes(clean)


class Extent(NamedTuple):
    """A property of the node *node* (a path): its value is data[start:end]."""

    node: str
    name: str
    start: int
    end: int


def scan(data: bytes | mmap) -> Iterator[Extent]:
    """The properties of the tree in *data* and where their values lie, none of them read.

    For trees of any size, as a FIT image that holds whole kernels. Raises TreeError as
    :func:`read` does.
    """
    path: list[str] = []
    try:
        for token in _tokens(data, _layout(data, max_size=len(data))):
            if token is None:
                path.pop()
            elif isinstance(token, _Value):
                yield Extent("/" + "/".join(path[1:]), *token)
            else:
                path.append(token)
    except (struct.error, ValueError) as error:
        raise _damaged("its blocks overlap its end") from error


def write(root: Node, reservations: list[Reservation], boot_cpu: int = 0) -> bytes:
    """The flattened form, version 17, without padding; the same tree gives the same bytes."""
    strings: dict[str, int] = {}
    body = bytearray()
    names = bytearray()

    def intern(name: str) -> int:
        if name not in strings:
            strings[name] = len(names)
            names.extend(name.encode("ascii") + b"\0")
        return strings[name]

    def emit(node: Node, name: str) -> None:
        body.extend(WORD.pack(BEGIN_NODE) + _padded(name.encode("ascii") + b"\0"))
        for prop in node.props:
            value = bytes(prop.data)
            body.extend(WORD.pack(PROP) + PROPERTY.pack(len(value), intern(prop.name)))
            body.extend(_padded(value))
        for child in node.nodes:
            emit(child, child.name)
        body.extend(WORD.pack(END_NODE))

    emit(root, "")
    body.extend(WORD.pack(END))
    memory = b"".join(RESERVATION.pack(*r) for r in [*reservations, Reservation(0, 0)])
    first = HEADER.size
    struct_at = first + len(memory)
    strings_at = struct_at + len(body)
    total = strings_at + len(names)
    if total > MAX_SIZE:
        raise TreeError(
            f"the device tree has {total:,} bytes, more than the {MAX_SIZE:,} a kernel takes",
            hint="remove nodes or overlays",
        )
    header = HEADER.pack(
        MAGIC, total, struct_at, strings_at, first, VERSION, COMPATIBLE_VERSION, boot_cpu,
        len(names), len(body),
    )  # fmt: skip
    return header + memory + bytes(body) + bytes(names)


def _damaged(why: str) -> TreeError:
    return TreeError(f"the device tree is damaged: {why}", hint=DAMAGED)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _layout(data: bytes | mmap, max_size: int = MAX_SIZE) -> _Layout:
    if len(data) < HEADER.size:
        raise _damaged("its header is cut off")
    fields = HEADER.unpack_from(data)
    magic, size, struct_at, strings_at, reserved_at, version, compatible, boot_cpu = fields[:8]
    strings_size, struct_size = fields[8:]
    if magic != MAGIC:
        raise TreeError(
            "no flattened device tree: the magic number is missing",
            hint="a DTB is wanted; compile a .dts with dtc first",
        )
    if version < COMPATIBLE_VERSION or compatible > VERSION:
        raise TreeError(f"device tree version {version} is not supported", hint=DAMAGED)
    if size > len(data):
        raise _damaged(f"truncated, {len(data):,} of {size:,} bytes are there")
    if size > max_size:
        raise _damaged(f"it claims {size:,} bytes, more than {max_size:,}")
    struct_end = struct_at + struct_size if version >= VERSION else size
    if struct_end > size or strings_at + strings_size > size or struct_at % 4:
        raise _damaged("its blocks lie outside of it")
    return _Layout(
        size, struct_at, struct_end, strings_at, strings_at + strings_size, reserved_at, boot_cpu
    )


def _reservations(data: bytes, layout: _Layout) -> list[Reservation]:
    found: list[Reservation] = []
    for at in range(layout.reservations, layout.size, RESERVATION.size):
        entry = Reservation(*RESERVATION.unpack_from(data, at))
        if entry == (0, 0):
            return found
        found.append(entry)
    raise _damaged("its memory reservations have no end")


def _tokens(data: bytes | mmap, layout: _Layout) -> Iterator[str | _Value | None]:
    """A node's name where it begins, None where it ends, and its properties between."""
    at = layout.struct_start
    paths: list[int] = []  # their lengths, of the nodes that have not ended
    while at + WORD.size <= layout.struct_end:
        (token,) = WORD.unpack_from(data, at)
        at += WORD.size
        if token == BEGIN_NODE:
            end = _end_of_text(data, at, layout.struct_end) if at < layout.struct_end else at
            paths.append((paths[-1] if paths else 0) + end - at + 1)
            if len(paths) > MAX_DEPTH:
                raise _damaged(f"it is deeper than {MAX_DEPTH} nodes")
            if paths[-1] > MAX_PATH:
                raise _damaged(f"a node's path has more than {MAX_PATH:,} characters")
            yield data[at:end].decode("ascii")
            at = end + 1
        elif token == END_NODE:
            if not paths:
                raise _damaged("a node ends that never began")
            paths.pop()
            yield None
        elif token == PROP:
            length, name_at = PROPERTY.unpack_from(data, at)
            at += PROPERTY.size
            if length > layout.struct_end - at:
                raise _damaged("a property is longer than the tree")
            yield _Value(_name(data, layout, name_at), at, at + length)
            at += length
        elif token == END:
            return
        elif token != NOP:
            raise _damaged(f"unknown token {token:#x}")
        at += -at % 4
    raise _damaged("it has no end")


def _name(data: bytes | mmap, layout: _Layout, offset: int) -> str:
    start = layout.strings_start + offset
    if start >= layout.strings_end:
        raise _damaged("a property's name lies outside of it")
    return data[start : _end_of_text(data, start, layout.strings_end)].decode("ascii")


def _end_of_text(data: bytes | mmap, start: int, end: int) -> int:
    at = data.find(b"\0", start, end)
    if at < 0:
        raise ValueError("a text without an end")
    return at


def _nodes(data: bytes, layout: _Layout) -> Node:
    root: Node | None = None
    stack: list[Node] = []
    seen: list[tuple[set[str], set[str]]] = []
    for token in _tokens(data, layout):
        if token is None:
            stack.pop()
            seen.pop()
            continue
        if not stack and (root is not None or isinstance(token, _Value)):
            raise _damaged("it has more than one root")
        if isinstance(token, _Value):
            # fdt's own append looks through all siblings; a hostile tree has 100,000.
            _unseen(token.name, seen[-1][1])
            prop = PropBytes(token.name, data=data[token.start : token.end])
            prop.set_parent(stack[-1])
            stack[-1].props.append(prop)
            continue
        if not stack:
            node = root = Node("/")
        else:
            _unseen(token, seen[-1][0])
            node = Node(token)
            node.set_parent(stack[-1])
            stack[-1].nodes.append(node)
        stack.append(node)
        seen.append((set(), set()))
    if root is None or stack:
        raise _damaged("its nodes do not end")
    return root


def _unseen(name: str, names: set[str]) -> None:
    if not name.isprintable() or not name or "/" in name:
        raise _damaged(f"a name in it is invalid: {name!r}")
    if name in names:
        raise _damaged(f"it has {name} twice in one node")
    names.add(name)
