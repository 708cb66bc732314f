"""``loader.conf``: what systemd-boot does with the entries that it finds.

Specification: loader.conf(5). Read are ``timeout`` (seconds, or ``menu-force``, ``menu-hidden``,
``menu-disabled``), ``default`` and ``preferred``, patterns of entries' ids; ``preferred`` comes
first, but does not choose an entry that has used up its tries. What the loader keeps in the
firmware's variables is not known here: ``@saved``, a default that was chosen in its menu, and the
entry for the next boot only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bootmenu.parsers.candidates import Candidate

MAX_PATTERN = 256
FOREVER = (1 << 32) - 1
"""The timeout that means ``menu-force``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """*timeout* is in seconds, negative to wait for ever, None when the file does not say."""

    timeout: float | None = None
    default: str = ""
    preferred: str = ""

    def choose(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """The default among *candidates*, which are in the menu's order."""
        good = [candidate for candidate in candidates if not candidate.bad]
        for pattern, among in ((self.preferred, good), (self.default, candidates)):
            matches = matcher(pattern)
            for candidate in among if pattern else ():
                if any(matches(id_) for id_ in candidate.ids):
                    return candidate
        return next(iter(candidates), None)


def parse(text: str) -> Settings:
    """The settings in *text*; the last of several counts, unless it makes no sense."""
    timeout: float | None = None
    patterns = {"default": "", "preferred": ""}
    for _, key, value in key_values(text):
        if key == "timeout":
            timeout = _timeout(value, timeout)
        elif key in patterns and (not value.startswith("@") or value.lower() == "@saved"):
            patterns[key] = value.lower()
    return Settings(timeout, **patterns)


def key_values(text: str, separators: str = " \t") -> Iterator[tuple[int, str, str]]:
    """The line, the key and the value of each line of *text* that has both and is no comment.

    The syntax is that of all files that systemd-boot reads, os-release with ``=`` too: quotes
    around a value are taken off, nothing is unescaped; an empty value is none.
    """
    split = re.compile(f"[{separators}]+")
    for number, line in enumerate(text.partition("\0")[0].split("\n"), 1):
        for part in line.split("\r"):
            stripped = part.strip(" \t")
            found = split.search(stripped)
            if found is None or stripped.startswith("#"):
                continue
            key, value = stripped[: found.start()], stripped[found.end() :]
            if value[:1] in ('"', "'") and value[:1] == value[-1:]:
                value = value[1:-1]
            if value:
                yield number, key, value


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether an id matches *pattern*: ``*``, ``?`` and ``[a-z]``, a backslash before the plain.

    Each part between the stars is looked for where it comes first, so no pattern takes long.
    """
    first, *others = _parts(pattern[:MAX_PATTERN])

    def matches(id_: str) -> bool:
        if not others:
            return first.fullmatch(id_) is not None
        found = first.match(id_)
        for part in others[:-1]:
            found = part.search(id_, found.end()) if found else None
        if found is None:
            return False
        # What is behind the last star ends the id; no part but it can be empty.
        return any(others[-1].fullmatch(id_, start) for start in range(found.end(), len(id_) + 1))

    return matches


def _parts(pattern: str) -> list[re.Pattern[str]]:
    parts = [""]
    for piece in re.findall(r"\\.|\[\]?[^\]]*\]|\*+|.", pattern, re.DOTALL):
        if piece.startswith("*"):
            parts.append("")
        elif piece == "?":
            parts[-1] += "."
        elif piece.startswith("["):
            parts[-1] += _set(piece[1:-1])
        else:
            parts[-1] += re.escape(piece[-1])
    return [re.compile(part, re.DOTALL) for part in parts]


def _set(characters: str) -> str:
    """The characters between brackets, as a regular expression; nothing but ``-`` is special."""
    ranges = re.findall(r"(.)-(.)|(.)", characters, re.DOTALL)
    shown = ""
    for low, high, one in ranges:
        if one or low <= high:  # what is the wrong way round is empty
            shown += re.escape(one) if one else f"{re.escape(low)}-{re.escape(high)}"
    return f"[{shown}]" if shown else "(?!)"


def _timeout(value: str, before: float | None) -> float | None:
    if value == "menu-force":
        return -1.0
    if value in {"menu-hidden", "menu-disabled"}:
        return 0.0
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > FOREVER:
        return before
    return -1.0 if int(value) == FOREVER else float(value)
