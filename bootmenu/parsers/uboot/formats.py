"""What U-Boot's tools wrap files in: scripts as images, environments as text.

Specification: include/image.h of U-Boot (the "legacy" image header), and its ``env import``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_HEADER = struct.Struct(">7I4B32s")
_MAGIC = 0x27051956
_SCRIPT = 6  # the type of image
_SIZES = struct.Struct(">2I")


def script_of(content: bytes) -> str | None:
    """The text in the script image *content* (``mkimage -T script``), None when it is none."""
    if len(content) < _HEADER.size + _SIZES.size:
        return None
    magic, _, _, size, _, _, checksum, _, _, kind, _, _ = _HEADER.unpack_from(content)
    data = content[_HEADER.size : _HEADER.size + size]
    if magic != _MAGIC or kind != _SCRIPT or len(data) < size or zlib.crc32(data) != checksum:
        return None
    (length, _), text = _SIZES.unpack_from(data), data[_SIZES.size :]
    return text[:length].decode("utf-8", "surrogateescape")


def imported(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, name and value of each variable in an environment's *text*."""
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\0", "\n").split("\n"), 1):
        stripped = line.lstrip(" \t")
        if not stripped or stripped.startswith("#"):
            continue
        name, _, value = stripped.partition("=")
        yield number, name.rstrip(" \t"), _unescaped(value)


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    pieces = value.split("\\")
    done = [pieces[0]]
    skip = False
    for piece in pieces[1:]:
        if skip:
            done.append(piece)
            skip = False
        elif piece:
            done.append(piece)
        else:  # two backslashes are one
            done.append("\\")
            skip = True
    return "".join(done)
