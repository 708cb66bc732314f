"""x86_64: what the next kernel reads in its zero page, and where everything lies."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from loader_pc import BIOS, GIB, IOMEM, MIB, SCREEN, UEFI, Params, bzimage

from bootmenu.discover.capture import capture, restore
from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import ImageError, PlacementError, TreeError
from bootmenu.files import whole
from bootmenu.loader.described import tree as handed_over
from bootmenu.loader.memory import usable
from bootmenu.loader.plan import prepare
from bootmenu.loader.x86_64 import trampoline_code
from bootmenu.model import (
    EditAction,
    FileSlice,
    FirmwareRange,
    LoadPlan,
    Machine,
    Pc,
    Severity,
    TreeEdit,
)

MakeInitrd = Callable[[int], FileSlice]
SEED = bytes(range(136))


@pytest.fixture
def make_bzimage(tmp_path: Path) -> Callable[..., FileSlice]:
    def make(**fields: Any) -> FileSlice:
        path = tmp_path / "vmlinuz"
        path.write_bytes(bzimage(**fields))
        return whole(str(path))

    return make


MakeKernel = Callable[..., FileSlice]


def params_of(plan: LoadPlan) -> Params:
    (segment,) = [one for one in plan.segments if one.name == "boot_params"]
    assert isinstance(segment.source, bytes)
    return Params(segment.source, segment.mem)


def assert_placed(plan: LoadPlan, machine: Machine) -> None:
    """No segment lies in another one, or outside of what is free."""
    taken = sorted((s.mem, s.end) for s in plan.segments)
    assert all(end <= start for (_, end), (start, _) in pairwise(taken))
    free = usable(machine)
    assert all(any(f.start <= s.mem and s.end <= f.end for f in free) for s in plan.segments)
    assert all(s.mem >= MIB and not s.mem % 4096 and not s.memsz % 4096 for s in plan.segments)


def test_kernel_reads_in_its_zero_page_what_was_asked_for(
    make_bzimage: MakeKernel, make_initrd: MakeInitrd
) -> None:
    kernel, one, two = make_bzimage(), make_initrd(5000), make_initrd(70)
    plan = prepare(
        kernel=kernel, initrds=[one, two], cmdline="root=/dev/sda1 é", machine=BIOS, entropy=SEED
    )
    assert_placed(plan, BIOS)
    names = [segment.name for segment in plan.segments]
    assert names == ["kernel", "initrd", "initrd", "boot_params", "trampoline"]
    placed, first, second, _, trampoline = plan.segments
    assert plan.entry == trampoline.mem
    assert placed.source == kernel.part(1024, MIB)
    assert (placed.memsz, placed.mem % (2 * MIB)) == (8 * MIB, 0)
    params = params_of(plan)
    assert params.cmdline.decode() == plan.cmdline == "root=/dev/sda1 é"
    assert params.initrd == (first.mem, second.mem + 70 - first.mem)
    assert params.item(9) == SEED[:32]
    assert params.number("Q", 0x70) == 0xF59E0
    assert params.data[0x210] == 0xD0
    header = Path(kernel.path).read_bytes()
    assert params.data[0x1F1:0x1FA] == header[0x1F1:0x1FA]
    assert params.data[0x230:0x238] == header[0x230:0x238]
    assert params.data[:0x40] == SCREEN
    assert params.data[0x1EF] == 0  # else the kernel takes the page for one not cleared


def test_memory_is_told_as_the_firmware_told_it(make_bzimage: MakeKernel) -> None:
    plan = prepare(kernel=make_bzimage(), machine=BIOS)
    kinds = [kind for _, _, kind in params_of(plan).memory]
    assert kinds == [1, 1, 2, 3, 2, 1]
    assert params_of(plan).memory[-1] == (4 * GIB, 2 * GIB, 1)


def test_map_of_more_ranges_than_the_zero_page_holds_goes_on_behind_it(
    make_bzimage: MakeKernel,
) -> None:
    ranges = tuple(FirmwareRange(n << 20, (n << 20) + 0xFFFF, "System RAM") for n in range(300))
    machine = replace(BIOS, pc=Pc(memmap=ranges))
    params = params_of(prepare(kernel=make_bzimage(), machine=machine))
    assert params.data[0x1E8] == 128
    assert params.memory == [(r.start, 0x10000, 1) for r in ranges]


def test_uefi_goes_on_with_its_runtime_map_and_tables(make_bzimage: MakeKernel) -> None:
    plan = prepare(kernel=make_bzimage(), machine=UEFI)
    params = params_of(plan)
    signature, table, size, version = struct.unpack_from("<4s3I", params.data, 0x1C0)
    assert (signature, table, size, version) == (b"EL64", 0x7F9EC018, 40, 1)
    assert params.number("I", 0x1C0 + 24) == 1  # the upper half of the table's address
    start = params.wide(0x1D0, 0x1DC) - params.at
    assert params.number("I", 0x1D4) == 2 * 40
    regions = list(struct.iter_unpack("<I4x4Q", params.data[start : start + 80]))
    assert UEFI.pc is not None
    assert UEFI.pc.efi is not None
    told = [(r.type, r.physical, r.virtual, r.pages, r.attribute) for r in UEFI.pc.efi.regions]
    assert regions == told
    tables = struct.unpack("<12Q", params.item(4))
    assert tables[:4] == (0x7E100000, 0x7E200000, 0x7E300000, 0x7E400000)


def test_with_uefi_no_initrd_means_an_empty_one(make_bzimage: MakeKernel) -> None:
    """The next kernel would take the one that the firmware's table still names."""
    plan = prepare(kernel=make_bzimage(), machine=UEFI)
    assert [segment.name for segment in plan.segments].count("initrd") == 1
    plan = prepare(kernel=make_bzimage(), machine=BIOS)
    assert params_of(plan).initrd == (0, 0)


