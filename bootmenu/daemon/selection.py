"""What a person calls an entry on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from bootmenu.errors import BootmenuError

MANY = 5
"""Ids that a hint lists."""


class Named(Protocol):
    """An entry, of the model or on the wire."""

    @property
    def id(self) -> str:
        """The same on every boot."""

    @property
    def title(self) -> str:
        """What the menu shows."""

    @property
    def menu(self) -> Sequence[str]:
        """The submenus around it."""


Entry = TypeVar("Entry", bound=Named)


def find(entries: Sequence[Entry], name: str) -> Entry:
    """The entry whose id, title or ``Submenu>Title`` is *name*, or whose id begins with it.

    Raises BootmenuError when there is none, or more than one.
    """
    for matching in (
        [entry for entry in entries if entry.id == name],
        [entry for entry in entries if name in {entry.title, ">".join((*entry.menu, entry.title))}],
        [entry for entry in entries if name and entry.id.startswith(name)],
    ):
        if len(matching) == 1:
            return matching[0]
        if matching:
            several = ", ".join(entry.id for entry in matching[:MANY])
            raise BootmenuError(f"several entries are called {name}", hint=f"use an id: {several}")
    hint = "bootmenu list shows them with their ids"
    raise BootmenuError(f"no entry is called {name}", hint=hint)
