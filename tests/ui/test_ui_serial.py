"""The menu on a serial line: what a VT100 at 9600 baud gets, and what it never gets."""

from __future__ import annotations

import re
import signal
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import console
import pytest
from console import DOWN, Terminal, cost
from pyte.modes import DECAWM

HERE = Path(__file__).parent
FIRST_PAINT = 1300  # bytes; a second at 9600 baud carries 960
DOWN_KEY = 200
ALLOWED = re.compile(
    rb"\x1b\[[0-9;]*[ABCHKJm]"  # cursor, erase, looks
    rb"|\x1b\[\?7[lh]"  # no wrapping at the last column
    rb"|\x1b7|\x1b8|\x1b\[6n"  # asking for the size
)


def start_daemon(path: Path, *options: str) -> subprocess.Popen[bytes]:
    """The fake daemon, listening at *path*."""
    daemon = subprocess.Popen([sys.executable, str(HERE / "fake_daemon.py"), str(path), *options])
    end = time.monotonic() + 60
    with sockets.socket(sockets.AF_UNIX) as client:
        while client.connect_ex(str(path)):
            assert time.monotonic() < end, "the fake daemon does not listen"
            time.sleep(0.02)
    return daemon


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("ui") / "bootmenu.sock"
    daemon = start_daemon(path)
    yield str(path)
    daemon.kill()
    daemon.wait()


def test_first_paint_and_a_down_key_fit_a_slow_line(socket: str) -> None:
    measured = cost(socket)
    assert measured.first_paint <= FIRST_PAINT
    assert 0 < max(measured.down_keys) <= DOWN_KEY


def test_nothing_is_sent_that_a_vt100_does_not_know(socket: str) -> None:
    with Terminal(socket, utf8=False) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        for key, sight in (
            ("d", "Device tree:"),
            ("escape", "Enter start"),
            ("e", "Edit:"),
            ("escape", "Enter start"),
            ("p", "segment  1"),
            ("escape", "Enter start"),
            ("q", ""),
        ):
            terminal.press(key)
            terminal.sees(sight)
        assert terminal.ends() == 0
        rest = ALLOWED.sub(b"", terminal.output)
        assert b"\x1b" not in rest
        assert set(rest.replace("\u00e9".encode(), b"", 1)) <= {*range(0x20, 0x7F), *b"\r\n\b"}


def test_size_is_asked_of_the_terminal_when_the_line_does_not_know_it(socket: str) -> None:
    with Terminal(socket, size=(100, 30), reported=False) as terminal:
        terminal.until(lambda: "Enter start" in terminal.screen.display[29])
    with Terminal(socket, size=(60, 20), reported=False) as terminal:
        terminal.until(lambda: "Enter start" in terminal.screen.display[19])


def test_terminal_that_knows_utf8_shows_every_character_and_an_old_one_none_it_lacks(
    socket: str,
) -> None:
    with Terminal(socket, reported=False) as terminal:
        terminal.sees("Memory test f\u00fcr alle")
        terminal.press("e")
        terminal.sees("Edit:")
        terminal.press(" \u00e9=\u4e2d")
        terminal.sees("quiet \u00e9=\u4e2d")
    with Terminal(socket, utf8=False, reported=False, size=(90, 25)) as terminal:
        terminal.until(lambda: "Enter start" in terminal.screen.display[24])
        terminal.sees("Memory test f?r alle")
        assert terminal.screen.display[0].startswith("bootmenu")


def test_new_size_of_the_window_is_followed(socket: str) -> None:
    with Terminal(socket, term="xterm-256color") as terminal:
        terminal.sees("> * Debian")
        terminal.resize(70, 18)
        terminal.until(lambda: "Enter start" in terminal.screen.display[17])
        terminal.sees("Debian GNU/Linux")


