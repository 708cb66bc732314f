"""The lines of the main menu: devices, submenus that open and close, entries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Device, Entry, State


class RowKind(Enum):
    """What a line of the menu is."""

    DEVICE = "device"
    SUBMENU = "submenu"
    ENTRY = "entry"


@dataclass(frozen=True)
class MenuRow:
    """One line; *key* stays the same while entries come and go around it."""

    key: str
    kind: RowKind
    depth: int
    text: str
    detail: str = ""  # of a device, or how many entries a submenu holds
    entry: Entry | None = None
    opened: bool = False
    failed: bool = False
    default: bool = False  # a closed submenu that holds the entry which starts by itself

    @property
    def selectable(self) -> bool:
        """Whether the selection can rest on it."""
        return self.kind is not RowKind.DEVICE


def rows_of(state: State, opened: set[str]) -> list[MenuRow]:
    """The lines for *state*, submenus open whose keys are in *opened*.

    Devices come in the daemon's order; one that offers nothing is shown only while it is
    being read or when it cannot be.
    """
    entries: dict[str, list[Entry]] = {}
    for entry in state.entries:
        entries.setdefault(entry.device, []).append(entry)
    rows: list[MenuRow] = []
    for device in state.devices:
        offered = entries.pop(device.name, [])
        if offered or device.state.name != "ready":
            rows.append(_device(device))
            rows.extend(_entries(device.name, offered, opened, state.default))
    for name, offered in entries.items():
        rows.append(MenuRow(f"device:{name}", RowKind.DEVICE, 0, name))
        rows.extend(_entries(name, offered, opened, state.default))
    return rows


def _device(device: Device) -> MenuRow:
    detail = device.detail
    failed = device.state.name == "failed"
    if failed:
        detail = f"cannot be read: {device.problem}"
    elif device.state.name == "scanning":
        detail = f"{detail}, being read..." if detail else "being read..."
    return MenuRow(f"device:{device.name}", RowKind.DEVICE, 0, device.title, detail, failed=failed)


def submenu_key(device: str, menu: list[str]) -> str:
    """The key of the submenu with the titles *menu* on *device*."""
    return "\0".join(("menu", device, *menu))


def _entries(
    device: str, entries: list[Entry], opened: set[str], default: str | None, depth: int = 0
) -> list[MenuRow]:
    """The rows of *entries*, which stand in the same submenus down to *depth*.

    A submenu stands where its first entry does, with those that the configuration adds later.
    """
    items: list[Entry | list[Entry]] = []
    submenus: dict[str, list[Entry]] = {}
    for entry in entries:
        if len(entry.menu) == depth:
            items.append(entry)
        elif inside := submenus.get(entry.menu[depth]):
            inside.append(entry)
        else:
            submenus[entry.menu[depth]] = inside = [entry]
            items.append(inside)
    rows: list[MenuRow] = []
    for item in items:
        if isinstance(item, list):
            menu = item[0].menu[: depth + 1]
            key = submenu_key(device, menu)
            holds = "1 entry" if len(item) == 1 else f"{len(item)} entries"
            rows.append(MenuRow(key, RowKind.SUBMENU, depth, menu[-1], holds))
            if key in opened:
                rows[-1] = replace(rows[-1], opened=True)
                rows.extend(_entries(device, item, opened, default, depth + 1))
            elif any(entry.id == default for entry in item):
                rows[-1] = replace(rows[-1], default=True)
        else:
            rows.append(MenuRow(item.id, RowKind.ENTRY, depth, item.title, entry=item))
    return rows


def submenus_around(entry: Entry) -> set[str]:
    """The keys of the submenus that must be open for *entry* to be seen."""
    return {submenu_key(entry.device, entry.menu[: depth + 1]) for depth in range(len(entry.menu))}
