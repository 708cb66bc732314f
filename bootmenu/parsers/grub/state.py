"""What a running GRUB script consists of besides its statements, and what it may use up."""

from __future__ import annotations

from dataclasses import dataclass, field

from bootmenu.errors import ParseError
from bootmenu.model import Origin, Resource
from bootmenu.parsers.grub.parser import Block, Statement

STEPS = 200_000
"""Statements that the script of a configuration may run, and again all of its entries."""
ENTRY_STEPS = 20_000
"""Statements that one menu entry may run."""
SECONDS = 5.0
"""Of the processor, as :mod:`bootmenu.files.effort` says why, for the script, and again for all of
its entries."""
MAX_DEPTH = 60
"""Statements and functions within each other."""
FILE_NOT_FOUND, BAD_NUMBER, NOT_THERE, BAD_ARGUMENT, BAD_MENU = 5, 10, 17, 18, 27
"""Statuses of failed commands, by GRUB's numbers."""
MAX_TEXT = 8 << 20
"""Characters of all the scripts that a configuration runs."""
MAX_VALUE = 64 << 10
"""Characters of an argument."""
MAX_ARGUMENTS = 4096
MAX_EXPANDED = 32 << 20
"""Characters of all the arguments of a script, and again of all entries."""
MAX_PROBLEMS = 50
MAX_ITEMS = 5000
"""Menu entries of one configuration, its submenus included."""


class ExhaustedError(ParseError):
    """The script wants more than any real one needs."""


class Leave(Exception):  # noqa: N818 (no error: the way out of blocks)
    """``break``, ``continue``, ``return`` or ``exit``, on its way to where it ends."""

    def __init__(self, kind: str, count: int = 1) -> None:
        super().__init__(kind)
        self.kind = kind
        self.count = count


@dataclass(slots=True)
class Scope:
    """Variables, and the names of those that a submenu inherits."""

    values: dict[str, str] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)

    def copy(self) -> Scope:
        """The same variables; what becomes of the copy is its own affair."""
        return Scope(dict(self.values), set(self.exported))

    def inherited(self) -> Scope:
        """What a submenu sees."""
        values = {name: self.values[name] for name in self.exported if name in self.values}
        return Scope(values, set(self.exported))


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A ``menuentry`` or a ``submenu``: what runs when it is chosen.

    *arguments* are what its body sees as ``$1`` and so on; the first is the title.
    """

    title: str
    id: str
    body: tuple[Statement, ...]
    path: str
    line: int
    arguments: tuple[str, ...]
    submenu: bool = False
    hidden: bool = False  # can be the default and is not shown


@dataclass(slots=True)
class Boot:
    """What the commands that load have named so far."""

    kernel: Resource | None = None
    cmdline: str = ""
    initrds: tuple[Resource, ...] = ()
    dtb: Resource | None = None
    other: str = ""  # the command that starts something which is no Linux
    origins: dict[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments' values."""

    name: str
    arguments: tuple[str, ...]
    line: int
    block: Block | None = None
