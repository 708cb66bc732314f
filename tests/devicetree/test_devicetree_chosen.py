"""What the next kernel is told: its own cmdline, initrd and seeds, none of the running one's."""

import struct
from collections.abc import Callable

import pytest

from bootmenu.devicetree.chosen import ENTROPY, Initrd, bootargs, graft, hand_over
from bootmenu.devicetree.flat import Reservation
from bootmenu.devicetree.memory import memory
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import TreeError

Compile = Callable[[str], bytes]

RUNNING = """
/memreserve/ 0x48000000 0x100000;
/memreserve/ 0x50000000 0x1800;
/memreserve/ 0x60000000 0x2000;
/ {
    #address-cells = <2>; #size-cells = <2>;
    memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x40000000>; };
    reserved-memory {
        #address-cells = <2>; #size-cells = <2>; ranges;
        firmware@7f000000 { reg = <0 0x7f000000 0 0x10000>; no-map; phandle = <7>; };
        pool { size = <0 0x100000>; };
    };
    chosen {
        bootargs = "old"; stdout-path = "/uart";
        linux,initrd-start = <0 0x50000000>; linux,initrd-end = <0x50001234>;
        linux,elfcorehdr = <0 1 0 2>; linux,usable-memory-range = <0 1 0 2>;
        linux,ima-kexec-buffer = <1>; linux,kho-fdt = <1>; linux,kho-scratch = <1>;
        linux,uefi-system-table = <0 0x7e000000>; linux,uefi-secure-boot = <1>;
        kaslr-seed = <0 0>;
    };
};
"""
ENTROPY_BYTES = bytes(range(ENTROPY))


INITRD = Initrd(0x7000_0000, 0x7000_0123)


def told(tree: DeviceTree, cmdline: str = "new", initrd: Initrd | None = INITRD) -> DeviceTree:
    hand_over(tree, cmdline=cmdline, initrd=initrd, entropy=ENTROPY_BYTES, page_size=4096)
    return DeviceTree.parse(tree.serialize())


def test_cmdline_is_byte_for_byte(dtc: Compile) -> None:
    cmdline = 'root=/dev/vda1  a="b  c" ü \udcff'
    tree = told(DeviceTree.parse(dtc(RUNNING)), cmdline)
    assert tree.get("/chosen", "bootargs") == cmdline.encode("utf-8", "surrogateescape") + b"\0"
    assert bootargs(tree) == cmdline


def test_nothing_of_the_running_kernel_is_left(dtc: Compile) -> None:
    names = set(told(DeviceTree.parse(dtc(RUNNING)), "", None).properties("/chosen"))
    assert names == {
        "stdout-path",
        "linux,uefi-system-table",
        "linux,uefi-secure-boot",
        "kaslr-seed",
        "rng-seed",
        "linux,booted-from-kexec",
    }


def test_initrd_end_is_exact_and_reserved(dtc: Compile) -> None:
    tree = told(DeviceTree.parse(dtc(RUNNING)))
    assert tree.get("/chosen", "linux,initrd-start") == struct.pack(">Q", 0x7000_0000)
    assert tree.get("/chosen", "linux,initrd-end") == struct.pack(">Q", 0x7000_0123)
    assert Reservation(0x7000_0000, 0x123) in tree.reservations


def test_seeds_are_the_given_entropy(dtc: Compile) -> None:
    tree = told(DeviceTree.parse(dtc("/ { };")))
    assert tree.get("/chosen", "kaslr-seed") == ENTROPY_BYTES[:8]
    assert tree.get("/chosen", "rng-seed") == ENTROPY_BYTES[8:]


def test_reservations_of_the_old_initrd_and_tree_are_dropped(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc(RUNNING))
    tree.size = 0x1F00  # reserved in whole pages, as the initrd is not
    tree.reservations[1] = Reservation(0x50000000, 0x1234)
    assert told(tree, "", None).reservations == [Reservation(0x48000000, 0x100000)]


def test_reservation_of_firmware_of_the_same_size_as_the_tree_stays(dtc: Compile) -> None:
    tree = DeviceTree.parse(
        dtc("/memreserve/ 0x80000000 0x10000; /memreserve/ 0xbf000000 0x10000; / { };")
    )
    tree.size = 0x10000
    assert told(tree, "", None).reservations == [Reservation(0x80000000, 0x10000)]


