r"""Words and punctuation of a GRUB script.

Specification: GNU GRUB manual, "Writing full configuration files directly"; what it leaves open
was tried with GRUB itself. A word is a run of fragments without a blank between them: plain
text, ``'…'``, ``"…"``, ``$"…"`` and variables. The characters ``{ } | & $ ; < >`` end a word
wherever they stand, so ``a{b`` is a word and the begin of a block. A ``$`` that no variable's
name follows is an error, in double quotes too. A backslash at the end of a line joins it with
the next one.

One thing is kept that upstream's GRUB drops and that of Fedora and openSUSE keeps: the backslash
of ``\x20`` in a plain word, which is how udev writes a blank in ``root=LABEL=…``.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from bootmenu.errors import ParseError


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    NEWLINE = "end of line"
    SIGN = "sign"
    END = "end of file"


class Part(NamedTuple):
    """A fragment of a word: text, or the name of a variable that stands for its value.

    What is *quoted* is neither split into several arguments nor dropped when empty.
    """

    text: str
    variable: bool = False
    quoted: bool = False


class Token(NamedTuple):
    """A token between two offsets of the script; *line* counts from 1.

    *text* is a sign, or a word that consists of unquoted text alone (it may be reserved).
    """

    kind: Kind
    start: int
    end: int
    line: int
    text: str = ""
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return f"'{self.text}'" if self.text else self.kind.value


_CHARACTER = r"""[^{}|&$;<> \t\n'"\\]"""
_NAME = r"(?:[A-Za-z_]\w*|\d+|[?#*@])"
_VARIABLE = rf"\$(?:(?P<name>{_NAME})|\{{(?P<braced>{_NAME})\}})"
_NEXT_LINE = r"\n(?:\#[^\n]*+\n?)*+"  # a line that begins with # is dropped, wherever it stands
_STRING = rf'\$?"(?:[^"\\\n]|\\.|{_NEXT_LINE})*+"'
_LITERAL = rf"'(?:[^'\n]|{_NEXT_LINE})*+'"
_TOKEN = re.compile(
    r"(?:[ \t]|\\\n)*+(?:\#[^\n]*+)?+"
    rf"(?:(?P<plain>{_CHARACTER}++)(?!['\"$\\])|(?P<newline>\n)|(?P<sign>\|\||&&|;;|[{{}};|&<>])"
    rf"|(?P<word>(?:{_CHARACTER}++|{_LITERAL}|{_STRING}|\\.|\$(?:{_NAME}|\{{{_NAME}\}}))++))?",
    re.DOTALL | re.ASCII,
)
_FRAGMENT = re.compile(
    rf"(?P<plain>{_CHARACTER}++)|'(?P<single>[^']*+)'|(?P<double>{_STRING})|\\(?P<escaped>.)"
    rf"|{_VARIABLE}",
    re.DOTALL | re.ASCII,
)
_IN_QUOTES = re.compile(
    rf"""[^\\$]++|\\[^"\\$\n]|\\(?P<escaped>["\\$\n])|{_VARIABLE}|\$""",
    re.DOTALL | re.ASCII,
)
_DROPPED = re.compile(r"\n(?:#[^\n]*\n)+")
_QUOTES = ("'", '"', '$"')
_HEX = re.compile(r"x[0-9A-Fa-f]{2}")


class Lexer:
    """The tokens of *script*; *path* is what errors call it."""

    def __init__(self, script: str, *, path: str = "") -> None:
        self._script = script
        self._path = path
        self._position = 0
        self._line = 1

    def next(self) -> Token:
        """The next token; :class:`ParseError` where there is none."""
        found = _TOKEN.match(self._script, self._position)
        kind = found.lastgroup if found else None
        if found is None or kind is None:
            self._advance(found.end() if found else self._position)
            if self._position < len(self._script):
                raise self._no_token()
            return Token(Kind.END, self._position, self._position, self._line)
        start, end = found.span(kind)
        self._advance(start)
        line = self._line
        if kind == "plain":
            self._position = end
            text = found[kind]
            return Token(Kind.WORD, start, end, line, text, (Part(text),))
        self._advance(end)
        if kind == "newline":
            return Token(Kind.NEWLINE, start, end, line)
        if kind == "sign":
            return Token(Kind.SIGN, start, end, line, found[kind])
        if self._script.startswith(_QUOTES, end):
            raise self._no_token()
        return Token(Kind.WORD, start, end, line, "", self._split(found[kind], line))

    def skip_line(self, token: Token | None) -> None:
        """Go on behind the line on which *token* ends, or the last error stands."""
        position = self._position if token is None else token.end
        if token is not None and token.kind is Kind.NEWLINE:
            position -= 1
        newline = self._script.find("\n", position)
        end = newline + 1 if newline >= 0 else len(self._script)
        if end > self._position:
            self._advance(end)

    def _advance(self, position: int) -> None:
        self._line += self._script.count("\n", self._position, position)
        self._position = position

    def _no_token(self) -> ParseError:
        """What is wrong where no token begins, or where a word stops."""
        line = self._line
        if self._script.startswith(_QUOTES, self._position):  # GRUB reads on for the end of it
            self._advance(len(self._script))
            return ParseError("quote without an end", path=self._path, line=line)
        sign = self._script[self._position]
        return ParseError(f"nothing after '{sign}'", path=self._path, line=line)

    def _split(self, word: str, line: int) -> tuple[Part, ...]:
        word = _DROPPED.sub("\n", word)
        parts: list[Part] = []
        for found in _FRAGMENT.finditer(word):
            if name := found["name"] or found["braced"]:
                parts.append(Part(name, variable=True))
            elif (escaped := found["escaped"]) is not None:
                hexadecimal = _HEX.match(word, found.end() - 1)
                text = "\\x" if hexadecimal else escaped.strip("\n")
                parts.append(Part(text, quoted=text in {"*", "?"}))
            elif (text := found["single"]) is not None:
                parts.append(Part(text, quoted=True))
            elif text := found["double"]:
                parts += self._quoted(text, line)
            else:
                parts.append(Part(found["plain"]))
        return tuple(parts)

    def _quoted(self, word: str, line: int) -> list[Part]:
        parts = [Part("", quoted=True)]
        for found in _IN_QUOTES.finditer(word, word.index('"') + 1, len(word) - 1):
            text = found.group()
            if name := found["name"] or found["braced"]:
                parts.append(Part(name, variable=True, quoted=True))
            elif escaped := found["escaped"]:
                parts.append(Part(escaped.strip("\n"), quoted=True))
            elif text == "$" and word[0] != "$":  # in a translated string it is only a character
                raise ParseError("'$' without a variable", path=self._path, line=line)
            else:
                parts.append(Part(text, quoted=True))
        return parts


_COMMENTED = re.compile(r"((?<!\\)(?:\\\\)*\\\n)((?:#[^\n]*\n)+)")


def without_comments(script: str) -> str:
    """*script* without the lines that begin with ``#`` inside of a continued one.

    GRUB drops such lines before it reads the others, so the command goes on behind them.
    """
    if "\\\n#" not in script:
        return script
    return _COMMENTED.sub(lambda m: m[1] + "\\\n" * m[2].count("\n"), script)
