"""``config.txt``: the settings that hold on one board, in their order.

Specification: Raspberry Pi's documentation, "config.txt": file format, ``include``, conditional
filters. Filters of one kind replace each other, filters of different kinds must all hold, ``[all]``
takes them away. ``[EDID=…]``, ``[gpio4=1]``, serial numbers and the like cannot be known here and
do not hold; ``[HDMI:n]`` always does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bootmenu.errors import VolumeError
from bootmenu.parsers.raspberrypi.boards import BOARDS, Board

MAX_INCLUDES = 40  # files in all
MAX_DEPTH = 8
MAX_SETTINGS = 5000

_SERIAL_NUMBER = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
_MODELS = {name for board in BOARDS.values() for name in board.filters}


class Setting(NamedTuple):
    """``name=value``, or ``name value`` as ``initramfs`` has it; and where it stands."""

    name: str
    value: str
    path: str
    line: int


class Reader:
    """Reads config.txt and what it includes for *board*, None being one of another maker.

    *read_text* gives a file's text or raises VolumeError; ``problems`` has what went wrong.
    """

    def __init__(
        self, board: Board | None, read_text: Callable[[str], str], *, tryboot: bool = False
    ) -> None:
        self.problems: list[tuple[str, str, int]] = []
        self._board = board
        self._read_text = read_text
        self._tryboot = tryboot
        self._filters: dict[str, bool] = {}
        self._includes = 0
        self._left = MAX_SETTINGS

    def settings(self, path: str, depth: int = 0) -> Iterator[Setting]:
        """The settings in the file *path* that hold; raises VolumeError when it is unreadable."""
        for number, line in enumerate(self._read_text(path).split("\n"), 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if text.startswith("["):
                self._filter(text[1:].partition("]")[0].strip())
                continue
            if not all(self._filters.values()) or self._left <= 0:
                continue
            self._left -= 1
            name, equals, value = text.partition("=")
            if text.split(None, 1)[0] in {"include", "initramfs"}:
                name, *rest = text.split(None, 1)
                value = rest[0].strip() if rest else ""
            elif not equals:
                self.problems.append((f"not understood: {text[:60]}", path, number))
                continue
            if name == "include":
                yield from self._included(value, path, number, depth)
            else:
                yield Setting(name.strip().lower(), value.strip(), path, number)

    def _included(self, name: str, path: str, line: int, depth: int) -> Iterator[Setting]:
        self._includes += 1
        if depth >= MAX_DEPTH or self._includes > MAX_INCLUDES:
            self.problems.append(("files include each other without end", path, line))
            return
        try:
            yield from self.settings(f"/{name.lstrip('/')}", depth + 1)
        except VolumeError as error:
            self.problems.append((error.message, path, line))

    def _filter(self, name: str) -> None:
        name = name.lower()
        key, equals, value = name.partition("=")
        board = self._board
        if name == "all":
            self._filters.clear()
        elif name == "none":
            self._filters["none"] = False
        elif name == "tryboot":
            self._filters["tryboot"] = self._tryboot
        elif name.startswith("hdmi:"):
            self._filters["hdmi"] = True
        elif name in _MODELS:
            self._filters["model"] = board is not None and name in board.filters
        elif key == "board-type" and equals:
            number = int(value, 0) if re.fullmatch(r"0x[0-9a-f]{1,8}|[1-9]\d{0,8}|0", value) else -1
            self._filters["model"] = board is not None and number == board.type
        elif _SERIAL_NUMBER.fullmatch(name):
            self._filters["serial"] = False
        else:
            self._filters[key] = False
