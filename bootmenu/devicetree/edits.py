"""A person's changes to a device tree: applied, checked, described and compared.

Names follow the Devicetree Specification v0.4, sections 2.2.1 and 2.2.4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bootmenu.devicetree.flat import MAX_DEPTH
from bootmenu.devicetree.tree import DeviceTree, values
from bootmenu.devicetree.values import bytes_of, kind_of, text_of
from bootmenu.errors import TreeError
from bootmenu.model import EditAction, TreeEdit

Described = tuple[str, str, str, bool]
"""A property: its name, its value as text, its kind, and whether an edit made it."""

_NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9,._+-]{0,30}(@[A-Za-z0-9,._+-]{1,63})?")
_PROPERTY_NAME = re.compile(r"[A-Za-z0-9,._+?#-]{1,31}")
_WORDS = {
    EditAction.SET: "set",
    EditAction.REMOVE: "remove",
    EditAction.ADD_NODE: "add",
    EditAction.REMOVE_NODE: "remove",
}


def apply_edits(tree: DeviceTree, edits: Sequence[TreeEdit]) -> None:
    """Apply *edits* in order. Raises TreeError naming the first that cannot be."""
    for edit in edits:
        try:
            _APPLY[edit.action](tree, edit)
        except TreeError as error:
            what = f"{edit.path} {edit.property}".strip()
            raise TreeError(
                f"cannot {_WORDS[edit.action]} {what}: {error.message}", hint=error.hint
            ) from error


def _set(tree: DeviceTree, edit: TreeEdit) -> None:
    _existing(tree, edit.path)
    if tree.get(edit.path, edit.property) is None:
        _check(_PROPERTY_NAME, edit.property, "property", "1 to 31 of letters, digits and ,._+?#-")
    tree.set(edit.path, edit.property, bytes_of(edit.value))


def _remove(tree: DeviceTree, edit: TreeEdit) -> None:
    _existing(tree, edit.path)
    if not tree.remove(edit.path, edit.property):
        raise TreeError("the node has no such property", hint="look at the node's properties")


def _add_node(tree: DeviceTree, edit: TreeEdit) -> None:
    above, _, name = edit.path.rstrip("/").rpartition("/")
    _existing(tree, above or "/")
    if edit.path.count("/") >= MAX_DEPTH:
        raise TreeError(f"deeper than {MAX_DEPTH} nodes", hint="add it further up")
    allowed = "a letter, up to 30 letters, digits and ,._+-, then @ADDRESS if it has one"
    _check(_NODE_NAME, name, "node", allowed)
    if tree.node(edit.path) is not None:
        raise TreeError("the node is there already", hint="choose another name")
    tree.add_node(edit.path)


def _remove_node(tree: DeviceTree, edit: TreeEdit) -> None:
    _existing(tree, edit.path)
    if not tree.remove_node(edit.path):
        raise TreeError("the root cannot be removed", hint="remove the nodes below it")


_APPLY = {
    EditAction.SET: _set,
    EditAction.REMOVE: _remove,
    EditAction.ADD_NODE: _add_node,
    EditAction.REMOVE_NODE: _remove_node,
}


def _existing(tree: DeviceTree, path: str) -> None:
    if not path.startswith("/"):
        raise TreeError(f"{path!r} is no path of a node", hint="a path starts with /")
    if tree.node(path) is None:
        raise TreeError(f"there is no node {path}", hint="look at the paths in the tree")


def _check(pattern: re.Pattern[str], name: str, what: str, allowed: str) -> None:
    if pattern.fullmatch(name) is None:
        raise TreeError(f"{name!r} is no name for a {what}", hint=f"a {what}'s name is {allowed}")


def describe(
    tree: DeviceTree, edits: Sequence[TreeEdit] = ()
) -> list[tuple[str, list[Described], bool]]:
    """Every node of *tree*, parents first: its path, its properties, whether *edits* touch it.

    *tree* is the tree with *edits* applied.
    """
    touched = {(_path(edit.path), edit.property) for edit in edits}
    nodes = {_path(edit.path) for edit in edits}
    nodes |= {
        _path(edit.path).rpartition("/")[0] or "/"
        for edit in edits
        if edit.action is EditAction.REMOVE_NODE
    }
    described = []
    for path, node in tree.nodes():
        properties = [
            (prop.name, text_of(value), kind_of(value), (path, prop.name) in touched)
            for prop in node.props
            for value in (bytes(prop.data),)
        ]
        described.append((path, properties, path in nodes))
    return described


def _path(path: str) -> str:
    return path.rstrip("/") or "/"


def compare(old: DeviceTree, new: DeviceTree) -> list[str]:
    """What differs, in lines starting with ``-`` (only in *old*) or ``+`` (only in *new*)."""
    before = {path: values(node) for path, node in old.nodes()}
    after = {path: values(node) for path, node in new.nodes()}
    lines = []
    for path in [*before, *(path for path in after if path not in before)]:
        was, now = before.get(path), after.get(path)
        if now is None:
            lines.append(f"-{path}")
            continue
        if was is None:
            lines.append(f"+{path}")
        was = was or {}
        for name in [*was, *(name for name in now if name not in was)]:
            if was.get(name) == now.get(name):
                continue
            if name in was:
                lines.append(f"-{_line(path, name, was[name])}")
            if name in now:
                lines.append(f"+{_line(path, name, now[name])}")
    return lines


def _line(path: str, name: str, value: bytes) -> str:
    text = text_of(value)
    return f"{path} {name} = {text}" if text else f"{path} {name}"
