"""The grammar of U-Boot's scripts, hush: lines into statements.

Specification: U-Boot's documentation, "usage/cmdline", and what U-Boot 2023.01 does. Simple
commands, ``;``, ``&&``, ``||``, ``if/elif/else``, ``for``, ``while``, ``until``; quotes, ``$name``,
``${name}`` with ``:-``, ``:=`` and ``:+``. There are no functions, pipes or substitutions in it.
Within double quotes a single quote still quotes, and a backslash stays where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bootmenu.errors import ParseError

MAX_DEPTH = 40
"""Statements in each other."""


class Part(NamedTuple):
    """A piece of a word: text, or the *variable* whose value stands there."""

    text: str
    variable: bool = False
    quoted: bool = False


Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Simple:
    """A command and its arguments."""

    words: tuple[Word, ...]
    line: int


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with their bodies, tried in order; the last condition may be empty: else."""

    branches: tuple[tuple[Commands, Commands], ...]


@dataclass(frozen=True, slots=True)
class For:
    """The body, once for each word."""

    name: str
    words: tuple[Word, ...]
    body: Commands


@dataclass(frozen=True, slots=True)
class Loop:
    """The body, while the condition is true, or false with *until*."""

    condition: Commands
    body: Commands
    until: bool


Command = Simple | If | For | Loop
Commands = tuple[tuple[str, Command], ...]
"""Commands, each with what stands before it: ``;``, ``&&`` or ``||``."""


class _Token(NamedTuple):
    sign: str  # "word", ";", "&&", "||", "end"
    word: Word
    line: int

    @property
    def plain(self) -> str:
        """The text of a word without quotes or variables, as reserved words are."""
        if len(self.word) == 1 and not self.word[0].variable and not self.word[0].quoted:
            return self.word[0].text
        return ""


_RESERVED = {"if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done"}
_BLANK = re.compile(r"(?:[ \t\r]|\\\n)+|\#[^\n]*")
_SIGN = re.compile(r"&&|\|\||[;\n&|]")
_PLAIN = re.compile(r"[^\s;&|'\"\\$]+")
_QUOTED = re.compile(r"[^\"'\\$]+")
_VARIABLE = re.compile(r"\$(?:\{([^}\n]*)\}|([A-Za-z_][A-Za-z0-9_]*|[0-9?#*@]))")


def parse(text: str, line: int = 1) -> tuple[Commands, ParseError | None]:
    """The commands of *text* up to the first that makes no sense, and why it does not.

    *line* is the number of its first line.
    """
    done: list[tuple[str, Command]] = []
    try:
        _Parser(_tokens(text, line)).list(frozenset(), 0, done)
    except ParseError as error:
        return tuple(done), error
    return tuple(done), None