def test_new_size_is_followed_that_came_while_the_menu_started(socket: str) -> None:
    with Terminal(socket, term="xterm-256color") as terminal:
        assert terminal.read(30)  # the frame that is there before the menu
        terminal.resize(100, 30)
        terminal.until(lambda: "Enter start" in terminal.screen.display[29])
        terminal.sees("Debian GNU/Linux")


def test_enter_may_be_a_line_feed_and_arrows_may_be_in_application_mode(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        terminal.press("down")
        terminal.sees("=>   + Advanced")
        terminal.press("linefeed")
        terminal.sees("recovery mode")
        terminal.press("up (application)")
        terminal.sees("=> * Debian GNU/Linux")


def test_escape_and_a_key_in_quick_succession_are_two_keys(
    socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCDELAY", "30000")  # a line that is slower than any busy machine
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux", "Enter start")
        terminal.press("e")
        terminal.sees("Edit:")
        terminal.press("\x1bd")
        terminal.sees("Device tree:")
        terminal.press("\x1b\x1b[B")
        terminal.sees("=>   + Advanced")
        terminal.press("\x1b")
        terminal.settles(0.2)
        terminal.press("[A")
        terminal.sees("=> * Debian GNU/Linux")


def test_cursor_rests_on_the_selection_for_those_who_cannot_see_it(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux", "Enter start")
        screen = terminal.screen
        terminal.until(lambda: "Debian GNU/Linux" in screen.display[screen.cursor.y])
        terminal.settles()
        assert "Debian GNU/Linux" in screen.display[screen.cursor.y]


def test_typing_costs_a_few_bytes_a_character(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        terminal.press("e")
        terminal.sees("Edit:")
        terminal.settles()
        for character in "init=/bin/sh":
            terminal.press(character)
        terminal.sees("quietinit=/bin/sh")
        assert len(terminal.settles()) <= 12 * 8


def test_screen_is_drawn_again_when_something_scribbled_on_it(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux", "Enter start")
        terminal.settles()
        terminal.screen.reset()
        terminal.press("\x0c")
        terminal.sees("=> * Debian GNU/Linux", "Enter start", "bootmenu")


def test_screen_is_drawn_again_for_who_connects_later_and_presses_a_key(
    socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sooner = "import bootmenu.ui.terminal.driver as driver; driver._AWAY = 0.3\n"
    monkeypatch.setattr(console, "RUN", sooner + console.RUN)
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux", "Enter start")
        terminal.settles()
        terminal.screen.reset()
        terminal.press(" ")
        terminal.sees("=> * Debian GNU/Linux", "Enter start", "bootmenu")


def test_terminal_is_given_back_as_it_was(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        assert terminal.settings_now != terminal.settings
        terminal.press("q")
        assert terminal.ends() == 0
        assert terminal.settings_now == terminal.settings
        assert terminal.output.rstrip().endswith(b"\x1b[H\x1b[J")


def test_terminal_is_given_back_when_the_menu_is_terminated(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        terminal.process.terminate()
        terminal.ends()
        assert terminal.settings_now == terminal.settings


def test_mistake_of_the_menu_itself_is_said_in_words_and_the_terminal_given_back(
    socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "from bootmenu.ui.widgets.entries import EntryList; EntryList.move = None\n"
    monkeypatch.setattr(console, "RUN", broken + console.RUN)
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux", "Enter start")
        terminal.press("down")
        assert terminal.ends() == 1
        terminal.sees("bootmenu: the menu met an error of its own: TypeError", "line ")
        assert "Traceback" not in terminal.text
        assert terminal.settings_now == terminal.settings


def test_menu_is_painted_before_the_daemon_is_there_and_after_it_comes_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "late.sock"
    with Terminal(str(path), wait=True) as terminal:
        terminal.sees("bootmenu", "Waiting for bootmenud to start")
        daemon = start_daemon(path)
        terminal.sees("=> * Debian GNU/Linux")
        daemon.kill()
        daemon.wait()
        terminal.sees("bootmenud is away")
        path.unlink(missing_ok=True)
        daemon = start_daemon(path)
        terminal.until(lambda: "bootmenud is away" not in terminal.text)
        terminal.sees("=> * Debian GNU/Linux", "8 systems")
        daemon.kill()
        daemon.wait()


def test_daemon_that_is_not_there_is_an_error_where_it_is_not_waited_for(tmp_path: Path) -> None:
    with Terminal(str(tmp_path / "nobody")) as terminal:
        assert terminal.ends() == 1
        terminal.sees("bootmenud cannot be reached")
        assert terminal.settings_now == terminal.settings


def test_last_line_says_what_is_started_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "starts.sock"
    daemon = start_daemon(path, "--starts", "--held")
    with Terminal(str(path)) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        terminal.press("enter")
        terminal.sees("Loading Debian GNU/Linux", "50%")
        daemon.send_signal(signal.SIGUSR1)
        terminal.sees("Starting Debian GNU/Linux...")
        daemon.kill()
        daemon.wait()
        terminal.settles()
        terminal.process.terminate()
        terminal.ends()
        terminal.sees("Starting Debian GNU/Linux...")


def test_a_load_is_cancelled_with_esc_which_the_last_line_names(tmp_path: Path) -> None:
    path = tmp_path / "slow.sock"
    daemon = start_daemon(path, "--starts", "--held")
    try:
        with Terminal(str(path)) as terminal:
            terminal.sees("=> * Debian GNU/Linux")
            terminal.press("enter")
            terminal.sees("Loading Debian GNU/Linux", "Esc cancel")
            terminal.press("escape")
            terminal.sees("Cancelling Debian GNU/Linux")
            daemon.send_signal(signal.SIGUSR1)
            terminal.sees("=> * Debian GNU/Linux", "nothing was loaded")
    finally:
        daemon.kill()
        daemon.wait()


def test_an_entry_that_cannot_start_says_why(socket: str) -> None:
    with Terminal(socket) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        for sight in DOWN:
            terminal.press("down")
            terminal.sees(sight)
        terminal.sees("=> !")
        terminal.settles()
        assert "vmlinuz" not in terminal.text, "the reason names what is missing"


def test_menu_is_whole_again_after_a_jump_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "fails.sock"
    daemon = start_daemon(path, "--jump-fails", "--held")
    with Terminal(str(path)) as terminal:
        terminal.sees("=> * Debian GNU/Linux")
        terminal.press("enter")
        terminal.sees("50%")
        daemon.send_signal(signal.SIGUSR1)
        terminal.sees("Starting Debian GNU/Linux...")
        # What the daemon says last, to a terminal that it prepared for the next kernel.
        terminal.write_over(b"\x1b[?7h\x1b[999;1H\r\nsaid last\r\n")
        terminal.sees("said last")
        daemon.send_signal(signal.SIGUSR1)
        terminal.sees("the kernel is for x86_64")
        terminal.press("enter")
        terminal.sees("=> * Debian GNU/Linux", "Enter start")
        terminal.settles()
        assert "said last" not in terminal.text
        assert terminal.screen.display[0].startswith("bootmenu")
        assert DECAWM not in terminal.screen.mode
    daemon.kill()
    daemon.wait()


def test_countdown_costs_few_bytes_a_second(tmp_path: Path) -> None:
    path = tmp_path / "counts.sock"
    daemon = start_daemon(path, "--countdown", "90")
    with Terminal(str(path)) as terminal:
        terminal.sees("=> * Debian GNU/Linux", "(any key stops it): Debian")
        terminal.settles(0.3)

        def left() -> int:
            return int(terminal.text.partition("Starting in ")[2][:2])

        first = left()
        terminal.until(lambda: left() < first - 2)
        assert len(terminal.output) <= (first - left()) * 30
        terminal.press(" ")
        terminal.sees("Waiting for a choice")
    daemon.kill()
    daemon.wait()
