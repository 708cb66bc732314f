"""Raspberry Pi's config.txt: filters, prefixes, names by board, overlays and their parameters."""

import time

import pytest
from parsers_trees import Scan

from bootmenu.model import BootEntry, Configuration, Resource

PI3 = ("raspberrypi,3-model-b-plus", "brcm,bcm2837")
PI4 = ("raspberrypi,4-model-b", "brcm,bcm2711")
CM4 = ("raspberrypi,4-compute-module", "brcm,bcm2711")
PI5 = ("raspberrypi,5-model-b", "brcm,bcm2712")
ZERO2 = ("raspberrypi,model-zero-2-w", "brcm,bcm2837")

FILES = {
    "/cmdline.txt": "root=/dev/mmcblk0p2 console=serial0,115200\n",
    "/kernel8.img": "k",
    "/bcm2711-rpi-4-b.dtb": "d",
    "/bcm2710-rpi-3-b-plus.dtb": "d",
}


def read(
    scan_tree: Scan,
    config: str | None,
    files: dict[str, str] | None = None,
    board: tuple[str, ...] = PI4,
) -> list[Configuration]:
    tree = {**FILES, **(files or {}), **({} if config is None else {"/config.txt": config})}
    found = scan_tree(tree, fstype="vfat", compatible=board)
    return [c for c in found if c.format == "raspberrypi"]


def entry(
    scan_tree: Scan,
    config: str | None,
    files: dict[str, str] | None = None,
    board: tuple[str, ...] = PI4,
) -> BootEntry:
    return read(scan_tree, config, files, board)[0].entries[0]


@pytest.mark.parametrize(
    ("filters", "board", "holds"),
    [
        ("[all]", PI4, True),
        ("[none]", PI4, False),
        ("[none]\n[pi4]", PI4, False),
        ("[none]\n[all]", PI4, True),
        ("[pi4]", PI4, True),
        ("[pi4]", CM4, True),
        ("[cm4]", PI4, False),
        ("[pi3]", PI3, True),
        ("[pi3+]", PI3, True),
        ("[pi02]", ZERO2, True),
        ("[pi0w]", ZERO2, True),
        ("[pi5]", PI5, True),
        ("[pi5]\n[pi4]", PI4, True),
        ("[EDID=VSC-TD2220]", PI4, False),
        ("[EDID=VSC-TD2220]\n[pi4]", PI4, False),
        ("[0x12345678]", PI4, False),
        ("[gpio4=1]", PI4, False),
        ("[HDMI:0]", PI4, True),
        ("[tryboot]", PI4, False),
        ("[board-type=0x11]", PI4, True),
        ("[board-type=0x14]", PI4, False),
        ("[PI4]", PI4, True),
        ("[pi4]", ("acme,board",), False),
        ("[strange]", PI4, False),
    ],
)
def test_filters(filters: str, board: tuple[str, ...], holds: bool, scan_tree: Scan) -> None:
    config = f"kernel=a.img\n{filters}\nkernel=b.img\n"
    found = entry(scan_tree, config, {"/a.img": "", "/b.img": ""}, board)
    assert found.kernel is not None
    assert found.kernel.path == ("/b.img" if holds else "/a.img")


@pytest.mark.parametrize(
    ("board", "config", "there", "kernel"),
    [
        (PI4, "", [], "/kernel8.img"),
        (PI4, "arm_64bit=0", ["/kernel7l.img"], "/kernel7l.img"),
        (PI3, "", ["/kernel7.img"], "/kernel7.img"),
        (PI3, "arm_64bit=1", ["/kernel7.img"], "/kernel8.img"),
        (PI5, "", [], "/kernel8.img"),
        (PI5, "", ["/kernel_2712.img"], "/kernel_2712.img"),
        ((), "", ["/kernel_2712.img"], "/kernel8.img"),
        (PI4, "kernel=vmlinuz", ["/vmlinuz"], "/vmlinuz"),
        (PI4, "kernel=/a/b", ["/a/b"], "/a/b"),
    ],
)
def test_kernel_by_board(
    board: tuple[str, ...], config: str, there: list[str], kernel: str, scan_tree: Scan
) -> None:
    found = entry(scan_tree, config + "\n", dict.fromkeys(there, ""), board)
    assert found.kernel == Resource(kernel, "vda2")
    assert any("32-bit" in p for p in found.problems) == ("kernel7" in kernel)


def test_initramfs_has_no_equals_sign_and_wins_over_the_automatic_one(scan_tree: Scan) -> None:
    files = {"/initramfs8": "", "/a": "", "/b": ""}
    assert entry(scan_tree, "auto_initramfs=1", files).initrds == (Resource("/initramfs8", "vda2"),)
    config = "auto_initramfs=1\ninitramfs a,b followkernel\n"
    assert [r.path for r in entry(scan_tree, config, files).initrds] == ["/a", "/b"]
    assert entry(scan_tree, "initramfs a 0x00800000", files).initrds[0].path == "/a"
    assert not entry(scan_tree, "", files).initrds


