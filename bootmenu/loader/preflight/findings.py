"""What a person should know beforehand, by how much it matters.

Parts of the texts come from disks, so nothing in them steers a terminal.
"""

from __future__ import annotations

from bootmenu.escape import printable
from bootmenu.model import Finding, Severity


def error(message: str, cause: str, remedy: str) -> Finding:
    """A finding that forbids the load."""
    return _finding(Severity.ERROR, message, cause, remedy)


def warning(message: str, cause: str, remedy: str) -> Finding:
    """A finding that a person should know."""
    return _finding(Severity.WARNING, message, cause, remedy)


def note(message: str, cause: str, remedy: str) -> Finding:
    """A finding that explains."""
    return _finding(Severity.NOTE, message, cause, remedy)


def _finding(severity: Severity, *texts: str) -> Finding:
    return Finding(severity, *map(printable, texts))
