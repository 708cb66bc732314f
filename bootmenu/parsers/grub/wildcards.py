"""Wildcards in the words of a script: ``/boot/vmlinuz-*``, ``(hd*,*)/grub.cfg``.

GRUB knows ``*`` and ``?`` and expands a word that begins with ``/``, ``(`` or ``*``, to devices in
its first part and to the names in directories after that; what matches nothing stays as it is
written. It does so once its module ``regexp`` is there, as it is in the images that distributions
sign and in grub-emu; here always. Names come sorted, GRUB takes them as they lie on the disk.

In a word that is being put together the wildcards that count are written :data:`STAR` and
:data:`MARK`, two characters that no text of a file can hold: those in quotes do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from bootmenu.errors import ParseError, VolumeError
from bootmenu.parsers.grub.devices import Devices

STAR, MARK = "\ud800", "\ud801"
MAX_MATCHES = 1024
MAX_LISTINGS = 200
"""Directories that one word may read."""

_UNESCAPED = re.compile(r"(?<!\\)[*?]")


def activate(text: str) -> str:
    """*text* of an unquoted word with its wildcards marked."""
    return _UNESCAPED.sub(lambda found: STAR if found.group() == "*" else MARK, text)


def is_active(word: str) -> bool:
    """Whether there is a wildcard in *word*."""
    return STAR in word or MARK in word


def plain(word: str) -> str:
    """*word* as it was written."""
    return word.replace(STAR, "*").replace(MARK, "?")


def expand(word: str, devices: Devices, root: str) -> list[str]:
    """What the wildcards of *word* match, or the word itself; *root* is where paths lie.

    Raises :class:`ParseError` when that is too much.
    """
    if word[:1] not in {"/", "(", STAR}:
        return [plain(word)]
    first, *rest = word.split("/")
    paths = list(_match_devices(first, devices)) if is_active(first) else [first]
    matched = is_active(first)
    listings = 0
    for number, part in enumerate(rest):
        if is_active(part):
            listings += len(paths)
            if listings > MAX_LISTINGS:
                raise ParseError("a wildcard in too many directories")
            paths = [f"{path}/{name}" for path in paths for name in _names(path, devices, root)]
            paths = [path for path in paths if matches(part, path.rpartition("/")[2])]
            matched = True
        else:
            paths = [f"{path}/{part}" for path in paths]
            literal_end = number + 1 == len(rest) or is_active(rest[number + 1])
            if matched and literal_end:
                paths = [path for path in paths if _exists(path, devices, root)]
        if len(paths) > MAX_MATCHES:
            raise ParseError("a wildcard matches too much")
    return paths or [plain(word)]


def matches(pattern: str, name: str) -> bool:
    """Whether *name* is what *pattern* describes; the effort is the product of their lengths."""
    position = at = 0
    star, resume = -1, 0
    while at < len(name):
        sign = pattern[position : position + 1]
        if sign == STAR:
            star, resume = position, at
            position += 1
        elif sign and sign in {MARK, name[at]}:
            position += 1
            at += 1
        elif star >= 0:
            resume += 1
            position, at = star + 1, resume
        else:
            return False
    return not pattern[position:].strip(STAR)


def _match_devices(pattern: str, devices: Devices) -> Iterator[str]:
    for name in devices.names():
        # Without a parenthesis only whole disks are meant.
        if matches(pattern, f"({name})") and (pattern[0] == "(" or "," not in name):
            yield f"({name})"


def _names(directory: str, devices: Devices, root: str) -> list[str]:
    found = devices.files(directory, root)
    if found is not None:
        with suppress(VolumeError):
            return found[0].listdir(found[1])
    return []


def _exists(path: str, devices: Devices, root: str) -> bool:
    found = devices.files(path, root)
    if found is None:
        return False
    return found[0].is_dir(found[1]) if path.endswith("/") else found[0].exists(found[1])
