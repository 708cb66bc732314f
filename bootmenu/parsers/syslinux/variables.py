"""U-Boot's variables in APPEND.

``${name}`` and ``$(name)`` are replaced, single quotes protect and vanish, and a backslash makes
the next character an ordinary one (seen with U-Boot 2023.01). What U-Boot's variables hold is not
known here: they are empty, as those that are not set are to U-Boot.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(
    r"\\(?P<escaped>.?)|'(?P<quoted>(?:\\.|[^'\\])*)'?|\$[({](?P<variable>[^)}]*)[)}]?", re.DOTALL
)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)


def expand(text: str) -> tuple[str, list[str]]:
    """*text* as U-Boot hands it over, and the names of the variables that it asked for."""
    names: dict[str, None] = {}

    def replaced(matched: re.Match[str]) -> str:
        if matched["variable"] is not None:
            names[matched["variable"]] = None
            return ""
        if matched["quoted"] is not None:
            return _ESCAPE.sub(r"\1", matched["quoted"])
        return matched["escaped"]

    return _SPECIAL.sub(replaced, text).strip(), list(names)
