"""One load: planned and checked, tried with one call and then the other, logged; or given up."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from bootmenu.daemon import boot
from bootmenu.daemon import interface as wire
from bootmenu.daemon.threads import in_thread
from bootmenu.errors import CancelledError, KexecError
from bootmenu.model import Finding, LoadPlan, Machine, Method, Rename, Save, Severity

Planned = Callable[[Method], Awaitable[LoadPlan]]
"""Gives the plan for a call, checked. Raises BootmenuError."""

LOOK = 0.2
"""Seconds between two looks whether a load that is planned was given up."""

_log = logging.getLogger(__name__)


@dataclass
class Activity:
    """A system that is being loaded or started."""

    title: str
    phase: wire.Phase = wire.Phase.loading
    progress: wire.Progress | None = None
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass
class Loaded:
    """What was loaded last, to be started or to wait for a crash; all empty where nothing is."""

    title: str = ""
    plan: str = ""  # as JSON
    writes: tuple[Save | Rename, ...] = ()  # what starting it has to write


async def load(
    planned: Planned,
    ready: Callable[[], None],
    progress: boot.Progress,
    *,
    method: Method,
    machine: Callable[[], Machine],
    cancel: threading.Event,
    panic: bool,
) -> tuple[LoadPlan, str]:
    """Load what *planned* gives for *method*; give it back with digests, and as JSON.

    *ready* is called when the plan is good, and may raise. AUTO goes on with the file call when
    the classic one turns out to be forbidden. Once *cancel* is set, at whatever moment, nothing
    stays loaded; nothing that waits for a crash, with *panic*. Raises BootmenuError,
    CancelledError among them.
    """
    try:
        plan = await _planned(planned(method), cancel)
        ready()
        try:
            done = await boot.load(plan, progress, cancel)
        except KexecError as refusal:
            other = method is Method.AUTO and plan.method is Method.CLASSIC
            if not other or not await boot.file_call_may_do(refusal, machine, panic=panic):
                raise
            _log.warning("%s; trying kexec_file_load", refusal.message)
            plan = await _planned(planned(Method.FILE), cancel)
            done = (await boot.load(plan, progress, cancel)).with_findings((_instead(refusal),))
        # As text, for later: the plan itself holds the whole kernel when that was compressed.
        said = await in_thread(lambda: boot.render(done, machine(), json=True))
        if cancel.is_set():  # too late for the call: whoever did it was told that it would do
            raise CancelledError
    except CancelledError:
        await boot.unload(panic=panic)  # even what was there before
        raise
    for line in _loaded(done):
        _log.info("%s", line)
    return done, said


async def _planned(planning: Awaitable[LoadPlan], cancel: threading.Event) -> LoadPlan:
    """What *planning* gives, unless *cancel* is set: it may be waiting for a disk that hangs."""
    task = asyncio.ensure_future(planning)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK)
            if cancel.is_set():
                raise CancelledError
    finally:
        task.cancel()
    return task.result()


def _instead(refusal: KexecError) -> Finding:
    return Finding(
        Severity.WARNING,
        "kexec_file_load has loaded it, the running kernel chose the places",
        f"kexec_load: {refusal.message}",
        "use --method file where this is to be expected",
    )


def _loaded(plan: LoadPlan) -> Iterator[str]:
    """What was loaded, a line for each part."""
    for segment in plan.segments:
        where = f"{segment.bufsz:,} bytes at {segment.mem:#x}"
        yield f"loaded {segment.name}: {where}, SHA-256 {segment.digest}"
    for file in plan.files:
        yield f"loaded {file.name}: {file.size:,} bytes by kexec_file_load, SHA-256 {file.digest}"


def warnings(made: LoadPlan) -> list[str]:
    """What a person should know of a load that was made."""
    return [
        f"{finding.message}: {finding.cause}" if finding.cause else finding.message
        for finding in made.findings
        if finding.severity is Severity.WARNING
    ]
