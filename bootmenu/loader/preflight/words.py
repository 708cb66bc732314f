"""The words of a cmdline, as the kernel takes them apart.

A word ends at a space outside of double quotes; quotes around a value are no part of it; and
what follows ``--`` is for init. Source: next_arg() of lib/cmdline.c.
"""

from __future__ import annotations

import re

_WORD = re.compile(r'(?:"[^"]*"?|[^\s"])+')


def parameters(cmdline: str) -> list[tuple[str, str | None]]:
    """Names and values in their order; the value of ``quiet`` is None, of ``x=`` is ""."""
    found: list[tuple[str, str | None]] = []
    for word in _WORD.findall(cmdline):
        if word == "--":
            break
        name, equals, value = word.strip('"').partition("=")
        found.append((name, value.strip('"') if equals else None))
    return found


def value_of(cmdline: str, name: str) -> str | None:
    """The last value of *name*; "" for a word without one, None where it is not there.

    A dash and an underscore are the same in a name.
    """
    wanted = name.replace("-", "_")
    values = [value or "" for key, value in parameters(cmdline) if key.replace("-", "_") == wanted]
    return values[-1] if values else None
