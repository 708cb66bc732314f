"""A person's edits: applied in order, refused with a reason, shown as a difference."""

from collections.abc import Callable

import pytest

from bootmenu.devicetree.edits import apply_edits, compare, describe
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError
from bootmenu.model import EditAction, TreeEdit

SET, REMOVE = EditAction.SET, EditAction.REMOVE
ADD_NODE, REMOVE_NODE = EditAction.ADD_NODE, EditAction.REMOVE_NODE


@pytest.fixture
def tree(dtc: Callable[[str], bytes]) -> DeviceTree:
    return DeviceTree.parse(dtc('/ { model = "m"; uart@9 { status = "okay"; irq = <1>; }; };'))


def test_edits_build_on_each_other(tree: DeviceTree) -> None:
    apply_edits(
        tree,
        [
            TreeEdit(SET, "/uart@9", "status", '"disabled"'),
            TreeEdit(REMOVE, "/uart@9", "irq"),
            TreeEdit(ADD_NODE, "/new"),
            TreeEdit(ADD_NODE, "/new/inner@1"),
            TreeEdit(SET, "/new/inner@1", "reg", "<1>"),
            TreeEdit(SET, "/", "flag"),
        ],
    )
    tree = DeviceTree.parse(tree.serialize())
    assert tree.properties("/uart@9") == {"status": b"disabled\0"}
    assert tree.get("/new/inner@1", "reg") == b"\0\0\0\1"
    assert tree.get("/", "flag") == b""
    apply_edits(tree, [TreeEdit(REMOVE_NODE, "/new")])
    assert tree.node("/new/inner@1") is None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (TreeEdit(SET, "/none", "a", ""), "cannot set /none a: there is no node /none"),
        (TreeEdit(SET, "uart@9", "a", ""), "no path"),
        (TreeEdit(SET, "/", "with space", ""), "no name for a property"),
        (TreeEdit(SET, "/", "p" * 32, ""), "no name for a property"),
        (TreeEdit(SET, "/", "", ""), "no name for a property"),
        (TreeEdit(SET, "/", "model", "<oops>"), "no number"),
        (TreeEdit(REMOVE, "/", "none"), "no such property"),
        (TreeEdit(ADD_NODE, "/uart@9"), "there already"),
        (TreeEdit(ADD_NODE, "/a/b"), "no node /a"),
        (TreeEdit(ADD_NODE, "/1st"), "no name for a node"),
        (TreeEdit(ADD_NODE, "/" + "n" * 32), "no name for a node"),
        (TreeEdit(ADD_NODE, "/a@"), "no name for a node"),
        (TreeEdit(ADD_NODE, "/ü"), "no name for a node"),
        (TreeEdit(REMOVE_NODE, "/none"), "no node /none"),
        (TreeEdit(REMOVE_NODE, "/"), "root cannot be removed"),
    ],
)
def test_each_impossible_edit_says_why(tree: DeviceTree, edit: TreeEdit, message: str) -> None:
    with pytest.raises(TreeError, match=message) as caught:
        apply_edits(tree, [edit])
    assert caught.value.hint


def test_nodes_cannot_be_nested_without_end(tree: DeviceTree) -> None:
    edits = [TreeEdit(ADD_NODE, "/a" * depth) for depth in range(1, 100)]
    with pytest.raises(TreeError, match="deeper"):
        apply_edits(tree, edits)
    assert DeviceTree.parse(tree.serialize()).node("/a" * 63) is not None


def test_description_marks_what_was_changed(tree: DeviceTree) -> None:
    edits = [TreeEdit(SET, "/uart@9", "irq", "<2>"), TreeEdit(ADD_NODE, "/new/")]
    apply_edits(tree, edits)
    assert describe(tree, edits) == [
        ("/", [("model", '"m"', "strings", False)], False),
        (
            "/uart@9",
            [("status", '"okay"', "strings", False), ("irq", "<0x2>", "cells", True)],
            True,
        ),
        ("/new", [], True),
    ]


def test_difference_is_what_was_edited(tree: DeviceTree) -> None:
    old = tree.copy()
    assert compare(old, tree) == []
    apply_edits(
        tree,
        [
            TreeEdit(SET, "/uart@9", "irq", "<2>"),
            TreeEdit(REMOVE, "/", "model"),
            TreeEdit(ADD_NODE, "/new"),
            TreeEdit(SET, "/new", "flag"),
        ],
    )
    assert compare(old, tree) == [
        '-/ model = "m"',
        "-/uart@9 irq = <0x1>",
        "+/uart@9 irq = <0x2>",
        "+/new",
        "+/new flag",
    ]
    assert compare(tree, old)[-1] == "-/new"