def test_kernel_that_cannot_take_over_uefi_starts_without_it(make_bzimage: MakeKernel) -> None:
    plan = prepare(kernel=make_bzimage(xloadflags=0b1111), machine=UEFI)
    params = params_of(plan)
    assert params.data[0x1C0:0x1E0] == bytes(32)
    assert params.number("Q", 0x70) == 0x7F77D014
    assert any("without UEFI" in finding.message for finding in plan.findings)


def test_kernel_lies_high_unless_it_cannot(
    make_bzimage: MakeKernel, make_initrd: MakeInitrd
) -> None:
    initrd = make_initrd(10 * MIB)
    plan = prepare(kernel=make_bzimage(), initrds=[initrd], machine=BIOS)
    assert_placed(plan, BIOS)
    assert all(0x34000000 < segment.mem < 4 * GIB for segment in plan.segments)
    # What has no room below 4 GiB lies above, where the running kernel takes its memory first.
    plan = prepare(kernel=make_bzimage(), initrds=[make_initrd(3 << 29)], machine=BIOS)
    assert_placed(plan, BIOS)
    assert plan.segments[1].mem >= 4 * GIB
    # Without the flag for memory above 4 GiB all of it lies below, and is no worse placed.
    plan = prepare(kernel=make_bzimage(xloadflags=1), initrds=[initrd], machine=BIOS)
    assert_placed(plan, BIOS)
    assert all(segment.end <= 0x7EA00000 for segment in plan.segments)
    assert min(segment.mem for segment in plan.segments) > 0x34000000
    plan = prepare(kernel=make_bzimage(relocatable=0), machine=BIOS)
    assert plan.segments[0].mem == 16 * MIB
    assert_placed(plan, BIOS)


def test_kernel_whose_only_place_is_taken_is_refused(make_bzimage: MakeKernel) -> None:
    taken = parse_iomem(IOMEM.replace("02000000-02dfffff : Kernel code", "01000000-01ffffff : fb"))
    machine = replace(BIOS, iomem=taken)
    with pytest.raises(PlacementError, match="must lie at 0x1000000") as refused:
        prepare(kernel=make_bzimage(relocatable=0), machine=machine)
    assert "CONFIG_RELOCATABLE" in refused.value.hint
    assert_placed(prepare(kernel=make_bzimage(), machine=machine), machine)


def test_vmlinux_lies_where_it_was_linked_to(tmp_path: Path) -> None:
    (tmp_path / "code.s").write_text(".globl _start\n.org 0x200\n_start: hlt\n.org 0x5000\n")
    vmlinux = tmp_path / "vmlinux"
    build = "as code.s -o code.o && ld -Ttext=0x2000000 -e _start code.o -o vmlinux"
    subprocess.run(build, shell=True, cwd=tmp_path, check=True)
    plan = prepare(kernel=whole(str(vmlinux)), cmdline="quiet", machine=BIOS)
    assert_placed(plan, BIOS)
    kernel = plan.segments[0]
    assert kernel.mem <= 0x2000000 < kernel.end
    params = params_of(plan)
    assert params.data[0x202:0x206] == b"HdrS"
    assert params.cmdline == b"quiet"
    code = plan.segments[-1].source
    assert isinstance(code, bytes)
    assert struct.unpack_from("<Q", code, 48) == (0x2000200,)
    taken = parse_iomem(IOMEM.replace("02000000-02dfffff : Kernel code", "02000000-02ffffff : fb"))
    with pytest.raises(PlacementError, match="must lie at") as refused:
        prepare(kernel=whole(str(vmlinux)), machine=replace(BIOS, iomem=taken))
    assert "use its bzImage" in refused.value.hint


