"""What an entry saves is written when it boots, and at no other time. The disks are directories."""

import errno
import subprocess
import threading
from pathlib import Path

import pytest
from daemon_fakes import bls, grub_cfg, linux, until
from daemon_served import Kernel, Served

from bootmenu.daemon import saving
from bootmenu.daemon.interface import Failed
from bootmenu.errors import KexecError

SCRIPT = """
load_env
if [ "${next_entry}" ]; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
  set boot_once=true
else
  set default="${saved_entry}"
fi
function savedefault {
  if [ -z "${boot_once}" ]; then saved_entry="${chosen}"; save_env saved_entry; fi
}
menuentry First --id first { savedefault; linux /Image }
menuentry Second --id second { savedefault; linux /Image }
"""


class System:
    """A disk with a grub.cfg that saves, and its environment block."""

    def __init__(self, root: Path) -> None:
        grub_cfg(root, SCRIPT)
        (root / "Image").write_bytes(linux())
        self.block = root / "boot/grub/grubenv"
        self.editenv("create")

    def editenv(self, *arguments: str) -> str:
        command: list[str | Path] = ["grub-editenv", self.block, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def system(served: Served, tmp_path: Path) -> System:
    made = System(tmp_path / "disk")
    served.disks.plug(tmp_path / "disk", "vda1")
    return made


async def test_the_choice_is_saved_once_it_is_loaded_and_before_the_disks_are_let_go(
    served: Served, fdt: bytes, system: System, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = kernel.calls
    monkeypatch.setattr(served.disks, "close_all", lambda: order.append("unmounted"))
    monkeypatch.setattr(served.disks, "written", order)
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    await menu.call("Boot", request=menu.request("Second", cmdline="edited"))
    assert order[:5] == [
        "load", "vda1:/boot/grub/grubenv", "unmounted", "Starting Second...", "execute"
    ]  # fmt: skip
    assert system.editenv("list") == "saved_entry=second\n"
    assert kernel.plan.cmdline == "edited"


async def test_a_one_shot_default_starts_by_itself_and_is_forgotten(
    served: Served, fdt: bytes, system: System, kernel: Kernel
) -> None:
    system.editenv("set", "saved_entry=first", "next_entry=second")
    served.start(fdt, timeout=0.1)
    await served.menu()
    await until(lambda: kernel.jumped)
    assert "Starting Second..." in kernel.calls
    assert system.editenv("list") == "saved_entry=first\nnext_entry=\n"


async def test_what_will_be_written_is_told_before(
    served: Served, fdt: bytes, system: System, kernel: Kernel
) -> None:
    served.start(fdt)
    menu = await served.menu()
    state = await menu.until(lambda state: state.entries)
    told = "vda1:/boot/grub/grubenv: saved_entry=second"
    assert state.entries[1].writes == [told]
    plan = await menu.call("Plan", request=menu.request("Second", cmdline="edited"))
    assert plan.endswith(f"written to a disk when it is started\n  {told}")


async def test_looking_planning_and_loading_write_nothing(
    served: Served, fdt: bytes, system: System, kernel: Kernel
) -> None:
    system.editenv("set", "next_entry=second")
    before = system.block.read_bytes()
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    await menu.call("List")
    await menu.call("Show", entry="Second")
    await menu.call("Plan", request=menu.request("Second"))
    await menu.call("Load", request=menu.request("Second"))
    await menu.call("Unload")
    assert served.disks.written == []
    await menu.call("Load", request=menu.request("Second"))
    assert system.block.read_bytes() == before
    await menu.call("Start")
    assert system.editenv("list") == "next_entry=\n"


async def test_a_system_that_cannot_be_loaded_saves_nothing(
    served: Served, fdt: bytes, system: System, kernel: Kernel
) -> None:
    kernel.refusal = KexecError("refused", errno=errno.EBUSY)
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    with pytest.raises(Failed):
        await menu.call("Boot", request=menu.request("Second"))
    assert served.disks.written == []


async def test_what_cannot_be_saved_is_said_on_the_consoles_and_the_system_starts(
    served: Served, fdt: bytes, system: System, kernel: Kernel
) -> None:
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    served.disks.broken["vda1"] = "its journal was not replayed yet"
    await menu.call("Boot", request=menu.request("Second"))
    assert kernel.jumped
    last = next(call for call in kernel.calls if call.startswith("Starting"))
    assert last.split("\r\n") == [
        "Starting Second...",
        "not saved: vda1:/boot/grub/grubenv: its journal was not replayed yet",
    ]


async def test_after_a_jump_that_failed_the_menu_says_what_was_not_saved(
    served: Served, fdt: bytes, system: System, kernel: Kernel
) -> None:
    kernel.stuck = KexecError("CPUs are stuck", errno=errno.EBUSY)
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    system.block.write_bytes(b"something else by now")
    with pytest.raises(Failed):
        await menu.call("Boot", request=menu.request("Second"))
    state = await menu.until(lambda state: any("not saved" in p for p in state.problems))
    assert any("not a GRUB environment block" in problem for problem in state.problems)


async def test_a_disk_that_hangs_does_not_keep_the_system_from_starting(
    served: Served, fdt: bytes, system: System, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "PATIENCE", 0.2)
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    hanging = served.disks.hanging["vda1"] = threading.Event()
    await menu.call("Boot", request=menu.request("Second"))
    hanging.set()
    assert kernel.jumped
    assert any("no answer" in call for call in kernel.calls)


async def test_a_counted_entry_is_renamed_when_it_boots(
    served: Served, fdt: bytes, tmp_path: Path, kernel: Kernel
) -> None:
    bls(tmp_path / "esp", "debian+3", title="Debian")
    served.disks.plug(tmp_path / "esp", "vda1")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    await menu.call("Boot", request=menu.request("Debian"))
    assert kernel.jumped
    assert [path.name for path in (tmp_path / "esp/loader/entries").iterdir()] == [
        "debian+2-1.conf"
    ]
