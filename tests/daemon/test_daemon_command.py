"""A command that asks the running daemon: what reaches it, and what the command needs for that."""

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from daemon_fakes import SECONDS, bls
from daemon_served import Kernel, Served

from bootmenu.daemon.calls import Daemon
from bootmenu.daemon.client import request_for
from bootmenu.errors import DaemonError

HEAVY = {"asyncio", "asyncvarlink", "bootmenu.model", "dataclasses", "pathlib", "shutil", "typing"}
COMMAND = f"""
import sys
before = set(sys.modules)
import bootmenu.daemon.client as client
client.SOCKET = sys.argv[1]
from bootmenu.cli import main
status = main(["load", "--kernel", "vda1:/Image", "--append", "quiet"])
print(*sorted({HEAVY} & set(sys.modules) - before))
sys.exit(status)
"""


async def test_a_load_is_asked_for_before_python_could_have_imported_much(
    served: Served, fdt: bytes, tmp_path: Path, kernel: Kernel
) -> None:
    bls(tmp_path / "disk", "debian", title="Debian")
    served.disks.plug(tmp_path / "disk", "vda1")
    served.start(fdt)
    menu = await served.menu()
    await menu.until(lambda state: state.entries)
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, served.path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        imported, errors = await command.communicate()
    assert (command.returncode, errors) == (0, b"")
    assert kernel.plan.cmdline == "quiet"
    assert imported == b"\n", "a kernel of 33 MB is loaded while these are imported"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Image", "{here}/Image"),
        ("folder/../Image", "{here}/Image"),
        ("/boot/Image", "/boot/Image"),
        ("vda1:/boot/Image", "vda1:/boot/Image"),
        ("LABEL=my disk:/boot/Image", "LABEL=my disk:/boot/Image"),
        ("vda1:/debian.iso:/Image", "vda1:/debian.iso:/Image"),
        ("fan.dtbo mac=02:00:00", "{here}/fan.dtbo mac=02:00:00"),
        ("linux.efi#.dtbauto:2", "{here}/linux.efi#.dtbauto:2"),
        ("with:colon", "{here}/with:colon"),
    ],
)
def test_a_path_of_this_system_is_found_from_the_directory_of_the_daemon_too(
    typed: str, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with:colon").touch()
    request = request_for(Daemon(""), entry=None, kernel=typed)
    assert request["kernel"] == asked.format(here=tmp_path)


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Gives a daemon that answers one call with the pieces that it is given, and ends."""
    threads = []

    def start(*pieces: bytes) -> Daemon:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(tmp_path / "socket"))
        listener.listen()

        def answer() -> None:
            with listener, listener.accept()[0] as connection:
                while not connection.recv(4096).endswith(b"\0"):
                    pass
                for piece in pieces:
                    connection.sendall(piece)

        threads.append(Thread(target=answer))
        threads[0].start()
        return Daemon(str(tmp_path / "socket"))

    yield start
    for thread in threads:
        thread.join()


def test_a_long_list_that_comes_in_pieces_is_whole(answering: Callable[..., Daemon]) -> None:
    listing = "Debian\n" * 100_000
    answer = json.dumps({"parameters": {"listing": listing}}).encode() + b"\0"
    daemon = answering(*(answer[start : start + 9000] for start in range(0, len(answer), 9000)))
    assert daemon.call("List") == listing


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "bootmenud gave up: it has ended during the call"),
        (b'{"parameters": {"li', "bootmenud gave up: it has ended during the call"),
        (
            b'{"error": "org.varlink.service.MethodNotFound", "parameters": {"method": "List"}}\0',
            "bootmenud gave up: org.varlink.service.MethodNotFound",
        ),
    ],
)
def test_a_daemon_that_gives_no_result_is_said_to_have_given_up(
    answer: bytes, said: str, answering: Callable[..., Daemon]
) -> None:
    with pytest.raises(DaemonError) as failed:
        answering(answer).call("List")
    assert failed.value.message == said
