"""Boot counting: the tries that an entry has left and has had, in its file's name.

Specification: UAPI.1, "Boot counting",
https://uapi-group.org/specifications/specs/boot_loader_specification/#boot-counting, of type 1 and
type 2 entries: ``NAME+LEFT.conf`` or ``NAME+LEFT-DONE.conf``, or ``.efi``. Each boot renames the
file; the system that has come up takes the counters away. At 0 tries left the entry is bad: it can
still be chosen, and is not counted any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bootmenu.model import Rename, Resource

MAX_TRIES = (1 << 31) - 1
"""Tries that are counted; a file with a larger number in its name is not."""

_COUNTED = re.compile(
    r"(?P<name>.*)\+(?P<left>\d{1,10})(?:-(?P<done>\d{1,10}))?(?P<suffix>\.(?:conf|efi))",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FileName:
    """The name of an entry's file, taken apart.

    *id* is the name without its counters, in lower case; *tries_left* is None where boots are
    not counted; *following* is what the file is called after one more boot, "" for no change.
    """

    id: str
    tries_left: int | None = None
    tries_done: int = 0
    following: str = ""

    @classmethod
    def of(cls, name: str) -> FileName:
        """*name* is a file's, without its directory: ``debian-6.12+2-1.conf``."""
        matched = _COUNTED.fullmatch(name)
        left, done = (int(matched[key] or 0) for key in ("left", "done")) if matched else (0, 0)
        if matched is None or left > MAX_TRIES or done > MAX_TRIES:
            return cls(name.lower())
        plain = f"{matched['name']}{matched['suffix']}".lower()
        return cls(plain, left, done, _following(matched, left, done) if left else "")


def _following(name: re.Match[str], left: int, done: int) -> str:
    """The numbers keep their width: a name of the same length fits where the old one was."""
    fewer = str(left - 1).zfill(len(name["left"]))
    more = str(min(done + 1, MAX_TRIES)).zfill(len(name["done"] or ""))
    return f"{name['name']}+{fewer}-{more}{name['suffix']}"


def counted(file: Resource) -> tuple[Rename, ...]:
    """What booting the entry in *file* has to write: its next name, if its boots are counted."""
    following = FileName.of(file.path.rpartition("/")[2]).following
    return (Rename(file, following),) if following else ()
