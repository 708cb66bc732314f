"""Menus on a real socket: what they are shown, and what they may ask for."""

import asyncio
import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from types import AsyncGeneratorType
from typing import Any

import pytest
from asyncvarlink import VarlinkClientProtocol, connect_unix_varlink
from asyncvarlink.serviceinterface import VarlinkServiceInterface
from daemon_fakes import bls, loader_conf, until
from daemon_served import Served

from bootmenu.daemon import session
from bootmenu.daemon.interface import DeviceState, Edit, EditKind, Failed, Phase, Request
from bootmenu.daemon.publish import MOMENT
from bootmenu.errors import DaemonError


async def test_every_menu_sees_what_is_found(served: Served, fdt: bytes, tmp_path: Path) -> None:
    bls(tmp_path / "a", "debian", title="Debian", options="root=LABEL=x quiet")
    served.disks.plug(tmp_path / "a", "vda1", label="root")
    served.start(fdt)
    one, two = await served.menu(), await served.menu()
    state = await one.until(lambda state: state.phase is Phase.waiting)
    assert [(device.title, device.state) for device in state.devices] == [
        ("root (vda1)", DeviceState.ready)
    ]
    (entry,) = state.entries
    assert (entry.title, entry.kernel, entry.bootable) == ("Debian", "vda1:/Image", True)
    assert entry.cmdline == "root=LABEL=x quiet"
    assert state.machine.endswith("arm64, 1.0 GiB")
    assert await two.until(lambda other: other == state)


