"""A load that is given up, and one that goes on with the other call. System calls are stand-ins."""

import asyncio
import errno
import json
import logging
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from daemon_fakes import SECONDS, bls, board, until
from daemon_served import Kernel, Menu, Served

from bootmenu.daemon import boot
from bootmenu.daemon.interface import Failed, Method, Phase
from bootmenu.errors import KexecError
from bootmenu.model import FileSlice, KexecLimits
from bootmenu.model import Method as Call

SAID = "the load was cancelled, nothing is loaded"


@pytest.fixture
async def menus(served: Served, fdt: bytes, tmp_path: Path, kernel: Kernel) -> list[Menu]:
    """Two consoles of a machine with one entry."""
    bls(tmp_path / "disk", "debian", title="Debian")
    served.disks.plug(tmp_path / "disk", "vda1")
    served.start(fdt)
    found = [await served.menu(), await served.menu()]
    for menu in found:
        await menu.until(lambda state: state.entries)
    return found


async def test_any_console_cancels_a_boot_and_all_see_it(
    served: Served, menus: list[Menu], kernel: Kernel
) -> None:
    kernel.slow = True
    kernel.notices.clear()
    one, two = menus
    booting = asyncio.create_task(one.call("Boot", request=one.request("Debian")))
    await two.until(lambda state: state.progress is not None)
    cancels = await served.connect()
    await cancels.Cancel()
    for menu in menus:
        await menu.until(lambda state: state.status == "Cancelling Debian")
    kernel.notices.set()
    with pytest.raises(Failed) as failed:
        await booting
    assert failed.value.parameters["message"] == SAID
    for menu in menus:
        await menu.until(lambda state: state.phase is Phase.waiting)
        assert menu.state.status == "Cancelled: Debian was not started, nothing was loaded"
        assert menu.state.problems == [], "it is no fault of anything"
    assert not kernel.jumped
    kernel.slow = False
    await one.call("Boot", request=one.request("Debian"))
    assert kernel.jumped, "the menu goes on"


async def test_a_load_that_ended_all_the_same_is_unloaded(
    served: Served, menus: list[Menu], kernel: Kernel
) -> None:
    kernel.slow = kernel.late = True
    loading = asyncio.create_task(menus[0].call("Load", request=menus[0].request("Debian")))
    await menus[1].until(lambda state: state.progress is not None)
    await menus[1].call("Cancel")
    with pytest.raises(Failed) as failed:
        await loading
    assert failed.value.parameters["message"] == SAID
    assert not kernel.loaded()
    with pytest.raises(Failed):
        await menus[0].call("Loaded")
    await menus[0].until(lambda s: s.status == "Cancelled: Debian was not loaded")


