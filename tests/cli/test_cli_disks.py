"""A real filesystem on a block device, found by the command and left as it was."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootmenu.daemon import SOCKET
from bootmenu.daemon.client import open_daemon

COMMAND = [sys.executable, "-m", "bootmenu"]
UUID = "5a6b7c8d-0000-4000-8000-0123456789ab"


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An ext4 filesystem with one entry."""
    content, image = tmp_path / "content", tmp_path / "image"
    (content / "loader/entries").mkdir(parents=True)
    (content / "loader/entries/a.conf").write_text("title On a disk\nlinux /Image\n")
    (content / "Image").write_text("a kernel\n")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    run("mkfs.ext4", "-q", "-L", "test disk", "-U", UUID, "-d", content, image)
    return image


@pytest.fixture
def disk(image: Path) -> Iterator[str]:
    """The name of a block device with that filesystem."""
    node = run("losetup", "--find", "--show", image)
    yield Path(node).name
    run("losetup", "--detach", node)


def test_a_disk_is_listed_and_left_as_it_was(image: Path, disk: str) -> None:
    before = hashlib.sha256(image.read_bytes()).digest()
    listing = json.loads(run(*COMMAND, "list", "--json"))
    entry = next(entry for entry in listing["entries"] if entry["device"] == disk)
    assert entry["title"] == "On a disk"
    assert entry["kernel"] == {"device": disk, "path": "/Image"}
    device = next(device for device in listing["devices"] if device["name"] == disk)
    assert (device["uuid"], device["label"], device["fstype"]) == (UUID, "test disk", "ext4")
    assert disk not in Path("/proc/mounts").read_text()
    run("sync", "-f", image)
    assert hashlib.sha256(image.read_bytes()).digest() == before


def test_mounts_of_a_command_are_seen_by_nobody_else(disk: str) -> None:
    with open_daemon() as daemon:
        assert disk in [device.name for device in daemon.settled().devices]
        (child,) = children(os.getpid())
        assert f"/dev/{disk} " in Path(f"/proc/{child}/mounts").read_text()
        assert f"/dev/{disk} " not in Path("/proc/mounts").read_text()


def test_a_private_daemon_ends_with_the_command_even_when_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from bootmenu.daemon.client import open_daemon\n"
        "with open_daemon(['--root=/']) as daemon:\n"
        "    print(daemon.settled().phase, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as command:
        assert command.stdout is not None
        command.stdout.readline()
        (child,) = children(command.pid)
        command.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()


def test_a_second_daemon_leaves_the_first_one_in_peace() -> None:
    with subprocess.Popen([*COMMAND, "daemon"], stderr=subprocess.PIPE) as daemon:
        deadline = time.monotonic() + 60
        while not Path(SOCKET).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        second = subprocess.run([*COMMAND, "daemon"], check=False, capture_output=True, text=True)
        assert second.returncode == 1
        assert "another bootmenud listens" in second.stderr
        assert run(*COMMAND, "list", "--json")
        daemon.terminate()
        assert daemon.wait(60) == 0
    assert not Path(SOCKET).exists()
