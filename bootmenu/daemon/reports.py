"""What the daemon explains: lists, plans, trees and differences, as text or for the menu."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bootmenu.daemon import boot
from bootmenu.daemon import interface as wire
from bootmenu.daemon.convert import shown, wire_entry, wire_request
from bootmenu.daemon.selection import find
from bootmenu.daemon.service import BootDaemon
from bootmenu.daemon.threads import in_thread
from bootmenu.errors import DaemonError, UsageError
from bootmenu.model import BootRequest, LoadPlan, Machine, Method, Volume

WIDTH = 79
"""Columns of a plan in the menu, which keeps one of its 80 to show how far it is scrolled."""
TELL = 0.5
"""Seconds between two words on how far files were read."""


async def listing(daemon: BootDaemon, *, json: bool) -> str:
    """Everything that was found, once the devices have settled; as text, with what was not."""
    await daemon.settled()
    from bootmenu.parsers.listing import render_json, render_text

    volumes, found = daemon.inventory.volumes, daemon.inventory.configurations
    if json:
        return render_json(volumes, found)
    return render_text(volumes, found) + "".join(_shortcomings(daemon.state()))


def _shortcomings(state: wire.State) -> Iterator[str]:
    """What could not be looked at, and what may not be done."""
    failed = [device for device in state.devices if device.problem]
    if failed:
        yield "\nDevices that cannot be read\n"
        yield from (f"  {device.title}: {device.problem}\n" for device in failed)
    if state.restrictions:
        yield "\nWhat may not be done here\n"
        yield from (f"  {restriction}\n" for restriction in state.restrictions)


async def entry(daemon: BootDaemon, name: str, *, json: bool) -> str:
    """The entry that *name* means, with where every field came from. Raises UsageError."""
    await daemon.settled()
    from bootmenu.parsers.listing import render_entry

    return render_entry(find(list(daemon.inventory.entries.values()), name), json)


async def plan(
    daemon: BootDaemon,
    request: wire.Request,
    *,
    local: bool,
    json: bool,
    panic: bool = False,
    method: Method = Method.AUTO,
) -> str:
    """The plan of *request*, as text or JSON; with *panic* as a crash kernel.

    Raises BootmenuError.
    """
    made = await daemon.plan(request, local=local, panic=panic, method=method)
    return await _explained(daemon, request, made, local=local, json=json, width=WIDTH)


async def verified(
    daemon: BootDaemon,
    request: wire.Request,
    *,
    local: bool,
    json: bool,
    panic: bool,
    width: int,
    method: Method = Method.AUTO,
    gone: threading.Event,
) -> AsyncIterator[wire.Reading]:
    """How far the files of *request* were read, and at last its plan with their digests.

    Nothing is read any more once the caller has *gone*. Raises BootmenuError.
    """
    made = await daemon.plan(request, local=local, panic=panic, method=method)
    told: list[tuple[int, int]] = [(0, 0)]

    def read() -> LoadPlan:
        from bootmenu.loader.digests import digested

        def tell(done: int, total: int) -> None:
            told[0] = done, total
            if gone.is_set():
                raise DaemonError("nobody waits for the plan any more")

        return digested(made, tell)

    reading = asyncio.ensure_future(in_thread(read))
    while not (await asyncio.wait([reading], timeout=TELL))[0]:
        yield wire.Reading(*told[0], "")
    made = await reading
    text = await _explained(daemon, request, made, local=local, json=json, width=width)
    yield wire.Reading(*told[0], text)


async def _explained(
    daemon: BootDaemon,
    request: wire.Request,
    made: LoadPlan,
    *,
    local: bool,
    json: bool,
    width: int,
) -> str:
    report = await in_thread(lambda: boot.render(made, daemon.machine(), json=json, width=width))
    asked = daemon.request(request, local=local)
    if json:
        return report
    if asked.edits:
        old, machine, volumes = replace(asked, edits=()), daemon.machine(), daemon.inventory.volumes
        report += "\n\nchanged in the device tree, after all else"
        lines = await in_thread(partial(_compare, old, asked, machine, volumes))
        report += "".join(f"\n  {shown(line)}" for line in lines)
    if asked.writes and not made.panic:
        report += "\n\nwritten to a disk when it is started"
        report += "".join(f"\n  {shown(str(change))}" for change in asked.writes)
    return report


def loaded(daemon: BootDaemon, *, panic: bool = False) -> str:
    """The plan of what was loaded, as JSON; with *panic* that of the crash kernel.

    Raises UsageError when nothing was.
    """
    said = (daemon.crash if panic else daemon.loaded).plan
    if not said:
        raise UsageError("nothing was loaded by this bootmenud", hint="load an entry first")
    return said


async def tree(daemon: BootDaemon, request: wire.Request, *, local: bool) -> list[wire.Node]:
    """The tree that *request* would hand over. Raises BootmenuError."""
    asked = daemon.request(request, local=local)
    volumes = daemon.inventory.volumes

    def nodes() -> list[wire.Node]:
        from bootmenu.devicetree.edits import describe
        from bootmenu.loader.described import tree as handed_over

        made = handed_over(
            initrds=[boot.locate(resource, volumes) for resource in asked.initrds],
            cmdline=asked.cmdline,
            edits=asked.edits,
            machine=daemon.machine(),
            **_base(asked, volumes),
        )
        return [
            wire.Node(path, [wire.Property(*described) for described in properties], changed)
            for path, properties, changed in describe(made, asked.edits)
        ]

    return await in_thread(nodes)


async def differences(daemon: BootDaemon, request: wire.Request, *, local: bool) -> list[str]:
    """What *request* changes of its entry, in lines starting with - or +.

    Raises BootmenuError.
    """
    original = daemon.inventory.entries.get(request.entry)
    if original is None:
        raise UsageError("there is no entry to compare with", hint="its device may have gone")
    asked = daemon.request(request, local=local)
    before = wire_request(wire_entry(original, default=False))
    lines = _changed_fields(before, request)
    if (before.dtb, before.overlays) != (request.dtb, request.overlays) or request.edits:
        old = BootRequest.of_entry(original)
        machine, volumes = daemon.machine(), daemon.inventory.volumes
        lines += await in_thread(partial(_compare, old, asked, machine, volumes))
    return lines


def _changed_fields(before: wire.Request, after: wire.Request) -> list[str]:
    lines = []
    for name in ("kernel", "initrds", "dtb", "overlays", "cmdline"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            lines += [f"-{name}: {text}" for text in _texts(old)]
            lines += [f"+{name}: {text}" for text in _texts(new)]
    return lines


def _texts(value: str | list[str]) -> list[str]:
    if isinstance(value, list):
        return [" ".join(value)] if value else []
    return [value] if value else []


def _compare(
    old: BootRequest, new: BootRequest, machine: Machine, volumes: Sequence[Volume]
) -> list[str]:
    """What differs between the trees apart from what the boot itself writes into them."""
    from bootmenu.devicetree.edits import compare
    from bootmenu.loader.described import tree as handed_over

    before = handed_over(machine=machine, placed=False, **_base(old, volumes))
    after = handed_over(machine=machine, placed=False, edits=new.edits, **_base(new, volumes))
    return compare(before, after)


def _base(asked: BootRequest, volumes: Sequence[Volume]) -> dict[str, Any]:
    """The arguments that say which tree it begins with."""
    return {
        "kernel": boot.locate(asked.kernel, volumes),
        "configuration": boot.configuration_of(asked),
        "dtb": boot.locate(asked.dtb, volumes) if asked.dtb else None,
        "overlays": [boot.locate(resource, volumes) for resource in asked.overlays],
        "parameters": boot.parameters_of(asked),
    }
