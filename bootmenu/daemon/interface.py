"""org.bootmenu.Boot: what bootmenud says and does for the menus, over Varlink.

The classes here are the wire: asyncvarlink derives the interface description from their
types, so ``varlinkctl introspect`` shows exactly this. The model's own nouns stay inside
the daemon; what a menu needs of them is spelled out here, with the texts ready to show.

A device tree property's value is written as in device tree source, see
:class:`bootmenu.model.TreeEdit`. Files are written as :class:`bootmenu.model.Resource`
writes them: ``vda1:/boot/Image``, or a URL.
"""

import enum
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from asyncvarlink import LastResult, TypedVarlinkErrorReply, VarlinkInterface, varlinkmethod

from bootmenu.daemon import INTERFACE
from bootmenu.errors import BootmenuError, DaemonError

_log = logging.getLogger(__name__)


class DeviceState(enum.Enum):
    """What has become of a block device."""

    scanning = "scanning"  # being mounted or read
    ready = "ready"
    failed = "failed"  # see Device.problem


class Phase(enum.Enum):
    """What the daemon is doing."""

    discovering = "discovering"  # devices are still being looked at, no countdown yet
    waiting = "waiting"  # for a person
    counting = "counting"  # down to the default entry
    loading = "loading"
    starting = "starting"  # the last thing seen before the next kernel


class Method(enum.Enum):
    """The system call that shall load: bootmenu.model.Method."""

    auto = "auto"
    classic = "classic"
    file = "file"


class EditKind(enum.Enum):
    """bootmenu.model.EditAction, as Varlink can name it."""

    set = "set"
    remove = "remove"
    add_node = "add_node"
    remove_node = "remove_node"


@dataclass
class Device:
    """A block device with a filesystem, in the order in which the menu shows them."""

    name: str
    title: str  # what a person knows it by
    detail: str  # model, bus, size, filesystem
    state: DeviceState
    problem: str  # "" or why it cannot be read


@dataclass
class Entry:
    """One line of the menu."""

    id: str
    title: str
    device: str  # Device.name
    menu: list[str]  # submenus around it, outermost first
    kernel: str  # "" for none
    initrds: list[str]
    dtb: str
    overlays: list[str]
    cmdline: str
    writes: list[str]  # what starting it changes on a disk: "FILE: next_entry removed"
    source: str  # grub vda1:/boot/grub/grub.cfg
    default: bool  # the one that the countdown starts
    bootable: bool
    problems: list[str]  # when not bootable, the first says what is missing


@dataclass
class Progress:
    """How far a load has come; *total* is 0 while it is not known. Bytes."""

    step: str  # "reading the kernel", ...
    done: int
    total: int


@dataclass
class Reading:
    """How far the files of a plan were read, in bytes; the last one has the *report*."""

    done: int
    total: int
    report: str


@dataclass
class State:
    """Everything that a menu shows; sent whenever something changed.

    Watch sends the entries, which may be thousands, only when they have changed.
    """

    phase: Phase
    status: str  # one line for the status bar: what is awaited, and why
    machine: str  # board, architecture, memory
    restrictions: list[str]  # what may not be done here and why; empty when all works
    devices: list[Device]
    entries: list[Entry]
    entries_kept: bool  # entries is left empty: they are those of the state before
    default: str | None  # Entry.id
    countdown: float | None  # seconds left, None when none runs
    timeout: float | None  # what the countdown started from
    title: str  # of what is being loaded or started, else ""
    progress: Progress | None
    problems: list[str]  # of boot configurations, with file and line


@dataclass
class Edit:
    """bootmenu.model.TreeEdit."""

    kind: EditKind
    path: str
    property: str
    value: str


@dataclass
class Request:
    """bootmenu.model.BootRequest: *entry* is the entry that it was made from."""

    entry: str
    kernel: str
    initrds: list[str]
    dtb: str  # "" for the machine's own
    overlays: list[str]
    cmdline: str
    edits: list[Edit]


