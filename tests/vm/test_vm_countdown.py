"""A screen with a keyboard and a serial line at once: both show and do the same."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from vm_machine import StartVm, Vm
from vm_picture import HEIGHT, Picture
from vm_screen import SECONDS
from vm_steps import await_menu, open_shell, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm

CONSOLES = "console=tty0 console=ttyAMA0 bootmenu.timeout=600"
TITLES = ("Debian GNU/Linux", "Debian from the ESP", "Debian from the ESP, verbose")
PICTURES = Path(__file__).parents[2] / "build" / "pictures"
"""Where the picture is kept for a person to look at."""


def test_screen_and_serial_line_show_the_same_and_stop_one_countdown(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, disks.esp, append=CONSOLES, display=True)
    await_menu(vm, *TITLES)
    vm.screen.wait_for("any key stops it")
    _await_picture(vm)

    vm.qmp.press("down")
    vm.screen.wait_gone("any key stops it")

    open_shell(vm)
    picture, shown = _at_rest(vm)
    for title in TITLES:
        assert any(title in line for line in shown), "\n".join(shown)
    assert "bootmenu" in shown[0]
    assert not any("any key stops it" in line for line in shown)
    assert shown[-1].strip(), "the menu does not fill the screen"
    _check_readable(picture, shown)


def _check_readable(picture: Picture, shown: list[str]) -> None:
    """Every character of *shown* stands out in *picture*; the selected line more so."""
    faint = [
        f"{character} at {column}, {row}"
        for row, line in enumerate(shown)
        for column, character in enumerate(line)
        if not character.isspace() and not picture.is_readable(column, row)
    ]
    assert not faint
    (selected,) = (row for row, line in enumerate(shown) if line.startswith(">"))
    column = shown[selected].index(shown[selected].split()[-1])
    assert picture.background(column, selected) != picture.background(column, selected + 1)


def _await_picture(vm: Vm) -> None:
    """Wait until the graphics card shows as many lines as a menu has."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(1)
        picture = _picture(vm)
        lines = sum(
            any(picture.is_readable(column, row) for column in range(20))
            for row in range(picture.height // HEIGHT)
        )
        if lines >= 2 * len(TITLES) + 3:
            return
    raise AssertionError(f"no menu on the graphics card, see {PICTURES}")


def _at_rest(vm: Vm) -> tuple[Picture, list[str]]:
    """The first virtual terminal as a picture and as lines, once the keys of a submenu are named.

    The picture was taken while the lines stayed as they were.
    """
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        before = _virtual_terminal(vm), _virtual_terminal(vm)
        picture, shown = _picture(vm), _virtual_terminal(vm)
        if before == (shown, shown) and any("Enter open" in line for line in shown):
            return picture, shown
    raise AssertionError("the keys are not named\n" + "\n".join(shown))


def _picture(vm: Vm) -> Picture:
    PICTURES.mkdir(parents=True, exist_ok=True)
    vm.qmp.screendump(PICTURES / "vt.png")
    vm.qmp.execute("screendump", filename=str(PICTURES / "vt.ppm"))
    return Picture.read(PICTURES / "vt.ppm")


def _virtual_terminal(vm: Vm) -> list[str]:
    """The lines of the first virtual terminal, which vcsu holds as UTF-32."""
    columns = int(run(vm, "stty size </dev/tty1").split()[1])
    text = base64.b64decode(run(vm, "base64 /dev/vcsu1")).decode("utf-32-le")
    return [text[at : at + columns].rstrip() for at in range(0, len(text), columns)]
