"""A bootmenud without disks: serves BootInterface with a sample state on a Unix socket.

    python tests/ui/fake_daemon.py SOCKET [--entries N] [--countdown SECONDS] [--held]

Booting goes through a load with progress and then fails, with --jump-fails after the phase
of starting, or, with --starts, stays at the phase of starting. With --held it stops in the middle
of the load, and before a jump that fails; each SIGUSR1 lets it go on.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from asyncvarlink import VarlinkInterfaceRegistry, VarlinkUnixServer

from bootmenu.daemon.interface import (
    BootInterface,
    Device,
    DeviceState,
    Edit,
    EditKind,
    Entry,
    Method,
    Node,
    Phase,
    Progress,
    Property,
    Reading,
    Request,
    State,
)
from bootmenu.errors import BootmenuError, CancelledError, KexecError, TreeError, UsageError

ROOT = "root=UUID=6f1d3c1e-95ab-4c61-a3a1-1d2f8a3c9b77 ro quiet"


def device(name: str = "vda1", title: str = "debian (vda1)", **changes: object) -> Device:
    """A device that was read."""
    one = Device(name, title, "virtio, 2.0 GiB, ext4", DeviceState.ready, "")
    return replace(one, **changes)  # type: ignore[arg-type]


def entry(name: str, title: str, **changes: object) -> Entry:
    """An entry that could boot."""
    one = Entry(
        id=name,
        title=title,
        device="vda1",
        menu=[],
        kernel="vda1:/boot/vmlinuz-6.12.48+deb13-arm64",
        initrds=["vda1:/boot/initrd.img-6.12.48+deb13-arm64"],
        dtb="",
        overlays=[],
        cmdline=ROOT,
        writes=[],
        source="grub vda1:/boot/grub/grub.cfg",
        default=False,
        bootable=True,
        problems=[],
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def sample_entries(count: int = 8) -> list[Entry]:
    """*count* entries on two devices, the first the default, two of them in a submenu."""
    advanced = ["Advanced options for Debian GNU/Linux"]
    release = "Debian GNU/Linux, with Linux 6.12.48+deb13-arm64"
    rescue = {
        "device": "vdb1",
        "kernel": "vdb1:/Image.gz",
        "initrds": ["vdb1:/initrd.img"],
        "source": "bls vdb1:/loader/entries/rescue.conf",
    }
    entries = [
        entry("debian", "Debian GNU/Linux", default=True),
        entry("debian-612", release, menu=advanced),
        entry("debian-612-rec", f"{release} (recovery mode)", menu=advanced),
        entry("rescue", "Rescue system", cmdline="console=ttyAMA0 rescue", **rescue),
        entry("memtest", "Memory test f\u00fcr alle", cmdline="", **(rescue | {"initrds": []})),
        entry(
            "away",
            "System on a disk that is not here",
            **(rescue | {"kernel": "?LABEL=away:/vmlinuz", "bootable": False}),
            problems=["the volume with the label away is not here"],
        ),
    ]
    for number in range(len(entries), count):
        entries.append(entry(f"extra{number}", f"System number {number}", **rescue))
    return entries[:count]


def sample_state(count: int = 8) -> State:
    """Two disks, *count* entries, no countdown."""
    return State(
        phase=Phase.waiting,
        status="8 systems on 2 devices. Waiting for a choice.",
        machine="linux,dummy-virt, arm64, 1024 MiB",
        restrictions=[],
        devices=[device(), device("vdb1", "RESCUE (vdb1)", detail="virtio, 64 MiB, vfat")],
        entries=sample_entries(count),
        entries_kept=False,
        default="debian",
        countdown=None,
        timeout=None,
        title="",
        progress=None,
        problems=[],
    )


def _property(name: str, value: str, kind: str) -> Property:
    return Property(name, value, kind, changed=False)


def sample_tree() -> list[Node]:
    """A tree of a few nodes."""
    model = _property("model", '"linux,dummy-virt"', "strings")
    cells = _property("#address-cells", "<0x2>", "cells")
    args = _property("bootargs", f'"{ROOT}"', "strings")
    seed = _property("rng-seed", "[de ad be ef]", "bytes")
    memory = _property("reg", "<0x0 0x40000000 0x0 0x40000000>", "cells")
    return [
        Node("/", [model, cells], changed=False),
        Node("/chosen", [args, seed], changed=False),
        Node("/cpus", [cells], changed=False),
        Node(
            "/cpus/cpu@0", [_property("compatible", '"arm,cortex-a57"', "strings")], changed=False
        ),
        Node("/memory@40000000", [memory], changed=False),
    ]


def edited_tree(edits: list[Edit]) -> list[Node]:
    """The sample tree with *edits*; raises TreeError as the real one would."""
    nodes = {node.path: node for node in sample_tree()}
    for edit in edits:
        if edit.kind is EditKind.add_node:
            nodes[edit.path] = Node(edit.path, [], changed=True)
        elif edit.kind is EditKind.remove_node:
            nodes = {path: n for path, n in nodes.items() if not path.startswith(edit.path)}
        else:
            node = nodes[edit.path]
            kept = [one for one in node.properties if one.name != edit.property]
            if edit.kind is EditKind.set:
                if edit.value and edit.value[0] not in '"<[':
                    raise TreeError(
                        f"{edit.value} is not a value",
                        hint='write text as "text", numbers as <1 0x2>, bytes as [de ad]',
                    )
                kept.append(Property(edit.property, edit.value, "cells", changed=True))
            nodes[edit.path] = Node(edit.path, kept, changed=True)
    return sorted(nodes.values(), key=lambda node: node.path.split("/") if node.path != "/" else [])


class FakeService:
    """What stands behind the interface: a state that tests change, and what was asked."""

    def __init__(self, state: State | None = None, *, starts: bool = False) -> None:
        self.state = state or sample_state()
        self.starts = starts
        self.jump_fails = False
        self.failure: BootmenuError | None = None
        self.booted: list[Request] = []
        self.cancelled = False
        self.stopped = 0
        self.rescans = 0
        self._watchers: set[asyncio.Event] = set()
        self._held: dict[int | str, asyncio.Event] = {}

    def hold(self, where: int | str) -> asyncio.Event:
        """Have what is booted stop *where* until the event is set.

        That is at a percentage of the load, a multiple of 25; before it, at "call"; or at "jump".
        """
        return self._held.setdefault(where, asyncio.Event())

    async def _pass(self, where: int | str) -> None:
        if where in self._held:
            await self._held[where].wait()

    def change(self, **changes: object) -> None:
        """Change the state and tell everyone who watches."""
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]
        for changed in self._watchers:
            changed.set()

    async def watch(self) -> AsyncIterator[State]:
        """The state now, and again after every change."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while True:
                changed.clear()
                yield self.state
                await changed.wait()
        finally:
            self._watchers.discard(changed)

    async def settled(self) -> State:
        return self.state

    def stop_countdown(self) -> None:
        self.stopped += 1
        self.change(phase=Phase.waiting, countdown=None, status="Waiting for a choice.")

    async def show_tree(self, request: Request) -> list[Node]:
        return edited_tree(request.edits)

    async def differences(self, request: Request) -> list[str]:
        original = next(one for one in self.state.entries if one.id == request.entry)
        lines = []
        if request.cmdline != original.cmdline:
            lines += [f"- cmdline {original.cmdline}", f"+ cmdline {request.cmdline}"]
        if request.kernel != original.kernel:
            lines += [f"- kernel {original.kernel}", f"+ kernel {request.kernel}"]
        for edit in request.edits:
            lines.append(f"+ tree {edit.path} {edit.property} = {edit.value}")
        return lines

    async def plan(
        self,
        request: Request,
        *,
        json: bool = False,
        panic: bool = False,
        method: Method = Method.auto,
    ) -> str:
        head = f"arm64 plan for {request.kernel}\n\n"
        rows = [f"segment {n:2}  0x{0x40000000 + n * 0x200000:010x}" for n in range(40)]
        return head + "\n".join(rows)

    async def verify(
        self,
        request: Request,
        *,
        json: bool,
        panic: bool,
        width: int,
        method: Method = Method.auto,
    ) -> AsyncIterator[Reading]:
        yield Reading(0, 0, await self.plan(request, json=json, panic=panic, method=method))

    async def load(
        self, request: Request, *, panic: bool = False, method: Method = Method.auto
    ) -> list[str]:
        await self._pass("call")
        self.cancelled = False
        self.booted.append(request)
        title = next(one.title for one in self.state.entries if one.id == request.entry)
        for done in range(0, 101, 25):
            progress = Progress("reading the kernel", done * 2**18, 100 * 2**18)
            self.change(phase=Phase.loading, title=title, progress=progress, countdown=None)
            await self._pass(done)
            if self.cancelled:
                status = f"Cancelled: {title} was not started, nothing was loaded"
                self.change(phase=Phase.waiting, title="", progress=None, status=status)
                raise CancelledError
        return []

    async def loaded(self, *, panic: bool = False) -> str:
        return "{}"

    def cancel(self) -> None:
        if self.state.phase is not Phase.loading:
            raise UsageError("nothing is being loaded")
        self.cancelled = True
        self.change(status=f"Cancelling {self.state.title}")

    async def boot(self, request: Request, *, method: Method = Method.auto) -> None:
        await self.load(request, method=method)
        if self.jump_fails:
            self.change(phase=Phase.starting)
            await self._pass("jump")
        if not self.starts:
            self.change(phase=Phase.waiting, title="", progress=None)
            raise self.failure or KexecError(
                "the kernel is for x86_64, this machine is arm64",
                errno=8,
                hint="choose an entry whose kernel is for arm64",
            )
        await self.start()

    async def start(self) -> None:
        self.change(phase=Phase.starting)

    async def unload(self, *, panic: bool = False) -> None:
        self.change(phase=Phase.waiting, title="")

    async def rescan(self) -> None:
        self.rescans += 1

    async def list_entries(self, *, json: bool = False) -> str:
        return "\n".join(one.title for one in self.state.entries)

    async def show(self, entry: str, *, json: bool = False) -> str:
        return entry


