"""What GRUB itself prints for a script, and what ours prints."""

import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bootmenu.model import Arch, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.grub.commands import COMMANDS
from bootmenu.parsers.grub.devices import Devices
from bootmenu.parsers.grub.interpreter import Interpreter, Reading
from bootmenu.parsers.grub.state import ExhaustedError, Leave, Scope

COLUMNS = 79
"""Characters after which GRUB's console begins a new line."""
SECONDS = 120
"""How long GRUB may take for a batch on a busy machine; one script takes 30 ms."""

Output = list[str] | None
"""The lines that a script prints; None for one that does not come to its end."""

_ERROR = re.compile(r"^error: (?:can't find command `[^']*'|.*)\.?\n", re.MULTILINE)
_START = "Welcome to GRUB!\n\n"
_END = "__end_of_a_script__"


def run_grub(config: str) -> str | None:
    """What GRUB prints while it runs *config*, which must ``exit``; None when it does not."""
    with TemporaryDirectory() as folder:
        Path(folder, "grub.cfg").write_text(config, encoding="utf-8", errors="surrogateescape")
        try:
            done = subprocess.run(
                ["grub-emu", "-d", folder, "-r", "host"],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={"TERM": "dumb", "PATH": "/usr/bin:/bin"},
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return None
    text = re.sub(r"\x1b\[[0-9]*m|\r", "", done.stdout.decode("utf-8", "surrogateescape"))
    return text.partition(_START)[2]


def emulate(scripts: Sequence[str]) -> list[Output]:
    """What GRUB prints for each of *scripts*, without its own messages.

    They run in one GRUB, each in a file of its own; when one of them stops it, each runs alone.
    """
    with TemporaryDirectory() as folder:
        config = ""
        for number, script in enumerate(scripts):
            path = Path(folder, f"{number}.cfg")
            path.write_text(f"{script}\n", encoding="utf-8", errors="surrogateescape")
            config += f"source (host){path}\necho {_END}\n"
        printed = run_grub(config + "exit\n")
    outputs = (printed or "").split(f"{_END}\n")[:-1]
    if len(outputs) == len(scripts):
        return [_own_lines(output) for output in outputs]
    if len(scripts) == 1:
        return [None]
    return [output for script in scripts for output in emulate([script])]


def _own_lines(output: str) -> list[str]:
    return _ERROR.sub("", output).split("\n")[:-1]


def interpret(script: str) -> Output:
    """What our interpreter prints for *script*, as wide as GRUB's console."""
    host = Volume("host", "/")
    printed: list[str] = []
    reading = Reading(Devices(Context(Arch.X86_64, volumes=(host,)), host), COMMANDS)
    reading.echo = printed.append
    run = Interpreter(reading, Scope({"root": "host"}), "grub.cfg")
    try:
        with suppress(Leave):
            run.run_file(script, "grub.cfg")
    except ExhaustedError:
        return None
    return [part for text in printed for line in text.split("\n") for part in _wrapped(line)]


def _wrapped(line: str) -> list[str]:
    line = line.expandtabs(8)
    return [line[at : at + COLUMNS] for at in range(0, len(line) or 1, COLUMNS)]