async def test_an_empty_menu_says_where_to_read_why(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    config = tmp_path / "disk/boot/grub/grub.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("menuentry Debian {")
    served.disks.plug(tmp_path / "disk", "vda1")
    served.start(fdt, settle=0.1)
    menu = await served.menu()
    status = "No system was found; ? says what could not be read"
    state = await menu.until(lambda state: state.status == status)
    assert any("grub.cfg" in problem for problem in state.problems)


async def test_a_stick_appears_in_the_menu_and_goes(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    served.start(fdt, settle=0.1)
    menu = await served.menu()
    await menu.until(lambda state: state.status == "No disk was found")
    bls(tmp_path / "stick", "rescue")
    served.disks.plug(tmp_path / "stick", "sda1")
    await menu.until(lambda state: [entry.title for entry in state.entries] == ["rescue"])
    served.disks.unplug("sda1")
    await menu.until(lambda state: not state.entries and not state.devices)


async def test_a_burst_of_changes_is_one_state(served: Served, fdt: bytes, tmp_path: Path) -> None:
    served.start(fdt)
    menu = await served.menu()
    bls(tmp_path, "entry")
    before, started = len(menu.seen), time.monotonic()
    for number in range(20):
        served.disks.plug(tmp_path, f"vd{number}")
    await menu.until(lambda state: len(state.entries) == 20)
    moments = (time.monotonic() - started) / MOMENT  # a busy machine takes more of them
    assert len(menu.seen) - before <= moments + 2


async def test_entries_are_sent_again_only_when_they_have_changed(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    bls(tmp_path, "debian")
    served.disks.plug(tmp_path, "vda1")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.status.startswith("Choose"))
    kept = menu.kept
    with pytest.raises(Failed):
        await menu.call("Boot", request=menu.request("debian", kernel="vda1:/none"))
    await menu.until(lambda state: "not started" in state.status)
    assert menu.kept > kept
    assert [entry.title for entry in menu.state.entries] == ["debian"]
    bls(tmp_path / "stick", "rescue")
    served.disks.plug(tmp_path / "stick", "vdb1")
    await menu.until(lambda state: len(state.entries) == 2)


async def test_what_is_awaited_is_said(served: Served, fdt: bytes, tmp_path: Path) -> None:
    bls(tmp_path, "entry")
    served.disks.plug(tmp_path, "sdb1", label="slow")
    served.disks.hanging["sdb1"] = threading.Event()
    served.start(fdt, settle=2)
    menu = await served.menu()
    await menu.until(lambda state: state.status == "Reading slow (sdb1)")
    await menu.until(lambda state: state.status == "Choose a system; still reading slow (sdb1)")
    served.disks.hanging["sdb1"].set()
    await menu.until(lambda state: state.status == "Choose a system")


async def test_what_would_steer_a_terminal_is_not_sent_to_it(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    bls(tmp_path, "evil", title="a\x1b[2Jb", options="quiet\x1b]0;x\x07")
    served.disks.plug(tmp_path, "vda1", label="l\x1b[31m")
    served.start(fdt)
    menu = await served.menu()
    state = await menu.until(lambda state: state.entries)
    assert "\x1b" not in json.dumps(str(state))
    assert "\\x1b" not in str(state)


async def test_a_menu_that_goes_leaves_nothing_behind(served: Served, fdt: bytes) -> None:
    dropped: list[str] = []
    gc.collect()  # what a test before this one has dropped
    first, close = sys.get_asyncgen_hooks()
    assert close is not None

    def finalize(generator: AsyncGenerator[Any, Any]) -> None:
        assert isinstance(generator, AsyncGeneratorType)
        dropped.append(generator.__qualname__)
        close(generator)

    sys.set_asyncgen_hooks(first, finalize)
    daemon = served.start(fdt)
    menu = await served.menu()
    assert len(daemon.publisher._watches) == 1
    for transport in served.transports:
        transport.close()
    await until(lambda: not daemon.publisher._watches)
    assert not menu.watching.cancelled()
    await asyncio.sleep(0.05)
    gc.collect()
    assert "BootInterface.Watch" not in dropped, "not closed: Python 3.13 says so in the log"


async def test_the_interface_describes_itself(served: Served, fdt: bytes) -> None:
    served.start(fdt)
    transport, protocol = await connect_unix_varlink(VarlinkClientProtocol, served.path)
    served.transports.append(transport)
    service = protocol.make_proxy(VarlinkServiceInterface)
    about = await service.GetInfo()
    assert about["interfaces"] == ["org.bootmenu.Boot", "org.varlink.service"]
    description = await service.GetInterfaceDescription(interface="org.bootmenu.Boot")
    assert "method Boot(request: Request, method: ?Method) -> ()" in description["description"]


async def test_a_client_that_talks_nonsense_hurts_nobody(served: Served, fdt: bytes) -> None:
    served.start(fdt, settle=0.1)
    menu = await served.menu()
    for nonsense in (b"{}\0", b"\xff\0", b"[1]\0", b'{"method": "org.bootmenu.Boot.Boot"}\0'):
        _, writer = await asyncio.open_unix_connection(served.path)
        writer.write(nonsense)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
    _, writer = await asyncio.open_unix_connection(served.path)
    with pytest.raises(ConnectionError):
        while True:  # a call without an end
            writer.write(b"x" * 100_000)
            await writer.drain()
    writer.close()
    await menu.call("List", json=True)


async def test_the_list_of_the_daemon_is_that_of_the_command(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    bls(tmp_path, "debian", title="Debian")
    loader_conf(tmp_path, "default debian*\ntimeout 4\n")
    served.disks.plug(tmp_path, "vda1")
    served.disks.plug(tmp_path, "vdb1")
    served.disks.broken["vdb1"] = "the disk reports read errors"
    served.start(fdt)
    menu = await served.menu()
    listing = json.loads(await menu.call("List", json=True))
    assert listing["schema"] == "bootmenu.list/1"
    assert [entry["title"] for entry in listing["entries"]] == ["Debian"]
    assert listing["timeout"] == 4
    text = await menu.call("List")
    assert "vdb1: the disk reports read errors" in text
    assert "Debian" in await menu.call("Show", entry="Debian")


async def test_the_tree_that_would_be_handed_over_is_shown_with_what_was_edited(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    bls(tmp_path, "debian", options="root=/dev/vda1")
    served.disks.plug(tmp_path, "vda1")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    edits = [
        Edit(kind=EditKind.set, path="/", property="model", value='"another board"'),
        Edit(kind=EditKind.add_node, path="/added", property="", value=""),
        Edit(kind=EditKind.set, path="/added", property="number", value="<0x2a>"),
    ]
    request = menu.request("debian", edits=edits, cmdline="root=/dev/vda2")
    nodes = {node.path: node for node in await menu.call("ShowTree", request=request)}
    properties = {(p.name, p.value, p.kind, p.changed) for p in nodes["/"].properties}
    assert ("model", '"another board"', "strings", True) in properties
    assert nodes["/added"].changed
    chosen = {p.name: p.value for p in nodes["/chosen"].properties}
    assert chosen["bootargs"] == '"root=/dev/vda2"'
    assert await menu.call("Differences", request=request) == [
        "-cmdline: root=/dev/vda1",
        "+cmdline: root=/dev/vda2",
        '-/ model = "a board"',
        '+/ model = "another board"',
        "+/added",
        "+/added number = <0x2a>",
    ]
    assert await menu.call("Differences", request=menu.request("debian")) == []
    report = await menu.call("Plan", request=request)
    assert report.endswith(
        """changed in the device tree, after all else
  -/ model = "a board"
  +/ model = "another board"
  +/added
  +/added number = <0x2a>"""
    )


async def test_an_edit_that_cannot_be_says_so(served: Served, fdt: bytes, tmp_path: Path) -> None:
    bls(tmp_path, "debian")
    served.disks.plug(tmp_path, "vda1")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    edit = Edit(kind=EditKind.set, path="/nowhere", property="x", value="<1>")
    with pytest.raises(Failed) as failed:
        await menu.call("ShowTree", request=menu.request("debian", edits=[edit]))
    assert "/nowhere" in str(failed.value.parameters)


async def test_a_plan_is_explained_and_nothing_is_loaded(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    bls(tmp_path, "debian", options="quiet")
    served.disks.plug(tmp_path, "vda1")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    text = await menu.call("Plan", request=menu.request("debian"))
    assert "trampoline" in text
    long = menu.request("debian", cmdline=" ".join(["console=ttyAMA0"] * 20))
    lines = (await menu.call("Plan", request=long)).splitlines()
    assert max(map(len, lines)) == 79, "the menu would break a longer one once more"
    plan = json.loads(await menu.call("Plan", request=menu.request("debian"), json=True))
    assert plan["cmdline"] == "quiet"
    names = [segment["name"] for segment in plan["segments"]]
    assert sorted(names) == ["dtb", "kernel", "trampoline"]


async def test_files_are_read_no_further_for_a_caller_that_has_gone(
    served: Served, fdt: bytes, tmp_path: Path
) -> None:
    bls(tmp_path, "debian")
    served.disks.plug(tmp_path, "vda1")
    daemon = served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    peer = session.Peer(daemon, local=True)
    request = menu.request("debian")
    readings = [one async for one in peer.verify(request, json=True, panic=False, width=80)]
    assert all(segment["sha256"] for segment in json.loads(readings[-1].report)["segments"])
    peer.gone()
    with pytest.raises(DaemonError, match="nobody waits"):
        async for _ in peer.verify(request, json=True, panic=False, width=80):
            pass


async def test_files_of_the_running_system_are_for_root(
    served: Served, fdt: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bls(tmp_path / "disk", "debian")
    bls(tmp_path / "here", "local")
    served.disks.plug(tmp_path / "disk", "vda1")
    served.start(fdt)
    local = Request(
        entry="",
        kernel=f"{tmp_path}/here/Image",
        initrds=[],
        dtb="",
        overlays=[],
        cmdline="",
        edits=[],
    )
    menu = await served.menu()
    assert await menu.call("Plan", request=local)

    monkeypatch.setattr(session, "_uid", lambda connection: 1000)
    other = await served.menu()
    await other.until(lambda state: state.entries)
    with pytest.raises(Failed) as failed:
        await other.call("Plan", request=local)
    assert "only root" in str(failed.value.parameters)
    # The same path, of an entry's own disk, is for everybody.
    assert await other.call("Plan", request=other.request("debian", kernel="/Image"))
    with pytest.raises(Failed):
        await other.call("Plan", request=other.request("debian", kernel="/../../etc/passwd"))


async def test_a_daemon_ends_even_if_its_countdown_begins_just_then(
    served: Served, fdt: bytes
) -> None:
    daemon = served.start(fdt, settle=0.0)
    await daemon._examined.wait()
    await asyncio.sleep(0.1)
    assert served.serving is not None
    running = next(t for t in asyncio.all_tasks() if "BootDaemon.run" in str(t.get_coro()))
    daemon._woken.set()
    await asyncio.sleep(0)
    running.cancel()
    assert (await asyncio.wait({served.serving}, timeout=5))[0]


def test_a_peer_is_known_by_the_kernel_not_by_what_it_says() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert session._uid(one) == os.getuid()
