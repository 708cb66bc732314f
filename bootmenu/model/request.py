"""What shall run: an entry with the user's edits applied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bootmenu.model.entry import BootEntry, Rename, Resource, Save


class EditAction(StrEnum):
    """What a :class:`TreeEdit` does."""

    SET = "set"  # set or add a property
    REMOVE = "remove"  # remove a property
    ADD_NODE = "add-node"
    REMOVE_NODE = "remove-node"


@dataclass(frozen=True, slots=True)
class TreeEdit:
    """One change to the device tree, applied last.

    *path* is a node's path; *value* is written as in device tree source (``"a", "b"``,
    ``<0x1 2>``, ``[de ad]``, empty for a property without a value).
    """

    action: EditAction
    path: str
    property: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class BootRequest:
    """An entry with the user's edits applied: exactly what shall run."""

    title: str
    kernel: Resource
    initrds: tuple[Resource, ...] = ()
    dtb: Resource | None = None
    overlays: tuple[Resource, ...] = ()
    cmdline: str = ""
    edits: tuple[TreeEdit, ...] = ()
    entry: str = ""  # id of the entry it was made from, "" for none
    writes: tuple[Save | Rename, ...] = ()  # the entry's, whatever else was edited

    @classmethod
    def of_entry(cls, entry: BootEntry) -> BootRequest:
        """What booting *entry* unedited runs; it must have a kernel."""
        if entry.kernel is None:
            raise ValueError(f"entry without a kernel: {entry.id}")
        return cls(
            title=entry.title,
            kernel=entry.kernel,
            initrds=entry.initrds,
            dtb=entry.dtb,
            overlays=entry.overlays,
            cmdline=entry.cmdline,
            entry=entry.id,
            writes=entry.writes,
        )

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file that it reads."""
        dtb = (self.dtb,) if self.dtb is not None else ()
        return (self.kernel, *self.initrds, *dtb, *self.overlays)