@dataclass
class Property:
    """A property, its value in device tree source and its kind in one word."""

    name: str
    value: str
    kind: str  # strings, cells, bytes, empty
    changed: bool


@dataclass
class Node:
    """A node of the tree that will be handed over; parents precede their children."""

    path: str
    properties: list[Property]
    changed: bool


class Failed(TypedVarlinkErrorReply, interface=INTERFACE):
    """Any bootmenu.errors.BootmenuError: what happened, what to do, what the kernel said."""

    class Parameters:
        """Shown on the error screen as they are."""

        message: str
        hint: str
        log: list[str]


class BootService(Protocol):
    """What stands behind :class:`BootInterface`; raises bootmenu.errors.BootmenuError."""

    def watch(self) -> AsyncIterator[State]:
        """The state now, and again after every change."""

    async def settled(self) -> State:
        """The state once the devices have settled."""

    def stop_countdown(self) -> None:
        """No autoboot until someone chooses."""

    async def show_tree(self, request: Request) -> list[Node]:
        """The tree that *request* would hand over."""

    async def differences(self, request: Request) -> list[str]:
        """What *request* changes of its entry."""

    async def plan(
        self,
        request: Request,
        *,
        json: bool = False,
        panic: bool = False,
        method: Method = Method.auto,
    ) -> str:
        """The plan of *request*, as text or JSON; with *panic* as a crash kernel."""

    def verify(
        self,
        request: Request,
        *,
        json: bool,
        panic: bool,
        width: int,
        method: Method = Method.auto,
    ) -> AsyncIterator[Reading]:
        """Read every file of *request*: how far that is, and at last its plan."""

    async def load(
        self, request: Request, *, panic: bool = False, method: Method = Method.auto
    ) -> list[str]:
        """Load *request*, with *panic* as a crash kernel; its warnings."""

    async def loaded(self, *, panic: bool = False) -> str:
        """The plan of what was loaded, as JSON; with *panic* that of the crash kernel."""

    async def boot(self, request: Request, *, method: Method = Method.auto) -> None:
        """Load and start *request*."""

    def cancel(self) -> None:
        """Give up the load that is under way."""

    async def start(self) -> None:
        """Start what was loaded."""

    async def unload(self, *, panic: bool = False) -> None:
        """Forget what was loaded, with *panic* the crash kernel."""

    async def rescan(self) -> None:
        """Look at every device again."""

    async def list_entries(self, *, json: bool = False) -> str:
        """Everything that was found, once the devices have settled."""

    async def show(self, entry: str, *, json: bool = False) -> str:
        """The entry whose id or title is *entry*, with where every field came from."""


def as_bootmenu_error(error: Exception) -> BootmenuError:
    """*error* itself, or in words when it is a mistake of ours: the menu stays."""
    if isinstance(error, BootmenuError):
        return error
    _log.error("unexpected error", exc_info=error)
    what = f"bootmenud met an error of its own: {type(error).__name__}: {error}"
    return DaemonError(what, hint="please report it")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        failure = as_bootmenu_error(error)
        log = list(getattr(failure, "log", ()))
        raise Failed(message=failure.message, hint=failure.hint, log=log) from error


