"""GRUB's ``test`` command, also known as ``[``.

Specification: GNU GRUB manual, "test". As in GRUB, an expression that ends too early is no error:
what has been said so far decides, and nothing at all is true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bootmenu.errors import ParseError
from bootmenu.parsers.grub.numbers import leading_number, signed_number

MAX_DEPTH = 50

_STRINGS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda one, other: one == other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda one, other: one == other,
    "-ne": lambda one, other: one != other,
    "-ge": lambda one, other: one >= other,
    "-gt": lambda one, other: one > other,
    "-le": lambda one, other: one <= other,
    "-lt": lambda one, other: one < other,
}


class FileFacts(Protocol):
    """What ``test`` may ask of files; a file that is not there is none of it."""

    def exists(self, path: str) -> bool:
        """``-e``."""

    def is_dir(self, path: str) -> bool:
        """``-d``."""

    def is_file(self, path: str) -> bool:
        """``-f``."""

    def is_filled(self, path: str) -> bool:
        """``-s``: larger than nothing."""

    def changed(self, path: str) -> int | None:
        """When the file was last written, in seconds; None when it is not there."""


def evaluate(arguments: Sequence[str], files: FileFacts) -> bool:
    """Whether the expression holds; raises :class:`ParseError` when it is nested too deeply."""
    return _Expression(arguments, files).value(0)


class _Expression:
    def __init__(self, arguments: Sequence[str], files: FileFacts) -> None:
        self._arguments = arguments
        self._files = files
        self._position = 0

    def value(self, depth: int) -> bool:
        """The value up to the end, or up to the closing parenthesis."""
        if depth > MAX_DEPTH:
            raise ParseError("test: nested too deeply")
        either, all_, negated = False, True, False
        while self._position < len(self._arguments):
            # An operator between two words counts first, whatever these are: [ ! = x ].
            term = self._comparison()
            if term is None:
                word = self._arguments[self._position]
                self._position += 1
                if word == ")":
                    break
                if word == "!":
                    negated = not negated
                    continue
                if word == "-a":
                    continue
                if word == "-o":
                    either, all_ = either or all_, True
                    continue
                term = self.value(depth + 1) if word == "(" else bool(word)
            all_ = all_ and term != negated
            negated = False
        return either or all_

    def _comparison(self) -> bool | None:
        """The value of an operator with its words, None when there is none here."""
        words = self._arguments[self._position : self._position + 3]
        if len(words) == 3 and (result := self._binary(*words)) is not None:
            self._position += 3
            return result
        unary: dict[str, Callable[[str], bool]] = {
            "-e": self._files.exists,
            "-d": self._files.is_dir,
            "-f": self._files.is_file,
            "-s": self._files.is_filled,
            "-n": bool,
            "-z": lambda text: not text,
        }
        if len(words) > 1 and words[0] in unary:
            self._position += 2
            return unary[words[0]](words[1])
        return None

    def _binary(self, one: str, operator: str, other: str) -> bool | None:
        if operator in _STRINGS:
            return _STRINGS[operator](one, other)
        if operator in _NUMBERS:
            return _NUMBERS[operator](signed_number(one), signed_number(other))
        if operator in {"-pgt", "-plt"}:
            mine, yours = _behind_prefix(one, other)
            return mine > yours if operator == "-pgt" else mine < yours
        if operator.startswith(("-nt", "-ot")):
            return self._is_newer(one, operator, other)
        return None

    def _is_newer(self, one: str, operator: str, other: str) -> bool:
        """``-nt`` and ``-ot``; a number behind these is added to the first file's time."""
        mine, yours = self._files.changed(one), self._files.changed(other)
        if mine is None or yours is None:
            present, absent = (mine, yours) if operator.startswith("-nt") else (yours, mine)
            return present is not None and absent is None
        mine += signed_number(operator[3:])
        return mine > yours if operator.startswith("-nt") else mine < yours


def _behind_prefix(one: str, other: str) -> tuple[int, int]:
    """The numbers behind what both have in common, digits counted to the number."""
    end = 0
    while end < len(one) and one[end] == other[end : end + 1]:
        end += 1
    start = end
    while start > 1 and one[start - 1].isdecimal():
        start -= 1
    mine, yours = (leading_number(text[start:]) or (0, "") for text in (one, other))
    return mine[0], yours[0]
