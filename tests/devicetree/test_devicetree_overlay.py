"""Overlays: the same tree that the fdtoverlay tool makes."""

from collections.abc import Callable
from random import Random

import pytest

from bootmenu.devicetree.overlay import apply_overlays
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError

Compile = Callable[[str], bytes]

BASE = '/ { uart: uart@9 { status = "disabled"; }; led { }; };'
OVERLAY = """/plugin/;
&uart { status = "okay"; clocks = <&clk 1>; clk: clock { #clock-cells = <1>; }; };
"""


def apply_overlay(base: bytes, overlay: bytes, name: str = "x.dtbo") -> bytes:
    return apply_overlays(DeviceTree.parse(base), [(name, overlay)]).serialize()


def test_same_as_fdtoverlay(
    dtc: Compile, dts: Callable[[bytes], str], fdtoverlay: Callable[[bytes, bytes], bytes]
) -> None:
    base, overlay = dtc(BASE), dtc(OVERLAY)
    merged = apply_overlay(base, overlay, "x.dtbo")
    assert dts(merged) == dts(fdtoverlay(base, overlay))
    assert DeviceTree.parse(merged).get("/uart@9", "status") == b"okay\0"


def test_onto_a_tree_that_we_wrote(dtc: Compile) -> None:
    base = DeviceTree.parse(dtc(BASE)).serialize()
    merged = DeviceTree.parse(apply_overlay(base, dtc(OVERLAY), "x.dtbo"))
    assert merged.node("/uart@9/clock") is not None


def test_labels_below_a_node_with_a_long_path_have_room(
    dtc: Compile, dts: Callable[[bytes], str], fdtoverlay: Callable[[bytes, bytes], bytes]
) -> None:
    names = [f"{number:030}" for number in range(8)]
    base = dtc("/ { " + "".join(f"n{name} {{ " for name in names) + "deep: x { };" + "};" * 9)
    labels = "".join(f"s{number}: s{number} {{ }}; " for number in range(100))
    overlay = dtc(f"/plugin/; &deep {{ {labels} }};")
    assert dts(apply_overlay(base, overlay)) == dts(fdtoverlay(base, overlay))


def test_overlay_that_makes_the_tree_too_large(dtc: Compile) -> None:
    base, overlay = DeviceTree.parse(dtc(BASE)), DeviceTree.parse(dtc(OVERLAY))
    base.set("/led", "large", bytes(1 << 20))
    overlay.set("/fragment@0/__overlay__", "large", bytes(1 << 20))
    with pytest.raises(TreeError, match=r"x\.dtbo: the overlay does not apply") as caught:
        apply_overlay(base.serialize(), overlay.serialize())
    assert "2 MiB" in caught.value.hint


def test_for_another_board(dtc: Compile) -> None:
    with pytest.raises(TreeError, match=r"x\.dtbo: the overlay does not apply") as caught:
        apply_overlay(dtc("/ { };"), dtc(OVERLAY), "x.dtbo")
    assert "another board" in caught.value.hint


def test_plain_tree_is_no_overlay(dtc: Compile, virt_dtb: bytes) -> None:
    for plain in (b"", b"garbage" * 20, virt_dtb):
        with pytest.raises(TreeError):
            apply_overlay(dtc(BASE), plain, "x.dtbo")


def test_the_overlay_at_fault_is_named(dtc: Compile) -> None:
    other = dtc("/plugin/; &nowhere { };")
    with pytest.raises(TreeError, match=r"two\.dtbo"):
        apply_overlays(
            DeviceTree.parse(dtc(BASE)), [("one.dtbo", dtc(OVERLAY)), ("two.dtbo", other)]
        )


def test_garbled_overlays_never_crash_the_menu(dtc: Compile) -> None:
    base, overlay = DeviceTree.parse(dtc(BASE)), dtc(OVERLAY)
    random = Random(5)
    refused = 0
    for _ in range(40):
        garbled = bytearray(overlay)
        for _ in range(4):
            garbled[random.randrange(56, len(garbled))] = random.randrange(256)
        try:
            apply_overlays(base, [("x.dtbo", bytes(garbled))])
        except TreeError:
            refused += 1
    assert refused > 20


def test_an_overlay_that_crashes_libfdt(dtc: Compile) -> None:
    """libfdt 1.6.1 follows an offset with the top bit set out of the tree."""
    overlay = DeviceTree.parse(dtc(OVERLAY))
    overlay.set("/__local_fixups__/fragment@0/__overlay__", "clocks", b"\x94\0\0\0")
    with pytest.raises(TreeError, match=r"x\.dtbo"):
        apply_overlays(DeviceTree.parse(dtc(BASE)), [("x.dtbo", overlay.serialize())])
