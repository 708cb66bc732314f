"""Lines of ``name=value``, as Petitboot reads its own configuration and kboot's.

Blanks and quotes around a name and a value go away, even a quote without a partner, as in
Petitboot; a line that starts with ``#`` is a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles

MAX_SIZE = 64 << 10  # bytes of one configuration
MAX_ENTRIES = 200
"""Entries of one configuration that are shown: each may have a copy of what holds for all."""
MAX_PROBLEMS = 50

_AROUND = " \t\r\v\f\"'"


@dataclass(frozen=True, slots=True)
class Pair:
    """One line; *name* is empty on a line without ``=``."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration file: its *text*, or the *error* that reading it gave."""

    path: str
    text: str
    error: str = ""


def sources(files: VolumeFiles, paths: Sequence[str]) -> Iterator[Source]:
    """Those of *paths* that are there, each file once."""
    seen = set()
    for path in paths:
        if not files.is_not_directory(path):
            continue
        try:
            stored = files.path_of(path)
            if stored in seen:
                continue
            seen.add(stored)
            yield Source(path, files.read_text(path, MAX_SIZE))
        except VolumeError as error:
            yield Source(path, "", error.message)


def strip(text: str) -> str:
    """*text* without the blanks and quotes around it."""
    return text.strip(_AROUND)


def pairs(text: str) -> Iterator[Pair]:
    """The lines of *text* that say something."""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        yield Pair(number, strip(name), strip(value)) if equals else Pair(number, "", strip(name))
