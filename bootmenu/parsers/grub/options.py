"""The options of a GRUB command: ``--set=root``, ``--id X``, ``-u``, anywhere among the words.

The rules are those of GRUB's own commands. A value follows behind ``=`` or as the next word, which
must not begin with ``-`` then; one that is optional is left out before a word that does. A command
that accepts dashes takes what it does not know for an argument, any other one refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bootmenu.errors import ParseError


@dataclass(frozen=True, slots=True)
class Option:
    """What GRUB knows of an option: its letter, and whether it has a value."""

    letter: str = ""
    valued: bool = False
    optional: bool = False  # the value


FLAG = Option()
VALUED = Option(valued=True)


@dataclass(slots=True)
class Options:
    """The values of the options, in order, "" for one without; and the words that are none."""

    values: dict[str, list[str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def __contains__(self, option: str) -> bool:
        return option in self.values

    def get(self, option: str) -> str:
        """The last value of *option*, "" when it was not given."""
        return self.values[option][-1] if option in self.values else ""

    def all(self, option: str) -> list[str]:
        """Every value of an option that may be repeated."""
        return self.values.get(option, [])


def parse_options(
    arguments: Sequence[str], known: Mapping[str, Option], *, dashes: bool = False
) -> Options:
    """Sort *arguments* by the *known* options, which are by their long names.

    Raises :class:`ParseError` for what the command refuses; *dashes*: it accepts them.
    """
    letters = {option.letter: name for name, option in known.items() if option.letter}
    options = Options()
    words = list(reversed(arguments))
    while words:
        word = words.pop()
        if word == "--":
            options.names.extend(reversed(words))
            break
        if not word.startswith("-") or word == "-":
            options.names.append(word)
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            given = value if equals else None
            if name in known:
                if given is None and known[name].valued and words and words[-1][:1] != "-":
                    given = words.pop()
                _add(options, name, known[name], given)
            elif dashes:
                options.names.append(word)
            else:
                raise ParseError(f"unknown argument '{word[:40]}'")
        elif all(letter in letters for letter in word[1:]):
            for letter in word[1:-1]:
                _add(options, letters[letter], known[letters[letter]], None)
            name = letters[word[-1]]
            given = None
            if known[name].valued and words:
                follows = len(words[-1]) < 2 or words[-1][0] != "-"
                given = words.pop() if follows or not known[name].optional else None
            _add(options, name, known[name], given)
        elif dashes:
            options.names.append(word)
        else:
            raise ParseError(f"unknown argument '{word[:40]}'")
    return options


def _add(options: Options, name: str, option: Option, value: str | None) -> None:
    if value is None and option.valued and not option.optional:
        raise ParseError(f"no value for '--{name}'")
    if value is not None and not option.valued:
        raise ParseError(f"'--{name}' has no value")
    options.values.setdefault(name, []).append(value or "")
