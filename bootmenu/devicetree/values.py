r"""Property values as device tree source writes them, and back to the same bytes.

    "a", "b"     strings, each ended by a NUL; \" \\ \n \t \r \xHH inside
    <0x1 2>      cells: 32-bit numbers, big endian
    [de ad]      bytes
    (nothing)    a property without a value

Parts of any kind may follow each other, joined by commas. Specification: Devicetree
Specification v0.4, section 6.2. :func:`text_of` guesses which form suits a person, and only
ever one that :func:`bytes_of` turns back into the very same bytes.
"""

from __future__ import annotations

import re
import struct

from bootmenu.errors import TreeError

STRINGS, CELLS, BYTES, EMPTY = "strings", "cells", "bytes", "empty"

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_SHOWN = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', 92: "\\\\"}
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_SPACE = re.compile(r"\s+")
_KINDS = {'"': STRINGS, "<": CELLS, "[": BYTES}
_HINT = 'write "text", <0x1 2> for 32-bit cells, [de ad] for bytes, or nothing'


def kind_of(value: bytes) -> str:
    """What *value* looks like: strings, cells, bytes or empty."""
    if not value:
        return EMPTY
    if _is_strings(value):
        return STRINGS
    return BYTES if len(value) % 4 else CELLS


def text_of(value: bytes) -> str:
    """*value* in the form that suits its kind."""
    kind = kind_of(value)
    if kind == EMPTY:
        return ""
    if kind == STRINGS:
        return ", ".join(f'"{_quoted(part)}"' for part in value[:-1].split(b"\0"))
    if kind == CELLS:
        cells = struct.unpack(f">{len(value) // 4}I", value)
        return f"<{' '.join(f'{cell:#x}' for cell in cells)}>"
    return f"[{value.hex(' ')}]"


def bytes_of(text: str) -> bytes:
    """The bytes that *text* means; TreeError says what is wrong with it and where."""
    value = bytearray()
    rest = text.strip()
    while rest:
        if rest[0] not in _KINDS:
            raise TreeError(f"a value cannot start with {rest[:16]!r}", hint=_HINT)
        part, rest = _part(rest)
        value += part
        if rest and not rest.startswith(","):
            raise TreeError(f"a comma is missing before {rest[:16]!r}", hint=_HINT)
        if rest and not (rest := rest[1:].lstrip()):
            raise TreeError("nothing follows the last comma", hint=_HINT)
    return bytes(value)


def _is_strings(value: bytes) -> bool:
    """Whether it reads as text: ASCII parts, each ended by a NUL, none of them empty."""
    if value[-1] != 0:
        return False
    parts = value[:-1].split(b"\0")
    return all(part and all(32 <= b < 127 or b in b"\n\t\r" for b in part) for part in parts)


def _quoted(part: bytes) -> str:
    return "".join(_SHOWN.get(byte) or chr(byte) for byte in part)


def _part(text: str) -> tuple[bytes, str]:
    """The bytes of the part at the start of *text*, and what follows it."""
    if text[0] == '"':
        found = _STRING.match(text)
        if found is None:
            raise TreeError(f"the string {text[:16]!r} has no closing quote", hint=_HINT)
        return _unescaped(found[1]) + b"\0", text[found.end() :].lstrip()
    close = ">" if text[0] == "<" else "]"
    inner, end, rest = text[1:].partition(close)
    if not end:
        raise TreeError(f"{text[:16]!r} has no closing {close}", hint=_HINT)
    return _cells(inner) if close == ">" else _hex(inner), rest.lstrip()


def _unescaped(text: str) -> bytes:
    out, at = bytearray(), 0
    for found in _ESCAPE.finditer(text):
        out += _utf8(text[at : found.start()])
        code = found[1]
        if code[0] == "x" and len(code) > 1:
            out.append(int(code[1:], 16))
        elif code[0] in "01234567":
            if int(code, 8) > 0xFF:
                raise TreeError(f"\\{code} is no byte", hint="octal goes up to \\377")
            out.append(int(code, 8))
        else:
            out += _utf8(_ESCAPES.get(code, code))
        at = found.end()
    return bytes(out + _utf8(text[at:]))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise TreeError("the string holds what is no character", hint=_HINT) from None


def _cells(text: str) -> bytes:
    out = bytearray()
    for word in _SPACE.split(text.strip()) if text.strip() else ():
        if _NUMBER.fullmatch(word) is None:
            hint = "numbers are decimal, 0x hexadecimal or 0 octal"
            if word.startswith("&"):
                hint = "labels are not known here: write the phandle's number"
            raise TreeError(f"{word[:64]!r} in <> is no number", hint=hint)
        octal = len(word) > 1 and word[0] == "0" and word[1] not in "xX"
        # Beyond 4,300 digits int() itself gives up.
        number = 1 << 32 if len(word) > 64 else int(word, 8 if octal else 0)
        if number > 0xFFFFFFFF:
            raise TreeError(
                f"{word[:64]} does not fit a 32-bit cell",
                hint="write a 64-bit number as two cells: <0xHIGH 0xLOW>",
            )
        out += number.to_bytes(4, "big")
    return bytes(out)


def _hex(text: str) -> bytes:
    digits = _SPACE.sub("", text)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise TreeError(
            f"[{text.strip()[:32]}] is not made of whole bytes", hint="two hex digits each: [0f a0]"
        ) from None
