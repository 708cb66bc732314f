"""A configuration of the syslinux family, as it is written: menus, labels, settings.

Several files, and those that they include, give one :class:`Script`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from bootmenu.errors import VolumeError
from bootmenu.model import Problem, Volume
from bootmenu.parsers.syslinux.paths import files_of

MAX_PROBLEMS = 100
"""Problems of one volume that are kept."""
MAX_SIZE = 1 << 20
"""Bytes of one file."""
MAX_BYTES = 16 << 20
"""Bytes of all files of one volume."""
MAX_LINES = 100_000
"""Lines on one volume; a file counts each time that it is included."""
MAX_LINE = 8192
"""Characters of a line that are read; syslinux itself reads fewer."""
MAX_LABELS = 2000
"""Labels on one volume."""

SPACE = "".join(map(chr, range(1, 0x21)))
"""What syslinux takes for white space."""

_WORD = re.compile(r"[^\x00-\x20]+")


class Statement(NamedTuple):
    """What a keyword was given, and where that stands."""

    text: str
    path: str
    line: int


@dataclass(slots=True, eq=False)
class Label:
    """A LABEL and what follows it."""

    name: Statement
    kind: str = "kernel"
    kernel: Statement | None = None
    append: Statement | None = None  # its own, else the global one
    initrds: list[Statement] = field(default_factory=list)
    title: Statement | None = None
    fdt: Statement | None = None
    fdtdir: Statement | None = None
    overlays: Statement | None = None
    menu: Menu | None = None  # where it is shown
    default: bool = False  # MENU DEFAULT
    hidden: bool = False  # MENU HIDE: can be started, but is not shown
    disabled: bool = False  # MENU DISABLE: a line of text
    idle: bool = False  # moves within the menus: MENU EXIT, GOTO, QUIT, HELP


@dataclass(slots=True, eq=False)
class Menu:
    """A menu; *title* is how the menu around it shows it."""

    title: str = ""
    named: bool = False  # the title is no longer the tag of MENU BEGIN
    parent: Menu | None = None
    depth: int = 0
    items: list[Label | Menu] = field(default_factory=list)
    default: Label | Menu | None = None
    timeout: int | None = None  # tenths of a second, 0 for none
    ontimeout: Statement | None = None


@dataclass(slots=True)
class Script:
    """What a configuration says. *labels* are those of all menus, hidden ones too."""

    root: Menu = field(default_factory=Menu)
    start: Menu | None = None  # MENU START
    labels: list[Label] = field(default_factory=list)
    ui: Statement | None = None
    default: Statement | None = None
    append: Statement | None = None
    timeout: int | None = None  # the last TIMEOUT of any menu
    ontimeout: Statement | None = None
    total: int | None = None
    prompt: bool = False
    implicit: bool = True
    shift: bool = False  # MENU SHIFTKEY
    menus: bool = False  # MENU is used outside of a label
    trees: bool = False  # device trees are used, which syslinux knows nothing of


class Reading:
    """The budget and the findings of reading *volume*, whatever number of files that takes."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.files = files_of(volume)
        self.problems: list[Problem] = []
        self.visited: set[str] = set()
        self._texts: dict[str, list[str]] = {}
        self._bytes = MAX_BYTES
        self._lines = MAX_LINES
        self._labels = MAX_LABELS

    def note(self, message: str, path: str, line: int = 0) -> None:
        """Remember what could not be used; once, though a file may be included often."""
        problem = Problem(message, self.volume.name, path, line)
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def lines(self, path: str) -> list[str]:
        """The lines of a file; VolumeError when there is none, or it is too much."""
        real = self.files.path_of(path)
        if real not in self._texts:
            text = self.files.read_text(real, min(MAX_SIZE, self._bytes))
            self._bytes -= len(text)
            self._texts[real] = [line[:MAX_LINE] for line in text.split("\n")]
            self.visited.add(real)
        self._lines -= len(self._texts[real])
        if self._lines < 0:
            raise VolumeError(f"more than {MAX_LINES} lines with this file")
        return self._texts[real]

    def take_label(self, label: Label) -> bool:
        """Whether one more label is wanted."""
        self._labels -= 1
        if self._labels == -1:
            self.note(f"more than {MAX_LABELS} labels", label.name.path, label.name.line)
        return self._labels >= 0


def split_word(text: str) -> tuple[str, str]:
    """The first word of *text*, and what follows it."""
    matched = _WORD.match(text)
    word = matched.group() if matched else ""
    return word, text[len(word) :].strip(SPACE)


def number_of(text: str) -> int:
    """The number that *text* begins with, 0 for none."""
    matched = re.match(r"[-+]?[0-9]{1,9}", text)
    return int(matched.group()) if matched else 0
