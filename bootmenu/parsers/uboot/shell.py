"""U-Boot's shell, run without a board: variables, statements and the commands that need no device.

What is run is bounded in commands, nesting and the size of its values. Everything else is a
*device command*, which the caller carries out.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache

from bootmenu.parsers.uboot import conditions, hush

MAX_COMMANDS = 20_000
MAX_EXPANDED = 4 << 20  # characters of all values that are put in
MAX_TEXT = 4 << 20  # characters of all scripts and environments, each time that they are read
MAX_VALUE = 16 << 10  # characters of a variable's value
MAX_VARIABLES = 4000
MAX_NESTING = 8
"""Scripts and variables that run each other."""
MAX_PROBLEMS = 20

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_ADDRESS = re.compile(r".*addr(?:_r)?", re.DOTALL)
_FIRST_ADDRESS, _BETWEEN_ADDRESSES = 0x50000000, 0x1000000

_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv,
    "%": operator.mod, "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip

Position = tuple[str, int]
"""A file and a line."""


class Stop(Exception):  # noqa: N818 - no error: the script has come to its end
    """Nothing after this runs any more."""


class Shell:
    """One run, with an *environment* to begin with.

    *device_command* carries out the commands that are not the shell's own: their words in, their
    status out, None for an unknown command. *fdtfile* finds the file name of the board's tree, ""
    when it cannot. ``problems`` has what could not be done, ``set_at`` where each variable was set.
    """

    def __init__(
        self,
        environment: dict[str, str],
        device_command: Callable[[list[str]], bool | None],
        fdtfile: Callable[[], str],
        exists: Callable[[str, str, str], bool],
    ) -> None:
        self.environment = dict(environment)
        self.at: Position = ("", 0)
        self.set_at: dict[str, Position] = {}
        self.problems: list[tuple[str, Position]] = []
        self._device_command = device_command
        self._fdtfile = cache(fdtfile)
        self._exists = exists
        self._left = MAX_COMMANDS
        self._expandable = MAX_EXPANDED
        self._readable = MAX_TEXT
        self._status = True
        self._depth = 0
        self._addresses = 0

    def script(self, path: str, text: str, line: int = 1) -> bool:
        """Run *text*, which begins in *line* of the file *path*: the status of its last command.

        Raises :class:`Stop` when nothing shall run after it.
        """
        if self._depth >= MAX_NESTING:
            return self.problem("scripts run each other without end")
        self.take(len(text))
        commands, error = hush.parse(text, line)
        before, self._depth = self.at, self._depth + 1
        self.at = (path, line)
        self._status = True
        try:
            self._run(commands)
            if error is not None:
                self.at = (path, error.line)
                self._status = self.problem(error.message)
        finally:
            self.at, self._depth = before, self._depth - 1
        return self._status

    def take(self, characters: int) -> None:
        """Count what is read; raises :class:`Stop` when it is too much."""
        self._readable -= characters
        if self._readable < 0:
            self.problem("it reads too much")
            raise Stop

    def set(self, name: str, value: str) -> bool:
        """Give a variable a value, or remove it with an empty one; True."""
        if not value:
            self.environment.pop(name, None)
        elif name in self.environment or len(self.environment) < MAX_VARIABLES:
            self.environment[name] = value[:MAX_VALUE]
            self.set_at[name] = self.at
        return True

    def problem(self, message: str) -> bool:
        """Note what the command at hand could not do; False."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((message, self.at))
        return False

    def _run(self, commands: hush.Commands) -> None:
        skipping = False
        for before, command in commands:
            # One "&&" or "||" that does not hold takes everything up to the next ";" with it.
            if before == ";":
                skipping = False
            elif (before == "&&") != self._status:
                skipping = True
            if not skipping:
                self._command(command)

    def _command(self, command: hush.Command) -> None:
        self._left -= 1
        if self._left < 0:
            self.problem("it runs for ever")
            raise Stop
        if isinstance(command, hush.Simple):
            self.at = (self.at[0], command.line)
            words = [text for word in command.words for text in self._expand(word)]
            self._status = self._simple(words)
        elif isinstance(command, hush.If):
            for condition, body in command.branches:
                self._run(condition)
                if self._status or not condition:
                    self._run(body)
                    return
        elif isinstance(command, hush.For):
            for value in [v for w in command.words for t in self._expand(w) for v in t.split()]:
                self.set(command.name, value)
                self._run(command.body)
        else:
            while True:
                self._left -= 1
                self._run(command.condition)
                if self._status == command.until:
                    return
                self._run(command.body)
                if self._left < 0:
                    return

    def _expand(self, word: hush.Word) -> list[str]:
        """The arguments that *word* becomes: none, one, or several."""
        texts = [""]
        exists = False
        for part in word:
            value = self._value(part.text) if part.variable else part.text
            self._expandable -= len(value)
            if self._expandable < 0:
                self.problem("its variables hold too much")
                raise Stop
            if part.quoted or not part.variable:
                if len(texts[-1]) < MAX_VALUE:
                    texts[-1] += value
                exists = True
                continue
            bare = value.replace('"', "").replace("'", "")
            pieces = bare.split()
            if bare[:1].isspace() and texts[-1]:
                texts.append("")
            for number, piece in enumerate(pieces):
                if number:
                    texts.append("")
                texts[-1] += piece
                exists = True
            if pieces and bare[-1:].isspace():
                texts.append("")
        if len(texts) > 1 and not texts[-1]:
            texts.pop()
        return [text[:MAX_VALUE] for text in texts] if exists else []

    def _value(self, name: str) -> str:
        if name == "?":
            return "0" if self._status else "1"
        name, colon, other = name.partition(":")
        value = self.environment.get(name, "")
        if not value and name == "fdtfile":
            value = self._fdtfile()
        if not value and _ADDRESS.fullmatch(name):
            # Boards name their addresses as they like.
            value = self.environment[name] = f"{self._next_address():x}"
        if colon and other[:1] in {"-", "="} and not value:
            return other[1:]
        if colon and other[:1] == "+":
            return other[1:] if value else ""
        return value

    def _next_address(self) -> int:
        self._addresses += 1
        return _FIRST_ADDRESS + _BETWEEN_ADDRESSES * self._addresses

    def _simple(self, words: list[str]) -> bool:
        while words and (assigned := _ASSIGNMENT.fullmatch(words[0])):
            self.set(assigned[1], assigned[2])
            words = words[1:]
        if not words:
            return True
        name, arguments = words[0], words[1:]
        if name in {"true", "false"}:
            return name == "true"
        if name == "test":
            return conditions.test(arguments, self._exists)
        if name.partition(".")[0] == "itest":
            return conditions.itest(name, arguments)
        if name == "setenv" or words[:2] == ["env", "set"]:
            return self._setenv([a for a in arguments if a not in {"-f", "set"}])
        if name == "setexpr":
            return self._setexpr(arguments)
        if name == "run":
            return self._run_variables(arguments)
        if name == "exit":
            raise Stop
        status = self._device_command(words)
        return self.problem(f"unknown command '{name[:40]}'") if status is None else status

    def _setenv(self, arguments: list[str]) -> bool:
        return self.set(arguments[0], " ".join(arguments[1:])) if arguments else False

    def _run_variables(self, names: list[str]) -> bool:
        for name in names:
            if name not in self.environment:
                return False
            path, line = self.set_at.get(name, self.at)
            if not self.script(path, self.environment[name], line):
                return False
        return bool(names)

    def _setexpr(self, arguments: list[str]) -> bool:
        if len(arguments) == 2:
            return self.set(arguments[0], f"{conditions.hexadecimal(arguments[1]):x}")
        if len(arguments) != 4 or arguments[2] not in _ARITHMETIC:
            return self.problem("setexpr of this kind is not supported")
        one, other = conditions.hexadecimal(arguments[1]), conditions.hexadecimal(arguments[3])
        if arguments[2] in {"/", "%"} and not other:
            return False
        return self.set(arguments[0], f"{_ARITHMETIC[arguments[2]](one, other) % (1 << 64):x}")
