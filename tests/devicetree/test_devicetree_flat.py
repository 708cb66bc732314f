"""Flattened trees: read and written as dtc does it, and never more than a TreeError."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootmenu.devicetree.flat import Reservation, blank, scan
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError

Compile = Callable[[str], bytes]
Decompile = Callable[[bytes], str]

SOURCE = """
/memreserve/ 0x48000000 0x100000;
/ {
    compatible = "a,board", "";
    #address-cells = <1>;
    empty;
    odd = [01 02 03];
    phantom_with_references = <1>;
    one { reg = <1>; two@1 { text = "x\\"y\\n"; }; };
    three { };
};
"""


def test_real_board_reads_the_same_in_dtc(virt_dtb: bytes, dts: Decompile) -> None:
    written = DeviceTree.parse(virt_dtb).serialize()
    assert dts(written) == dts(virt_dtb)
    assert len(written) < 10_000


def test_everything_in_a_source_survives(dtc: Compile, dts: Decompile) -> None:
    data = dtc(SOURCE)
    tree = DeviceTree.parse(data)
    assert dts(tree.serialize()) == dts(data)
    assert tree.get("/", "compatible") == b"a,board\0\0"
    assert tree.get("/one/two@1", "text") == b'x"y\n\0'
    assert tree.properties("/three") == {}
    assert tree.reservations == [Reservation(0x48000000, 0x100000)]


def test_older_version_16(dtc: Compile, dts: Decompile) -> None:
    data = bytearray(dtc(SOURCE))
    struct.pack_into(">I", data, 20, 16)
    assert dts(DeviceTree.parse(bytes(data)).serialize()) == dts(dtc(SOURCE))


def test_nops_of_the_running_kernel_are_skipped(dtc: Compile, dts: Decompile) -> None:
    data = bytearray(dtc(SOURCE))
    (start,) = struct.unpack_from(">I", data, 8)
    at = data.index(struct.pack(">II", 3, 3), start)  # the property of three bytes
    data[at : at + 16] = struct.pack(">4I", 4, 4, 4, 4)
    tree = DeviceTree.parse(bytes(data))
    assert tree.get("/", "odd") is None
    assert tree.get("/", "phantom_with_references") == b"\0\0\0\1"


def test_reservations_of_one_tree_do_not_reach_the_next(dtc: Compile) -> None:
    DeviceTree.parse(dtc(SOURCE)).reservations.append(Reservation(1, 2))
    assert DeviceTree.parse(dtc("/ { };")).reservations == []


def test_copy_is_independent(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc(SOURCE))
    before = tree.serialize()
    copied = tree.copy()
    copied.set("/one", "reg", b"")
    copied.remove_node("/three")
    copied.reservations.clear()
    assert tree.serialize() == before


def test_twin_nodes_are_told_apart(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc("/ { a { x; }; b { c { x; }; d { x; }; }; };"))
    assert tree.remove_node("/b/d")
    assert [path for path, _ in tree.nodes()] == ["/", "/a", "/b", "/b/c"]


def test_blanked_seeds_change_nothing_else(dtc: Compile) -> None:
    data = dtc(
        '/ { chosen { kaslr-seed = <1 2>; bootargs = "a"; }; other { kaslr-seed = [03]; }; };'
    )
    clean = blank(data, frozenset({"kaslr-seed"}))
    assert len(clean) == len(data)
    tree = DeviceTree.parse(clean)
    assert tree.get("/chosen", "kaslr-seed") == bytes(8)
    assert tree.get("/other", "kaslr-seed") == bytes(1)
    assert tree.get("/chosen", "bootargs") == b"a\0"


def test_what_firmware_left_behind_a_tree_is_blanked_as_well(dtc: Compile) -> None:
    data = dtc(SOURCE)
    padded = data[:4] + struct.pack(">I", len(data) + 4096) + data[8:]
    clean = blank(padded + b"a key of a former system".ljust(4096, b"."), frozenset())
    assert clean == padded + bytes(4096)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:20], "cut off"),
        (lambda d: b"MZ" + d[2:], "magic number"),
        (lambda d: d[:-1], "truncated"),
        (lambda d: d[:20] + struct.pack(">II", 99, 99) + d[28:], "version"),
        (lambda d: d[:4] + struct.pack(">I", 3 << 20) + d[8:] + bytes(3 << 20), "claims"),
        (lambda d: d[:8] + struct.pack(">I", 1 << 30) + d[12:], "outside"),
        (lambda d: d.replace(b"three\0", b"on\0\0\0\0").replace(b"one\0", b"on\0\0"), "twice"),
        (lambda d: d.replace(b"three\0", b"thr/e\0"), "invalid"),
    ],
)
def test_each_damage_has_its_message(
    dtc: Compile, change: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(TreeError, match=message):
        DeviceTree.parse(change(dtc(SOURCE)))


def test_bottomless_tree_is_refused() -> None:
    body = struct.pack(">II", 1, 0) + struct.pack(">I4s", 1, b"a") * 70
    body += struct.pack(">I", 2) * 71 + struct.pack(">I", 9)
    header = struct.pack(">10I", 0xD00DFEED, 56 + len(body), 56, 56, 40, 17, 16, 0, 0, len(body))
    with pytest.raises(TreeError, match="deeper"):
        DeviceTree.parse(header + bytes(16) + body)


def test_paths_of_hostile_trees_are_bounded() -> None:
    """100,000 nodes below one with a name of a megabyte have 100 GB of paths."""
    body = struct.pack(">II", 1, 0) + struct.pack(">I", 1) + b"a" * 2000 + bytes(4)
    body += struct.pack(">III", 2, 2, 9)
    header = struct.pack(">10I", 0xD00DFEED, 56 + len(body), 56, 56, 40, 17, 16, 0, 0, len(body))
    with pytest.raises(TreeError, match="path has more than 1,024 characters"):
        DeviceTree.parse(header + bytes(16) + body)
    with pytest.raises(TreeError, match="path has more than 1,024 characters"):
        list(scan(header + bytes(16) + body))


def test_wide_hostile_tree_is_read_in_time() -> None:
    names = b"".join(b"p%05x\0" % number for number in range(60_000))
    props = b"".join(struct.pack(">III", 3, 0, number * 7) for number in range(60_000))
    body = struct.pack(">II", 1, 0) + props + struct.pack(">II", 2, 9)
    total = 56 + len(body) + len(names)
    header = struct.pack(
        ">10I", 0xD00DFEED, total, 56, 56 + len(body), 40, 17, 16, 0, len(names), len(body)
    )
    assert len(DeviceTree.parse(header + bytes(16) + body + names).properties("/")) == 60_000


@settings(max_examples=400)
@given(data=st.data())
def test_garbled_trees_only_give_tree_errors(virt_dtb: bytes, data: st.DataObject) -> None:
    garbled = bytearray(virt_dtb[:9000])
    struct.pack_into(">I", garbled, 4, 9000)
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, 8999), st.integers(0, 255)), max_size=8)
    ):
        garbled[at] = value
    cut = data.draw(st.integers(0, 9000))
    for candidate in (bytes(garbled), bytes(garbled[:cut])):
        try:
            tree = DeviceTree.parse(candidate)
            assert DeviceTree.parse(tree.serialize()).serialize() == tree.serialize()
        except TreeError as error:
            assert error.message
