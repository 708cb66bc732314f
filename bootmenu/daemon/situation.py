"""What the daemon does at the moment, in words for the menus, and the entries as they show them."""

from __future__ import annotations

from dataclasses import dataclass

from bootmenu.daemon import interface as wire
from bootmenu.daemon.convert import device_title, wire_entry
from bootmenu.daemon.countdown import Autoboot
from bootmenu.daemon.inventory import Inventory
from bootmenu.daemon.loading import Activity
from bootmenu.model import BootEntry


@dataclass(frozen=True, slots=True)
class Situation:
    """What goes on: an *activity*, else the search for devices, a countdown, or nothing.

    *message* is what was done last, *default* whether some entry is one.
    """

    activity: Activity | None
    inventory: Inventory
    autoboot: Autoboot
    discovering: bool
    message: str
    default: bool

    @property
    def phase(self) -> wire.Phase:
        """It in a word."""
        if self.activity is not None:
            return self.activity.phase
        if self.discovering:
            return wire.Phase.discovering
        counting = self.autoboot.entry is not None
        return wire.Phase.counting if counting else wire.Phase.waiting

    @property
    def status(self) -> str:
        """What is awaited, and why."""
        if self.activity is not None:
            if self.activity.phase is wire.Phase.starting:
                return f"Starting {self.activity.title}"
            verb = "Cancelling" if self.activity.cancel.is_set() else "Loading"
            return f"{verb} {self.activity.title}"
        awaited = self.inventory.awaited
        if self.discovering:
            return f"Reading {device_title(awaited)}" if awaited else "Looking for devices"
        if self.message:
            return self.message
        if (chosen := self.autoboot.entry) is not None:
            return f"{self.inventory.entries[chosen].title} starts unless a key is pressed"
        if awaited is not None:
            return f"Choose a system; still reading {device_title(awaited)}"
        if not self.inventory.entries:
            return self._nothing()
        if self.autoboot.armed and not self.default:
            return "Choose a system: none that can start is the default"
        return "Choose a system"

    def _nothing(self) -> str:
        if not self.inventory.records:
            return "No disk was found"
        why = "; ? says what could not be read" if self.inventory.problems else ""
        return f"No system was found{why}"


class ShownEntries:
    """The entries as the menus show them, made anew only when they have changed.

    While something is loaded, states come many times a second.
    """

    def __init__(self) -> None:
        self._entries: dict[str, BootEntry] = {}
        self._default: str | None = None
        self._shown: list[wire.Entry] = []

    def of(self, entries: dict[str, BootEntry], default: str | None) -> list[wire.Entry]:
        """*entries*, of which *default* is the id of the one that starts by itself."""
        if self._entries is not entries or self._default != default:
            self._shown = [wire_entry(one, default=one.id == default) for one in entries.values()]
            self._entries, self._default = entries, default
        return self._shown
