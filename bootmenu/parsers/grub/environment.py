"""GRUB's environment block, ``grubenv``: variables that outlive a boot.

Specification: GNU GRUB manual, "The GRUB environment block": 1,024 bytes that begin with a
signature line and are filled up with ``#``; a backslash takes the meaning of what follows it, so
values may hold newlines. Lines that begin with ``#`` are comments. Any other size is read and kept
as well, as GRUB does; where the manual is silent, the results are those of ``grub-editenv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bootmenu.errors import ParseError
from bootmenu.model import Origin, Resource, Save

SIGNATURE = b"# GRUB Environment Block\n"
MAX_SIZE = 64 << 10
"""Bytes; GRUB writes 1,024, some distributions have made it larger."""

Changes = Iterable[tuple[str, str | None]]
"""Names and their new values; None removes the variable."""

_REST = rb"(?:\\.|[^\\\n])*"  # of a line; an escaped newline does not end it
_LINE = re.compile(_REST + rb"(?:\n|\\?\Z)", re.DOTALL)
_VALUE = re.compile(_REST + rb"\n", re.DOTALL)
_ASSIGNMENT = re.compile(rb"(?P<name>[^=#][^=]*|)=(?P<value>" + _REST + rb")\n", re.DOTALL)


@dataclass(slots=True)
class Saved:
    """What a configuration has saved so far: nothing is written while it is read."""

    blocks: dict[Resource, bytes] = field(default_factory=dict)  # as they would be by now
    changes: dict[Resource, tuple[tuple[str, str | None], ...]] = field(default_factory=dict)
    origin: Origin | None = None  # of the last of them

    def copy(self) -> Saved:
        """The same; what becomes of the copy is its own affair."""
        return Saved(dict(self.blocks), dict(self.changes), self.origin)

    def save(
        self, file: Resource, block: bytes, values: tuple[tuple[str, str | None], ...]
    ) -> None:
        """Save *values* in *file*, which holds *block*. Raises :class:`ParseError`, saving none."""
        self.blocks[file] = change_block(self.blocks.get(file, block), values)
        self.changes[file] = (*self.changes.get(file, ()), *values)

    @property
    def count(self) -> int:
        """How many variables were saved, each time counted."""
        return sum(map(len, self.changes.values()))

    def writes(self) -> tuple[Save, ...]:
        """All that is to be written, by file."""
        return tuple(Save(file, values) for file, values in self.changes.items())


def parse_block(block: bytes) -> dict[str, str]:
    """The variables in *block*, in its order; raises :class:`ParseError` when it is none."""
    return dict(assignments(block))


def assignments(block: bytes) -> Iterator[tuple[str, str]]:
    """The names and values in *block*, of which the last counts where a name comes twice.

    Raises :class:`ParseError` when it is no environment block.
    """
    _check(block)
    position = len(SIGNATURE)
    while position < len(block):
        if block[position] == ord("#"):
            position = _next_line(block, position)
            continue
        found = _ASSIGNMENT.match(block, position)
        if found is None:
            break
        value = re.sub(rb"\\(.)", rb"\1", found["value"], flags=re.DOTALL)
        yield _text(found["name"]), _text(value)
        position = found.end()


def change_block(block: bytes, changes: Changes) -> bytes:
    """*block* after *changes*, one after the other: of the same size, all else as it was.

    Raises :class:`ParseError` when it is no environment block, or when the values do not fit.
    """
    _check(block)
    for name, value in changes:
        encoded = name.encode("utf-8", "surrogateescape")
        if value is None:
            block = _without(block, encoded)
        else:
            block = _with(block, encoded, value.encode("utf-8", "surrogateescape"))
    return block


def _with(block: bytes, name: bytes, value: bytes) -> bytes:
    """*block* with a variable changed where it stands, or added behind the last line."""
    used = len(block.rstrip(b"#"))
    start, end = _find(block, name) or (used, used)
    value = re.sub(rb"([\\\n])", rb"\\\1", value)
    changed = block[:start] + name + b"=" + value + b"\n" + block[end:used]
    # Behind a line without an end nothing can be added, and nothing must be cut off.
    if block[used - 1 : used] != b"\n" or end < 0 or len(changed) > len(block):
        raise ParseError("the environment block is too small", hint="unset a variable in it")
    return changed.ljust(len(block), b"#")


def _without(block: bytes, name: bytes) -> bytes:
    start, end = _find(block, name) or (0, 0)
    return block if end <= start else (block[:start] + block[end:]).ljust(len(block), b"#")


def _find(block: bytes, name: bytes) -> tuple[int, int] | None:
    """Where the line of the variable *name* begins and the next one does: -1 if it has no end."""
    position = len(SIGNATURE) if name + b"=" in block else len(block)
    while position < len(block):
        if block.startswith(name + b"=", position):
            found = _VALUE.match(block, position + len(name) + 1)
            return position, found.end() if found is not None else -1
        position = _next_line(block, position)
    return None


def _next_line(block: bytes, position: int) -> int:
    found = _LINE.match(block, position)
    return found.end() if found is not None else len(block)


def _check(block: bytes) -> None:
    if not block.startswith(SIGNATURE) or len(block) == len(SIGNATURE):
        raise ParseError("not a GRUB environment block", hint="grub-editenv can create one anew")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
