"""What a person should know beforehand, by how much it matters."""

from __future__ import annotations

from bootmenu.model import Finding, Severity


def error(message: str, cause: str, remedy: str) -> Finding:
    """A finding that forbids the load."""
    return Finding(Severity.ERROR, message, cause, remedy)


def warning(message: str, cause: str, remedy: str) -> Finding:
    """A finding that a person should know."""
    return Finding(Severity.WARNING, message, cause, remedy)


def note(message: str, cause: str, remedy: str) -> Finding:
    """A finding that explains."""
    return Finding(Severity.NOTE, message, cause, remedy)