def _bound(path: str) -> socket.socket:
    """A socket at *path*, whatever was there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    Path(path).unlink(missing_ok=True)
    listener.bind(path)
    return listener


@asynccontextmanager
async def serving(path: str, service: FakeService) -> AsyncIterator[None]:
    """Serve *service* on the Unix socket *path*."""
    registry = VarlinkInterfaceRegistry()
    registry.register_interface(BootInterface(service))
    listener = _bound(path)
    server = VarlinkUnixServer(listener, registry.protocol_factory)
    await server.start_serving()
    listener.listen()  # a menu connects three times at once, and the server waits for one
    try:
        yield
    finally:
        server.close()
        server.abort_clients()
        await asyncio.sleep(0)


async def _main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("socket")
    options.add_argument("--entries", type=int, default=8)
    options.add_argument("--countdown", type=float)
    options.add_argument("--starts", action="store_true")
    options.add_argument("--jump-fails", action="store_true")
    options.add_argument("--held", action="store_true")
    given = options.parse_args()
    state = sample_state(given.entries)
    if given.countdown is not None:
        state = replace(
            state, phase=Phase.counting, countdown=given.countdown, timeout=given.countdown
        )
    service = FakeService(state, starts=given.starts)
    service.jump_fails = given.jump_fails
    if given.held:
        held = iter([service.hold(50), service.hold("jump")])
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: next(held).set())
    async with serving(given.socket, service):
        while service.state.countdown:
            await asyncio.sleep(1)
            if service.state.countdown:
                service.change(countdown=max(0.0, service.state.countdown - 1))
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
