"""Runs the statements of a GRUB script.

One :class:`Reading` is the reading of one configuration: what its menus share, such as functions,
the problems that were met, and how much may still be done. An :class:`Interpreter` runs statements
in one :class:`Scope`. Disks are not trusted: steps, time, depth and values are bounded, and
:class:`ExhaustedError` ends what goes beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootmenu.errors import BootmenuError, ParseError
from bootmenu.files import cut_short, spent
from bootmenu.model import Problem
from bootmenu.parsers.grub.devices import Devices
from bootmenu.parsers.grub.environment import Saved
from bootmenu.parsers.grub.lexer import without_comments
from bootmenu.parsers.grub.parser import Command, For, Function, If, Statement, While, Word, parse
from bootmenu.parsers.grub.state import (
    BAD_ARGUMENT,
    ENTRY_STEPS,
    FILE_NOT_FOUND,
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_EXPANDED,
    MAX_PROBLEMS,
    MAX_TEXT,
    SECONDS,
    STEPS,
    Boot,
    Call,
    ExhaustedError,
    Leave,
    MenuItem,
    Scope,
)
from bootmenu.parsers.grub.wildcards import expand, is_active, plain
from bootmenu.parsers.grub.words import expand_word

_REPLACED = {"savedefault"}
"""Commands that a function of the script replaces; any other one is out of its reach."""


class Reading:
    """One configuration on the volume *devices.home*, while it is read."""

    def __init__(
        self,
        devices: Devices,
        commands: dict[str, Callable[[Interpreter, Call], int]],
        *,
        echo: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.devices = devices
        self.commands = commands
        self.echo = echo
        self.functions: dict[str, tuple[tuple[Statement, ...], str]] = {}
        self.problems: list[Problem] = []
        self.open_menus: list[tuple[str, str]] = []  # files that the menus come from, by volume
        self.open_files: list[tuple[str, str]] = []  # files that run now, by volume
        self.elsewhere: set[tuple[str, str]] = set()  # files that are configurations themselves
        self.listed: set[tuple[str, str]] = set()  # entries of blscfg, by device and path
        self.items = 0
        self.saved = Saved()
        self._characters = MAX_TEXT
        self.begin_menu()

    def begin_menu(self) -> None:
        """What has been used up so far counts no more: the entries get as much again."""
        self._steps = self._entry_steps = STEPS
        self._expandable = MAX_EXPANDED
        self._deadline = spent() + SECONDS

    def begin_entry(self) -> None:
        """From here on the steps are those of one menu entry."""
        self._entry_steps = ENTRY_STEPS

    def step(self) -> None:
        """Count a statement; raises :class:`ExhaustedError` when it is one too many."""
        self._steps -= 1
        self._entry_steps -= 1
        if self._steps < 0 or self._entry_steps < 0:
            raise ExhaustedError("runs for ever: too many commands")
        if spent() > self._deadline:
            cut_short()
            raise ExhaustedError(f"runs for ever: more than {SECONDS:g} s")

    def count_value(self, text: str) -> None:
        """Count *text*, an argument; raises :class:`ExhaustedError` when it is one too many."""
        self._expandable -= len(text)
        if self._expandable < 0:
            raise ExhaustedError(f"more than {MAX_EXPANDED} characters of values")

    def parse(self, script: str, path: str) -> tuple[list[Statement], list[ParseError]]:
        """The statements of *script*, of which there may be only so much: the time of the others
        does not pass meanwhile.
        """
        self._characters -= len(script)
        if self._characters < 0:
            raise ExhaustedError(f"more than {MAX_TEXT} characters of scripts")
        started = spent()
        parsed = parse(without_comments(script), path=path)
        self._deadline += spent() - started
        return parsed

    def add_problem(self, message: str, path: str, line: int = 0) -> None:
        """Note what is wrong, once."""
        problem = Problem(message, self.devices.home.name, path, line)
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)


class Interpreter:
    """Runs statements of the file *path* with the variables of *scope*."""

    def __init__(
        self,
        reading: Reading,
        scope: Scope,
        path: str,
        *,
        arguments: tuple[str, ...] = (),
        in_function: bool = False,
    ) -> None:
        self.reading = reading
        self.scope = scope
        self.path = path
        self.arguments = arguments
        self.in_function = in_function  # where ``return`` and ``shift`` mean something
        self.loops = 0  # around the statement that runs
        self.menu: list[MenuItem] = []
        self.menu_file: tuple[str, str] | None = None  # volume and path of a ``configfile``
        self.boot = Boot()
        self.status = 0
        self._depth = 0
        reading.devices.relative = self._is_relative

    def get(self, name: str) -> str:
        """The value of a variable, "" when it has none."""
        return self.scope.values.get(name, "")

    def set(self, name: str, value: str) -> None:
        """Give a variable a value; ``root`` loses its parentheses, as in GRUB."""
        if name == "root" and value.startswith("(") and value.endswith(")"):
            value = value[1:-1]
        self.scope.values[name] = value

    def unset(self, name: str) -> None:
        """Remove a variable; it is no longer exported then."""
        self.scope.values.pop(name, None)
        self.scope.exported.discard(name)

    @property
    def root(self) -> str:
        """The device that paths without one lie on."""
        return self.get("root")

    def _is_relative(self) -> bool:
        """Whether paths on btrfs begin at the default subvolume, as openSUSE's GRUB has it."""
        return self.get("btrfs_relative_path").startswith(("1", "y"))

    def note(self, message: str, line: int) -> None:
        """Note a problem of the file that runs."""
        self.reading.add_problem(message, self.path, line)

    def run_file(self, script: str, path: str) -> None:
        """Run the text of another file, which errors call *path*, as if it stood here."""
        before, self.path = self.path, path
        self._enter()
        try:
            statements, errors = self.reading.parse(script, path)
            for error in errors:
                self.note(error.message, error.line)
            self.run(statements)
        finally:
            self._depth -= 1
            self.path = before

    def run(self, statements: Sequence[Statement]) -> None:
        """Run *statements*; raises :class:`Leave` for a ``break`` and its like."""
        for statement in statements:
            self._run(statement)

    def call_function(self, name: str, arguments: tuple[str, ...]) -> None:
        """Run a function of the script; ``return`` ends it."""
        body, path = self.reading.functions[name]
        before = self.arguments, self.path, self.in_function, self.loops
        self.arguments, self.path, self.in_function, self.loops = arguments, path, True, 0
        self._enter()
        try:
            self.run(body)
        except Leave as leave:
            if leave.kind != "return":
                raise
        finally:
            self._depth -= 1
            self.arguments, self.path, self.in_function, self.loops = before

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._depth -= 1
            raise ExhaustedError("functions or files within each other without an end")

    def _run(self, statement: Statement) -> None:
        self.reading.step()
        self._enter()
        try:
            if isinstance(statement, Command):
                self._command(statement)
            elif isinstance(statement, If):
                self._if(statement)
            elif isinstance(statement, For):
                self._for(statement)
            elif isinstance(statement, While):
                self._while(statement)
            else:
                self._define(statement)
        finally:
            self._depth -= 1

    def _define(self, function: Function) -> None:
        self.reading.functions[function.name] = (function.body, self.path)

    def _if(self, statement: If) -> None:
        for condition, body in statement.branches:
            self.run(condition)
            if self.status == 0:
                self.run(body)
                return
        if not statement.otherwise:
            self.status = 0
        self.run(statement.otherwise)

    def _for(self, statement: For) -> None:
        values = self._values(statement.words, statement.line)
        if not values:
            self.status = 0
        for value in values:
            self.reading.step()
            self.set(statement.variable, value)
            if not self._iteration(statement.body):
                return

    def _while(self, statement: While) -> None:
        while True:
            self.reading.step()
            self.run(statement.condition)
            if (self.status == 0) == statement.until or not self._iteration(statement.body):
                return

    def _iteration(self, body: Sequence[Statement]) -> bool:
        """Run a loop's body; whether the loop goes on."""
        self.loops += 1
        try:
            self.run(body)
        except Leave as leave:
            if leave.kind not in {"break", "continue"}:
                raise
            if leave.count > 1:
                raise Leave(leave.kind, leave.count - 1) from None
            return leave.kind == "continue"
        finally:
            self.loops -= 1
        return True

    def _command(self, command: Command) -> None:
        values = self._values(command.words, command.line)
        inverted = values[:1] == ("!",)
        if inverted:
            values = values[1:]
        if not values:
            self.status = 0
            if inverted:
                self.note("'!' without a command", command.line)
                self.status = BAD_ARGUMENT
            return
        name, arguments = values[0], values[1:]
        functions = self.reading.functions
        if name in self.reading.commands and not (name in _REPLACED and name in functions):
            call = Call(name, arguments, command.line, command.block)
            try:
                self.status = self.reading.commands[name](self, call)
            except ExhaustedError:
                raise
            except BootmenuError as error:
                self.note(f"{name}: {error.message}", command.line)
                self.status = BAD_ARGUMENT if isinstance(error, ParseError) else FILE_NOT_FOUND
        elif name in functions:
            if command.block is not None:
                arguments = (*arguments, command.block.text)
            self.call_function(name, arguments)
        else:
            self._assign(name, command.line)
            return
        if inverted:
            self.status = 0 if self.status else 1

    def _assign(self, text: str, line: int) -> None:
        """``name=value``; any other unknown word is noted, and true, as it is for GRUB.

        Measured with GRUB 2.06: ``if nosuch; then`` takes the branch, ``while nosuch`` goes on,
        ``$?`` is 0 afterwards, and ``! nosuch`` is true as well.
        """
        name, equals, value = text.partition("=")
        if equals and name.isidentifier() and name.isascii():
            self.set(name, value)
        else:
            self.note(f"unknown command '{text[:40]}'", line)
        self.status = 0

    def _values(self, words: Sequence[Word], line: int) -> tuple[str, ...]:
        """The arguments that *words* make: none, one or several each."""
        values: list[str] = []
        for word in words:
            if word.plain:
                values.append(word.plain)
                continue
            for text in expand_word(word, self._value, self.arguments):
                self.reading.count_value(text)
                values += self._matches(text, line) if is_active(text) else (text,)
            if len(values) > MAX_ARGUMENTS:
                raise ExhaustedError("too many arguments")
        return tuple(values)

    def _matches(self, word: str, line: int) -> list[str]:
        """What the wildcards in *word* mean; the word itself when that is too much."""
        self.reading.step()
        try:
            return expand(word, self.reading.devices, self.root)
        except ParseError as error:
            self.note(error.message, line)
            return [plain(word)]

    def _value(self, name: str) -> str:
        if name == "*":
            return " ".join(self.arguments)
        if name == "#":
            return str(len(self.arguments)) if self.in_function else ""
        if name == "?":
            return str(self.status)
        if name.isdigit():
            number = int(name[:6])
            return self.arguments[number - 1] if 0 < number <= len(self.arguments) else ""
        return self.get(name)
