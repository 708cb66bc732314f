"""From a word of a GRUB script to the arguments that it makes: none, one or several."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bootmenu.parsers.grub.lexer import Part
from bootmenu.parsers.grub.parser import Word
from bootmenu.parsers.grub.state import MAX_VALUE, ExhaustedError
from bootmenu.parsers.grub.wildcards import activate

_FIELD = re.compile(r"[^ \t\r\n]+")


def expand_word(word: Word, value: Callable[[str], str], arguments: Sequence[str]) -> list[str]:
    """The arguments of *word*; *value* gives the variables' values, *arguments* are ``$@``.

    Wildcards that count are marked, see :mod:`bootmenu.parsers.grub.wildcards`.
    """
    done: list[str] = []
    current = ""
    present = False  # an empty argument counts when a part of it is quoted
    for part in word.parts:
        for index, piece in enumerate(_pieces(part, value, arguments)):
            if index and (current or present):
                done.append(current)
                current, present = "", False
            current += piece
            present = present or part.quoted
        if len(current) > MAX_VALUE:
            raise ExhaustedError("value too long")
    if current or present:
        done.append(current)
    return done


def _pieces(part: Part, value: Callable[[str], str], arguments: Sequence[str]) -> list[str]:
    """The texts that *part* gives; a new argument begins between two of them."""
    if not part.variable:
        return [part.text if part.quoted else _activated(part.text)]
    if part.text == "@":
        if part.quoted:
            return list(arguments)
        return [_activated(field) for field in _FIELD.findall(" ".join(arguments))]
    text = value(part.text)
    if part.quoted:
        return [text]
    return [_activated(field) for field in _FIELD.findall(text)] or [""]


def _activated(text: str) -> str:
    return activate(text) if "*" in text or "?" in text else text
