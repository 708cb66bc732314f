"""A place for everything where the preferred ones are taken: whatever fits is found.

A part that has a place at all also has one at an end of a free piece: moved up or down until it
meets the piece's end or another part, it is in nobody's way. So the ends are tried, in every
order of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

from bootmenu.loader.memory import Holes, Range, align_down, align_up

MAX_PIECES = 256
"""The largest so many free pieces that any part fits are looked at."""
MAX_TRIES = 50_000

Places = dict[str, int]
"""Parts and their addresses, of all or of those that have one yet."""
Allowed = Callable[[Places], bool]


class Part(NamedTuple):
    """*size* bytes that lie *offset* behind a multiple of *align*, within *low*..*high*.

    Where the part *hub* lies decides on its place, if it names one. The highest place is the
    best, or the *lowest*.
    """

    size: int
    align: int
    offset: int = 0
    low: int = 0
    high: int | None = None
    hub: str = ""
    lowest: bool = False


def on_top(free: Sequence[Range], parts: Mapping[str, Part]) -> Places | None:
    """The highest addresses in *free* that are left for each of *parts* in turn, or None."""
    holes = Holes(free)
    placed = {}
    for name, part in parts.items():
        at = holes.highest(part.size, part.align, offset=part.offset, low=part.low, high=part.high)
        if at is None:
            return None
        holes.take(at, part.size)
        placed[name] = at
    return placed


def fit(
    free: Sequence[Range], parts: Mapping[str, Part], allowed: Allowed = lambda _: True
) -> Places | None:
    """Addresses for all *parts* in *free*, of which *allowed* approves, or None.

    The last of the parts must be one that fits wherever anything is left.
    """
    fitting = (p for p in free if any(next(_ends((p,), part), None) for part in parts.values()))
    pieces = sorted(sorted(fitting, key=lambda piece: piece.size)[-MAX_PIECES:])
    if any(not next(_ends(pieces, part), None) for part in parts.values()):
        return None
    search = _Search(parts, allowed)
    *names, last = parts
    for order in permutations(names):
        found = search.place(pieces, (*order, last), {})
        if found is not None:
            return found
    return None


class _Search:
    def __init__(self, parts: Mapping[str, Part], allowed: Allowed) -> None:
        self._parts, self._allowed = parts, allowed
        self._left = MAX_TRIES

    def place(self, free: list[Range], order: Sequence[str], placed: Places) -> Places | None:
        """Addresses for the parts in *order* beside those that were *placed*."""
        if not order:
            return placed
        name, *others = order
        tried: set[int] = set()
        for number, at in _ends(free, self._parts[name]):
            places = {**placed, name: at}
            if self._left and self._allowed(places):
                self._left -= 1
                tried.add(number)
                rest = _without(free, number, at, self._parts[name].size)
                found = self.place(rest, others, places)
                if found is not None:
                    return found
            # The others take one piece each. So one of these is as good as any other one.
            if len(tried) > len(others) and self._settled(name, others):
                break
        return None

    def _settled(self, name: str, others: Sequence[str]) -> bool:
        """Whether what *others* get does not decide on where *name* may lie."""
        hub = self._parts[name].hub
        return hub not in others and all(self._parts[one].hub != name for one in others)


def _ends(pieces: Sequence[Range], part: Part) -> Iterator[tuple[int, int]]:
    """Both ends of each of *pieces* as addresses of *part*, with the piece's number; best first."""
    numbers = range(len(pieces))
    for number in numbers if part.lowest else reversed(numbers):
        start, end = pieces[number]
        if end - start < part.size:
            continue
        low = max(start, part.low)
        high = end if part.high is None else min(end, part.high)
        first = align_up(low - part.offset, part.align) + part.offset
        last = align_down(high - part.size - part.offset, part.align) + part.offset
        if first <= last:
            yield number, first if part.lowest else last
        if first < last:
            yield number, last if part.lowest else first


def _without(pieces: list[Range], number: int, at: int, size: int) -> list[Range]:
    """*pieces* without the *size* bytes at *at*, which lie in the piece *number*."""
    start, end = pieces[number]
    left = [Range(*ends) for ends in ((start, at), (at + size, end)) if ends[0] < ends[1]]
    return [*pieces[:number], *left, *pieces[number + 1 :]]