@pytest.mark.parametrize(
    ("at", "value"),
    [(0x201, b"\xff"), (0x1F4, b"\x01\0\0\0"), (0x1F4, b"\0\0\0\0"), (0x230, b"\3\0\0\0")],
    ids=["header over the memory map", "no entry point", "nothing", "alignment"],
)
def test_header_that_says_what_cannot_be_is_refused(tmp_path: Path, at: int, value: bytes) -> None:
    data = bytearray(bzimage())
    data[at : at + len(value)] = value
    (tmp_path / "vmlinuz").write_bytes(data)
    with pytest.raises(ImageError, match="damaged") as refused:
        prepare(kernel=whole(str(tmp_path / "vmlinuz")), machine=BIOS)
    assert refused.value.hint


def test_device_trees_are_refused(make_bzimage: MakeKernel, make_initrd: MakeInitrd) -> None:
    edit = TreeEdit(EditAction.ADD_NODE, "/mine")
    for asked in ({"dtb": make_initrd(40)}, {"overlays": [make_initrd(40)]}, {"edits": [edit]}):
        with pytest.raises(TreeError, match="no device tree"):
            prepare(kernel=make_bzimage(), machine=BIOS, **asked)
    with pytest.raises(TreeError, match="no device tree") as shown:
        handed_over(kernel=make_bzimage(), machine=BIOS)
    assert "ACPI" in shown.value.hint


def test_map_that_is_not_known_is_named(make_bzimage: MakeKernel) -> None:
    with pytest.raises(PlacementError, match="/sys/firmware/memmap"):
        prepare(kernel=make_bzimage(), machine=replace(BIOS, pc=Pc()))


def test_page_tables_of_five_levels(make_bzimage: MakeKernel, tmp_path: Path) -> None:
    assert BIOS.pc is not None
    machine = replace(BIOS, pc=replace(BIOS.pc, five_level=True))
    plan = prepare(kernel=make_bzimage(), machine=machine)
    assert plan.findings == ()
    plan = prepare(kernel=make_bzimage(xloadflags=0b11111), machine=machine)
    (finding,) = plan.findings
    assert finding.severity is Severity.ERROR
    assert "no5lvl" in finding.remedy


@pytest.mark.parametrize("machine", [BIOS, UEFI])
def test_capture_gives_the_very_plan(make_bzimage: MakeKernel, machine: Machine) -> None:
    elsewhere = restore(capture(machine))
    assert elsewhere == machine
    kernel = make_bzimage()
    plans = [prepare(kernel=kernel, machine=m, entropy=SEED) for m in (machine, elsewhere)]
    assert plans[0] == plans[1]


def test_trampoline_is_what_the_boot_protocol_wants(tmp_path: Path) -> None:
    at, kernel, params = 0x17FFFF000, 0x17F000200, 0x17FFFD000
    code = trampoline_code(at, kernel, params)
    path = tmp_path / "code"
    path.write_bytes(code[:42])
    command = ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", f"--adjust-vma={at:#x}"]
    text = subprocess.run([*command, path], check=True, capture_output=True, text=True).stdout
    listed = re.findall(r"^ *[0-9a-f]+:\t(?:[0-9a-f]{2} )+ *\t(.*?) *$", text, re.M)
    steps = [re.sub(r"0x\w+\(%rip\)(.*?) +# (\w+)", r"\2\1", " ".join(o.split())) for o in listed]
    assert steps == [
        "lgdt 0x17ffff040",
        "mov $0x18,%eax",
        "mov %eax,%ds",
        "mov %eax,%es",
        "mov %eax,%ss",
        "lea 0x180000000,%rsp",
        "mov 0x17ffff038,%rsi",
        "push $0x10",
        "push 0x17ffff030",
        "lretq",
    ]
    assert struct.unpack_from("<2Q", code, 0x30) == (kernel, params)
    limit, table = struct.unpack_from("<HQ", code, 0x40)
    assert (limit, table) == (31, at + 0x50)
    null, unused, text_segment, data_segment = struct.unpack_from("<4Q", code, table - at)
    assert (null, unused) == (0, 0)
    assert text_segment == 0x00AF9A000000FFFF
    assert data_segment == 0x00CF92000000FFFF


def test_pieces_that_a_kernel_cannot_reach_do_not_hide_those_that_it_can(
    make_bzimage: MakeKernel, make_initrd: MakeInitrd
) -> None:
    """Hundreds of larger ones above 4 GiB, and two below: the kernel must take the lower one."""
    spans = [(32 * MIB, 16 * MIB), (128 * MIB, 20 * MIB + 0x8000)]
    spans += [(4 * GIB + number * 64 * MIB, 32 * MIB) for number in range(300)]
    text = "\n".join(f"{start:x}-{start + size - 1:x} : System RAM" for start, size in spans)
    machine = replace(BIOS, iomem=parse_iomem(text))
    kernel = make_bzimage(init_size=16 * MIB, xloadflags=0x7D)
    plan = prepare(kernel=kernel, initrds=[make_initrd(20 * MIB)], machine=machine)
    assert_placed(plan, machine)
    assert all(segment.end <= 4 * GIB for segment in plan.segments)
