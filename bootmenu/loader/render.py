"""A load plan for people, as text with the memory map to scale, and for programs, as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from bootmenu.errors import PlacementError
from bootmenu.escape import printable
from bootmenu.loader.drawing import draw
from bootmenu.loader.memory import Range, crash_regions, usable
from bootmenu.model import (
    FileSlice,
    Finding,
    HandedFile,
    LoadPlan,
    Machine,
    Method,
    Source,
    size_of,
)

SCHEMA = "bootmenu.plan/1"


def render_text(plan: LoadPlan, machine: Machine, width: int = 80) -> str:
    """*plan* explained in lines of at most *width* columns, which must be 70 or more."""
    if plan.method is Method.FILE:
        return "\n".join(_handed(plan, width))
    return "\n".join(
        [
            *_field("kernel", plan.kernel, width),
            *_verbatim("cmdline", plan.cmdline, width),
            *_field("entry", f"{plan.entry:#x}", width),
            "",
            *_table(plan, width),
            "",
            *draw(plan.segments, machine, width),
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
            "method": plan.method,
            "entry": plan.entry if plan.segments else None,
            "files": [_handed_file(file) for file in plan.files],
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


def _handed(plan: LoadPlan, width: int) -> Iterator[str]:
    """A plan whose segments nobody knows before the kernel has placed them."""
    yield from _field("kernel", plan.kernel, width)
    yield from _verbatim("cmdline", plan.cmdline, width)
    yield from _field("method", "kexec_file_load: the running kernel chooses the places", width)
    yield ""
    yield f"{'file':<11} {'bytes':>13}"
    for file in plan.files:
        yield f"{file.name:<11} {file.size:>13,}"
        for text in (*map(_named, file.sources), file.reason):
            yield from textwrap.wrap(
                text, width, initial_indent=" " * 12, subsequent_indent=" " * 12
            )
        yield from _digest(file.digest, width)
    yield from _findings(plan.findings, width)


def _named(source: Source) -> str:
    """What a person knows *source* by; no name for what we made ourselves."""
    return "" if isinstance(source, bytes | memoryview) else printable(str(source))


def _handed_file(file: HandedFile) -> dict[str, object]:
    return {
        "name": file.name,
        "bytes": file.size,
        "copied": file.copied,
        **({"sha256": file.digest} if file.digest else {}),
        "sources": [{"bytes": size_of(one), **_file(one)} for one in file.sources],
        "reason": file.reason,
    }


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
    shown = printable(text) or "(none)"
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
        yield from _digest(segment.digest, width)


def _digest(digest: str, width: int) -> Iterator[str]:
    """*digest*, if it is known: 64 digits, in two lines where they are short."""
    first = 64 if width >= 84 else 32
    if digest:
        yield f"{'':<12}SHA-256 {digest[:first]}"
    if digest[first:]:
        yield f"{'':<20}{digest[first:]}"


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
