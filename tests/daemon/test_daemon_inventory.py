"""Disks come, go, break and hang; the list says what is there, and nobody waits for another."""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from daemon_fakes import SECONDS, FakeDisks, bls, board, grub_cfg, until

from bootmenu.daemon.interface import DeviceState
from bootmenu.daemon.inventory import Inventory, Record
from bootmenu.daemon.scanning import scan
from bootmenu.model import Configuration, Volume


@pytest.fixture
def disks() -> FakeDisks:
    return FakeDisks()


@pytest.fixture
async def inventory(disks: FakeDisks) -> AsyncIterator[Inventory]:
    made = Inventory(disks, partial(scan, board(b"")), lambda: None, patience=SECONDS)
    yield made
    made.stop()
    await asyncio.sleep(0)


def record(inventory: Inventory, name: str) -> Record:
    return next(record for record in inventory.records if record.device.name == name)


def titles(inventory: Inventory) -> list[str]:
    return [entry.title for entry in inventory.entries.values()]


async def test_built_in_disks_come_first_and_in_the_order_of_their_numbers(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    for name in ("vdb1", "vda10", "vda9"):
        bls(tmp_path / name, f"entry-{name}", title=f"on {name}")
        disks.plug(tmp_path / name, name)
    await inventory.start()
    await until(lambda: inventory.settled)
    assert titles(inventory) == ["on vda9", "on vda10", "on vdb1"]


async def test_a_disk_that_hangs_delays_no_other_and_is_read_when_it_answers(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    for name in ("vda1", "vdb1"):
        bls(tmp_path / name, name)
        disks.plug(tmp_path / name, name)
    disks.hanging["vda1"] = threading.Event()
    inventory._patience = 2
    await inventory.start()
    await until(lambda: titles(inventory) == ["vdb1"])
    assert inventory.awaited is not None
    assert inventory.awaited.name == "vda1"
    await until(lambda: record(inventory, "vda1").state is DeviceState.failed)
    assert "no answer" in record(inventory, "vda1").problem
    assert inventory.settled
    disks.hanging["vda1"].set()
    await until(lambda: titles(inventory) == ["vda1", "vdb1"])
    assert record(inventory, "vda1").problem == ""


async def test_a_broken_disk_says_why_and_costs_only_itself(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    for name in ("vda1", "vdb1"):
        bls(tmp_path / name, name)
        disks.plug(tmp_path / name, name)
    disks.broken["vda1"] = "the disk reports read errors"
    await inventory.start()
    await until(lambda: inventory.settled)
    assert titles(inventory) == ["vdb1"]
    assert record(inventory, "vda1").problem == "the disk reports read errors"


async def test_an_error_of_ours_costs_only_one_disk(
    disks: FakeDisks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(volume: Volume, volumes: object) -> list[Configuration]:
        if volume.name == "vda1":
            raise RecursionError("too deep")
        return scan(board(b""), volume, [volume])

    for name in ("vda1", "vdb1"):
        bls(tmp_path / name, name)
        disks.plug(tmp_path / name, name)
    inventory = Inventory(disks, faulty, lambda: None)
    await inventory.start()
    await until(lambda: inventory.settled)
    assert titles(inventory) == ["vdb1"]
    assert "too deep" in record(inventory, "vda1").problem
    inventory.stop()


async def test_an_entry_whose_kernel_is_on_another_disk_waits_for_it(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    grub_cfg(
        tmp_path / "root",
        "menuentry 'Two disks' {\n"
        " search --no-floppy --fs-uuid --set=root cafe-0001\n"
        " linux /Image root=/dev/vda1\n}\n",
    )
    bls(tmp_path / "boot", "other")
    disks.plug(tmp_path / "root", "vda1", uuid="aaaa")
    await inventory.start()
    await until(lambda: inventory.settled)
    waiting = next(entry for entry in inventory.entries.values() if entry.title == "Two disks")
    assert not waiting.resolved
    assert "cafe-0001" in waiting.problems[0]

    disks.plug(tmp_path / "boot", "vdb1", uuid="cafe-0001")
    await until(
        lambda: any(e.title == "Two disks" and e.resolved for e in inventory.entries.values())
    )

    disks.unplug("vdb1")
    await until(lambda: not any(entry.resolved for entry in inventory.entries.values()))
    assert titles(inventory) == ["Two disks"]
    await until(lambda: disks.closed == ["vdb1"])


async def test_a_disk_that_came_during_a_load_is_not_opened_after_the_end(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    """The daemon ended during the load, and let go of all volumes: it would stay mounted."""
    await inventory.start()
    inventory.hold()
    disks.plug(tmp_path, "sda1")
    inventory.stop()
    await inventory.close_volumes(SECONDS)
    inventory.release()
    await asyncio.sleep(0.1)
    assert disks.opened == []


async def test_a_disk_that_goes_while_it_is_opened_is_let_go(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    bls(tmp_path, "entry")
    disks.plug(tmp_path, "vda1")
    disks.hanging["vda1"] = threading.Event()
    await inventory.start()
    await until(lambda: disks.opened == ["vda1"])
    disks.unplug("vda1")
    assert inventory.records == []
    disks.hanging["vda1"].set()
    await until(lambda: disks.closed == ["vda1"])
    assert titles(inventory) == []


async def test_news_that_come_while_the_disks_are_listed_are_newer_than_the_list(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    for name in ("vda1", "vdb1"):
        bls(tmp_path / name, name)
        disks.plug(tmp_path / name, name)
    disks.listed_late = threading.Event()
    starting = asyncio.create_task(inventory.start())
    await until(lambda: disks.listed)
    # As listed, nobody knows what is on it, and to look takes long; then udevd tells.
    disks.plug(tmp_path / "vda1", "vda1", label="system")
    disks.unplug("vdb1")
    await until(lambda: titles(inventory) == ["vda1"])
    disks.listed_late.set()
    await starting
    await until(lambda: inventory.settled)
    assert [found.device.label for found in inventory.records] == ["system"]
    assert disks.closed == []


async def test_the_same_news_again_changes_nothing(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    bls(tmp_path, "entry")
    disks.plug(tmp_path, "vda1")
    await inventory.start()
    await until(lambda: inventory.settled)
    before = record(inventory, "vda1")
    disks.plug(tmp_path, "vda1")
    assert record(inventory, "vda1") is before
    assert disks.closed == []


async def test_rescan_reads_everything_again(
    disks: FakeDisks, inventory: Inventory, tmp_path: Path
) -> None:
    bls(tmp_path, "one")
    disks.plug(tmp_path, "vda1")
    await inventory.start()
    await until(lambda: inventory.settled)
    bls(tmp_path, "two")
    await inventory.rescan()
    await until(lambda: inventory.settled)
    assert sorted(titles(inventory)) == ["one", "two"]
