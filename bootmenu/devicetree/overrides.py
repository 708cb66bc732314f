"""Parameters of a tree or an overlay, as Raspberry Pi's firmware applies them: ``__overrides__``.

Specification: Raspberry Pi's documentation, "Device Trees, overlays, and parameters", part 2.2.
Each property of the node ``/__overrides__`` is a parameter: pairs of a phandle and what to set in
that node: ``name`` a string, ``name:4`` ``name;4`` ``name.4`` ``name#4`` an integer of 32, 16, 8 or
64 bits at a byte offset, ``name[`` bytes in hexadecimal, ``name?`` and ``name!`` a property that is
there when the value is true or false. ``=value`` behind any of these is a literal, ``=`` alone one
that follows as cells, ``{a=1,b=2,=3}`` a table by value. The phandle 0 switches fragments, as in
``+1-2=3!4``. Nodes keep their names, also when ``reg`` changes.

A parameter that the tree does not have changes nothing, as with the firmware. Not supported: nodes
of the base tree as targets of an overlay's parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootmenu.devicetree.tree import DeviceTree, values
from bootmenu.errors import TreeError

MAX_OFFSET = 4096  # bytes
MAX_CHANGES = 256  # of one parameter

_NODE = "/__overrides__"
_TARGET = re.compile(
    r"(?P<name>#?[^:;.#?!\[{=]+)"
    r"(?:(?P<size>[:;.#])(?P<offset>\d{1,6})|(?P<flag>[?!])|(?P<bytes>\[))?"
    r"(?:=(?P<literal>.*)|\{(?P<table>.*?)\}?)?",
    re.DOTALL,
)
_FRAGMENTS = re.compile(r"(?P<operation>[-+=!])(?P<number>\d{1,4})")
_ENTRY = re.compile(r"(?:'(?P<quoted>[^']*)'|(?P<key>[^=,']*))(?:=(?:'([^']*)'|([^,]*)))?(?:,|$)")
_WIDTHS = {".": 1, ";": 2, ":": 4, "#": 8}
_TRUE = {"y", "yes", "on", "true", "1", "okay"}
_FALSE = {"n", "no", "off", "false", "0", "disabled"}


class _Override(NamedTuple):
    """What a parameter does to one node; *cells* are a literal that follows the text."""

    phandle: int
    text: str
    cells: bytes


def apply_parameters(tree: DeviceTree, parameters: Sequence[str], name: str) -> None:
    """Change *tree* by *parameters*, ``NAME=VALUE`` each; *name* is the file's, for messages.

    Raises TreeError when a value does not fit or the tree's own declaration is damaged.
    """
    known = tree.properties(_NODE)
    if not parameters or not known:
        return
    places = {
        int.from_bytes(value, "big"): path
        for path, node in tree.nodes()
        for value in (values(node).get("phandle"),)
        if value is not None
    }
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key not in known:
            continue
        for override in _overrides(known[key], f"{name}: parameter {key}"):
            wrong = f"{name}: {parameter} does not fit ({override.text})"
            if override.phandle == 0:
                places = _switch(tree, override.text, value, wrong, places)
            elif override.phandle in places:
                _change(tree, places[override.phandle], override, value, wrong)
            else:
                raise TreeError(
                    f"{wrong}: its target is not in the same file",
                    hint="leave the parameter out, or edit the tree instead",
                )


def forget_parameters(overlay: DeviceTree) -> None:
    """Remove what an overlay only has for its parameters, once they are applied.

    Their targets have phandles, and those that are the root of a fragment would give theirs to a
    node of the base tree, which then could not be found by its own any more.
    """
    if overlay.node(_NODE) is None:
        return
    overlay.remove_node(_NODE)
    overlay.remove_node(f"/__local_fixups__{_NODE}")
    for key, value in overlay.properties("/__fixups__").items():
        kept = [text for text in value.split(b"\0") if not text.startswith(f"{_NODE}:".encode())]
        if any(kept):
            overlay.set("/__fixups__", key, b"\0".join(kept))
        else:
            overlay.remove("/__fixups__", key)
    referred = set(_references(overlay))
    for fragment in overlay.root.nodes:
        for node in fragment.nodes:
            contents = node.name in ("__overlay__", "__dormant__")
            if contents and values(node).get("phandle") not in referred:
                node.remove_property("phandle")


def _references(overlay: DeviceTree) -> Iterator[bytes]:
    """The phandles that the overlay's nodes have of each other."""
    fixups = "/__local_fixups__"
    nodes = dict(overlay.nodes())
    for path, node in nodes.items():
        if not path.startswith(f"{fixups}/"):
            continue
        about = nodes.get(path.removeprefix(fixups))
        known = values(about) if about else {}
        for name, data in values(node).items():
            value = known.get(name, b"")
            for at in range(0, len(data) - 3, 4):
                offset = int.from_bytes(data[at : at + 4], "big")
                yield value[offset : offset + 4]


def _overrides(data: bytes, what: str) -> Iterator[_Override]:
    at = changes = 0
    while at < len(data):
        end = data.find(b"\0", at + 4)
        changes += 1
        if end < 0 or changes > MAX_CHANGES:
            raise TreeError(f"{what} is damaged", hint="use another overlay or DTB")
        phandle = int.from_bytes(data[at : at + 4], "big")
        text = data[at + 4 : end].decode("ascii", "replace")
        at = end + 1
        size = 0
        if text.endswith("=") and phandle:
            size = 8 if "#" in text[1:] else 4
        yield _Override(phandle, text, data[at : at + size])
        at += size


