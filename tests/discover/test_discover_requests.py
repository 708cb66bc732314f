"""Disks on which the jump would wait for ever, as sysfs tells of them."""

import threading
from pathlib import Path

import pytest

from bootmenu.discover.requests import unanswered


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """Two processors, and a disk with a queue for each."""
    cpu = tmp_path / "devices/system/cpu"
    cpu.mkdir(parents=True)
    (cpu / "online").write_text("0-1\n")
    disk(tmp_path, "vda", "0\n", "1\n")
    return tmp_path


def disk(
    sys: Path, name: str, *queues: str, under_way: int = 2, reads: int = 40, discards: int = 0
) -> None:
    folder = sys / "block" / name
    for number, processors in enumerate(queues):
        queue = folder / "mq" / str(number)
        queue.mkdir(parents=True, exist_ok=True)
        (queue / "cpu_list").write_text(processors)
    (folder / "inflight").write_text(f"       {under_way}        0\n")
    stat = f"  {reads}  0  900  30  0  0  0  0  0  50  30  {discards}  0  0  0  0  0\n"
    whole = folder / "stat.new"
    whole.write_text(stat)
    whole.rename(folder / "stat")


def test_disk_that_completes_nothing_is_named(sys: Path) -> None:
    assert unanswered(0.3, machine="aarch64", root=sys) == ["vda"]
    assert unanswered(0.3, machine="riscv64", root=sys) == ["vda"]


@pytest.mark.parametrize("answer", [{"reads": 41}, {"discards": 1}])
def test_disk_that_is_only_slow_is_waited_for_no_longer_than_it_takes(
    sys: Path, answer: dict[str, int]
) -> None:
    answers = threading.Timer(0.3, disk, (sys, "vda", "0\n", "1\n"), answer)
    answers.start()
    assert unanswered(60, machine="aarch64", root=sys) == []
    answers.join()


@pytest.mark.parametrize(
    ("name", "queues"),
    [
        pytest.param("sda", ["0, 1\n"], id="one queue, of all processors"),
        pytest.param("nvme0n1", ["0\n", "1\n"], id="NVMe, whose driver takes them back"),
        pytest.param("dm-0", [], id="what lies on other disks"),
    ],
)
def test_disk_whose_queue_stays_holds_up_nothing(sys: Path, name: str, queues: list[str]) -> None:
    disk(sys, "vda", under_way=0)
    disk(sys, name, *queues) if queues else (sys / "block" / name).mkdir()
    assert unanswered(60, machine="aarch64", root=sys) == []


def test_machine_that_keeps_its_processors_waits_for_no_disk(sys: Path) -> None:
    assert unanswered(60, machine="x86_64", root=sys) == []
    (sys / "devices/system/cpu/online").write_text("0\n")
    assert unanswered(60, machine="aarch64", root=sys) == []


def test_disk_that_is_unplugged_while_it_is_looked_at_holds_up_nothing(sys: Path) -> None:
    (sys / "block/vda/stat").unlink()
    assert unanswered(60, machine="aarch64", root=sys) == []