async def test_a_load_that_is_cancelled_before_it_begins_leaves_nothing_loaded_either(
    menus: list[Menu], kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = menus[0].request("Debian")
    await menus[0].call("Load", request=request)
    planned = boot.plan

    async def cancelled_meanwhile(*arguments: object, **options: object) -> object:
        await menus[1].call("Cancel")
        return await planned(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(boot, "plan", cancelled_meanwhile)
    with pytest.raises(Failed) as failed:
        await menus[0].call("Load", request=request)
    assert failed.value.parameters["message"] == SAID
    assert not kernel.loaded()


async def test_a_load_whose_disk_hangs_while_it_is_planned_can_be_cancelled(
    menus: list[Menu], kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = menus[0].request("Debian")
    await menus[0].call("Load", request=request)
    asked, answers, find = threading.Event(), threading.Event(), boot.locate

    def hang(*arguments: Any) -> FileSlice:
        asked.set()
        answers.wait()
        return find(*arguments)

    monkeypatch.setattr(boot, "locate", hang)
    booting = asyncio.create_task(menus[0].call("Boot", request=request))
    await until(asked.is_set)
    await menus[1].call("Cancel")
    with pytest.raises(Failed) as failed:
        await booting
    assert failed.value.parameters["message"] == SAID
    assert not kernel.loaded()
    with pytest.raises(Failed):
        await menus[0].call("Loaded")
    monkeypatch.setattr(boot, "locate", find)
    await menus[0].call("Load", request=request)
    answers.set()
    assert kernel.calls.count("load") == 2, "what is planned at last is not loaded any more"


async def test_a_disk_is_not_let_go_while_it_is_loaded_from(
    served: Served, menus: list[Menu], kernel: Kernel, tmp_path: Path
) -> None:
    kernel.goes_on.clear()
    loading = asyncio.create_task(menus[0].call("Load", request=menus[0].request("Debian")))
    await until(lambda: "load" in kernel.calls)
    served.disks.plug(tmp_path / "disk", "vda1", label="renamed")
    bls(tmp_path / "stick", "live", title="Live")
    served.disks.plug(tmp_path / "stick", "sda1")
    served.disks.unplug("sda1")
    await asyncio.sleep(0.1)
    assert served.disks.closed == []
    kernel.goes_on.set()
    await loading
    await until(lambda: served.disks.closed == ["vda1"])
    await menus[0].until(lambda s: [one.title for one in s.devices] == ["renamed (vda1)"])


async def test_a_load_is_cancelled_up_to_its_very_end(
    menus: list[Menu], kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bytes are with the kernel, and the menus say so, while the plan is made a text."""
    render = boot.render
    begun, cancelled = threading.Event(), threading.Event()

    def slow(*arguments: Any, **options: Any) -> str:
        begun.set()
        cancelled.wait(5)
        return render(*arguments, **options)

    monkeypatch.setattr(boot, "render", slow)
    booting = asyncio.create_task(menus[0].call("Boot", request=menus[0].request("Debian")))
    await until(begun.is_set)
    await menus[1].call("Cancel")
    cancelled.set()
    with pytest.raises(Failed) as failed:
        await booting
    assert failed.value.parameters["message"] == SAID
    assert not kernel.loaded()
    assert not kernel.jumped


async def test_there_must_be_a_load_to_cancel(menus: list[Menu], kernel: Kernel) -> None:
    with pytest.raises(Failed) as failed:
        await menus[0].call("Cancel")
    assert failed.value.parameters["message"] == "nothing is being loaded"
    await menus[0].call("Load", request=menus[0].request("Debian"))
    with pytest.raises(Failed):
        await menus[0].call("Cancel")
    assert kernel.loaded()


async def test_a_load_goes_on_when_the_console_that_asked_for_it_goes(
    served: Served, menus: list[Menu], kernel: Kernel
) -> None:
    kernel.slow = kernel.late = True
    calls = await served.connect()
    asking = asyncio.create_task(calls.Boot(request=menus[0].request("Debian")))
    await menus[0].until(lambda state: state.progress is not None)
    served.transports[-1].close()
    with suppress(OSError, asyncio.CancelledError):
        await asyncio.wait_for(asking, SECONDS)
    await asyncio.sleep(0.2)
    assert menus[0].state.phase is Phase.loading
    await menus[1].call("Cancel")
    await menus[0].until(lambda state: state.phase is Phase.waiting)


async def test_the_end_of_a_daemon_while_it_answers_is_no_error(
    menus: list[Menu], kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    """What a private daemon said last is what its command says: it was a traceback's end."""
    kernel.slow = True
    booting = asyncio.create_task(menus[0].call("Boot", request=menus[0].request("Debian")))
    await menus[1].until(lambda state: state.progress is not None)
    for task in asyncio.all_tasks():  # as asyncio.run does in the end
        if any(name in repr(task.get_coro()) for name in ("_call_async_method", "_ended")):
            task.cancel()
    await asyncio.sleep(0.1)
    booting.cancel()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_ctrl_c_on_a_command_cancels_its_load(
    served: Served, menus: list[Menu], kernel: Kernel
) -> None:
    kernel.slow = True
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COMMAND, served.path, menus[0].request("Debian").entry),
        stderr=asyncio.subprocess.PIPE,
    )
    await menus[0].until(lambda state: state.progress is not None)
    command.send_signal(signal.SIGINT)
    async with asyncio.timeout(SECONDS):
        _, errors = await command.communicate()
    assert errors.decode().splitlines() == [
        f"bootmenu: {SAID}",
        "hint: start it again, or another entry",
    ]
    assert command.returncode == 1
    await menus[0].until(lambda state: state.phase is Phase.waiting)
    assert not kernel.loaded()


async def test_a_command_says_how_far_its_load_is_and_wipes_that_out(
    served: Served, menus: list[Menu], kernel: Kernel
) -> None:
    kernel.goes_on.clear()
    arguments = ["-c", _COMMAND, served.path, menus[0].request("Debian").entry]
    command = pexpect.spawn(sys.executable, arguments, timeout=SECONDS, encoding="utf-8")
    await asyncio.to_thread(command.expect, "reading the kernel: 50 % of 0 MiB")
    told = f"{command.before}{command.after}"
    kernel.goes_on.set()
    told += await asyncio.to_thread(command.read)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(told)
    assert "".join(screen.display).strip() == ""
    assert kernel.loaded()


_COMMAND = """
import sys
import bootmenu.daemon, bootmenu.daemon.client as client
client.SOCKET = sys.argv[1]
from bootmenu.cli import main
sys.exit(main(["load", sys.argv[2]]))
"""


@pytest.fixture
def both_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose kernel has both calls."""

    def with_both(fdt: bytes) -> object:
        return replace(board(fdt), kexec=KexecLimits(methods=(Call.CLASSIC, Call.FILE)))

    monkeypatch.setattr("daemon_served.board", with_both)


async def test_where_the_classic_call_is_forbidden_the_other_loads_and_it_is_said(
    both_calls: None, menus: list[Menu], kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = KexecError("a security policy forbids it (EACCES)", errno=errno.EACCES)
    kernel.refused[Call.CLASSIC] = refusal
    request = menus[0].request("Debian")
    with caplog.at_level(logging.INFO):
        (warning,) = await menus[0].call("Load", request=request)
    assert "kexec_file_load has loaded it" in warning
    assert "a security policy forbids it" in warning
    assert kernel.calls == ["load", "load"]
    loaded = json.loads(await menus[0].call("Loaded"))
    assert (loaded["method"], [file["name"] for file in loaded["files"]]) == ("file", ["kernel"])
    assert "trying kexec_file_load" in caplog.text
    assert "loaded kernel: 1,048,576 bytes by kexec_file_load, SHA-256" in caplog.text
    with pytest.raises(Failed) as failed:
        await menus[0].call("Load", request=request, method=Method.classic)
    assert "EACCES" in failed.value.parameters["message"]


async def test_a_refusal_for_another_reason_is_not_tried_again(
    both_calls: None, menus: list[Menu], kernel: Kernel
) -> None:
    kernel.refused[Call.CLASSIC] = KexecError("not enough memory", errno=errno.ENOMEM)
    with pytest.raises(Failed):
        await menus[0].call("Boot", request=menus[0].request("Debian"))
    assert kernel.calls == ["load"]


async def test_the_method_asked_for_is_the_one_that_is_planned(
    both_calls: None, menus: list[Menu], kernel: Kernel
) -> None:
    request = menus[0].request("Debian")
    report = await menus[0].call("Plan", request=request, method=Method.file)
    assert "kexec_file_load" in report
    assert "kexec_file_load" not in await menus[0].call("Plan", request=request)
    await menus[0].call("Load", request=request, method=Method.file)
    assert kernel.plan.method is Call.FILE


async def test_the_log_has_a_line_for_each_segment_of_a_load(
    menus: list[Menu], kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await menus[0].call("Load", request=menus[0].request("Debian"))
    await until(lambda: kernel.plan is not None)
    lines = [line for line in caplog.messages if line.startswith("loaded ")]
    assert [line.split(":")[0] for line in lines] == [
        f"loaded {segment.name}" for segment in kernel.plan.segments
    ]
    assert f"1,048,576 bytes at {kernel.plan.segments[0].mem:#x}, SHA-256" in lines[0]