def test_dtb_from_disk_gets_what_firmware_knows(dtc: Compile) -> None:
    tree = DeviceTree.parse(
        dtc(
            '/ { #address-cells = <1>; #size-cells = <1>; memory { device_type = "memory"; '
            'reg = <0 0>; }; chosen { bootargs = "its own"; }; other { phandle = <7>; }; };'
        )
    )
    graft(tree, DeviceTree.parse(dtc(RUNNING)))
    assert tree.node("/memory") is None
    assert tree.get("/memory@40000000", "reg") == struct.pack(">II", 0x40000000, 0x40000000)
    firmware = "/reserved-memory/firmware@7f000000"
    assert tree.get(firmware, "reg") == struct.pack(">II", 0x7F000000, 0x10000)
    # Linux ignores the whole node unless its cells are the root's.
    assert tree.get("/reserved-memory", "#address-cells") == b"\0\0\0\1"
    assert tree.get("/reserved-memory", "#size-cells") == b"\0\0\0\1"
    assert tree.get("/reserved-memory", "ranges") == b""
    assert tree.get(firmware, "phandle") is None
    assert tree.node("/reserved-memory/pool") is None
    assert tree.get("/chosen", "linux,uefi-secure-boot") == b"\0\0\0\1"
    assert bootargs(tree) == "its own"


def test_dtb_that_was_copied_from_another_start_knows_nothing_of_uefi(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc("/ { chosen { linux,uefi-mmap-start = <0 1>; a; }; };"))
    graft(tree, DeviceTree.parse(dtc("/ { };")))
    assert tree.properties("/chosen") == {"a": b""}


def test_dtb_that_knows_its_memory_keeps_what_is_there(dtc: Compile) -> None:
    running = DeviceTree.parse(dtc(RUNNING))  # 1 GiB at 1 GiB
    for said, kept in (
        ("<0 0x50000000 0 0x1000>", [(0x50000000, 0x1000)]),
        ("<0 0x20000000 0 0x30000000>", [(0x40000000, 0x10000000)]),
        ("<0 0 1 0>", [(0x40000000, 0x40000000)]),
        ("<0 0 0 0x40000000>", [(0x40000000, 0x40000000)]),  # all of it is another board's
    ):
        source = f'memory@0 {{ device_type = "memory"; reg = {said}; }};'
        tree = DeviceTree.parse(dtc(f"/ {{ #address-cells = <2>; #size-cells = <2>; {source} }};"))
        graft(tree, running)
        assert memory(tree) == kept


def test_regions_take_the_cells_of_the_tree_they_come_to(dtc: Compile) -> None:
    tree = DeviceTree.parse(
        dtc("/ { reserved-memory { #address-cells = <1>; #size-cells = <1>; ranges; }; };")
    )
    graft(tree, DeviceTree.parse(dtc(RUNNING)))
    firmware = "/reserved-memory/firmware@7f000000"
    assert tree.get(firmware, "reg") == struct.pack(">II", 0x7F000000, 0x10000)


def test_memory_that_the_cells_of_the_tree_cannot_say_is_parted_or_left_out(dtc: Compile) -> None:
    running = DeviceTree.parse(
        dtc(
            '/ { #address-cells = <2>; #size-cells = <2>; memory@0 { device_type = "memory"; '
            "reg = <0 0 0 0x40000000>, <1 0 2 0>; }; };"
        )
    )
    high = DeviceTree.parse(dtc("/ { #address-cells = <2>; #size-cells = <1>; };"))
    graft(high, running)
    assert memory(high) == [
        (0, 1 << 30),
        (4 << 30, 3 << 30),
        (7 << 30, 3 << 30),
        (10 << 30, 2 << 30),
    ]
    low = DeviceTree.parse(dtc("/ { #address-cells = <1>; #size-cells = <1>; };"))
    graft(low, running)
    assert low.get("/memory@0", "reg") == struct.pack(">II", 0, 0x40000000)


def test_memory_is_what_a_kernel_takes_for_it(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc("/ { memory@0 { reg = <0 1 0x1000>; }; };"))
    assert memory(tree) == []
    graft(tree, DeviceTree.parse(dtc(RUNNING)))
    assert memory(tree) == [(0x40000000, 0x40000000)]


def test_cells_beyond_reason_are_a_damaged_tree(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc("/ { #address-cells = <0x7fffffff>; };"))
    with pytest.raises(TreeError, match="2147483647 cells"):
        graft(tree, DeviceTree.parse(dtc(RUNNING)))


def test_stub_of_uefi_grafts_its_pointers(dtc: Compile) -> None:
    tree = DeviceTree.parse(dtc("/ { cpus { }; memory@0 { reg = <1 1>; }; };"))
    stub = DeviceTree.parse(dtc("/ { chosen { linux,uefi-mmap-start = <0 0x7d000000>; }; };"))
    graft(tree, stub)
    assert tree.get("/chosen", "linux,uefi-mmap-start") == struct.pack(">Q", 0x7D000000)
