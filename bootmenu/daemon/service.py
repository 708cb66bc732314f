"""bootmenud itself: what is found, what is counted down to, what is being started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module

from bootmenu.daemon import boot, facts, loading, saving
from bootmenu.daemon import interface as wire
from bootmenu.daemon.convert import (
    boot_request,
    shown,
    wire_device,
    wire_entry,
    wire_request,
)
from bootmenu.daemon.countdown import Autoboot, Default, default_of
from bootmenu.daemon.inventory import PATIENCE, Inventory, Scan
from bootmenu.daemon.loading import Activity, Loaded
from bootmenu.daemon.publish import Publisher
from bootmenu.daemon.situation import ShownEntries, Situation
from bootmenu.daemon.threads import in_thread
from bootmenu.discover.sources import Source
from bootmenu.errors import BootmenuError, CancelledError, DaemonError, UsageError
from bootmenu.model import LOCAL, BlockDevice, BootRequest, LoadPlan, Machine, Method

SETTLE = 10.0
"""Seconds that the countdown waits for devices that are still being read."""
QUIET = 1.0
"""Seconds without news after which a machine that was just started has found its devices."""
AUDIENCE = 20.0
"""Seconds after the start for which the countdown waits for a menu to show it."""
TICK = 1.0
"""Seconds between two states of a countdown."""
ERRORS = 5
"""Failed attempts that are remembered."""

_log = logging.getLogger(__name__)


class BootDaemon:
    """The one state behind all menus, and what may be done with it.

    *machine* reads the facts of the machine anew, and *scan* is the parsers'.
    *owner* says that the machine is ours alone: then a default entry starts by itself, and
    the jump tells the consoles and unmounts. On anybody else's machine neither happens.
    *pretending* says that the facts are not those of this machine: nothing is loaded then.
    """

    def __init__(
        self,
        source: Source,
        scan: Scan,
        machine: Callable[[], Machine],
        *,
        owner: bool,
        pretending: bool = False,
        timeout: float | None = None,
        settle: float = SETTLE,
        patience: float = PATIENCE,
    ) -> None:
        self._source = source
        self.machine = machine
        self._description = facts.describe(machine())
        self._restrictions: list[str] = []
        self._examined = asyncio.Event()
        self._examination: asyncio.Task[None] | None = None
        self._owner = owner
        self._pretending = pretending
        self._settle = settle
        self.publisher = Publisher(self.state)
        self.inventory = Inventory(source, scan, self._news, patience=patience)
        loop = asyncio.get_running_loop()
        self._autoboot = Autoboot(armed=owner, timeout=timeout, clock=loop.time)
        self._discovering = True
        self._last_news = self._started = loop.time()
        self._woken = asyncio.Event()
        self._activity: Activity | None = None
        self._unloading = asyncio.Lock()
        self._message = ""
        self._errors: list[str] = []
        self._shown = ShownEntries()
        self.loaded, self.crash = Loaded(), Loaded()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life ---

    async def run(self) -> None:
        """Discover, count down and serve until cancelled."""
        bound = asyncio.get_running_loop().call_later(self._settle, self._settled)
        try:
            await self._discover()
            while True:
                with suppress(TimeoutError):
                    # wait_for of Python 3.11 forgets that it was cancelled while it was woken.
                    async with asyncio.timeout(self._pause()):
                        await self._woken.wait()
                self._woken.clear()
                self._tick()
                if not self._discovering and self._examination is None:
                    self._examination = asyncio.create_task(self._examine())
        finally:
            bound.cancel()
            self.publisher.close()
            self.inventory.stop()
            await self.inventory.close_volumes(boot.UNMOUNT)

    async def _discover(self) -> None:
        try:
            await self.inventory.start()
        except BootmenuError as error:
            self._errors.append(error.message)
            self._message = f"no devices can be found: {error.message}"
        self._changed()

    async def _examine(self) -> None:
        """Find out what may not be done here.

        It takes the loader, whose import would hold up the menus while they start, too. What
        else a load imports is then as well there before the first one.
        """

        def examine() -> list[str]:
            found = facts.restrictions(self.machine())
            import_module("bootmenu.kexec.call")
            return found

        try:
            self._restrictions = await in_thread(examine)
        finally:
            self._examined.set()
        self._changed()

    def _pause(self) -> float:
        if self._discovering:
            return TICK / 10
        left = self._autoboot.left
        return TICK if left is None else min(left, left % TICK or TICK)

    def _tick(self) -> None:
        if self._autoboot.due:
            self._start_default()
        elif self._autoboot.armed or self._discovering:
            self._changed()

    def _settled(self) -> None:
        """The devices have had their time to settle."""
        self._discovering = False
        self._changed()

    def _calm(self) -> bool:
        """Whether the devices have settled.

        A machine that has just been started has a disk, which may not have been found yet, and
        udevd is idle for moments while drivers look for devices.
        """
        if not self.inventory.settled or not self._owner:
            return self.inventory.settled
        quiet = asyncio.get_running_loop().time() - self._last_news
        return bool(self.inventory.records) and quiet >= QUIET

    def _news(self) -> None:
        """Something became known of a device."""
        self._last_news = asyncio.get_running_loop().time()
        self._changed()

    def _changed(self) -> None:
        """Something that the state shows may have changed."""
        if self._discovering and self._calm():
            self._discovering = False
        before = self._autoboot.entry
        # Once it has begun it follows the entries, whoever has gone meanwhile.
        begun = before is not None or self._seen()
        if not self._discovering and self._activity is None and begun:
            self._autoboot.update(self._default())
            if self._autoboot.entry != before:
                self._woken.set()
        self.publisher.touch()

    def _seen(self) -> bool:
        """Whether a person could see the countdown, or there is no menu to be waited for.

        On a slow machine the menus come up long after the disks were read.
        """
        running = asyncio.get_running_loop().time() - self._started
        return self.publisher.watched or running >= AUDIENCE

    def _default(self) -> Default | None:
        return default_of(self.inventory.configurations)

    def _start_default(self) -> None:
        entry = self.inventory.entries.get(self._autoboot.entry or "")
        self.stop_countdown()
        if entry is None:
            return

        async def start() -> None:
            with suppress(BootmenuError):  # the error is in the state: nobody waits for this call
                await self.boot(wire_request(wire_entry(entry, default=True)), local=False)

        task = asyncio.create_task(start())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- the state ---

    def state(self) -> wire.State:
        """Everything that a menu shows."""
        default = self._default()
        chosen = self._autoboot.entry or (default.entry if default else None)
        activity = self._activity
        now = Situation(
            activity,
            self.inventory,
            self._autoboot,
            discovering=self._discovering,
            message=self._message,
            default=default is not None,
        )
        return wire.State(
            phase=now.phase,
            status=shown(now.status),
            machine=self._description,
            restrictions=self._restrictions,
            devices=[wire_device(r.device, r.state, r.problem) for r in self.inventory.records],
            entries=self._shown.of(self.inventory.entries, chosen),
            entries_kept=False,
            default=chosen,
            countdown=self._autoboot.left,
            timeout=self._autoboot.timeout,
            title=shown(activity.title) if activity else "",
            progress=activity.progress if activity else None,
            problems=[shown(str(problem)) for problem in self.inventory.problems]
            + [shown(error) for error in self._errors],
        )

    # --- what a menu may ask for ---

    def stop_countdown(self) -> None:
        """No autoboot any more: a person is here."""
        if self._autoboot.armed:
            self._autoboot.stop()
            self.publisher.touch()

    async def settled(self) -> None:
        """Return once the devices have settled, and it is known what may not be done."""
        await self._examined.wait()
        watch = self.publisher.watch()
        try:
            async for state in watch:
                if state.phase is not wire.Phase.discovering:
                    return
        finally:
            watch.close()

    def request(self, request: wire.Request, *, local: bool) -> BootRequest:
        """What *request* asks for; files of the running system only if *local*.

        Raises UsageError.
        """
        entry = self.inventory.entries.get(request.entry)
        if request.entry and entry is None:
            hint = "its device may have been unplugged"
            raise UsageError(f"that entry is not there any more: {request.entry}", hint=hint)
        asked = boot_request(request, entry)
        mine = [file for file in asked.resources if file.volume == LOCAL]
        if mine and not local:
            raise UsageError(
                f"only root may start files of the running system: {mine[0]}",
                hint="write DEVICE:PATH for a file on a disk, such as vda1:/boot/Image",
            )
        return asked

    async def plan(
        self,
        request: wire.Request,
        *,
        local: bool,
        panic: bool = False,
        method: Method = Method.AUTO,
    ) -> LoadPlan:
        """The plan of *request*, with *panic* as a crash kernel. Raises BootmenuError."""
        asked = self.request(request, local=local)
        return await self._plan(asked, self.machine, panic=panic, method=method)

    async def _plan(
        self, asked: BootRequest, machine: Callable[[], Machine], *, panic: bool, method: Method
    ) -> LoadPlan:
        volumes = self.inventory.volumes
        return await boot.plan(asked, volumes, machine, self._roots, panic=panic, method=method)

    def _roots(self) -> list[BlockDevice]:
        """The devices that a system's root may lie on: another machine's are not here."""
        return [] if self._pretending else self._source.roots()

    async def load(
        self,
        request: wire.Request,
        *,
        local: bool,
        panic: bool = False,
        method: Method = Method.AUTO,
    ) -> LoadPlan:
        """Load *request*, with *panic* as a crash kernel.

        Raises BootmenuError, and nothing is loaded then.
        """
        asked = self.request(request, local=local)
        activity = self._begin(asked.title)
        try:
            plan = await self._load(asked, activity, leaving=False, panic=panic, method=method)
        except CancelledError:
            self._message = f"Cancelled: {asked.title} was not loaded"
            raise
        finally:
            self._end()
        self._message = f"Loaded{' for a crash' if panic else ''}: {asked.title}"
        return plan

    async def boot(
        self,
        request: wire.Request,
        *,
        local: bool,
        method: Method = Method.AUTO,
    ) -> None:
        """Load and start *request*. Raises BootmenuError, and nothing stays loaded then."""
        title = request.kernel
        try:
            asked = self.request(request, local=local)
            title = asked.title
            activity = self._begin(title)
            try:
                plan = await self._load(asked, activity, leaving=True, method=method)
                await self._jump(activity, loading.warnings(plan))
            finally:
                self._end()
        except CancelledError:
            self._message = f"Cancelled: {title} was not started, nothing was loaded"
            self._changed()
            raise
        except Exception as error:
            failure = wire.as_bootmenu_error(error)
            self._failed(title, failure)
            raise failure from error

    def cancel(self) -> None:
        """Give up the load that is under way. Raises UsageError when there is none."""
        if self._activity is None or self._activity.phase is not wire.Phase.loading:
            raise UsageError("nothing is being loaded", hint="what was loaded can be unloaded")
        self._activity.cancel.set()
        self.publisher.touch()

    async def start(self) -> None:
        """Start what was loaded. Raises BootmenuError."""
        if not await boot.is_loaded():
            raise UsageError("nothing is loaded", hint="load an entry first")
        title = self.loaded.title or "the loaded kernel"
        if not self._owner:
            boot.check_hand_over()
        activity = self._begin(title)
        try:
            await self._jump(activity)
        except Exception as error:
            failure = wire.as_bootmenu_error(error)
            self._failed(title, failure)
            raise failure from error
        finally:
            self._end()

    async def unload(self, *, panic: bool = False) -> None:
        """Forget what was loaded, with *panic* the crash kernel. Raises BootmenuError."""
        self._check_idle()
        async with self._unloading:
            await boot.unload(panic=panic)
            self._keep(Loaded(), panic=panic)
        self._message = ""
        self._changed()

    async def rescan(self) -> None:
        """Look at every device again. Raises DaemonError while files of them are loaded."""
        self._check_idle()
        self._message = ""
        self._errors.clear()
        await self.inventory.rescan()

    # --- the way to the next kernel ---

    def _begin(self, title: str) -> Activity:
        if self._pretending:
            hint = "use bootmenu plan, or leave out --arch and --machine"
            raise UsageError("nothing is loaded for a machine that is not this one", hint=hint)
        self._check_idle()
        self._autoboot.stop()
        self._message = ""
        self._activity = Activity(title)
        self.inventory.hold()
        self.publisher.touch()
        return self._activity

    def _check_idle(self) -> None:
        if self._activity is not None:
            hint = "wait until it is under way"
            raise DaemonError(f"{self._activity.title} is being started already", hint=hint)

    def _end(self) -> None:
        self._activity = None
        self.inventory.release()
        self._changed()

    def _failed(self, title: str, error: BootmenuError) -> None:
        _log.error("%s: %s", shown(title), error.message)
        self._message = f"{title} was not started: {error.message}"
        self._errors = [*self._errors, f"{title}: {error.message}"][-ERRORS:]
        self._changed()

    async def _load(
        self,
        asked: BootRequest,
        activity: Activity,
        *,
        leaving: bool,
        panic: bool = False,
        method: Method,
    ) -> LoadPlan:
        loop = asyncio.get_running_loop()
        machine = cache(self.machine)  # its facts are read once in a load

        def show(progress: wire.Progress) -> None:
            activity.progress = progress
            self.publisher.touch()

        def progress(step: str, done: int, total: int) -> None:
            loop.call_soon_threadsafe(show, wire.Progress(step=step, done=done, total=total))

        async def planned(method: Method) -> LoadPlan:
            plan = await self._plan(asked, machine, panic=panic, method=method)
            await boot.check(plan)
            return plan

        def ready() -> None:
            if leaving and not self._owner:
                boot.check_hand_over()
            self._keep(Loaded(), panic=panic)

        async with self._unloading:  # what began before would forget this one
            try:
                plan, said = await loading.load(
                    planned,
                    ready,
                    progress,
                    method=method,
                    machine=machine,
                    cancel=activity.cancel,
                    panic=panic,
                )
            except CancelledError:
                self._keep(Loaded(), panic=panic)
                raise
        self._keep(Loaded(asked.title, said, asked.writes), panic=panic)
        return plan

    def _keep(self, loaded: Loaded, *, panic: bool) -> None:
        """Remember what is loaded now, or with *panic* waits for a crash."""
        if panic:
            self.crash = loaded
        else:
            self.loaded = loaded

    async def _write(self) -> list[str]:
        """Write what the entry saves when it boots; what could not be written, in words."""
        writes, self.loaded.writes = self.loaded.writes, ()
        failures = await saving.write(writes, self.inventory.volumes, self._source)
        for failure in failures:
            _log.warning("%s", shown(failure))
        self._errors = [*self._errors, *failures][-ERRORS:]
        return failures

    async def _jump(self, activity: Activity, warnings: Sequence[str] = ()) -> None:
        """Leave for what is loaded; *warnings* of it are the last that the consoles show."""
        activity.phase, activity.progress = wire.Phase.starting, None
        self.publisher.touch()
        try:
            told = [f"warning: {warning}" for warning in warnings]
            lines = [f"Starting {activity.title}...", *told, *await self._write()]
            if self._owner:
                await boot.jump(lines, self.inventory.close_volumes)
            else:
                await boot.hand_over()
        except Exception:  # whatever it is, the menu goes on with its disks
            with suppress(BootmenuError):
                await boot.unload()
                self._keep(Loaded(), panic=False)
            if self._owner:
                await self.inventory.rescan()
            raise