class _Parser:
    def __init__(self, tokens: Iterator[_Token]) -> None:
        self._tokens = tokens
        self._next = next(tokens)

    def list(self, ends: frozenset[str], depth: int, into: list[tuple[str, Command]]) -> str:
        """Read commands *into* a list, up to a reserved word of *ends*, which is returned."""
        if depth > MAX_DEPTH:
            raise self._wrong("too many statements in each other")
        before = ";"
        while True:
            token = self._next
            if token.sign == "word" and token.plain in ends:
                self._take()
                return token.plain
            if token.sign == "end":
                if ends:
                    raise self._wrong(f"ends before its '{'/'.join(sorted(ends))}'")
                return ""
            if token.sign != "word":
                # A line may end behind "&&" and "||".
                before = before if token.sign == ";" and before != ";" else token.sign
                self._take()
                continue
            into.append((before, self._command(depth)))
            before = ";"

    def _body(self, depth: int, *ends: str) -> tuple[Commands, str]:
        into: list[tuple[str, Command]] = []
        end = self.list(frozenset(ends), depth + 1, into)
        return tuple(into), end

    def _command(self, depth: int) -> Command:
        name = self._next.plain
        if name == "if":
            self._take()
            return self._if(depth)
        if name in {"while", "until"}:
            self._take()
            condition, _ = self._body(depth, "do")
            return Loop(condition, self._body(depth, "done")[0], name == "until")
        if name == "for":
            self._take()
            return self._for(depth)
        if name in _RESERVED:
            raise self._wrong(f"'{name}' out of its place")
        line = self._next.line
        return Simple(self._words(), line)

    def _if(self, depth: int) -> If:
        branches = []
        end = "elif"
        while end == "elif":
            condition, _ = self._body(depth, "then")
            body, end = self._body(depth, "elif", "else", "fi")
            branches.append((condition, body))
        if end == "else":
            branches.append(((), self._body(depth, "fi")[0]))
        return If(tuple(branches))

    def _for(self, depth: int) -> For:
        name = self._take().plain
        while self._next.sign == ";" and self._next.plain == "":
            self._take()
        words: tuple[Word, ...] = ()
        if self._next.plain == "in":
            self._take()
            words = self._words()
        before, _ = self._body(depth, "do")
        if before or not name:
            raise self._wrong("'for' without its 'do'")
        return For(name, words, self._body(depth, "done")[0])

    def _words(self) -> tuple[Word, ...]:
        words = []
        while self._next.sign == "word":
            words.append(self._take().word)
        return tuple(words)

    def _take(self) -> _Token:
        token = self._next
        if token.sign != "end":
            self._next = next(self._tokens)
        return token

    def _wrong(self, message: str) -> ParseError:
        return ParseError(message, line=self._next.line)


def _tokens(text: str, line: int) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            line += text.count("\n", at, blank.end())
            at = blank.end()
        elif sign := _SIGN.match(text, at):
            yield _Token(";" if sign[0] in "\n&|" else sign[0], (), line)
            line += sign[0] == "\n"
            at = sign.end()
        else:
            parts: list[Part] = []
            end = _word(text, at, line, parts)
            yield _Token("word", tuple(parts), line)
            line += text.count("\n", at, end)
            at = end
    while True:
        yield _Token("end", (), line)


def _word(text: str, at: int, line: int, parts: list[Part]) -> int:
    """Read the parts of the word at *at*; where it ends."""
    start = at
    while at < len(text):
        if plain := _PLAIN.match(text, at):
            parts.append(Part(plain[0]))
            at = plain.end()
        elif variable := _VARIABLE.match(text, at):
            parts.append(Part(variable[1] or variable[2] or "", variable=True))
            at = variable.end()
        elif text[at] == "'":
            at = _single(text, at, line, parts)
        elif text[at] == '"':
            at = _double(text, at + 1, line, parts)
        elif text[at] == "\\":
            if text[at + 1 : at + 2] != "\n":
                parts.append(Part(text[at + 1 : at + 2], quoted=True))
            at += 2
        elif text[at] == "$" and at + 1 <= len(text):
            parts.append(Part("$"))
            at += 1
        else:
            break
    return max(min(at, len(text)), start + 1)


def _double(text: str, at: int, line: int, parts: list[Part]) -> int:
    parts.append(Part("", quoted=True))
    while at < len(text):
        if plain := _QUOTED.match(text, at):
            parts.append(Part(plain[0], quoted=True))
            at = plain.end()
        elif variable := _VARIABLE.match(text, at):
            parts.append(Part(variable[1] or variable[2] or "", variable=True, quoted=True))
            at = variable.end()
        elif text[at] == '"':
            return at + 1
        elif text[at] == "'":
            at = _single(text, at, line, parts)
        elif text.startswith("\\\n", at):
            at += 2
        else:
            size = 2 if text[at] == "\\" else 1
            parts.append(Part(text[at : at + size], quoted=True))
            at += size
    raise ParseError("a quote is not closed", line=line)


def _single(text: str, at: int, line: int, parts: list[Part]) -> int:
    end = text.find("'", at + 1)
    if end < 0:
        raise ParseError("a quote is not closed", line=line)
    parts.append(Part(text[at + 1 : end], quoted=True))
    return end + 1
