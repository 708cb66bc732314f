"""Why an image lies where it does, in words for a person: those that the architectures share."""

from __future__ import annotations

from bootmenu.loader.memory import LAST, ram
from bootmenu.model import Machine

IN_RESERVE = "in the memory that is set aside for a crash kernel"
ANYWHERE = "wherever there is room: no better place has any"


def level(end: int, machine: Machine) -> str:
    """How high what ends at *end* lies, where the memory of *machine* lies."""
    return "below 4 GiB" if end <= LAST < ram(machine)[-1].end else "high"


def preferred(end: int, machine: Machine, what: str = "it") -> str:
    """Why what ends at *end* is where :meth:`bootmenu.loader.memory.Holes.highest` has put it.

    *what* is all that had to find room with it.
    """
    if end <= LAST or ram(machine)[0].start >= LAST:
        return f"{level(end, machine)}: memory there is handed out last, which keeps the load fast"
    return f"high: {what} had no room below 4 GiB, where memory is handed out last"
