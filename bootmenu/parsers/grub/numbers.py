"""Numbers as GRUB reads them from text: ``0x1f``, ``017`` and ``15``, whatever follows them."""

from __future__ import annotations

import re

_DIGITS = {
    8: re.compile(r"[0-7]+"),
    10: re.compile(r"[0-9]+"),
    16: re.compile(r"[0-9A-Fa-f]+"),
}
_BLANKS = " \t\n\r"
MAX_DIGITS = 64
HUGE = (1 << 64) - 1
"""What GRUB takes a number for that is larger."""


def leading_number(text: str, base: int = 0) -> tuple[int, str] | None:
    """The number that *text* begins with and what follows it; None without one.

    Base 0 takes ``0x`` for a hexadecimal number, and a zero before another octal digit for an
    octal one. None is larger than :data:`HUGE`.
    """
    text = text.lstrip(_BLANKS)
    if base == 0:
        base = 10
        if text.startswith("0x"):
            base, text = 16, text[2:]
        elif text[:1] == "0" and text[1:2] in set("01234567"):
            base = 8
    found = _DIGITS[base].match(text)
    if found is None:
        return None
    digits = found.group().lstrip("0")
    value = int(digits or "0", base) if len(digits) <= MAX_DIGITS else HUGE
    return min(value, HUGE), text[found.end() :]


def signed_number(text: str) -> int:
    """The number that *text* begins with as ``test`` takes it: 0 without one, of 32 bits."""
    negative = text.startswith("-")
    found = leading_number(text[1:] if negative else text)
    value = found[0] if found else 0
    return signed(-value if negative else value)


def signed(value: int) -> int:
    """What is left of *value* in 32 bits with a sign."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