def test_prefix_counts_only_where_kernel_and_tree_are(scan_tree: Scan) -> None:
    files = {"/new/kernel8.img": "", "/new/cmdline.txt": "new"}
    found = entry(scan_tree, "os_prefix=new/\ninitramfs i followkernel\n", files)
    assert (found.kernel, found.cmdline) == (
        Resource("/kernel8.img", "vda2"), "root=/dev/mmcblk0p2 console=ttyS0,115200",
    )  # fmt: skip
    files["/new/bcm2711-rpi-4-b.dtb"] = ""
    found = entry(scan_tree, "os_prefix=new/\ninitramfs i followkernel\n", files)
    assert [r.path for r in found.resources] == [
        "/new/kernel8.img", "/new/bcm2711-rpi-4-b.dtb", "/new/i",
    ]  # fmt: skip
    assert found.cmdline == "new"


def test_overlays_keep_their_parameters_in_order(scan_tree: Scan) -> None:
    config = """dtparam=audio=on,spi
dtoverlay=a,x=1,y
dtparam=z=2
dtoverlay=b:q=3
dtoverlay=
dtparam=i2c=on
dtoverlay=gone
"""
    (found,) = read(scan_tree, config, {"/overlays/a.dtbo": "", "/overlays/b.dtbo": ""})
    (only,) = found.entries
    assert only.dtb is not None
    assert only.dtb.parameters == ("audio=on", "spi=true", "i2c=on")
    assert [(r.path, r.parameters) for r in only.overlays] == [
        ("/overlays/a.dtbo", ("x=1", "y=true", "z=2")),
        ("/overlays/b.dtbo", ("q=3",)),
    ]
    assert str(found.problems[0]) == (
        "vda2:/config.txt:7: no overlay 'gone' for this board, it is left out"
    )


@pytest.mark.parametrize(
    ("board", "config", "console"),
    [
        (PI4, "", "ttyS0"),
        (PI4, "dtoverlay=disable-bt", "ttyAMA0"),
        (PI3, "enable_uart=1", "ttyS0"),
        (PI5, "", "ttyAMA10"),
        (("raspberrypi,2-model-b",), "", "ttyAMA0"),
        (("acme,board",), "", "serial0"),
    ],
)
def test_serial0_becomes_the_port_of_the_board(
    board: tuple[str, ...], config: str, console: str, scan_tree: Scan
) -> None:
    found = entry(scan_tree, config + "\n", {"/kernel7.img": ""}, board)
    assert found.cmdline == f"root=/dev/mmcblk0p2 console={console},115200"


def test_tree_by_setting_by_name_or_none(scan_tree: Scan) -> None:
    dtbs = [entry(scan_tree, text).dtb for text in ("", "device_tree=x.dtb", "device_tree=")]
    assert [dtb and dtb.path for dtb in dtbs] == ["/bcm2711-rpi-4-b.dtb", "/x.dtb", None]


def test_defaults_hold_without_config_and_other_loaders_are_not_listed(scan_tree: Scan) -> None:
    assert entry(scan_tree, None, {"/start4.elf": ""}).cmdline.startswith("root=")
    assert not read(scan_tree, "kernel=u-boot.bin\n", {"/u-boot.bin": ""})


def test_config_of_something_else_is_left_alone(scan_tree: Scan) -> None:
    found = scan_tree({"/config.txt": "a=b\n", "/boot/config.txt": "c\n"}, compatible=PI4)
    assert found == []


def test_includes_are_read_and_bounded(scan_tree: Scan) -> None:
    files = {"/x.txt": "include x.txt\nkernel=x.img\n", "/x.img": ""}
    (found,) = read(scan_tree, "include x.txt\ninclude gone.txt\ngarbage\n", files)
    assert found.entries[0].kernel == Resource("/x.img", "vda2")
    assert [p.message for p in found.problems] == [
        "files include each other without end",
        "no such file: /gone.txt",
        "not understood: garbage",
    ]


def test_hostile_config_costs_little(scan_tree: Scan) -> None:
    started = time.thread_time()
    for text in ("[" * 200_000, "dtoverlay=a\n" * 15_000, "dtparam=" + "a," * 100_000,
                 "include config.txt\n" * 9000, "[pi4]\n" * 40_000, "\0\n" * 100_000):  # fmt: skip
        read(scan_tree, text, {"/overlays/a.dtbo": ""})
    assert time.thread_time() - started < 15