def _change(tree: DeviceTree, path: str, override: _Override, value: str, wrong: str) -> None:
    matched = _TARGET.fullmatch(override.text)
    if matched is None:
        raise TreeError(wrong, hint="use another overlay or DTB")
    name, size = matched["name"], matched["size"]
    if not (name.isascii() and name.isprintable()):
        raise TreeError(wrong, hint="use another overlay or DTB")
    if override.cells:
        value = str(int.from_bytes(override.cells, "big"))
    elif matched["literal"] is not None:
        value = matched["literal"]
    elif matched["table"] is not None:
        value = _looked_up(matched["table"], value, wrong)
    if matched["flag"]:
        if _truth(value, wrong) == (matched["flag"] == "?"):
            tree.set(path, name, tree.get(path, name) or b"")
        else:
            tree.remove(path, name)
    elif size:
        number = _number(value, wrong) % (1 << 8 * _WIDTHS[size])
        start = int(matched["offset"])
        if start > MAX_OFFSET:
            raise TreeError(wrong, hint="use another overlay or DTB")
        before = bytearray(tree.get(path, name) or b"")
        before.extend(bytes(max(0, start + _WIDTHS[size] - len(before))))
        before[start : start + _WIDTHS[size]] = number.to_bytes(_WIDTHS[size], "big")
        tree.set(path, name, bytes(before))
    elif matched["bytes"]:
        try:
            tree.set(path, name, bytes.fromhex(re.sub(r"[:\s]", "", value)))
        except ValueError as error:
            raise TreeError(wrong, hint="give pairs of hexadecimal digits") from error
    else:
        tree.set(path, name, _string(name, value, tree.get(path, name)))


def _string(name: str, value: str, before: bytes | None) -> bytes:
    if name == "status" and value.lower() in _TRUE | _FALSE:
        value = "okay" if value.lower() in _TRUE else "disabled"
    data = value.encode("utf-8", "surrogateescape")
    if name == "bootargs" and before:
        return before.rstrip(b"\0") + b" " + data + b"\0"
    return data + b"\0"


def _looked_up(table: str, value: str, wrong: str) -> str:
    default = None
    at = 0
    while at < len(table):
        matched = _ENTRY.match(table, at)
        if matched is None or matched.end() == at:
            break
        at = matched.end()
        key = matched["quoted"] if matched["quoted"] is not None else matched["key"]
        text = matched[3] if matched[3] is not None else matched[4]
        if key == value:
            return key if text is None else text
        if not key and text is not None:
            default = text
    if default is None:
        raise TreeError(wrong, hint="it takes only certain values; see the overlays' README")
    return default


def _truth(value: str, wrong: str) -> bool:
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    return _number(value, wrong) != 0


def _number(value: str, wrong: str) -> int:
    lower = value.strip().lower()
    if re.fullmatch(r"-?(?:0x[0-9a-f]{1,16}|[0-9]{1,20})", lower):
        digits = lower.lstrip("-")
        octal = digits.startswith("0") and digits.isdigit() and not set(digits) & set("89")
        number = int(digits, 8 if octal else 16 if digits.startswith("0x") else 10)
        return -number if lower.startswith("-") else number
    if lower in _TRUE | _FALSE:
        return int(lower in _TRUE)
    raise TreeError(wrong, hint="give a number, 0x… for a hexadecimal one")


def _switch(
    tree: DeviceTree, text: str, value: str, wrong: str, places: dict[int, str]
) -> dict[int, str]:
    """Enable and disable fragments; where the nodes are then."""
    for matched in _FRAGMENTS.finditer(text):
        operation = matched["operation"]
        enable = operation == "+"
        if operation in "=!":
            if _truth(value, wrong) != (operation == "="):
                continue
            enable = True
        folder = f"/fragment@{matched['number']}"
        if tree.node(folder) is None:
            folder = f"/fragment-{matched['number']}"
        old, new = ("__dormant__", "__overlay__") if enable else ("__overlay__", "__dormant__")
        if tree.node(f"{folder}/{old}") is not None:
            places = _rename(tree, f"{folder}/{old}", new, places)
    return places


def _rename(tree: DeviceTree, path: str, name: str, places: dict[int, str]) -> dict[int, str]:
    """Rename the node at *path*, and everywhere in the overlay that speaks of it."""
    for known in (path, f"/__local_fixups__{path}"):
        node = tree.node(known)
        if node is not None:
            node.set_name(name)
    renamed = f"{path.rpartition('/')[0]}/{name}"
    for table in ("/__fixups__", "/__symbols__"):
        for key, value in tree.properties(table).items():
            texts = value.split(b"\0")
            tree.set(table, key, b"\0".join(_moved(text, path, renamed) for text in texts))
    return {
        phandle: renamed + place[len(path) :] if f"{place}/".startswith(f"{path}/") else place
        for phandle, place in places.items()
    }


def _moved(text: bytes, old: str, new: str) -> bytes:
    """*text*, a path that may go on with ``:``, with *old* at its beginning replaced by *new*."""
    start = old.encode()
    if text == start or text.startswith((start + b"/", start + b":")):
        return new.encode() + text[len(start) :]
    return text
