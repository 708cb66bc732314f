"""Parameters of trees and overlays, as Raspberry Pi's documentation describes them."""

import time
from collections.abc import Callable

import pytest

from bootmenu.devicetree.edits import compare
from bootmenu.devicetree.overlay import apply_overlays
from bootmenu.devicetree.overrides import apply_parameters, forget_parameters
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError

Compile = Callable[[str], bytes]

BASE = """/ {
    node: node { word = <1 2>; byte = [01 02 03]; text = "old"; flag; status = "disabled"; };
    other: other { word = <7>; };
    chosen: chosen { bootargs = "a"; };
    __overrides__ {
        word = <&node>,"word:4", <&other>,"word:0";
        long = <&node>,"word#0";
        short = <&node>,"byte;1";
        byte = <&node>,"byte.2";
        new = <&node>,"fresh:4";
        text = <&node>,"text";
        state = <&node>,"status";
        flag = <&node>,"flag?";
        noflag = <&node>,"flag!";
        mac = <&node>,"mac[";
        args = <&chosen>,"bootargs";
        fixed = <&node>,"word:0=0x2a", <&node>,"text=said";
        cells = <&node>,"word:0=",<0x12345678>;
        table = <&node>,"word:0{a=1,b=0x20,'c d'=3}";
        words = <&node>,"text{x=ecks,y,=other}";
    };
};
"""


@pytest.mark.parametrize(
    ("parameter", "name", "value"),
    [
        ("word=3", "word", b"\0\0\0\1\0\0\0\3"),
        ("word=0x10", "word", b"\0\0\0\1\0\0\0\x10"),
        ("word=on", "word", b"\0\0\0\1\0\0\0\1"),
        ("word=-1", "word", b"\0\0\0\1\xff\xff\xff\xff"),
        ("long=5", "word", b"\0\0\0\0\0\0\0\5"),
        ("short=0x1234", "byte", b"\1\x12\x34"),
        ("byte=9", "byte", b"\1\2\x09"),
        ("new=1", "fresh", b"\0\0\0\0\0\0\0\1"),
        ("text=new", "text", b"new\0"),
        ("state=on", "status", b"okay\0"),
        ("state=off", "status", b"disabled\0"),
        ("flag=off", "flag", None),
        ("flag=true", "flag", b""),
        ("noflag=yes", "flag", None),
        ("mac=00:11:aa:bb:cc:dd", "mac", bytes.fromhex("0011aabbccdd")),
        ("fixed=true", "word", b"\0\0\0\x2a\0\0\0\2"),
        ("fixed=true", "text", b"said\0"),
        ("cells=true", "word", b"\x12\x34\x56\x78\0\0\0\2"),
        ("table=b", "word", b"\0\0\0\x20\0\0\0\2"),
        ("table=c d", "word", b"\0\0\0\3\0\0\0\2"),
        ("words=x", "text", b"ecks\0"),
        ("words=y", "text", b"y\0"),
        ("words=z", "text", b"other\0"),
        ("unknown=1", "word", b"\0\0\0\1\0\0\0\2"),
    ],
)
def test_parameter_sets_what_it_declares(
    parameter: str, name: str, value: bytes | None, dtc: Compile
) -> None:
    tree = DeviceTree.parse(dtc(BASE))
    apply_parameters(tree, [parameter], "board.dtb")
    assert tree.get("/node", name) == value


def test_one_parameter_may_set_several_nodes_and_later_ones_win(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc(BASE))
    apply_parameters(tree, ["word=3", "word=4", "args=b c"], "board.dtb")
    assert tree.get("/other", "word") == b"\0\0\0\4"
    assert tree.get("/chosen", "bootargs") == b"a b c\0"


@pytest.mark.parametrize("parameter", ["word=x", "flag=perhaps", "mac=xyz", "table=q"])
def test_value_that_does_not_fit_is_refused_with_its_name(parameter: str, dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc(BASE))
    with pytest.raises(TreeError, match=rf"board\.dtb: {parameter} does not fit"):
        apply_parameters(tree, [parameter], "board.dtb")


