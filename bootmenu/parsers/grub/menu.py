"""From the menu items of a GRUB configuration to boot entries.

The body of an item runs when it is chosen, with the variables as the configuration left them.
So does it here: each item runs once, in a scope of its own, and what it loads is the entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bootmenu.model import BootEntry, Format, Origin, Problem
from bootmenu.parsers.grub.interpreter import Interpreter, Reading
from bootmenu.parsers.grub.numbers import leading_number
from bootmenu.parsers.grub.state import Boot, ExhaustedError, Leave, MenuItem, Scope

MAX_MENUS = 6
"""Submenus within each other."""

_COMPONENT = re.compile(r"(?:[^>]|>>)*", re.DOTALL)


@dataclass(slots=True)
class Choice:
    """An item of a menu: a boot entry, or a submenu with choices of its own."""

    id: str
    title: str
    hidden: bool = False
    entry: BootEntry | None = None
    choices: list[Choice] = field(default_factory=list)
    default: str = ""  # the value of $default in the menu that *choices* are

    def entries(self, default: BootEntry | None) -> list[BootEntry]:
        """The entries in it that are shown, in order; a hidden one is if it is the *default*."""
        own = [self.entry] if self.entry and (not self.hidden or self.entry is default) else []
        return own + [entry for choice in self.choices for entry in choice.entries(default)]


@dataclass(frozen=True, slots=True)
class Above:
    """The menus around an item: their ids and titles, outermost first."""

    chosen: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()


class MenuReader:
    """Runs the items of *reading*'s configuration, which *source* is the path of.

    *key* is what the ids of the volume's entries start with.
    """

    def __init__(self, reading: Reading, source: str, key: str) -> None:
        self._reading = reading
        self._source = source
        self._key = key

    def choices(self, run: Interpreter, above: Above | None = None) -> list[Choice]:
        """What the items offer that *run* has made; *above* are the menus around them."""
        above = above or Above()
        if run.menu_file is not None:
            self._reading.open_menus.append(run.menu_file)
        choices = [self._choice(item, run.scope, above) for item in run.menu]
        if run.menu_file is not None:
            self._reading.open_menus.pop()
        return choices

    def _choice(self, item: MenuItem, scope: Scope, above: Above) -> Choice:
        path = (*above.chosen, item.id.replace(">", ">>"))
        inner = scope.inherited() if item.submenu else scope.copy()
        inner.values["chosen"] = ">".join(path)
        inner.exported.add("chosen")
        inner.values.pop("default", None)
        if rest := split_default(scope.values.get("default", ""))[1]:
            inner.values["default"] = rest
        run = Interpreter(
            self._reading, inner, item.path, arguments=item.arguments, in_function=True
        )
        functions, saved = dict(self._reading.functions), self._reading.saved.copy()
        listed = set(self._reading.listed)
        loops = dict(self._reading.devices.loops)
        problems = self._run(run, item)
        choice = Choice(item.id, item.title, item.hidden)
        if run.menu and len(path) <= MAX_MENUS:
            inside = Above(path, (*above.titles, item.title))
            choice.choices = self.choices(run, inside)
            choice.default = run.get("default")
            for problem in problems:
                self._reading.add_problem(problem.message, problem.path, problem.line)
        elif not item.submenu or problems:
            choice.entry = self._entry(
                item, run.boot, path, above.titles, [_described(problem) for problem in problems]
            )
        # Only one item is ever chosen.
        self._reading.functions, self._reading.saved = functions, saved
        self._reading.listed = listed
        self._reading.devices.loops = loops
        return choice

    def _run(self, run: Interpreter, item: MenuItem) -> list[Problem]:
        """Run an item's body; what went wrong, which is the entry's problem alone."""
        reading = self._reading
        before = reading.problems
        reading.problems = []
        reading.begin_entry()
        try:
            run.run(item.body)
        except Leave:
            pass
        except ExhaustedError as error:
            run.note(error.message, item.line)
        problems, reading.problems = reading.problems, before
        return problems

    def _entry(
        self,
        item: MenuItem,
        boot: Boot,
        path: tuple[str, ...],
        titles: tuple[str, ...],
        problems: list[str],
    ) -> BootEntry:
        if boot.other:
            problems = [*problems, f"starts '{boot.other}', which is no Linux"]
        elif boot.kernel is None and not problems:
            problems = ["starts nothing"]
        if boot.other or boot.kernel is None:
            boot = Boot()
        title = Origin("title", item.path, item.line)
        saved = self._reading.saved
        return BootEntry(
            id=f"{self._key}:grub:{'>'.join(path)}",
            title=item.title,
            device=self._reading.devices.home.name,
            format=Format.GRUB,
            source=self._source,
            kernel=boot.kernel,
            initrds=boot.initrds,
            dtb=boot.dtb,
            cmdline=boot.cmdline,
            menu=titles,
            problems=tuple(problems),
            origins=(title, *boot.origins.values(), *filter(None, (saved.origin,))),
            writes=saved.writes(),
        )


def _described(problem: Problem) -> str:
    where = f"{problem.path}:{problem.line}: " if problem.line else ""
    return f"{where}{problem.message}"


def find_default(choices: Sequence[Choice], default: str) -> BootEntry | None:
    """The entry that ``$default`` means, at each menu's level: a number, an id or a title.

    For upstream's GRUB everything that begins with digits is a number; for Fedora's, whose ids
    begin with a machine-id, only what is neither id nor title. That is what is done here, except
    that digits alone are always a number. What matches nothing means the first choice. In a
    submenu its own script has the last word.
    """
    while choices:
        choice = _match(choices, split_default(default)[0])
        if choice.entry is not None:
            return choice.entry
        choices, default = choice.choices, choice.default
    return None


def find_fallback(
    choices: Sequence[Choice], fallback: str, works: Callable[[BootEntry], bool]
) -> BootEntry | None:
    """The first entry that *works* of those whose numbers ``$fallback`` lists."""
    while found := leading_number(fallback):
        number, fallback = found
        entry = find_default(choices, str(number))
        if entry is not None and works(entry):
            return entry
    return None


def split_default(default: str) -> tuple[str, str]:
    """What a ``$default`` means in its own menu, and the rest, for the submenu that it names."""
    found = _COMPONENT.match(default)
    end = found.end() if found else 0
    return default[:end].replace(">>", ">"), default[end + 1 :]


def _match(choices: Sequence[Choice], wanted: str) -> Choice:
    if not re.fullmatch(r"\d*", wanted, re.ASCII):
        for choice in choices:
            if wanted in {choice.id, choice.title}:
                return choice
    number, _ = leading_number(wanted) or (0, "")
    return choices[number if number < len(choices) else 0]


def mark_default(entries: Sequence[BootEntry], default: BootEntry | None) -> list[BootEntry]:
    """*entries*, with *default*, one of them, marked."""
    return [replace(entry, default=True) if entry is default else entry for entry in entries]
