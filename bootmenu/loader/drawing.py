"""The memory of a machine drawn to scale: what there is, what is kept, where segments land.

First all of it, on one scale; then, larger, the parts with segments that are too small there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootmenu.errors import PlacementError
from bootmenu.escape import printable
from bootmenu.loader.memory import CRASH, Range, align_down, kept, merge, ram, subtract
from bootmenu.model import IoResource, Machine, Segment

LETTERS = {
    "kernel": "K",
    "initrd": "I",
    "dtb": "D",
    "boot_params": "P",
    "elfcorehdr": "E",
    "trampoline": "T",
}
_WORDS = {"dtb": "device tree", "boot_params": "boot parameters"}
_TITLES = {"Reserved": "reserved", CRASH: "crash kernel"}
_FREE, _PARTLY, _USED, _CRASH, _OTHER = ".", ":", "x", "C", "?"
_LINES = 10
"""Ranges of memory that are all drawn; of more, only those with a segment."""
_NAMES = 4  # kinds of what is kept that are told apart
_FINER = 4  # how much finer a scale must be to say anything new
_ADDRESSES = 37  # columns beside a bar: two addresses of 56 bits


class _Map(NamedTuple):
    """What is drawn, each ascending."""

    memory: Sequence[Range]
    used: Sequence[Range]
    crash: Sequence[Range]
    segments: Sequence[Segment]


def draw(segments: Sequence[Segment], machine: Machine, width: int) -> Iterator[str]:
    """The memory of *machine* with *segments*, in lines of *width* columns, 70 or more."""
    try:
        memory = ram(machine)
    except PlacementError:  # the plan is of a machine whose map is not known
        return
    taken = list(kept(machine))
    drawn = _Map(
        memory,
        merge(Range(one.start, one.end + 1) for one in taken),
        merge(Range(one.start, one.end + 1) for one in taken if one.name == CRASH),
        sorted(segments, key=lambda segment: segment.mem),
    )
    columns = width - _ADDRESSES
    yield from _summary(memory, taken, width)
    scale = _rounded(max(part.size for part in memory) / columns)
    yield f"one column is {_amount(scale)}"
    bars: set[str] = set()
    for group in _folded(drawn):
        if len(group) == 1:
            bar = _bar(group[0], scale, drawn)
            bars.update(bar)
            yield _line(group[0], bar)
        else:
            total = _amount(sum(part.size for part in group))
            yield f"{group[0].start:>#17x}  {len(group)} ranges without a segment, {total}"
    for again in (False, True):  # what is hidden behind its neighbours even when it is larger
        small = [one for one in drawn.segments if not again or _letter(one) not in bars]
        for window, finer in _windows(memory, small, scale, columns):
            bar = _bar(window, finer, drawn)
            bars.update(bar)
            yield f"larger, one column is {_amount(finer)}"
            yield _line(window, bar)
    yield from _legend(bars, width)


def _line(part: Range, bar: str) -> str:
    return f"{part.start:>#17x} |{bar}| {part.end - 1:#x}"


def _summary(memory: Sequence[Range], taken: Sequence[IoResource], width: int) -> list[str]:
    """How much memory there is, and what is kept of it for what."""
    by_name: dict[str, list[Range]] = {}
    for one in taken:
        title = _TITLES.get(one.name, printable(one.name))
        by_name.setdefault(title, []).append(Range(one.start, one.end + 1))
    most = sorted(by_name, key=lambda name: sum(part.size for part in by_name[name]), reverse=True)
    others = [part for name in most[_NAMES:] for part in by_name[name]]
    words = []
    left = list(memory)  # what lies in something else counts once
    for name, parts in [(name, by_name[name]) for name in most[:_NAMES]] + [("others", others)]:
        rest = subtract(left, parts)
        size = sum(part.size for part in left) - sum(part.size for part in rest)
        if size:
            words.append(f"{_amount(size)} {name}")
        left = rest
    text = f"memory    {_amount(sum(part.size for part in memory))}"
    if words:
        text += f"; kept of it: {', '.join(words)}"
    return textwrap.wrap(text, width, subsequent_indent=" " * 10)


def _folded(drawn: _Map) -> Iterator[list[Range]]:
    """The ranges of memory one by one; of many, those without a segment in runs."""
    run: list[Range] = []
    for part in drawn.memory:
        held = any(_touches(part, segment) for segment in drawn.segments)
        if len(drawn.memory) > _LINES and not held:
            run.append(part)
            continue
        if run:
            yield run
        run = []
        yield [part]
    if run:
        yield run


def _touches(part: Range, segment: Segment) -> bool:
    return segment.mem < part.end and part.start < segment.end


def _windows(
    memory: Sequence[Range], segments: Sequence[Segment], scale: float, columns: int
) -> Iterator[tuple[Range, float]]:
    """The parts to be drawn larger, and their scales: around *segments* that lie together."""
    groups: list[tuple[Range, Range]] = []  # each with the range of memory around it
    for segment in segments:
        inside = next((part for part in memory if _touches(part, segment)), None)
        if inside is None:
            continue
        if groups and groups[-1][1] == inside:
            start, end = groups[-1][0]
            if segment.mem - end <= max(end - start, segment.memsz):
                groups[-1] = Range(start, segment.end), inside
                continue
        groups.append((Range(segment.mem, segment.end), inside))
    for (start, end), inside in groups:
        finer = _rounded((end - start) / columns * 1.1)
        if finer * _FINER <= scale:
            margin = int(finer * columns - (end - start)) // 2
            low = max(inside.start, align_down(start - margin, int(finer)))
            yield Range(low, min(inside.end, max(end, low + int(finer * columns)))), finer


def _bar(part: Range, scale: float, drawn: _Map) -> str:
    columns = max(1, -int(-part.size // scale))
    bar = [_FREE] * columns

    def span(start: int, end: int) -> range:
        first = int((max(start, part.start) - part.start) / scale)
        last = int((min(end, part.end) - 1 - part.start) / scale)
        return range(min(first, columns - 1), min(last + 1, columns))

    for used in drawn.used:
        if used.start < part.end and part.start < used.end:
            for column in span(*used):
                left = part.start + column * scale
                right = min(left + scale, part.end)
                filled = used.start <= left and right <= used.end
                bar[column] = _USED if filled else _PARTLY
    for crash in drawn.crash:
        if crash.start < part.end and part.start < crash.end:
            for column in span(*crash):
                bar[column] = _CRASH
    # The largest first, so that a trampoline of one page stays visible.
    for segment in sorted(drawn.segments, key=lambda segment: -segment.memsz):
        if _touches(part, segment):
            for column in span(segment.mem, segment.end):
                bar[column] = _letter(segment)
    return "".join(bar)


def _letter(segment: Segment) -> str:
    return LETTERS.get(segment.name, _OTHER)


def _legend(seen: set[str], width: int) -> list[str]:
    meanings = {
        **{letter: _WORDS.get(name, name) for name, letter in LETTERS.items()},
        _CRASH: "kept for a crash kernel",
        _USED: "kept",
        _PARTLY: "partly kept",
        _FREE: "free",
        _OTHER: "another segment",
    }
    words = [f"{letter} {meaning}" for letter, meaning in meanings.items() if letter in seen]
    text = "  ".join(word.replace(" ", "\0") for word in words)
    return [line.replace("\0", " ") for line in textwrap.wrap(text, width)]


def _rounded(scale: float) -> float:
    """*scale*, or the next round number: what lies on a boundary then begins a column."""
    power = 1 << 12
    while power < scale:
        power *= 2
    return power * 3 // 4 if scale <= power * 3 // 4 and power > 1 << 12 else power


def _amount(size: float) -> str:
    unit = "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:,.0f} {unit}" if size >= 100 else f"{size:.3g} {unit}"
