"""What a person does at the menu, and reads of the system that comes up."""

from __future__ import annotations

import re
from functools import partial

from vm_machine import Vm
from vm_screen import Screen

HELD = "bootmenu.timeout=-1"
"""Given to the menu's own kernel: no countdown."""
MARK = "=> "
"""What stands before the selected line of the menu."""
PROMPT = r"# \x1b\[6n"
"""The end of busybox's prompt, and its question where the cursor is: what is typed before the
terminal has answered would get that answer echoed into its output."""


def selected(screen: Screen) -> str:
    """The line of the menu that is selected."""
    return screen.line_of(MARK)


def await_menu(vm: Vm, *titles: str) -> None:
    """Wait until the menu offers *titles*."""
    for title in titles:
        vm.screen.wait_for(title)
    vm.screen.wait_for(lambda screen: bool(selected(screen)))


def choose(vm: Vm, title: str) -> None:
    """Move with the arrow keys until *title* is selected, looking where it is after each."""
    for _ in range(20):
        vm.screen.wait_quiet(0.7)
        lines = vm.screen.lines
        before = next((line for line in lines if MARK in line), "")
        wanted = next((line for line in lines if line.endswith(title)), "")
        if before and before == wanted:
            return
        if before:  # else the screen stopped in the middle of a change
            up = wanted and lines.index(wanted) < lines.index(before)
            vm.screen.press("up" if up else "down")
            vm.screen.wait_for(partial(_moved, before))
    raise AssertionError(f"{title!r} cannot be reached\n{vm.screen}")


def _moved(before: str, screen: Screen) -> bool:
    return selected(screen) not in {"", before}


def find_in_tree(vm: Vm, name: str) -> None:
    """Select what is called *name* in the device tree that is shown."""
    vm.screen.press("/")
    vm.screen.wait_for("Find")
    vm.screen.type(name)
    vm.screen.press("enter")
    vm.screen.wait_for(lambda shown: name in shown.line_of(MARK))


def add_property(vm: Vm, node: str, text: str) -> None:
    """Give the property *text* to *node*, which is selected in the device tree."""
    vm.screen.press("a")
    vm.screen.wait_for(f"New property of {node}:")
    vm.screen.type(text)
    vm.screen.press("enter")
    vm.screen.wait_for("Enter change")


def enter(vm: Vm, command: str) -> None:
    """Type *command* at the shell's prompt, as soon as it stands."""
    vm.screen.expect(PROMPT)
    vm.screen.type(f"{command}\n")


def open_shell(vm: Vm) -> None:
    """Leave the menu for the machine's own shell."""
    vm.screen.press("s")
    # Also reads past a prompt of the kernel before, which would be taken for this shell's.
    vm.screen.expect('"exit" returns to the menu')
    vm.screen.wait_for("~ #")


def booted(vm: Vm) -> tuple[str, str]:
    """Wait for the second kernel's system: its release and its cmdline, byte for byte."""
    match = vm.screen.expect(r"booted (\S+) with: ([^\r\n]*)\r*\n")
    return match[1], match[2]


def run(vm: Vm, command: str) -> str:
    """The output of *command*, typed at the shell of the system that came up."""
    enter(vm, f"echo BEGIN; {command}; echo .END.")  # whose dots are not in base64
    output = vm.screen.expect(r"(?s)\nBEGIN\r*\n(.*?)\.END\.\r*\n")[1]
    return re.sub(r"\r", "", output).strip()
