"""bootmenud as a process: its socket, and the facts it says of the machine."""

import asyncio
import os
import pty
import socket
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from daemon_fakes import board
from daemon_served import Served

from bootmenu.daemon import facts, server
from bootmenu.daemon.boot import locate
from bootmenu.daemon.consoles import say_last
from bootmenu.daemon.selection import find
from bootmenu.errors import BootmenuError, DaemonError, ImageError, VolumeError
from bootmenu.model import BootEntry, Format, KexecLimits, Resource, Volume


def test_the_socket_is_for_root_and_the_group_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "bootmenu.sock"
    with server._listen(str(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_socket_of_a_daemon_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "bootmenu.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with server._listen(str(path)) as listener, socket.socket(socket.AF_UNIX) as menu:
        menu.connect(str(path))
        listener.accept()[0].close()


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "bootmenu.sock")
    with server._listen(path), pytest.raises(DaemonError, match="another bootmenud"):
        server._listen(path)


async def test_a_daemon_that_still_unmounts_is_not_followed_by_another(
    served: Served, fdt: bytes
) -> None:
    """It would remove the socket of the other one at its end: no menu could connect any more."""
    unmounted = threading.Event()
    served.disks.close_all = lambda: unmounted.wait(5)  # type: ignore[assignment, method-assign]
    served.start(fdt)
    await served.menu()
    ending = asyncio.create_task(served.stop())
    await asyncio.sleep(0.1)
    with pytest.raises(DaemonError, match="another bootmenud"):
        server._listen(served.path).close()
    unmounted.set()
    await ending
    served.ending = asyncio.get_running_loop().create_future()
    server._listen(served.path).close()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (KexecLimits(supported=False), "CONFIG_KEXEC"),
        (KexecLimits(privileged=False), "no right to kexec"),
        (KexecLimits(load_disabled=True), "until the next reboot"),
        (KexecLimits(lockdown="integrity"), "locked down"),
    ],
)
def test_what_may_not_be_done_is_said_with_its_reason(limits: KexecLimits, words: str) -> None:
    restrictions = facts.restrictions(replace(board(b""), kexec=limits))
    assert any(words in restriction for restriction in restrictions)


def test_on_a_board_where_everything_works_nothing_is_restricted() -> None:
    assert facts.restrictions(board(b"")) == []


def entry(name: str, title: str, *menu: str) -> BootEntry:
    return BootEntry(name, title, "vda1", Format.GRUB, "/boot/grub/grub.cfg", menu=menu)


ENTRIES = [
    entry("uuid/debian", "Debian"),
    entry("uuid/old", "Linux 6.1", "Advanced"),
    entry("other/old", "Linux 6.1", "Older"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("uuid/debian", "uuid/debian"),
        ("Debian", "uuid/debian"),
        ("Advanced>Linux 6.1", "uuid/old"),
        ("uuid/o", "uuid/old"),
    ],
)
def test_an_entry_is_known_by_its_id_its_title_or_its_place(name: str, found: str) -> None:
    assert find(ENTRIES, name).id == found


@pytest.mark.parametrize("name", ["Linux 6.1", "uuid", "Windows", ""])
def test_what_could_mean_several_entries_or_none_is_refused(name: str) -> None:
    with pytest.raises(BootmenuError):
        find(ENTRIES, name)


def test_the_last_line_is_written_below_the_menu_on_every_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master, terminal = pty.openpty()
    name = os.ttyname(terminal).removeprefix("/dev/")
    monkeypatch.setattr("bootmenu.daemon.consoles._console_names", lambda: [name, "ttyNONE"])
    say_last("Starting Debian...")
    said = os.read(master, 1000)
    assert said.rstrip().endswith(b"Starting Debian...")
    assert b"\x1b[?7h" in said, "the next kernel's long lines would be cut off"
    os.close(master)
    os.close(terminal)


@pytest.mark.parametrize("name", ["vdb1", "UUID=cafe", "cafe", "LABEL=stick", "PARTUUID=5d8e-01"])
def test_a_file_that_was_typed_before_its_disk_came_is_found_by_what_the_disk_is_called(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "Image").write_bytes(b"kernel")
    disk = Volume("vdb1", str(tmp_path), uuid="cafe", label="stick", partuuid="5d8e-01")
    found = locate(Resource.parse(f"{name}:/Image"), [disk])
    assert (found.path, found.size, str(found)) == (str(tmp_path / "Image"), 6, "vdb1:/Image")


def test_a_part_of_a_unified_image_is_a_piece_of_the_image() -> None:
    tree = Path(__file__).parents[1] / "golden" / "uki-profiles" / "esp"
    path = "/EFI/Linux/particle_42.1.efi"
    found = locate(Resource.parse(f"vdb1:{path}#.initrd@2"), [Volume("vdb1", str(tree))])
    content = (tree / path.lstrip("/")).read_bytes()
    assert content[found.offset : found.offset + found.size] == b"initrd\n"
    assert str(found) == f"vdb1:{path}#.initrd@2"
    with pytest.raises(ImageError, match="has no section"):
        locate(Resource.parse(f"vdb1:{path}#.initrd@1"), [Volume("vdb1", str(tree))])


@pytest.mark.parametrize("name", ["vdb1", "UUID=cafe"])
def test_a_file_inside_an_iso_image_is_a_piece_of_the_image(name: str, tmp_path: Path) -> None:
    disk, tree = tmp_path / "disk", tmp_path / "tree"
    disk.mkdir()
    tree.mkdir()
    (tree / "Image").write_bytes(b"the kernel")
    make = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(disk / "live.iso"), str(tree)]
    subprocess.run(make, check=True, capture_output=True)
    volume = Volume("vdb1", str(disk), uuid="cafe")
    found = locate(Resource.parse(f"{name}:/live.iso:/Image"), [volume])
    content = (disk / "live.iso").read_bytes()
    assert content[found.offset : found.offset + found.size] == b"the kernel"
    assert str(found) == "vdb1:/live.iso:/Image"
    (disk / "broken.iso").write_bytes(b"no image")
    with pytest.raises(VolumeError, match="not an ISO 9660 image"):
        locate(Resource.parse(f"{name}:/broken.iso:/Image"), [volume])
