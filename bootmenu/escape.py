"""Text of a disk on its way to a terminal, which would obey some of it."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""*text* with all that has no shape, or steers a terminal, as ``\xNN`` or ``\uNNNN``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
