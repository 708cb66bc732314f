"""A load plan for people, as text with the memory map to scale, and for programs, as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from bootmenu.errors import PlacementError
from bootmenu.loader.memory import RAM, Range, crash_regions, merge, usable
from bootmenu.model import FileSlice, Finding, LoadPlan, Machine, Segment

SCHEMA = "bootmenu.plan/1"
_LETTERS = {"kernel": "K", "initrd": "I", "dtb": "D", "trampoline": "T", "elfcorehdr": "E"}
_FREE, _USED, _CRASH = ".", "x", "C"
_BARS = 12  # a map with more pieces of memory than this says no more by being longer


def render_text(plan: LoadPlan, machine: Machine, width: int = 80) -> str:
    """*plan* explained in lines of at most *width* columns, which must be 70 or more."""
    return "\n".join(
        [
            *_field("kernel", plan.kernel, width),
            *_verbatim("cmdline", plan.cmdline, width),
            *_field("entry", f"{plan.entry:#x}", width),
            "",
            *_table(plan, width),
            "",
            *_map(plan, machine, width),
            *_findings(plan.findings, width),
        ]
    )


def render_json(plan: LoadPlan, machine: Machine) -> str:
    """*plan* as one JSON object, addresses and sizes as numbers."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "arch": plan.arch,
            "kernel": plan.kernel,
            "cmdline": plan.cmdline,
            "entry": plan.entry,
            "segments": [
                {
                    "name": segment.name,
                    "mem": segment.mem,
                    "memsz": segment.memsz,
                    "bufsz": segment.bufsz,
                    **({"sha256": segment.digest} if segment.digest else {}),
                    **_file(segment.source),
                    "reason": segment.reason,
                }
                for segment in plan.segments
            ],
            "panic": plan.panic,
            "memory": [
                {"start": part.start, "end": part.end}
                for part in (crash_regions(machine) if plan.panic else _usable(machine))
            ],
            "findings": [asdict(finding) for finding in plan.findings],
        },
        indent=2,
    )


def _file(source: object) -> dict[str, str | int | None]:
    """The file that a segment's bytes are of, and where in it they begin."""
    if not isinstance(source, FileSlice):
        return {"file": None}
    return {"file": source.path, "offset": source.offset}


def _field(name: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=f"{name:<9} ", subsequent_indent=" " * 10) or [
        name
    ]


def _verbatim(name: str, text: str, width: int) -> Iterator[str]:
    r"""*text* broken anywhere but otherwise as it is, spaces included.

    It comes from a disk, so what a terminal would obey is shown as \xNN.
    """
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) or "(none)"
    step = width - 10
    for at in range(0, len(shown), step):
        yield f"{'' if at else name:<9} {shown[at : at + step]}"


def _table(plan: LoadPlan, width: int) -> Iterator[str]:
    yield f"{'segment':<11} {'first':>14} {'last':>14} {'bytes':>13} {'in memory':>13}"
    for segment in plan.segments:
        last = f"{segment.end - 1:#x}"
        yield (
            f"{segment.name:<11} {f'{segment.mem:#x}':>14} {last:>14} "
            f"{segment.bufsz:>13,} {segment.memsz:>13,}"
        )
        yield from textwrap.wrap(
            segment.reason, width, initial_indent=" " * 12, subsequent_indent=" " * 12
        )


def _map(plan: LoadPlan, machine: Machine, width: int) -> Iterator[str]:
    memory = merge(Range(r.start, r.end + 1) for r in machine.iomem if r.name == RAM)
    if not memory:
        return
    columns = max(16, width - 32)
    scale = max(1, max(part.size for part in memory) / columns)
    yield f"memory, one column is {_amount(scale)}"
    kept = crash_regions(machine)
    marks = [(part, _FREE) for part in _usable(machine)] + [(part, _CRASH) for part in kept]
    for part in memory[:_BARS]:
        yield f"{part.start:>#14x} |{_bar(part, scale, marks, plan.segments)}| {part.end - 1:#x}"
    if len(memory) > _BARS:
        yield f"{'':>14} and {len(memory) - _BARS} further pieces"
    yield "K kernel  I initrd  D device tree  T trampoline  x in use  . free"
    if kept:
        yield f"{'E elfcorehdr  ' if plan.panic else ''}C kept for a crash kernel"


def _bar(
    memory: Range,
    scale: float,
    marks: list[tuple[Range, str]],
    segments: tuple[Segment, ...],
) -> str:
    columns = max(1, round(memory.size / scale))
    bar = [_USED] * columns
    for part, mark in marks:
        # Rounded inwards: a column is free only if all of it is.
        first = -int(-(part.start - memory.start) // scale)
        for column in range(max(0, first), min(columns, int((part.end - memory.start) / scale))):
            bar[column] = mark
    # The largest first, so that a trampoline of one page stays visible.
    for segment in sorted(segments, key=lambda segment: -segment.memsz):
        if memory.start <= segment.mem < memory.end:
            first = int((segment.mem - memory.start) / scale)
            last = int((segment.end - 1 - memory.start) / scale)
            for column in range(min(first, columns - 1), min(last + 1, columns)):
                bar[column] = _LETTERS.get(segment.name, "?")
    return "".join(bar)


def _findings(findings: tuple[Finding, ...], width: int) -> Iterator[str]:
    for finding in findings:
        text = f"{finding.message}: {finding.cause}" if finding.cause else finding.message
        yield ""
        yield from textwrap.wrap(
            text, width, initial_indent=f"{finding.severity}: ", subsequent_indent="    "
        )
        if finding.remedy:
            yield from textwrap.wrap(
                finding.remedy, width, initial_indent="  hint: ", subsequent_indent="    "
            )


def _usable(machine: Machine) -> tuple[Range, ...]:
    try:
        return usable(machine)
    except PlacementError:
        return ()


def _amount(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GiB"
