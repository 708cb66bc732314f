"""What this machine is and what may not be done on it, in words for the menu."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bootmenu.daemon.convert import shown, size_text
from bootmenu.model import Machine, Severity

_BOARD = (Path("/sys/firmware/devicetree/base/model"), Path("/sys/class/dmi/id/product_name"))


def describe(machine: Machine) -> str:
    """The board, its architecture and its memory, in one line."""
    parts = [_board(), str(machine.arch)]
    if machine.memory_total:
        parts.append(size_text(machine.memory_total))
    return ", ".join(part for part in parts if part)


def _board() -> str:
    for path in _BOARD:
        with suppress(OSError):
            name = path.read_text(errors="replace").strip("\0 \n")
            if name:
                return shown(name)
    return ""


def restrictions(machine: Machine) -> list[str]:
    """What may not be done here, each with its reason; empty when everything works."""
    from bootmenu.loader.preflight.examination import diagnose

    errors = (finding for finding in diagnose(machine) if finding.severity is Severity.ERROR)
    found = [
        f"{error.message} ({error.cause})" if error.cause else error.message for error in errors
    ]
    if os.geteuid() != 0:
        found.append("only mounted disks can be read (this is not root)")
    return found
