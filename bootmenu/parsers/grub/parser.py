"""The statements of a GRUB script.

Grammar: simple commands with an optional ``{}`` block as their last argument, ``if``, ``for``,
``while``, ``until``; ``function`` at the outermost level only. ``&& || | & < > ;;`` and the words
``case esac select [[ ]]`` are reserved, yet part of no rule.

GRUB reads its configuration statement by statement. When one is wrong it drops what it has read
of it, up to the end of the line on which it noticed, and goes on with the next line; so does
:func:`parse`. An ``if`` around a ``function`` therefore loses its head, and its body runs. A
function is defined when its end has been read, whatever else is on its line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bootmenu.errors import ParseError
from bootmenu.parsers.grub.lexer import Kind, Lexer, Part, Token

MAX_DEPTH = 50
"""Statements within statements."""
MAX_WORDS = 4096
"""Words of one command."""

_RESERVED = frozenset(
    {"case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in"}
    | {"select", "then", "until", "while", "[[", "]]"}
)
_NEVER = frozenset({"[[", "]]"})
"""Words that are reserved wherever they stand."""


class Word(NamedTuple):
    """An argument before its variables have values; *plain* if it is nothing but that text."""

    parts: tuple[Part, ...]
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A ``{}`` argument: its statements, and its text with the braces."""

    body: tuple[Statement, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command; the first word is its name."""

    line: int
    words: tuple[Word, ...]
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class If:
    """Pairs of condition and body, in order, and what runs when no condition holds."""

    line: int
    branches: tuple[tuple[tuple[Statement, ...], tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    """*body* once for each of *words*, which is then the value of *variable*."""

    line: int
    variable: str
    words: tuple[Word, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class While:
    """*body* as long as *condition* holds, or *until* it does."""

    line: int
    condition: tuple[Statement, ...]
    body: tuple[Statement, ...]
    until: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """The definition of a function."""

    line: int
    name: str
    body: tuple[Statement, ...]


Statement = Command | If | For | While | Function


def parse(script: str, *, path: str = "") -> tuple[list[Statement], list[ParseError]]:
    """The statements of *script* that GRUB would run, and an error for each that it drops.

    *path* is what the errors call the script.
    """
    parser = _Parser(script.replace("\r", ""), path)
    statements: list[Statement] = []
    errors: list[ParseError] = []
    while True:
        try:
            unit = parser.unit()
        except ParseError as error:
            errors.append(error)
            statements += parser.defined
            parser.recover()
            continue
        if unit is None:
            return statements, errors
        statements.extend(unit)


class _Parser:
    """Recursive descent with one token of lookahead, which is read when it is needed.

    A line is only read once the one before is known to go on: that decides how much a wrong
    statement takes with it.
    """

    def __init__(self, script: str, path: str) -> None:
        self._script = script
        self._path = path
        self._lexer = Lexer(script, path=path)
        self._ahead: Token | None = None
        self._depth = 0
        self._rules: dict[str, Callable[[], Statement]] = {
            "if": self._if,
            "for": self._for,
            "while": self._while,
            "until": self._while,
        }
        self.defined: list[Function] = []
        """The functions of the unit that is being read."""

    def unit(self) -> list[Statement] | None:
        """The statements up to the end of a line at the outermost level, functions first.

        None at the end of the script.
        """
        statements: list[Statement] = []
        self.defined = []
        while self._peek().kind is Kind.NEWLINE:
            self._take()
        if self._peek().kind is Kind.END:
            return None
        while True:
            if self._peek().text == "function":
                self.defined.append(self._function())
            else:
                statements.append(self._command())
            delimiter = self._peek()
            if not self._is_delimiter(delimiter) and delimiter.kind is not Kind.END:
                raise self._unexpected()
            self._take()
            if delimiter.text != ";" or self._peek().kind in {Kind.NEWLINE, Kind.END}:
                return [*self.defined, *statements]

    def recover(self) -> None:
        """Drop the rest of the line on which the error was noticed."""
        self._lexer.skip_line(self._ahead)
        self._ahead = None
        self._depth = 0

    def _peek(self) -> Token:
        if self._ahead is None:
            self._ahead = self._lexer.next()
        return self._ahead

    def _take(self) -> Token:
        token = self._peek()
        if token.kind is not Kind.END:
            self._ahead = None
        return token

    def _expect(self, text: str) -> Token:
        if self._peek().text != text:
            raise self._unexpected(text)
        return self._take()

    def _unexpected(self, expected: str = "") -> ParseError:
        token = self._peek()
        wanted = f", expected '{expected}'" if expected else ""
        return ParseError(f"unexpected {token}{wanted}", path=self._path, line=token.line)

    @staticmethod
    def _is_delimiter(token: Token) -> bool:
        return token.kind is Kind.NEWLINE or (token.kind is Kind.SIGN and token.text == ";")

    def _delimiters(self) -> bool:
        """Take a ``;`` or an end of line, and the empty lines behind it; whether there was one."""
        if not self._is_delimiter(self._peek()):
            return False
        self._take()
        while self._peek().kind is Kind.NEWLINE:
            self._take()
        return True

    def _body(self, *ends: str, loose: bool = False) -> tuple[Statement, ...]:
        """At least one command, up to one of *ends*, which is left to take.

        A delimiter must precede the end, unless *loose*.
        """
        while self._peek().kind is Kind.NEWLINE:
            self._take()
        statements: list[Statement] = []
        while True:
            statements.append(self._command())
            delimited = self._delimiters()
            if (delimited or loose) and self._peek().text in ends:
                return tuple(statements)
            if not delimited:
                raise self._unexpected()

    def _command(self) -> Statement:
        token = self._peek()
        if token.kind is not Kind.WORD:
            raise self._unexpected()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ParseError("nested too deeply", path=self._path, line=token.line)
        if rule := self._rules.get(token.text):
            statement = rule()
        elif token.text in _RESERVED:
            raise self._unexpected()
        else:
            statement = self._simple()
        self._depth -= 1
        return statement

    def _words(self) -> tuple[Word, ...]:
        words = []
        token = self._peek()
        while token.kind is Kind.WORD and token.text not in _NEVER:
            text = token.text
            words.append(Word(token.parts, "" if "*" in text or "?" in text else text))
            if len(words) > MAX_WORDS:
                raise ParseError("too many words", path=self._path, line=token.line)
            self._ahead = None
            token = self._peek()
        return tuple(words)

    def _simple(self) -> Command:
        line = self._peek().line
        words = self._words()
        block = self._block() if self._peek().text == "{" else None
        return Command(line, words, block)

    def _block(self) -> Block:
        start = self._expect("{").start
        body = self._body("}", loose=True)
        end = self._expect("}").end
        return Block(body, self._script[start:end])

    def _name(self) -> str:
        token = self._peek()
        name = token.text
        if token.kind is not Kind.WORD or name in _RESERVED or not name.isidentifier():
            raise self._unexpected()
        if not name.isascii():
            raise self._unexpected()
        return self._take().text

    def _function(self) -> Function:
        line = self._expect("function").line
        name = self._name()
        while self._peek().kind is Kind.NEWLINE:
            self._take()
        self._expect("{")
        body = self._body("}")
        self._expect("}")
        return Function(line, name, body)

    def _if(self) -> If:
        line = self._expect("if").line
        branches = []
        while True:
            condition = self._body("then")
            self._expect("then")
            branches.append((condition, self._body("fi", "else", "elif")))
            if self._peek().text != "elif":
                break
            self._take()
        otherwise: tuple[Statement, ...] = ()
        if self._peek().text == "else":
            self._take()
            otherwise = self._body("fi")
        self._expect("fi")
        return If(line, tuple(branches), otherwise)

    def _for(self) -> For:
        line = self._expect("for").line
        variable = self._name()
        self._expect("in")
        words = self._words()
        if not self._delimiters():
            raise self._unexpected()
        return For(line, variable, words, self._loop_body())

    def _while(self) -> While:
        keyword = self._take()
        condition = self._body("do")
        return While(keyword.line, condition, self._loop_body(), until=keyword.text == "until")

    def _loop_body(self) -> tuple[Statement, ...]:
        self._expect("do")
        body = self._body("done")
        self._expect("done")
        return body
