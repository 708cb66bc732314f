"""From Enter to the jump, and back to the menu when it fails. The system calls are stand-ins."""

import asyncio
import errno
import json
import threading
from pathlib import Path

import pytest
from daemon_fakes import bls, loader_conf, until
from daemon_served import Kernel, Served

from bootmenu.daemon import service
from bootmenu.daemon.interface import Failed, Phase
from bootmenu.errors import KexecError


@pytest.fixture
def debian(served: Served, tmp_path: Path) -> Path:
    """A disk with one entry, which is the default."""
    root = tmp_path / "disk"
    bls(root, "debian", title="Debian", options="root=LABEL=x  quiet")
    loader_conf(root, "default debian*\ntimeout 1\n")
    served.disks.plug(root, "vda1")
    return root


async def test_an_entry_is_loaded_and_started_with_disks_unmounted_and_the_consoles_told(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootmenu.daemon.boot.PAINT", 0.2)
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    await menu.call("Boot", request=menu.request("Debian"))
    assert kernel.jumped
    assert kernel.calls == ["load", "Starting Debian...", "execute"]
    assert served.disks.closed[0] == "all"
    assert kernel.plan.cmdline == "root=LABEL=x  quiet"
    await until(lambda: Phase.starting in [state.phase for state in menu.seen])


async def test_what_was_typed_is_the_next_cmdline_byte_for_byte(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    typed = 'root="LABEL=a b"  äöü \\x20 $(x) ;'
    await menu.call("Boot", request=menu.request("Debian", cmdline=typed))
    assert kernel.plan.cmdline == typed
    assert (typed.encode() + b"\0") in kernel.plan.tree


async def test_bytes_of_a_cmdline_that_no_terminal_shows_still_run(
    served: Served, fdt: bytes, tmp_path: Path, kernel: Kernel
) -> None:
    bls(tmp_path / "disk", "odd", options="x=OPTION")
    path = tmp_path / "disk/loader/entries/odd.conf"
    path.write_bytes(path.read_bytes().replace(b"OPTION", b"\xff\x1b"))
    served.disks.plug(tmp_path / "disk", "vda1")
    served.start(fdt)
    menu = await served.menu()
    state = await menu.until(lambda state: state.entries)
    assert state.entries[0].cmdline == "x=\ufffd\ufffd"
    await menu.call("Boot", request=menu.request("odd"))
    assert b"x=\xff\x1b\0" in kernel.plan.tree


async def test_the_default_starts_by_itself_when_nobody_is_there(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt, timeout=2)
    menu = await served.menu()
    state = await menu.until(lambda state: state.phase is Phase.counting)
    assert state.default == state.entries[0].id
    assert state.entries[0].default
    assert state.timeout == 2
    assert state.status == "Debian starts unless a key is pressed"
    await until(lambda: kernel.jumped)


async def test_a_key_on_one_console_stops_the_countdown_on_all(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt, timeout=3)
    one, two = await served.menu(), await served.menu()
    for menu in (one, two):
        await menu.until(lambda state: state.countdown is not None)
    await one.call("StopCountdown")
    for menu in (one, two):
        await menu.until(lambda state: state.phase is Phase.waiting and state.countdown is None)
    await asyncio.sleep(3.1)
    assert not kernel.calls


async def test_the_countdown_waits_for_devices_that_are_still_coming(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.disks.more_to_come = True
    served.start(fdt, timeout=30)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    await asyncio.sleep(0.4)
    assert menu.state.phase is Phase.discovering
    served.disks.more_to_come = False
    await menu.until(lambda state: state.phase is Phase.counting)


async def test_the_countdown_begins_when_a_menu_can_show_it(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt, timeout=0.1, settle=0.1)
    await asyncio.sleep(0.5)
    assert not kernel.calls
    await served.menu()
    await until(lambda: kernel.jumped)


async def test_a_countdown_follows_its_disk_though_the_menu_that_showed_it_has_gone(
    served: Served, debian: Path, fdt: bytes, kernel: Kernel
) -> None:
    served.start(fdt, timeout=5.0)
    menu = await served.menu()
    await menu.until(lambda state: state.phase is Phase.counting)
    for transport in served.transports:
        transport.close()
        await transport.closed_future
    await asyncio.sleep(0.1)
    served.disks.unplug("vda1")  # as a disk does that is reset, too
    menu = await served.menu()
    await menu.until(lambda state: state.status == "No disk was found")
    served.disks.plug(debian, "vda1")
    await until(lambda: kernel.jumped)


async def test_a_machine_without_any_menu_starts_by_itself_all_the_same(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "AUDIENCE", 0.2)
    served.start(fdt, timeout=0.1, settle=0.1)
    await until(lambda: kernel.jumped)


async def test_a_default_whose_disk_comes_late_still_starts(
    served: Served, fdt: bytes, tmp_path: Path, kernel: Kernel
) -> None:
    served.start(fdt, timeout=0.1, settle=0.1)
    menu = await served.menu()
    await menu.until(lambda state: state.phase is Phase.waiting)
    bls(tmp_path / "late", "late", title="Late")
    loader_conf(tmp_path / "late", "default late*\n")
    served.disks.plug(tmp_path / "late", "sda1")
    await until(lambda: kernel.jumped)


async def test_a_default_that_cannot_start_ends_in_the_menu_with_the_reason(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    (debian / "Image").write_bytes(b"MZ not a kernel")
    served.start(fdt, timeout=0.1)
    menu = await served.menu()
    state = await menu.until(lambda state: "was not started" in state.status)
    assert state.phase is Phase.waiting
    (problem,) = state.problems
    assert problem.startswith("Debian: vda1:/Image: ")
    assert "load" not in kernel.calls
    await asyncio.sleep(0.3)
    assert menu.state.phase is Phase.waiting, "it must not try for ever"


async def test_a_load_that_the_kernel_refuses_is_explained_and_the_next_entry_boots(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    kernel.refusal = KexecError("refused", errno=errno.EBUSY, hint="wait", log=("kexec: busy",))
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed) as failed:
        await menu.call("Boot", request=menu.request("Debian"))
    said = failed.value.parameters
    assert said == {"message": "refused", "hint": "wait", "log": ["kexec: busy"]}
    await menu.until(lambda state: state.phase is Phase.waiting)
    kernel.refusal = None
    await menu.call("Boot", request=menu.request("Debian"))
    assert kernel.jumped


@pytest.mark.parametrize(
    "error",
    [
        KexecError("CPUs are stuck", errno=errno.EBUSY, hint="nr_cpus=1"),
        RuntimeError("can't start new thread"),
    ],
)
async def test_a_jump_that_fails_returns_to_a_menu_with_all_its_disks(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel, error: Exception
) -> None:
    kernel.stuck = error
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed):
        await menu.call("Boot", request=menu.request("Debian"))
    assert not kernel.loaded()
    with pytest.raises(Failed):
        await menu.call("Loaded")
    await until(lambda: served.disks.opened == ["vda1", "vda1"])
    await menu.until(lambda state: state.phase is Phase.waiting and state.entries)


async def test_disks_that_hang_are_named_instead_of_a_jump(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootmenu.discover.requests.unanswered", lambda: ["vda", "vdb"])
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed) as failed:
        await menu.call("Boot", request=menu.request("Debian"))
    said = failed.value.parameters
    assert said["message"] == "no answer from vda, vdb, the jump would wait for ever"
    assert said["hint"].startswith("unplug what does not answer")
    assert kernel.calls == ["load", "unload"]


async def test_load_and_start_are_two_steps(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed):
        await menu.call("Start")
    assert await menu.call("Load", request=menu.request("Debian")) == []
    await menu.until(lambda state: state.status == "Loaded: Debian")
    plan = json.loads(await menu.call("Loaded"))
    assert [(s["name"], s["mem"], s["memsz"]) for s in plan["segments"]] == [
        (segment.name, segment.mem, segment.memsz) for segment in kernel.plan.segments
    ]
    await menu.call("Unload")
    assert not kernel.loaded()
    await menu.call("Load", request=menu.request("Debian"))
    await menu.call("Start")
    assert kernel.jumped


async def test_a_crash_kernel_waits_beside_what_is_loaded_to_be_started(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt, iomem="  60000000-6fffffff : Crash kernel")
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    request = menu.request("Debian")
    assert "elfcorehdr" in await menu.call("Plan", request=request, panic=True)
    await menu.call("Load", request=request)
    warnings = await menu.call("Load", request=request, panic=True)
    assert ["dump" in warning for warning in warnings] == [True]
    await menu.until(lambda state: state.status == "Loaded for a crash: Debian")
    assert (kernel.plan.panic, kernel.crash_plan.panic) == (False, True)
    plans = [json.loads(await menu.call("Loaded", panic=panic)) for panic in (False, True)]
    assert [plan["panic"] for plan in plans] == [False, True]
    await menu.call("Unload")
    assert kernel.crash_plan is not None
    with pytest.raises(Failed):
        await menu.call("Start")
    await menu.call("Unload", panic=True)
    assert kernel.crash_plan is None
    with pytest.raises(Failed):
        await menu.call("Loaded", panic=True)


async def test_a_warning_of_the_loader_is_told(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    request = menu.request("Debian", cmdline="console=ttyS7")
    (warning,) = await menu.call("Load", request=request)
    assert "ttyS7" in warning


async def test_a_root_on_no_disk_is_told_where_all_disks_are_known(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.disks.plug(debian, "vdb1", label="data")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: len(state.entries) == 2)
    request = menu.request("Debian", cmdline="root=LABEL=x")
    assert await menu.call("Load", request=request) == []
    served.disks.tells_roots = True
    (warning,) = await menu.call("Load", request=request)
    assert warning == "root=LABEL=x is on no disk here: those here are LABEL=data"
    there = menu.request("Debian", cmdline="root=LABEL=data")
    assert await menu.call("Load", request=there) == []


async def test_a_warning_is_the_last_that_the_consoles_show(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    """Where the next kernel is silent, this tells why."""
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    await menu.call("Boot", request=menu.request("Debian", cmdline="console=ttyS7"))
    _, said, _ = kernel.calls
    assert said.startswith("Starting Debian...\r\nwarning: the next kernel may be silent here")


async def test_while_one_system_starts_no_other_can(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    kernel.goes_on.clear()
    served.start(fdt)
    one, two = await served.menu(), await served.menu()
    await one.until(lambda state: state.entries)
    await two.until(lambda state: state.entries)
    first = asyncio.create_task(one.call("Boot", request=one.request("Debian")))
    await two.until(lambda state: state.title == "Debian")
    with pytest.raises(Failed) as failed:
        await two.call("Boot", request=two.request("Debian"))
    assert "already" in str(failed.value.parameters)
    kernel.goes_on.set()
    await first
    assert kernel.calls.count("execute") == 1


async def test_nothing_is_taken_from_under_a_load(
    served: Served, debian: Path, fdt: bytes, kernel: Kernel
) -> None:
    """Looking at the disks again unmounts them, and unloading would forget what was just loaded."""
    kernel.slow = kernel.late = True
    served.start(fdt)
    menu, other = await served.menu(), await served.menu()
    await menu.until(lambda state: state.entries)
    loading = asyncio.create_task(menu.call("Load", request=menu.request("Debian")))
    await other.until(lambda state: state.progress is not None)
    for method in ("Rescan", "Unload"):
        with pytest.raises(Failed) as failed:
            await other.call(method)
        assert failed.value.parameters["message"] == "Debian is being started already"
    assert served.disks.closed == []
    await other.call("Cancel")
    with pytest.raises(Failed):
        await loading


async def test_what_is_loaded_after_an_unload_began_stays_loaded(
    served: Served, debian: Path, fdt: bytes, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.start(fdt)
    menu, other = await served.menu(), await served.menu()
    await menu.until(lambda state: state.entries)
    await menu.call("Load", request=menu.request("Debian"))
    begun, loaded = threading.Event(), threading.Event()

    def slow(*, panic: bool = False) -> None:
        begun.set()
        loaded.wait(1)
        kernel.unload(panic=panic)

    monkeypatch.setattr("bootmenu.kexec.call.unload", slow)
    unloading = asyncio.create_task(other.call("Unload"))
    await until(begun.is_set)
    await menu.call("Load", request=menu.request("Debian"))
    loaded.set()
    await unloading
    assert kernel.loaded()
    assert json.loads(await menu.call("Loaded"))


async def test_on_a_machine_that_is_not_ours_nothing_jumps_under_running_programs(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootmenu.daemon.boot.Path.is_dir", lambda path: False)
    served.start(fdt, owner=False, timeout=0.1)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed) as failed:
        await menu.call("Boot", request=menu.request("Debian"))
    assert "in use" in str(failed.value.parameters)
    await asyncio.sleep(0.3)
    assert kernel.calls == [], "and nothing starts by itself"


async def test_an_entry_that_has_gone_says_so(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel
) -> None:
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    request = menu.request("Debian")
    served.disks.unplug("vda1")
    await menu.until(lambda state: not state.entries)
    with pytest.raises(Failed) as failed:
        await menu.call("Boot", request=request)
    assert "not there any more" in str(failed.value.parameters)


async def test_an_error_of_ours_is_shown_and_the_menu_stays(
    served: Served, fdt: bytes, debian: Path, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.refusal = ZeroDivisionError("oh")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed) as failed:
        await menu.call("Boot", request=menu.request("Debian"))
    assert "ZeroDivisionError" in str(failed.value.parameters)
    await menu.until(lambda state: state.phase is Phase.waiting)

    kernel.refusal, kernel.stuck = None, ZeroDivisionError("at the jump")
    await menu.call("Load", request=menu.request("Debian"))
    with pytest.raises(Failed):
        await menu.call("Start")
    await menu.until(lambda state: any("at the jump" in problem for problem in state.problems))
