"""``test`` and ``itest``: conditions as U-Boot decides them.

Specification: what U-Boot 2023.01 does. ``test`` of fewer than two words is false, and what it
cannot read is true: ``test ${unset} = y`` holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_NUMBER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)")
_BINARY = {"=", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"}
_UNARY = {"-z", "-n"}
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b, "==": lambda a, b: a == b,
    "-ne": lambda a, b: a != b, "!=": lambda a, b: a != b, "<>": lambda a, b: a != b,
    "-lt": lambda a, b: a < b, "<": lambda a, b: a < b,
    "-le": lambda a, b: a <= b, "<=": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b, ">": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def test(words: Sequence[str], exists: Callable[[str, str, str], bool]) -> bool:
    """Whether ``test`` with the arguments *words* is true.

    *exists* says whether an interface's device (``mmc``, ``0:1``) has a file.
    """
    if len(words) < 2:
        return False
    value = False
    negate = False
    joined = ""
    at = 0
    while at < len(words):
        rest = words[at : at + 4]
        if rest[0] == "!":
            negate, at = not negate, at + 1
            continue
        if rest[0] in {"-a", "-o"}:
            joined, at = rest[0], at + 1
            continue
        if rest[0] == "-e" and len(rest) == 4:
            now, used = exists(rest[1], rest[2], rest[3]), 4
        elif rest[0] in _UNARY and len(rest) > 1:
            now, used = (rest[1] == "") == (rest[0] == "-z"), 2
        elif len(rest) > 2 and rest[1] in _BINARY:
            now, used = _compare(rest[0], rest[1], rest[2]), 3
        else:
            return True
        now ^= negate
        value = (value or now) if joined == "-o" else (value and now) if joined else now
        negate, joined = False, ""
        at += used
    return value


def itest(name: str, words: Sequence[str]) -> bool:
    """Whether ``itest`` is true: numbers are hexadecimal, ``itest.s`` compares texts."""
    if len(words) != 3:
        return False
    one, operator, other = words
    if operator not in _COMPARISONS:
        return False
    if name.endswith(".s"):
        return _COMPARISONS[operator]((one > other) - (one < other), 0)
    return _COMPARISONS[operator](hexadecimal(one), hexadecimal(other))


def hexadecimal(text: str) -> int:
    """The number that *text* begins with, 0 without one."""
    matched = re.match(r"(?:0[xX])?([0-9a-fA-F]{1,16})", text)
    return int(matched[1], 16) if matched else 0


def _compare(one: str, operator: str, other: str) -> bool:
    if operator in {"=", "!="}:
        return (one == other) == (operator == "=")
    if operator in {"<", ">"}:
        return one < other if operator == "<" else one > other
    return _COMPARISONS[operator](_decimal(one), _decimal(other))


def _decimal(text: str) -> int:
    matched = _NUMBER.match(text[:40])
    if not matched:
        return 0
    number = int(matched[2], 16 if matched[2][:2] in {"0x", "0X"} else 10)
    return -number if matched[1] == "-" else number
