"""Reads the files of a configuration, line by line.

State runs on from file to file, so that a label may begin in one and go on in the next. What is
not known is passed over, as syslinux does.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootmenu.errors import VolumeError
from bootmenu.parsers.syslinux.paths import locate
from bootmenu.parsers.syslinux.script import (
    SPACE,
    Label,
    Menu,
    Reading,
    Script,
    Statement,
    number_of,
    split_word,
)

MAX_INCLUDES = 16
"""Files within each other, as in syslinux."""
MAX_MENUS = 16
"""Menus within each other."""

KINDS = frozenset(
    {"localboot", "kernel", "linux", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config"}
)
"""The keywords that say what a label starts."""

_TREE = {"fdt", "devicetree"}
_TREE_FOLDER = {"fdtdir", "devicetreedir"}
_OVERLAYS = {"fdtoverlays", "devicetree-overlay", "overlays"}  # the last is NVIDIA's
_IDLE = {"exit", "goto", "quit", "help"}


class Parser:
    """Reads files into one script; relative paths lead from *directory*."""

    def __init__(self, reading: Reading, directory: str) -> None:
        self.script = Script()
        self._reading = reading
        self._directory = directory
        self._current = self._menu = self.script.root
        self._label: Label | None = None
        self._depth = 0

    def parse(self, paths: Sequence[str]) -> Script:
        """The script that *paths* make together."""
        for path in paths:
            try:
                self._file(path)
            except VolumeError as error:
                self._reading.note(error.message, path)
        self._menu = self._current
        self._record()
        return self.script

    def _file(self, path: str) -> None:
        lines = iter(enumerate(self._reading.lines(path), 1))
        self._menu = self._current
        for number, line in lines:
            keyword, text = split_word(line.partition("\r")[0].strip(SPACE))
            keyword = keyword.lower()
            statement = Statement(text, path, number)
            if keyword == "menu":
                self._menu_line(statement)
            elif keyword == "text":
                for _, skipped in lines:
                    if split_word(skipped.strip(SPACE))[0].lower() == "endtext":
                        break
            elif keyword == "include":
                self._include(statement)
            elif keyword == "label":
                self._record()
                self._label = Label(statement)
            elif self._label is None or not self._label_line(self._label, keyword, statement):
                self._global_line(keyword, statement)

    def _label_line(self, label: Label, keyword: str, statement: Statement) -> bool:
        """Take a line that belongs to *label*; False when it is none."""
        if keyword in KINDS:
            label.kind, label.kernel = keyword, statement
        elif keyword == "append":
            label.append = statement
        elif keyword == "initrd":
            label.initrds.append(statement)
        elif keyword in _TREE:
            label.fdt = label.fdt or statement
        elif keyword in _TREE_FOLDER:
            label.fdtdir = label.fdtdir or statement
        elif keyword in _OVERLAYS:
            label.overlays = label.overlays or statement
        else:
            return False
        self.script.trees = self.script.trees or keyword in _TREE | _TREE_FOLDER | _OVERLAYS
        return True

    def _global_line(self, keyword: str, statement: Statement) -> None:
        script = self.script
        match keyword:
            case "append":
                script.append = statement
            case "default":
                script.default = statement
            case "ui":
                script.ui = statement
            case "timeout":
                self._menu.timeout = script.timeout = number_of(statement.text)
            case "totaltimeout":
                script.total = number_of(statement.text)
            case "ontimeout":
                self._menu.ontimeout = script.ontimeout = statement
            case "prompt":
                script.prompt = number_of(statement.text) != 0
            case "implicit":
                script.implicit = number_of(statement.text) != 0

    def _include(self, statement: Statement) -> None:
        name, tag = split_word(statement.text)
        if tag:
            self._begin(statement._replace(text=tag))
        menu = self._menu
        self._depth += 1
        try:
            if self._depth > MAX_INCLUDES:
                raise VolumeError(f"more than {MAX_INCLUDES} files within each other")
            self._file(locate(name, self._directory))
        except VolumeError as error:
            self._reading.note(error.message, statement.path, statement.line)
        self._depth -= 1
        self._menu = menu
        if tag:
            self._end()

    def _menu_line(self, statement: Statement) -> None:
        keyword, text = split_word(statement.text)
        keyword = keyword.lower()
        label, menu = self._label, self._menu
        self.script.menus = self.script.menus or label is None
        if keyword == "include":
            self._include(statement._replace(text=text))
        elif keyword == "begin":
            self._begin(statement._replace(text=text))
        elif keyword == "end":
            self._end()
        elif keyword == "separator":
            self._record()
        elif keyword == "label" and label:
            label.title = statement._replace(text=text)
        elif keyword in {"label", "title"}:
            if menu.parent and (keyword == "label" or not menu.named):
                menu.title, menu.named = text, True
        elif keyword == "default" and label:
            label.default = True
        elif keyword == "default" and menu.parent:
            menu.parent.default = menu
        elif keyword == "start":
            self.script.start = menu
        elif keyword == "shiftkey":
            self.script.shift = True
        elif keyword == "hide" and label:
            label.hidden = True
        elif keyword in {"disable", "disabled"} and label:
            label.disabled = True
        elif keyword in _IDLE and label:
            label.idle = label.idle or keyword != "exit" or menu.parent is not None

    def _begin(self, statement: Statement) -> None:
        self._record()
        around = self._current
        menu = Menu(statement.text, parent=around, depth=around.depth + 1)
        menu.timeout, menu.ontimeout = around.timeout, around.ontimeout
        if menu.depth <= MAX_MENUS:
            around.items.append(menu)
        else:
            self._reading.note(f"more than {MAX_MENUS} menus within each other", *statement[1:])
        self._menu = self._current = menu

    def _end(self) -> None:
        self._record()
        self._menu = self._current = self._current.parent or self._current

    def _record(self) -> None:
        """The label that was read so far is complete."""
        label, self._label = self._label, None
        if label is None:
            return
        if label.disabled or not self._reading.take_label(label):
            return
        label.append = label.append or self.script.append
        self.script.labels.append(label)
        if label.hidden:
            return
        label.menu = self._menu
        self._menu.items.append(label)
        if label.default and not label.idle:
            self._menu.default = label
