r"""What a person should know beforehand, by how much it matters.

Parts of the texts come from disks, so what a terminal would obey is shown as ``\xNN``.
"""

from __future__ import annotations

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
    return Finding(severity, *map(_shown, texts))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