OVERLAY = """/plugin/; / {
    fragment@0 { target = <&uart>; __overlay__ { status = "okay"; speed = <1>; }; };
    fragment@1 { target = <&uart>; frag1: __dormant__ { extra; clocks = <&clk>, <&led>; }; };
    fragment@2 { target = <&led>; __overlay__ { clk: clock { rate = <1>; }; }; };
    __overrides__ {
        extra = <0>,"+1";
        bare = <0>,"-0!1";
        either = <0>,"=1!0";
        speed = <&frag1>,"speed:0";
        rate = <&clk>,"rate:0";
        base = <&uart>,"speed:0";
    };
};
"""


@pytest.mark.parametrize(
    ("parameters", "uart", "rate"),
    [
        ([], {"status", "speed"}, 1),
        (["extra=true"], {"status", "speed", "extra", "clocks"}, 1),
        (["bare=on"], set(), 1),
        (["bare=off"], {"extra", "clocks"}, 1),
        (["either=on"], {"status", "speed", "extra", "clocks"}, 1),
        (["extra=true", "speed=9", "rate=5"], {"status", "speed", "extra", "clocks"}, 5),
    ],
)
def test_fragments_of_an_overlay_are_switched_and_still_apply(
    parameters: list[str], uart: set[str], rate: int, dtc: Compile
) -> None:
    base = DeviceTree.parse(dtc("/ { uart: uart { }; led: led { }; };"))
    overlay = DeviceTree.parse(dtc(OVERLAY))
    apply_parameters(overlay, parameters, "x.dtbo")
    forget_parameters(overlay)
    merged = apply_overlays(base, [("x.dtbo", overlay.serialize())])
    assert set(merged.properties("/uart")) - {"phandle"} == uart
    assert merged.get("/led/clock", "rate") == rate.to_bytes(4, "big")
    if "speed=9" in parameters:
        assert merged.get("/uart", "speed") == (9).to_bytes(4, "big")
    if "clocks" in uart:  # its references were moved along with the fragment
        clocks = merged.get("/uart", "clocks")
        assert clocks is not None
        assert clocks[:4] == merged.get("/led/clock", "phandle")
        assert clocks[4:] == merged.get("/led", "phandle")
    assert merged.node("/__overrides__") is None


def test_target_in_the_base_tree_is_refused(dtc: Compile) -> None:
    overlay = DeviceTree.parse(dtc(OVERLAY))
    with pytest.raises(TreeError, match="not in the same file"):
        apply_parameters(overlay, ["base=1"], "x.dtbo")


def test_damaged_declarations_are_refused(dtc: Compile) -> None:
    for data in (b"\0\0\0", b"\0\0\0\1abc", b"\0\0\0\0", b"\0\0\0\1word:9999999\0"):
        tree = DeviceTree.parse(dtc(BASE))
        tree.set("/__overrides__", "word", data)
        with pytest.raises(TreeError):
            apply_parameters(tree, ["word=1"], "board.dtb")


def test_wide_hostile_overlay_is_done_in_time(dtc: Compile) -> None:
    tree = DeviceTree.parse(
        dtc(
            "/ { a { leaf { }; }; f { __overlay__ { }; }; b: b { }; "
            '__overrides__ { p = <&b>,"x"; }; };'
        )
    )
    for parent, path, many in (("/a", "/a/leaf", 30_000), ("/", "/f", 5_000)):
        node = tree.node(path)
        assert node is not None
        name = node.name
        for number in range(many):
            node.set_name(f"n{number}")
            tree.graft(parent, node)
        node.set_name(name)
    before, started = tree.copy(), time.thread_time()
    apply_parameters(tree, ["p=1"], "wide")
    forget_parameters(tree)
    assert '+/b x = "1"' in compare(before, tree)
    assert time.thread_time() - started < 10


def test_parameter_changes_no_more_than_anybody_would_declare(dtc: Compile) -> None:
    many = ",".join(['<&b>,"x"'] * 257)
    tree = DeviceTree.parse(dtc(f"/ {{ b: b {{ }}; __overrides__ {{ p = {many}; }}; }};"))
    with pytest.raises(TreeError, match="parameter p is damaged"):
        apply_parameters(tree, ["p=1"], "many")
