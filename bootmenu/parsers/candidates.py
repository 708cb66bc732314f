"""The order and the titles of the Boot Loader Specification's entries, of both types in one list.

Specification: UAPI.1, "Sorting"; systemd-boot(7). What is bad (no tries left) comes last; then what
has a sort key, by it, by the machine-id, and the newest version first; then by file name, the
newest first. Titles that are equal get the version, then the machine-id, then the file name added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key

from bootmenu.model import BootEntry, Resource
from bootmenu.parsers.counting import FileName
from bootmenu.parsers.versions import compare_versions


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry, and what its place in the menu goes by; None for what its file does not say."""

    entry: BootEntry
    file: FileName
    sort_key: str | None = None
    machine_id: str | None = None
    version: str | None = None
    profile: int = 0
    profile_id: str = ""
    program: Resource | None = None  # what is started, if it is no kernel

    @property
    def id(self) -> str:
        """What ``default`` in loader.conf means, and what an entry without a title is called."""
        if not self.profile:
            return self.file.id
        return f"{self.file.id}@{self.profile_id.lower() or self.profile}"

    @property
    def ids(self) -> tuple[str, ...]:
        """All that it is called: bootctl names the first profile as well."""
        if self.profile or not self.profile_id:
            return (self.id,)
        return (self.id, f"{self.file.id}@{self.profile_id.lower()}")

    @property
    def bad(self) -> bool:
        """Whether it has used up its tries."""
        return self.file.tries_left == 0


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """*candidates* as the boot loader shows them."""
    return sorted(candidates, key=cmp_to_key(_compare))


def with_titles(candidates: Sequence[Candidate]) -> list[Candidate]:
    """*candidates* with titles that are told apart, as far as they can be."""
    titles = [candidate.entry.title for candidate in candidates]
    for additions in _additions(candidates):
        seen = Counter(titles)
        if len(seen) == len(titles):
            break
        titles = [
            f"{title} ({addition})" if seen[title] > 1 and addition is not None else title
            for title, addition in zip(titles, additions, strict=True)
        ]
    return [
        replace(candidate, entry=replace(candidate.entry, title=title))
        for candidate, title in zip(candidates, titles, strict=True)
    ]


def _additions(candidates: Sequence[Candidate]) -> Iterator[list[str | None]]:
    yield [candidate.version for candidate in candidates]
    yield [c.machine_id[:8] if c.machine_id is not None else None for c in candidates]
    yield [candidate.id for candidate in candidates]


def _compare(one: Candidate, other: Candidate) -> int:
    if one.bad != other.bad:
        return 1 if one.bad else -1
    if (one.sort_key is None) != (other.sort_key is None):
        return 1 if one.sort_key is None else -1
    if one.sort_key is not None and other.sort_key is not None:
        mine = (one.sort_key, one.machine_id or "")
        yours = (other.sort_key, other.machine_id or "")
        if mine != yours:
            return -1 if mine < yours else 1
        if versions := compare_versions(other.version or "", one.version or ""):
            return versions
    if names := compare_versions(other.file.id, one.file.id):
        return names
    if one.profile != other.profile and one.file.id == other.file.id:
        return one.profile - other.profile
    left, also = one.file.tries_left, other.file.tries_left
    if left is None or also is None:
        return 0
    return also - left or one.file.tries_done - other.file.tries_done
