"""Everything that was found: devices, the volumes on them, the configurations on those.

Each device has a task, and each blocking step a thread, so that a slow or broken disk delays
nobody. A configuration may refer to volumes that are not here: it is read again when one
comes or goes.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bootmenu.daemon.interface import DeviceState
from bootmenu.daemon.threads import in_thread
from bootmenu.discover.devices import Action, DeviceEvent
from bootmenu.discover.sources import Source
from bootmenu.errors import BootmenuError
from bootmenu.model import BlockDevice, BootEntry, Configuration, Problem, Volume
from bootmenu.parsers.offered import without_offered

PATIENCE = 15.0
"""Seconds after which a device that does not answer counts as failed, until it answers."""

Scan = Callable[[Volume, list[Volume]], list[Configuration]]
"""Reads the configurations on a volume, with all volumes that are here. Blocks."""
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass
class Record:
    """A device, and how far the reading of it has come."""

    reported: BlockDevice  # as the source said it
    device: BlockDevice  # with its filesystem
    state: DeviceState = DeviceState.scanning
    problem: str = ""
    volume: Volume | None = None
    configurations: list[Configuration] = field(default_factory=list)
    stale: bool = False  # the volumes have changed since the configurations were read
    task: asyncio.Task[None] | None = None


class Inventory:
    """What *source* has, read by *scan*; *changed* is called after every change."""

    def __init__(
        self,
        source: Source,
        scan: Scan,
        changed: Callable[[], None],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._source = source
        self._scan = scan
        self._tell = changed
        self._patience = patience
        self._records: dict[str, Record] = {}
        self._listed = False
        self._news = 0  # how many there were
        self._latest: dict[str, int] = {}  # the number of the last one, by device
        self._held: list[DeviceEvent] | None = None  # those that have to wait, while any must
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathered: tuple[list[Configuration], dict[str, BootEntry]] | None = None

    def _changed(self) -> None:
        self._gathered = None
        self._tell()

    def _gather(self) -> tuple[list[Configuration], dict[str, BootEntry]]:
        if self._gathered is None:
            every = [found for record in self.records for found in record.configurations]
            offered = without_offered(every)
            self._gathered = offered, {one.id: one for found in offered for one in found.entries}
        return self._gathered

    # --- what there is ---

    @property
    def records(self) -> list[Record]:
        """The devices in the order in which the menu shows them: what is built in first."""
        return sorted(self._records.values(), key=_place)

    @property
    def volumes(self) -> list[Volume]:
        """The volumes that can be read."""
        return [record.volume for record in self.records if record.volume is not None]

    @property
    def configurations(self) -> list[Configuration]:
        """What they offer, in the menu's order."""
        return self._gather()[0]

    @property
    def entries(self) -> dict[str, BootEntry]:
        """Every entry by its id, in the menu's order; the same object until something changed."""
        return self._gather()[1]

    @property
    def problems(self) -> list[Problem]:
        """What could not be used of the configurations."""
        return [problem for found in self.configurations for problem in found.problems]

    @property
    def awaited(self) -> BlockDevice | None:
        """The first device that is still being read."""
        scanning = (r.device for r in self.records if r.state is DeviceState.scanning)
        return next(scanning, None)

    @property
    def settled(self) -> bool:
        """Whether every device is read or has failed, and no more are about to come."""
        return self._listed and self.awaited is None and not self._source.busy()

    # --- how it becomes known ---

    async def start(self) -> None:
        """Look at every device, and at all that come from now on.

        Raises BootmenuError when no devices can be found at all.
        """
        self._source.watch(self.report)
        await self._list()

    async def _list(self) -> None:
        self._listed, begun = False, self._news
        try:
            for device in await in_thread(self._source.listing):
                # While the list was made a device may have gone, or udevd have looked into it.
                if self._latest.get(device.name, 0) <= begun:
                    self._take(DeviceEvent(Action.ADD, device))
        finally:
            self._listed = True
            self._changed()

    def report(self, event: DeviceEvent) -> None:
        """Take note of what happened to a device."""
        self._news += 1
        self._latest[event.device.name] = self._news
        if self._held is None:
            self._take(event)
        else:
            self._held.append(event)

    def hold(self) -> None:
        """Let go of no volume, whatever happens to its device: files of it are being loaded."""
        self._held = []

    def release(self) -> None:
        """Take up what happened since :meth:`hold`."""
        events, self._held = self._held or [], None
        for event in events:
            self._take(event)

    def _take(self, event: DeviceEvent) -> None:
        known = self._records.get(event.device.name)
        # udev says "change" for much that changes nothing here.
        if event.action is not Action.REMOVE and known and known.reported == event.device:
            return
        if known is not None:
            self._drop(known)
        if event.action is not Action.REMOVE:
            record = Record(event.device, event.device)
            self._records[event.device.name] = record
            self._run(record, self._open(record))
        self._changed()

    async def rescan(self) -> None:
        """Read every device again, and look for more."""
        for record in list(self._records.values()):
            self._drop(record)
        self._changed()
        await self._list()

    async def close_volumes(self, seconds: float) -> None:
        """Let go of every volume, waiting at most *seconds* for a disk that hangs."""
        waiting = asyncio.ensure_future(in_thread(self._source.close_all))
        await asyncio.wait({waiting}, timeout=seconds)

    def stop(self) -> None:
        """Look at nothing any more, nor at what had to wait."""
        self._source.stop()
        self._held = None
        for task in self._tasks:
            task.cancel()

    # --- how one device is read ---

    def _run(self, record: Record, steps: Coroutine[None, None, None]) -> None:
        """Let *steps* bring *record* forward; what they raise costs this device only."""

        async def run() -> None:
            try:
                await steps
            except BootmenuError as error:
                record.state, record.problem = DeviceState.failed, error.sentence
            except Exception as error:
                _log.exception("reading %s", record.device.name)
                record.state, record.problem = DeviceState.failed, f"cannot be read: {error!r}"
            self._changed()

        record.task = self._spawn(run())

    def _spawn(self, steps: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(steps)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _here(self, record: Record) -> bool:
        return self._records.get(record.device.name) is record

    def _drop(self, record: Record) -> None:
        del self._records[record.device.name]
        volume, record.volume = record.volume, None
        if volume is not None:
            self._let_go(volume)
            self._refresh(lambda other, name: name == volume.name or _twins(other, volume))

    def _let_go(self, volume: Volume) -> None:
        async def close() -> None:
            await in_thread(lambda: self._source.close(volume))

        self._spawn(close())

    async def _open(self, record: Record) -> None:
        """Bring *record* from a device to configurations."""
        device = await self._patiently(record, lambda: self._source.identify(record.device))
        if not self._here(record):
            return
        if device is None:
            del self._records[record.device.name]
            return
        record.device = device
        volume = await self._patiently(record, lambda: self._source.open(device))
        if not self._here(record):
            self._let_go(volume)
            return
        record.volume = volume
        # What others look for may be here now; and a twin of another one changes its ids.
        self._refresh(lambda other, name: name is None or _twins(other, volume))
        await self._parse(record)

    async def _parse(self, record: Record) -> None:
        """Read the configurations, again for as long as volumes come and go meanwhile."""
        record.stale = True
        while record.stale and record.volume is not None:
            record.stale = False
            scan = partial(self._scan, record.volume, self.volumes)
            found = await self._patiently(record, scan)
            if self._here(record):
                record.configurations = found
                record.state, record.problem = DeviceState.ready, ""
                self._changed()

    def _refresh(self, concerned: Callable[[Volume, str | None], bool]) -> None:
        """Read those configurations again that are *concerned*.

        It is asked with their volume and the name of each volume that they have files on.
        """
        for record in self._records.values():
            volume = record.volume
            if record.task is not None and not record.task.done():
                record.stale = True
            elif volume and any(concerned(volume, name) for name in _volumes_of(record)):
                self._run(record, self._parse(record))

    async def _patiently(self, record: Record, function: Callable[[], Result]) -> Result:
        """What *function* returns in a thread; meanwhile say so when it takes too long."""
        waiting = asyncio.ensure_future(in_thread(function))
        done, _ = await asyncio.wait({waiting}, timeout=self._patience)
        if not done and self._here(record):
            record.state = DeviceState.failed
            record.problem = f"no answer for {self._patience:.0f} seconds"
            self._changed()
        return await waiting


def _twins(one: Volume, other: Volume) -> bool:
    return bool(one.uuid) and one.uuid == other.uuid


def _volumes_of(record: Record) -> Iterator[str | None]:
    """The volumes that its entries refer to; None for one that is not here."""
    for found in record.configurations:
        for entry in found.entries:
            for resource in entry.resources:
                if not resource.url:
                    # An ISO image, vda1:/debian.iso, comes and goes with the volume it lies on.
                    yield resource.volume and resource.volume.partition(":/")[0]


def _place(record: Record) -> tuple[bool, list[tuple[int, str]]]:
    """Disks that are built in before those that are plugged in, then by name: vda2, vda10."""
    device = record.device
    parts = re.findall(r"(\d+)|(\D+)", device.name)
    name = [(int(digits), "") if digits else (-1, text) for digits, text in parts]
    return device.removable or device.bus == "usb", name