class BootInterface(VarlinkInterface, name=INTERFACE):
    """What the daemon offers. Every method may fail with :class:`Failed`.

    Replies come in the order of the calls, so Watch takes a connection of its own.
    """

    errors = (Failed,)

    def __init__(self, service: BootService) -> None:
        self._service = service

    # Without delay_generator=False each state would be held back until the next one.
    @varlinkmethod(return_parameter="state", delay_generator=False)
    async def Watch(self) -> AsyncIterator[State]:
        """Say the state now, and again after every change (call with "more")."""
        state = None
        async for state in self._service.watch():
            yield state
        if state is not None:  # the daemon ends: so does the series, as the protocol wants it
            raise LastResult(state)

    @varlinkmethod(return_parameter="state")
    async def Settled(self) -> State:
        """Say the state once the devices have settled, for a client that does not watch."""
        with _failures():
            return await self._service.settled()

    @varlinkmethod
    async def StopCountdown(self) -> None:
        """Stop the countdown on every console: a person is here."""
        self._service.stop_countdown()

    @varlinkmethod(return_parameter="nodes")
    async def ShowTree(self, *, request: Request) -> list[Node]:
        """Show the device tree that booting the request would hand over, edits applied."""
        with _failures():
            return await self._service.show_tree(request)

    @varlinkmethod(return_parameter="lines")
    async def Differences(self, *, request: Request) -> list[str]:
        """Show what the request changes of its entry, in lines starting with - or +."""
        with _failures():
            return await self._service.differences(request)

    @varlinkmethod(return_parameter="report")
    async def Plan(
        self,
        *,
        request: Request,
        json: bool = False,
        panic: bool = False,
        method: Method | None = None,
    ) -> str:
        """Explain segments, memory map and findings, as bootmenu plan prints them."""
        with _failures():
            return await self._service.plan(
                request,
                json=bool(json),
                panic=bool(panic),
                method=method or Method.auto,
            )

    @varlinkmethod(return_parameter="reading", delay_generator=False)
    async def Verify(
        self,
        *,
        request: Request,
        json: bool = False,
        panic: bool = False,
        width: int = 80,
        method: Method | None = None,
    ) -> AsyncIterator[Reading]:
        """Read every file of the request to its end: say how far that is, and at last the plan.

        Damage is found that a plan alone does not see, and each segment has its SHA-256. The
        text is *width* columns wide (call with "more").
        """
        last = Reading(0, 0, "")
        with _failures():
            readings = self._service.verify(
                request,
                json=bool(json),
                panic=bool(panic),
                width=width or 80,
                method=method or Method.auto,
            )
            async for last in readings:
                if not last.report:
                    yield last
        raise LastResult(last)

    @varlinkmethod(return_parameter="warnings")
    async def Load(
        self, *, request: Request, panic: bool = False, method: Method | None = None
    ) -> list[str]:
        """Load the request, to be started later, or by a crash; the progress is in the state.

        Returns its warnings. The load goes on when the caller goes: every menu shows it, and can
        cancel it.
        """
        with _failures():
            return await self._service.load(
                request,
                panic=bool(panic),
                method=method or Method.auto,
            )

    @varlinkmethod(return_parameter="report")
    async def Loaded(self, *, panic: bool = False) -> str:
        """Show the plan of what was loaded, as bootmenu load --json prints it."""
        with _failures():
            return await self._service.loaded(panic=bool(panic))

    @varlinkmethod
    async def Boot(self, *, request: Request, method: Method | None = None) -> None:
        """Load and start the request. Returns when the jump is under way, or fails."""
        with _failures():
            await self._service.boot(
                request,
                method=method or Method.auto,
            )

    @varlinkmethod
    async def Cancel(self) -> None:
        """Give up the load that is under way, whoever asked for it: that call fails.

        Takes a connection on which no call is being answered. Fails when nothing is being
        loaded, and when the next kernel is being started already.
        """
        with _failures():
            self._service.cancel()

    @varlinkmethod
    async def Start(self) -> None:
        """Start what was loaded."""
        with _failures():
            await self._service.start()

    @varlinkmethod
    async def Unload(self, *, panic: bool = False) -> None:
        """Forget what was loaded, or the crash kernel. Fails while something is being loaded."""
        with _failures():
            await self._service.unload(panic=bool(panic))

    @varlinkmethod
    async def Rescan(self) -> None:
        """Look at every device again. Fails while something is being loaded."""
        with _failures():
            await self._service.rescan()

    @varlinkmethod(return_parameter="listing")
    async def List(self, *, json: bool = False) -> str:
        """List what was found, as bootmenu list prints it, once the devices have settled."""
        with _failures():
            return await self._service.list_entries(json=bool(json))

    @varlinkmethod(return_parameter="report")
    async def Show(self, *, entry: str, json: bool = False) -> str:
        """Show one entry, by id or title, as bootmenu show prints it."""
        with _failures():
            return await self._service.show(entry, json=bool(json))
