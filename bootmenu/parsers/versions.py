"""The order of versions: the Boot Loader Specification's, and rpm's.

Specification: UAPI.10, Version Format,
https://uapi-group.org/specifications/specs/version_format_specification/. GRUB's ``blscfg``
compares as rpm does (https://rpm.org/docs/latest/man/rpm-version.7): a separator only separates.
Both look at the first :data:`MAX_VERSION` characters.
"""

from __future__ import annotations

import re
from functools import cmp_to_key

MAX_VERSION = 256

_IGNORED = re.compile(r"[^A-Za-z0-9~\-^.]*")
_DIGITS = re.compile(r"[0-9]*")
_LETTERS = re.compile(r"[A-Za-z]*")
_RPM_SEGMENT = re.compile(r"[^A-Za-z0-9~+]*([~+]|[0-9]+|[A-Za-z]+|$)")


def compare_versions(one: str, other: str) -> int:
    """Negative, zero or positive as *one* is older than, equal to or newer than *other*."""
    one, other = one[:MAX_VERSION], other[:MAX_VERSION]
    a = b = 0
    while True:
        # Nothing but a separator of segments.
        a, b = _end(_IGNORED, one, a), _end(_IGNORED, other, b)
        for separator in "~-^.":
            mine, yours = one[a : a + 1] == separator, other[b : b + 1] == separator
            if mine != yours:
                return -1 if mine else 1
            a, b = a + mine, b + yours
            # What ends here is older, but for a ~ behind it.
            if separator == "~" and (a == len(one) or b == len(other)):
                return _sign(len(one) - a, len(other) - b)
        numeric = one[a : a + 1].isdecimal() or other[b : b + 1].isdecimal()
        pattern = _DIGITS if numeric else _LETTERS
        start_a, start_b = a, b
        a, b = _end(pattern, one, a), _end(pattern, other, b)
        segment, opposite = one[start_a:a], other[start_b:b]
        if numeric:
            if bool(segment) != bool(opposite):
                return 1 if segment else -1  # a number is newer than letters or nothing
            if difference := _compare_numbers(segment, opposite):
                return difference
        elif segment != opposite:
            return 1 if segment > opposite else -1


version_key = cmp_to_key(compare_versions)
"""Sort key: ``sorted(names, key=version_key)`` has the oldest first."""


def compare_rpm(one: str, other: str) -> int:
    """Like :func:`compare_versions`, by rpm's rules; a ``+`` makes newer, a ``~`` older."""
    mine, yours = (_RPM_SEGMENT.findall(text[:MAX_VERSION]) for text in (one, other))
    for segment, opposite in zip(mine, yours, strict=False):
        for mark, sign in (("~", -1), ("+", 1)):
            if mark in (segment, opposite) and segment != opposite:
                return sign if segment == mark else -sign
        if segment == opposite:
            continue
        if not segment or not opposite:  # the longer is newer
            return 1 if segment else -1
        numbers = segment.isdecimal(), opposite.isdecimal()
        if numbers[0] != numbers[1]:
            return 1 if numbers[0] else -1
        if numbers[0]:
            if difference := _compare_numbers(segment, opposite):
                return difference
        else:
            return 1 if segment > opposite else -1
    return 0


def _compare_numbers(one: str, other: str) -> int:
    """Of digits, however many: Python's int refuses long ones."""
    one, other = one.lstrip("0"), other.lstrip("0")
    return _sign(len(one), len(other)) or (one > other) - (one < other)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _sign(one: int, other: int) -> int:
    return (one > other) - (one < other)
