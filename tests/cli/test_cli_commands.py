"""The command as a person types it: what it prints, where errors go, and its exit status."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bootmenu import arguments as words
from bootmenu import cli
from bootmenu.cli import main
from bootmenu.discover.capture import capture, restore
from bootmenu.model import Arch, Cpu, IoResource, Machine, Method, Platform

COMMANDS = (
    *("list", "show", "inspect", "machine", "doctor", "plan", "load", "boot", "unload"),
    *("ui", "daemon", "build", "demo"),
)
KERNEL = (
    bytes.fromhex("1000001400000000")
    + (0).to_bytes(8, "little")
    + (1 << 20).to_bytes(8, "little")
    + (0b1010).to_bytes(8, "little")
    + bytes(24)
    + b"ARM\x64"
    + bytes(4)
).ljust(1 << 20, b"\0")


def bootmenu(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "bootmenu", *map(str, arguments)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,  # only what hangs takes so long
        cwd=cwd,
        env=os.environ | environment,
    )


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with two entries."""
    root = tmp_path / "disk"
    (root / "loader/entries").mkdir(parents=True)
    (root / "Image").write_bytes(KERNEL)
    (root / "initrd").write_bytes(b"an initrd")
    for name, options in (("debian", "root=/dev/vda1 quiet"), ("rescue", "single")):
        text = f"title The {name}\nlinux /Image\ninitrd /initrd\noptions {options}\n"
        (root / f"loader/entries/{name}.conf").write_text(text)
    return root


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The captured facts of an arm64 board with 1 GiB."""
    source = (
        '/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; compatible = "vendor,board"; '
        "cpus { #address-cells = <1>; #size-cells = <0>; "
        'cpu@0 { device_type = "cpu"; reg = <0>; }; }; chosen {}; '
        'memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x40000000>; }; };'
    )
    tree = subprocess.run(["dtc", "-q"], input=source.encode(), check=True, capture_output=True)
    machine = Machine(
        arch=Arch.ARM64,
        page_size=4096,
        iomem=(IoResource(0x40000000, 0x7FFFFFFF, "System RAM"),),
        fdt=tree.stdout,
        cpus=(Cpu(0, None, "psci"),),
        memory_total=1 << 30,
        memory_available=1 << 30,
    )
    path = tmp_path / "board.json"
    path.write_text(capture(machine))
    return path


def test_directories_are_listed_for_programs(disk: Path) -> None:
    done = bootmenu(
        "list", "--json", "--root", f"{disk},name=sda1,label=my disk", "--arch", "arm64"
    )
    assert (done.returncode, done.stderr) == (0, "")
    listing = json.loads(done.stdout)
    assert listing["schema"] == "bootmenu.list/1"
    assert [(device["name"], device["label"]) for device in listing["devices"]] == [
        ("sda1", "my disk")
    ]
    titles = {entry["title"]: entry["cmdline"] for entry in listing["entries"]}
    assert titles == {"The debian": "root=/dev/vda1 quiet", "The rescue": "single"}


def test_problems_of_configurations_are_told_beside_the_json(tmp_path: Path) -> None:
    (tmp_path / "petitboot.conf").write_text("name=a\nimage=/v\ncolor=red\n")
    done = bootmenu("list", "--json", "--root", f"{tmp_path},name=sda1")
    assert [entry["title"] for entry in json.loads(done.stdout)["entries"]] == ["a"]
    assert done.stderr == "bootmenu: sda1:/petitboot.conf:3: unknown name 'color'\n"
    assert done.returncode == 0


def test_several_directories_keep_their_order(disk: Path) -> None:
    done = bootmenu("list", "--json", "--root", f"{disk},name=z", "--root", f"{disk},name=a")
    assert [device["name"] for device in json.loads(done.stdout)["devices"]] == ["z", "a"]


def test_the_disks_of_this_very_machine_are_listed() -> None:
    done = bootmenu("list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["schema"] == "bootmenu.list/1"


def test_what_may_not_be_done_here_is_said_plainly() -> None:
    listed = bootmenu("list")
    assert "What may not be done here" in listed.stdout
    doctor = bootmenu("doctor")
    assert doctor.returncode == 1
    assert "remedy: " in doctor.stdout


@pytest.mark.parametrize("name", ["The debian", "vda1-debian"])
def test_an_entry_is_shown_with_where_its_fields_came_from(disk: Path, name: str) -> None:
    if name == "vda1-debian":
        listing = bootmenu("list", "--json", "--root", f"{disk},name=vda1")
        entries = json.loads(listing.stdout)["entries"]
        name = next(entry["id"] for entry in entries if entry["title"] == "The debian")
    done = bootmenu("show", name, "--root", f"{disk},name=vda1")
    assert done.returncode == 0, done.stderr
    assert "/loader/entries/debian.conf:4" in done.stdout


@pytest.mark.parametrize("command", ["show", "plan", "load"])
def test_an_entry_that_is_not_there_says_how_to_find_one(disk: Path, command: str) -> None:
    done = bootmenu(command, "Windows", "--root", disk)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "bootmenu: no entry is called Windows",
        "hint: bootmenu list shows them with their ids",
    ]


def test_an_error_with_a_name_from_a_disk_does_not_steer_the_terminal(
    disk: Path, board: Path
) -> None:
    entry = disk / "loader/entries/rescue.conf"
    entry.write_text("title Rescue\nlinux /\x1b]0;owned\x07Image\n")
    done = bootmenu("plan", "Rescue", "--root", disk, "--machine", board)
    assert r"no such file: /\x1b]0;owned\x07Image" in done.stderr
    assert done.stderr.replace("\n", "").isprintable()


def test_a_plan_is_made_for_another_machine(disk: Path, board: Path) -> None:
    arguments = ("--kernel", "disk/Image", "--initrd", "disk/initrd", "--append", "a  b")
    done = bootmenu("plan", *arguments, "--machine", board.name, "--json", cwd=disk.parent)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["cmdline"] == "a  b"
    assert {"kernel", "initrd", "dtb", "trampoline"} == {s["name"] for s in plan["segments"]}
    kernel = next(s for s in plan["segments"] if s["name"] == "kernel")
    assert kernel["file"] == str(disk / "Image")


def test_a_plan_has_the_digest_of_every_file_and_finds_deep_damage(disk: Path, board: Path) -> None:
    (disk / "Image.gz").write_bytes(gzip.compress(KERNEL[:0x2000] + os.urandom(0xFE000)))
    arguments = ("--initrd", disk / "initrd", "--machine", board, "--json")
    done = bootmenu("plan", "--kernel", disk / "Image.gz", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    digests = {s["name"]: s["sha256"] for s in json.loads(done.stdout)["segments"]}
    kernel = gzip.decompress((disk / "Image.gz").read_bytes())
    assert digests["kernel"] == hashlib.sha256(kernel).hexdigest()
    assert digests["initrd"] == hashlib.sha256(b"an initrd").hexdigest()
    text = bootmenu("plan", "--kernel", disk / "Image.gz", *arguments[:-1], COLUMNS="132").stdout
    assert f"SHA-256 {digests['initrd']}" in text
    assert 100 < max(map(len, text.splitlines())) <= 132
    with (disk / "Image.gz").open("r+b") as file:
        file.truncate(500_000)
    done = bootmenu("plan", "--kernel", disk / "Image.gz", *arguments)
    assert done.returncode == 1
    assert "Image.gz: truncated" in done.stderr


def test_a_crash_kernel_needs_memory_that_is_set_aside(disk: Path, board: Path) -> None:
    done = bootmenu("plan", "--panic", "--kernel", disk / "Image", "--machine", board)
    assert done.returncode == 1
    assert "no memory is set aside for a crash kernel" in done.stderr
    assert "crashkernel=256M" in done.stderr


def test_a_plan_of_an_entry_uses_its_files_and_the_cmdline_given(disk: Path, board: Path) -> None:
    done = bootmenu("plan", "The debian", "--root", disk, "--machine", board, "--append", "other")
    assert done.returncode == 0, done.stderr
    assert "other" in done.stdout
    assert "root=/dev/vda1" not in done.stdout


@pytest.mark.parametrize("command", ["load", "boot"])
def test_nothing_is_loaded_for_a_machine_that_is_not_this_one(disk: Path, command: str) -> None:
    done = bootmenu(command, "The debian", "--root", disk, "--arch", "arm64")
    assert done.returncode == 1
    assert "not this one" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "frobnicate"),
        (["list", "--root", "/nonexistent"], "not a directory: /nonexistent"),
        (["list", "--arch", "sparc"], "sparc"),
        (["build"], "-o"),
        (["machine", "capture", "/nonexistent/file"], "cannot write /nonexistent/file"),
        (["plan", "entry", "--kernel", "Image", "--root", "/"], "an entry brings its own files"),
    ],
)
def test_a_wrong_command_line_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("bootmenu: ")
    assert message in errors.splitlines()[0]
    assert "Traceback" not in errors


def test_the_command_line_knows_the_words_of_the_model() -> None:
    assert tuple(Arch) == words.ARCHES
    assert tuple(Platform) == words.PLATFORMS
    assert tuple(Method) == words.METHODS


def test_what_keeps_a_private_daemon_from_starting_is_said() -> None:
    done = bootmenu("plan", "x", "--machine", "/nonexistent")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "bootmenu: /nonexistent: cannot be read: No such file or directory",
        "hint: bootmenu machine capture writes such a file",
    ]


def test_a_folder_too_deep_for_a_socket_is_named(disk: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100)
    deep.mkdir()
    done = bootmenu("plan", "The debian", "--root", disk, TMPDIR=str(deep))
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"bootmenu: {deep}/bootmenu-")
    assert error.endswith("/socket: no socket can be made: AF_UNIX path too long")
    assert hint.startswith("hint: TMPDIR=/tmp before the command")
    assert list(deep.iterdir()) == []


def test_what_is_no_capture_costs_neither_memory_nor_patience(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name, why in (
        ("/dev/zero", "not a regular file"),
        ("fifo", "not a regular file"),
        ("large", "too large for a capture"),
        ("bytes", "not text"),
    ):
        done = bootmenu("plan", "x", "--machine", tmp_path / name)
        assert done.stderr.splitlines() == [
            f"bootmenu: {tmp_path / name}: {why}",
            "hint: bootmenu machine capture writes such a file",
        ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"examples:\n  bootmenu {command}" in capsys.readouterr().out


def test_the_menu_without_a_terminal_says_what_to_do() -> None:
    done = bootmenu()
    assert done.returncode == 2
    assert "terminal" in done.stderr
    assert done.stderr.splitlines()[1].startswith("hint: ")


def test_the_facts_of_this_machine_are_captured(tmp_path: Path) -> None:
    done = bootmenu("machine", "capture", tmp_path / "machine.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert restore((tmp_path / "machine.json").read_text()).arch


def test_a_kernel_is_inspected(disk: Path) -> None:
    done = bootmenu("inspect", disk / "Image", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert not found["boots_here"], "nothing boots on the machine that runs the tests"
    assert "arm64 Image" in bootmenu("inspect", disk / "Image").stdout


def test_a_pipe_does_not_hang_what_is_inspected(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in bootmenu("inspect", tmp_path / "fifo").stderr


def test_what_is_found_of_a_kernel_does_not_steer_the_terminal(disk: Path) -> None:
    name = "\x1b[31mImage"
    said = bootmenu("inspect", (disk / "Image").rename(disk / name)).stdout
    assert r"\x1b[31mImage: " in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("line", "status", "output", "errors"),
    [
        (
            "list --root . >/dev/full",
            1,
            "",
            "bootmenu: standard output cannot be written: No space left on device\n"
            "hint: make room where it goes\n",
        ),
        ("list --root . >&-", 0, "", ""),
        ("inspect gone --json 2>&-", 1, "", ""),
    ],
)
def test_output_that_cannot_be_written_is_no_error_of_ours_and_goes_nowhere_else(
    disk: Path, line: str, status: int, output: str, errors: str
) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m bootmenu {line}"],
        check=False,
        capture_output=True,
        text=True,
        cwd=disk,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, output, errors)


def test_a_reader_that_has_seen_enough_is_no_error(disk: Path) -> None:
    code = f"{sys.executable} -m bootmenu list --json --root {disk} | true"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_an_interrupted_command_is_quiet_and_leaves_no_daemon(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bootmenu", "list"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert "Traceback" not in errors
    assert running.returncode in {0, 1}
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_interrupted_while_it_starts_is_quiet(tmp_path: Path) -> None:
    """Its own modules come first in time, then argparse, which takes the longest."""
    (tmp_path / "argparse.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)")
    done = bootmenu("list", PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_where_an_error_of_ours_happened_is_shown_on_request(disk: Path) -> None:
    done = bootmenu("list", "--root", "/nonexistent", BOOTMENU_DEBUG="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_progress_does_not_keep_a_slow_line_busy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon has news twenty times a second; 9600 baud are 960 bytes in that time."""
    now = iter(range(10_000))
    monkeypatch.setattr(cli, "time", SimpleNamespace(monotonic=lambda: next(now) / 40))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with cli._Progress() as progress:
        for part in range(20 * 10):
            progress.tell("loading the initrd, 95 MiB/s, 8 s left", part << 20, 1138 << 20)
    assert 0 < len(capsys.readouterr().err) < 10 * 960 / 2
