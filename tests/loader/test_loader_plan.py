"""Whole plans: what is handed over is what was asked for and shown, on any host."""

import gzip
import json
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootmenu.devicetree.flat import Reservation
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.discover.capture import capture, restore
from bootmenu.errors import ImageError, TreeError, VolumeError
from bootmenu.files import open_slice, whole
from bootmenu.images.packed import Packed
from bootmenu.loader.described import tree as handed_over
from bootmenu.loader.plan import prepare
from bootmenu.loader.render import render_json, render_text
from bootmenu.model import Arch, EditAction, FileSlice, Machine, TreeEdit

MakeKernel = Callable[..., FileSlice]
MakeInitrd = Callable[[int], FileSlice]
SEEDS = bytes(136)
EDITS = [
    TreeEdit(EditAction.SET, "/pl011@9000000", "status", '"disabled"'),
    TreeEdit(EditAction.ADD_NODE, "/mine"),
    TreeEdit(EditAction.SET, "/mine", "value", "<1 2>"),
]


def test_segments_hold_the_files_and_the_trampoline_their_places(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    kernel, one, two = make_kernel(), make_initrd(5000), make_initrd(70)
    plan = prepare(kernel=kernel, initrds=[one, two], cmdline="quiet", machine=machine)
    by_name = {segment.name: segment for segment in plan.segments}
    assert [s.name for s in plan.segments] == ["kernel", "initrd", "initrd", "dtb", "trampoline"]
    assert by_name["kernel"].source == FileSlice(kernel.path, 0, 1 << 20)
    assert by_name["kernel"].memsz == 2 << 20
    assert [s.source for s in plan.segments[1:3]] == [
        FileSlice(one.path, 0, 5000),
        FileSlice(two.path, 0, 70),
    ]
    assert by_name["dtb"].source == plan.tree
    assert plan.entry == by_name["trampoline"].mem
    code = by_name["trampoline"].source
    assert isinstance(code, bytes)
    assert struct.unpack("<2Q", code[24:]) == (by_name["kernel"].mem, by_name["dtb"].mem)
    assert all(segment.reason for segment in plan.segments)
    tree = DeviceTree.parse(plan.tree)
    start, end = (tree.get("/chosen", f"linux,initrd-{name}") for name in ("start", "end"))
    assert struct.unpack(">Q", start or b"") == (plan.segments[1].mem,)
    assert struct.unpack(">Q", end or b"") == (plan.segments[2].mem + 70,)


def test_shown_tree_is_the_tree_that_is_handed_over(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    kernel, initrd = make_kernel(), make_initrd(5000)
    shown = handed_over(
        kernel=kernel, initrds=[initrd], cmdline="a  b", edits=EDITS, machine=machine
    )
    plan = prepare(
        kernel=kernel,
        initrds=[initrd],
        cmdline="a  b",
        edits=EDITS,
        machine=machine,
        entropy=SEEDS,
    )
    assert shown.serialize() == plan.tree
    assert shown.get("/pl011@9000000", "status") == b"disabled\0"
    assert plan.cmdline == "a  b"


def test_edited_bootargs_are_the_cmdline_of_the_plan(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    edits = [TreeEdit(EditAction.SET, "/chosen", "bootargs", '"edited"')]
    plan = prepare(kernel=make_kernel(), cmdline="asked", edits=edits, machine=machine)
    assert plan.cmdline == "edited"


def test_capture_gives_the_very_plan(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    elsewhere = restore(capture(machine))
    plans = [
        prepare(kernel=make_kernel(), initrds=[make_initrd(5000)], machine=m, entropy=SEEDS)
        for m in (machine, elsewhere)
    ]
    assert plans[0] == plans[1]


def test_gzipped_kernel_is_unpacked_while_it_is_loaded(
    machine: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    raw = Path(make_kernel().path).read_bytes()
    packed = tmp_path / "Image.gz"
    packed.write_bytes(gzip.compress(raw))
    plan = prepare(kernel=whole(str(packed)), machine=machine)
    kernel = plan.segments[0]
    assert isinstance(kernel.source, Packed)
    assert b"".join(kernel.source.pieces()) == raw
    assert len(raw) <= kernel.bufsz <= kernel.memsz


def test_files_that_are_parts_of_another_are_loaded_and_named_as_what_they_are(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd, tmp_path: Path
) -> None:
    disc = tmp_path / "disc.iso"
    kernel, packed = Path(make_kernel().path).read_bytes(), gzip.compress(b"no kernel")
    disc.write_bytes(bytes(5000) + kernel + machine.fdt + packed)
    inside = FileSlice(str(disc), 5000, len(kernel), name="sr0:/linux")
    dtb = FileSlice(str(disc), inside.offset + inside.size, len(machine.fdt))
    plan = prepare(kernel=inside, initrds=[dtb], dtb=dtb, machine=machine)
    assert [segment.source for segment in plan.segments[:2]] == [inside, dtb]
    other = FileSlice(str(disc), dtb.offset + dtb.size, len(packed), name="sr0:/readme.gz")
    with pytest.raises(ImageError, match=r"^sr0:/readme\.gz: "):
        prepare(kernel=other, machine=machine)


def test_seeds_are_fresh_each_time(machine: Machine, make_kernel: MakeKernel) -> None:
    trees = [
        DeviceTree.parse(prepare(kernel=make_kernel(), machine=machine).tree) for _ in range(2)
    ]
    seeds = [tree.get("/chosen", "rng-seed") for tree in trees]
    assert seeds[0] != seeds[1]


def test_dtb_and_overlays_of_the_entry(
    machine: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    for name, source in {
        "board.dtb": '/ { cpus { }; led: led { state = "off"; }; };',
        "on.dtbo": '/plugin/; &led { state = "on"; };',
    }.items():
        subprocess.run(
            ["dtc", "-q", "-@", "-o", tmp_path / name, "-O", "dtb", "-"],
            input=f"/dts-v1/; {source}".encode(),
            check=True,
        )
    dtb, overlay = whole(str(tmp_path / "board.dtb")), whole(str(tmp_path / "on.dtbo"))
    plan = prepare(kernel=make_kernel(), dtb=dtb, overlays=[overlay], cmdline="x", machine=machine)
    tree = DeviceTree.parse(plan.tree)
    assert tree.get("/led", "state") == b"on\0"
    assert tree.node("/memory@40000000") is not None  # of the running tree
    assert tree.get("/chosen", "bootargs") == b"x\0"


@pytest.mark.parametrize(
    ("before", "inside", "first", "last"),
    [
        (
            "",
            'memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x10000000>; };',
            0x40000000,
            0x4FFFFFFF,
        ),
        (
            "",
            "reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges; "
            "dsp@50000000 { reg = <0 0x50000000 0 0x30000000>; no-map; }; };",
            0x40000000,
            0x4FFFFFFF,
        ),
        ("/memreserve/ 0x50000001 0x2ffff000;", "", 0x40000000, 0x4FFFFFFF),
        (
            "",
            "reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges; "
            'off@50000000 { status = "disabled"; reg = <0 0x50000000 0 0x30000000>; }; };',
            0x70000000,
            0x7FFFFFFF,
        ),
    ],
    ids=["less memory", "reserved region", "memory reservation", "disabled region"],
)
def test_what_a_dtb_keeps_from_its_kernel_is_left_alone(
    *,
    before: str,
    inside: str,
    first: int,
    last: int,
    machine: Machine,
    make_kernel: MakeKernel,
    make_initrd: MakeInitrd,
    tmp_path: Path,
) -> None:
    """A kernel outside of its tree's memory hangs; one in a device's memory is overwritten."""
    source = f"{before} / {{ #address-cells = <2>; #size-cells = <2>; cpus {{ }}; {inside} }};"
    dtb = subprocess.run(
        ["dtc", "-q", "-O", "dtb"], input=f"/dts-v1/; {source}".encode(), stdout=-1, check=True
    ).stdout
    (tmp_path / "board.dtb").write_bytes(dtb)
    running = DeviceTree.parse(machine.fdt)
    running.set("/memory@40000000", "reg", struct.pack(">QQ", 1 << 30, 1 << 30))
    plan = prepare(
        kernel=make_kernel(),
        initrds=[make_initrd(5 << 20)],
        dtb=whole(str(tmp_path / "board.dtb")),
        machine=replace(machine, fdt=running.serialize()),
    )
    assert all(first <= one.mem < one.end - 1 <= last for one in plan.segments)


def test_dtb_gets_what_firmware_reserved_and_nothing_of_the_running_kernel(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd, tmp_path: Path
) -> None:
    """Some U-Boots keep TF-A and OP-TEE in a memory reservation alone."""
    (tmp_path / "board.dtb").write_bytes(machine.fdt)
    running = DeviceTree.parse(machine.fdt)
    running.set("/chosen", "linux,initrd-start", struct.pack(">I", 0x4A000000))
    running.set("/chosen", "linux,initrd-end", struct.pack(">I", 0x4A001234))
    secure = Reservation(0x45300000, 0x2000000)
    own_tree = Reservation(0x49000000, 0x2000)
    running.reservations += [secure, Reservation(0x4A000000, 0x1234), own_tree]
    fdt = bytearray(running.serialize())
    fdt += bytes(own_tree.size - len(fdt))
    struct.pack_into(">I", fdt, 4, len(fdt))
    initrd = make_initrd(5000)
    plan = prepare(
        kernel=make_kernel(),
        initrds=[initrd],
        dtb=whole(str(tmp_path / "board.dtb")),
        machine=replace(machine, fdt=bytes(fdt)),
    )
    (own,) = [one.mem for one in plan.segments if one.name == "initrd"]
    assert DeviceTree.parse(plan.tree).reservations == [secure, Reservation(own, 5000)]


def test_parameters_of_the_dtb_and_of_an_overlay(
    machine: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    for name, source in {
        "board.dtb": '/ { led: led { }; __overrides__ { led = <&led>,"brightness:0"; }; };',
        "on.dtbo": '/plugin/; &led { on: on { }; }; / { __overrides__ { a = <&on>,"how"; }; };',
    }.items():
        subprocess.run(
            ["dtc", "-q", "-@", "-o", tmp_path / name, "-O", "dtb", "-"],
            input=f"/dts-v1/; {source}".encode(),
            check=True,
        )
    dtb, overlay = whole(str(tmp_path / "board.dtb")), whole(str(tmp_path / "on.dtbo"))
    plan = prepare(
        kernel=make_kernel(),
        dtb=dtb,
        overlays=[overlay],
        parameters=[("led=7",), ("a=dimly",)],
        machine=machine,
    )
    tree = DeviceTree.parse(plan.tree)
    assert tree.get("/led", "brightness") == b"\0\0\0\7"
    assert tree.get("/led/on", "how") == b"dimly\0"


def test_initrd_of_uboot_is_loaded_without_its_header(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd, tmp_path: Path
) -> None:
    plain = make_initrd(5000)
    wrapped = tmp_path / "uInitrd"
    subprocess.run(
        ["mkimage", "-A", "arm64", "-T", "ramdisk", "-C", "none", "-d", plain.path, wrapped],
        check=True,
        capture_output=True,
    )
    plan = prepare(kernel=make_kernel(), initrds=[whole(str(wrapped))], machine=machine)
    assert plan.segments[1].source == FileSlice(str(wrapped), 64, 5000)
    short = tmp_path / "short"
    short.write_bytes(wrapped.read_bytes()[:1000])
    with pytest.raises(ImageError, match="truncated, 936 of 5,000 bytes"):
        prepare(kernel=make_kernel(), initrds=[whole(str(short))], machine=machine)
    head = bytearray(wrapped.read_bytes()[:64])
    head[12:16] = bytes(4)
    (tmp_path / "hollow").write_bytes(head)
    with pytest.raises(ImageError, match="hollow: the initrd is empty"):
        prepare(kernel=make_kernel(), initrds=[whole(str(tmp_path / "hollow"))], machine=machine)


def test_any_number_of_initrds_is_loaded(
    machine: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    files = []
    for number in range(30):
        name = f"file{number}"
        (tmp_path / name).write_text(name)
        packed = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"],
            input=name.encode(),
            cwd=tmp_path,
            check=True,
            capture_output=True,
        ).stdout
        (tmp_path / f"{name}.img").write_bytes(gzip.compress(packed) if number % 2 else packed)
        files.append(whole(str(tmp_path / f"{name}.img")))
    plan = prepare(kernel=make_kernel(), initrds=files, machine=machine)
    assert len(plan.segments) == 15
    last = [one for one in plan.segments if one.name == "initrd"][-1].source
    assert not isinstance(last, bytes | memoryview | FileSlice)
    data = b"".join(last.pieces())
    assert len(data) == last.size
    for file in files[11:]:
        at = data.index(Path(file.path).read_bytes())
        assert at % 4 == 0
        assert file.path in str(last)


def test_files_that_are_not_there_are_named(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd, tmp_path: Path
) -> None:
    gone = FileSlice(str(tmp_path / "gone"), 0, 100)
    with pytest.raises(VolumeError, match="gone: cannot be read"):
        prepare(kernel=gone, machine=machine)
    with pytest.raises(VolumeError, match="gone: cannot be read"):
        prepare(kernel=make_kernel(), initrds=[gone], machine=machine)
    with pytest.raises(ImageError, match="the initrd is empty"):
        prepare(kernel=make_kernel(), initrds=[make_initrd(0)], machine=machine)
    with pytest.raises(VolumeError, match="gone: cannot be read"):
        prepare(kernel=make_kernel(), dtb=gone, machine=machine)
    with pytest.raises(TreeError, match=r"Image.*magic number"):
        prepare(kernel=make_kernel(), dtb=make_kernel(), machine=machine)
    with pytest.raises(TreeError, match="no device tree"):
        prepare(kernel=make_kernel(), machine=replace(machine, fdt=b""))


def test_file_that_is_too_large_for_a_tree_is_named_once(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    large = make_initrd((2 << 20) + 1)
    message = f"{large}: too large for a device tree"
    for given in ({"dtb": large}, {"overlays": [large]}):
        with pytest.raises(TreeError) as refused:
            prepare(kernel=make_kernel(), machine=machine, **given)
        assert refused.value.message == message


def test_kernel_for_another_machine(machine: Machine, make_kernel: MakeKernel) -> None:
    with pytest.raises(ImageError, match="this machine is x86_64"):
        prepare(kernel=make_kernel(), machine=replace(machine, arch=Arch.X86_64))


def test_text_fits_its_width_and_draws_the_memory(
    machine: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    plan = prepare(
        kernel=make_kernel(),
        initrds=[make_initrd(90 << 20)],
        cmdline="console=ttyS9 " + "word " * 60,
        machine=machine,
    )
    for width in (72, 80, 120):
        text = render_text(plan, machine, width)
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= width
        bar = next(line for line in text.splitlines() if "|" in line)
        assert {"K", "I", "x", "."} <= set(bar)
        for segment in plan.segments:
            assert f"{segment.mem:#x}" in text
        assert "warning: " in text


def test_cmdline_is_shown_with_its_spaces_and_without_escapes(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    cmdline = 'a   b="c  d" \x1b[2J ' + "x" * 100
    plan = prepare(kernel=make_kernel(), cmdline=cmdline, machine=machine)
    lines = render_text(plan, machine).splitlines()
    assert "".join(line[10:] for line in lines[1:3]) == cmdline.replace("\x1b", "\\x1b")


def test_json_has_the_numbers(machine: Machine, make_kernel: MakeKernel) -> None:
    plan = prepare(kernel=make_kernel(), machine=machine)
    shown = json.loads(render_json(plan, machine))
    assert shown["schema"] == "bootmenu.plan/1"
    assert shown["entry"] == plan.entry
    assert [(s["mem"], s["memsz"], s["bufsz"]) for s in shown["segments"]] == [
        (s.mem, s.memsz, s.bufsz) for s in plan.segments
    ]


def test_with_uefi_no_initrd_means_an_empty_one(machine: Machine, make_kernel: MakeKernel) -> None:
    """The next kernel would unpack what the firmware's note of the last initrd points to."""
    tree = DeviceTree.parse(machine.fdt)
    tree.set("/chosen", "linux,uefi-system-table", bytes(8))
    uefi = replace(machine, fdt=tree.serialize())
    plan = prepare(kernel=make_kernel(), machine=uefi)
    (initrd,) = [segment for segment in plan.segments if segment.name == "initrd"]
    assert isinstance(initrd.source, bytes)
    listed = subprocess.run(
        ["cpio", "-t", "--quiet"], input=initrd.source, check=True, capture_output=True
    )
    assert listed.stdout == b""
    assert DeviceTree.parse(plan.tree).get("/chosen", "linux,initrd-start") is not None
    plan = prepare(kernel=make_kernel(), machine=machine)
    assert all(segment.name != "initrd" for segment in plan.segments)


def test_kernel_that_begins_within_a_page_has_zeros_before_it(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    """A kernel for pages of 4 KiB, loaded by one with 64 KiB: segments are whole pages of that."""
    large = replace(machine, page_size=65536)
    kernel = make_kernel(text_offset=0x3000)
    plan = prepare(kernel=kernel, machine=large)
    segment = plan.segments[0]
    assert segment.mem % 65536 == 0
    assert segment.bufsz == kernel.size + 0x3000
    assert not isinstance(segment.source, bytes | memoryview | FileSlice)
    data = b"".join(segment.source.pieces())
    with open_slice(kernel) as file:
        assert data == bytes(0x3000) + file.read()
    code = plan.segments[-1].source
    assert isinstance(code, bytes)
    assert int.from_bytes(code[24:32], "little") == segment.mem + 0x3000
