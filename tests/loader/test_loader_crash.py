"""A crash kernel lies in its own memory, and is told of all the other memory."""

import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st
from loader_pc import BIOS, MIB, Params, bzimage
from loader_pc import IOMEM as IOMEM_OF_PC

from bootmenu.devicetree.flat import Reservation
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import PlacementError, PreflightError, TreeError
from bootmenu.files import whole
from bootmenu.loader import crash
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import check
from bootmenu.loader.render import render_text
from bootmenu.model import (
    Arch,
    Cpu,
    CrashFacts,
    DumpNote,
    FileSlice,
    IoResource,
    KernelText,
    KexecLimits,
    LoadPlan,
    Machine,
    Method,
    Severity,
)

MakeKernel = Callable[..., FileSlice]
MakeInitrd = Callable[[int], FileSlice]
RECOMMENDED = "nr_cpus=1 reset_devices"
IOMEM = """\
40000000-7fffffff : System RAM
  40210000-41dcffff : Kernel code
  42530000-429fffff : Kernel data
  60000000-6fffffff : Crash kernel
  7f9ae000-7f9bffff : reserved
100000000-13fffffff : System RAM
"""
UPPER = "  120000000-12fffffff : Crash kernel\n"
FACTS = CrashFacts(
    cpus=(DumpNote(0x7FDB1400, 424), DumpNote(0x7FDD3400, 424)),
    vmcoreinfo=DumpNote(0x4308E000, 4132),
    linear=0xFFFF_3774_0000_0000,
    text=KernelText(0x40200000, 0x2510000, 0xFFFF_C746_D5A0_0000),
)
LARGER = IOMEM_OF_PC.replace("30000000-33ffffff", "30000000-3fffffff")
PC = replace(BIOS, iomem=parse_iomem(LARGER), crash=FACTS)


@pytest.fixture
def waiting(machine: Machine) -> Machine:
    """A machine with memory set aside for a crash kernel."""
    return replace(machine, iomem=parse_iomem(IOMEM), crash=FACTS)


@pytest.fixture
def vmlinuz(tmp_path: Path) -> FileSlice:
    """A kernel for x86 that may lie anywhere."""
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage())
    return whole(str(path))


def planned(kernel: FileSlice, machine: Machine, **options: Any) -> LoadPlan:
    options = {"cmdline": RECOMMENDED} | options
    return prepare(kernel=kernel, machine=machine, panic=True, **options)


def header_of(plan: LoadPlan) -> bytes:
    (header,) = (part.source for part in plan.segments if part.name == "elfcorehdr")
    assert isinstance(header, bytes)
    return header


def test_everything_lies_in_the_memory_that_is_set_aside(
    waiting: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    plan = planned(make_kernel(), waiting, initrds=[make_initrd(30 * MIB), make_initrd(5000)])
    assert plan.panic
    assert plan.findings == ()
    places = sorted((part.mem, part.end) for part in plan.segments)
    assert all(0x60000000 <= start < end <= 0x70000000 for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))
    assert 0x60000000 <= plan.entry < 0x70000000
    assert {part.name for part in plan.segments} == {
        *("kernel", "initrd", "dtb", "trampoline", "elfcorehdr")
    }
    check(plan)


def test_tree_names_the_header_and_the_memory_that_may_be_used(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    plan = planned(make_kernel(), waiting)
    tree = DeviceTree.parse(plan.tree)
    at = plan.segments[-1].mem
    assert tree.get("/chosen", "linux,elfcorehdr") == struct.pack(">2Q", at, 4096)
    regions = struct.pack(">2Q", 0x60000000, 256 * MIB)
    assert tree.get("/chosen", "linux,usable-memory-range") == regions
    assert Reservation(at, 4096) in tree.reservations
    ordinary = prepare(kernel=make_kernel(), machine=waiting)
    assert DeviceTree.parse(ordinary.tree).get("/chosen", "linux,elfcorehdr") is None
    assert all(not 0x60000000 <= part.mem < 0x70000000 for part in ordinary.segments)


def test_of_two_regions_the_upper_one_has_the_segments_and_both_may_be_used(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    both = replace(waiting, iomem=parse_iomem(IOMEM + UPPER))
    plan = planned(make_kernel(), both)
    assert all(0x120000000 <= part.mem < part.end <= 0x130000000 for part in plan.segments)
    regions = struct.pack(">4Q", 0x120000000, 256 * MIB, 0x60000000, 256 * MIB)
    told = DeviceTree.parse(plan.tree).get("/chosen", "linux,usable-memory-range")
    assert told == regions


def test_readelf_agrees_with_the_elfcorehdr(
    waiting: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    path = tmp_path / "elfcorehdr"
    path.write_bytes(header_of(planned(make_kernel(), waiting)))
    command: list[str | Path] = ["readelf", "--file-header", "--program-headers", "--wide", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said = done.stdout
    assert "CORE (Core file)" in said
    assert "AArch64" in said
    assert "Number of section headers:         0" in said
    rows = [line.split() for line in said.splitlines() if line.startswith(("  LOAD", "  NOTE"))]
    found = [(row[0], *(int(text, 16) for text in row[1:6])) for row in rows]
    linear = FACTS.linear
    assert found == [
        ("NOTE", 0x7FDB1400, 0, 0x7FDB1400, 424, 424),
        ("NOTE", 0x7FDD3400, 0, 0x7FDD3400, 424, 424),
        ("NOTE", 0x4308E000, 0, 0x4308E000, 4132, 4132),
        ("LOAD", 0x40200000, 0xFFFFC746D5A00000, 0x40200000, 0x2510000, 0x2510000),
        ("LOAD", 0x40000000, linear + 0x40000000, 0x40000000, 0x20000000, 0x20000000),
        ("LOAD", 0x70000000, linear + 0x70000000, 0x70000000, 0x10000000, 0x10000000),
        ("LOAD", 0x100000000, linear + 0x100000000, 0x100000000, 0x40000000, 0x40000000),
    ]


def test_addresses_that_are_not_known_are_zero_as_makedumpfile_has_it(
    waiting: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    blank = replace(waiting, crash=replace(FACTS, linear=0, text=None))
    path = tmp_path / "elfcorehdr"
    path.write_bytes(header_of(planned(make_kernel(), blank)))
    with path.open("rb") as file:
        assert {part.header.p_vaddr for part in ELFFile(file).iter_segments()} == {0}


def test_machine_without_memory_for_it_says_how_to_set_some_aside(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    with pytest.raises(PlacementError, match="no memory is set aside") as caught:
        planned(make_kernel(), machine)
    assert caught.value.hint == "start the running kernel with crashkernel=256M"
    asked = replace(machine, cmdline="quiet crashkernel=2G-64G:256M")
    with pytest.raises(PlacementError, match="no memory is set aside") as caught:
        planned(make_kernel(), asked)
    assert "has not granted crashkernel=2G-64G:256M, dmesg says why" in caught.value.hint
    with pytest.raises(PlacementError, match="not loaded on riscv64"):
        crash.reserve(replace(machine, arch=Arch.RISCV64))
    hidden = tuple(replace(r, start=0, end=0) for r in parse_iomem(IOMEM))
    with pytest.raises(PlacementError, match="only zeros"):
        planned(make_kernel(), replace(machine, iomem=hidden))


def test_memory_that_is_too_small_says_how_much_is_missing(
    waiting: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    with pytest.raises(PlacementError, match=r"255 MiB are set aside .* 49 MiB too few") as caught:
        planned(make_kernel(image_size=100 * MIB), waiting, initrds=[make_initrd(200 * MIB)])
    assert "crashkernel=640M" in caught.value.hint
    tiny = IOMEM.replace("60000000-6fffffff", "60000000-600007ff")
    with pytest.raises(PlacementError, match="no room for its headers"):
        planned(make_kernel(), replace(waiting, iomem=parse_iomem(tiny)))


def test_any_number_of_initrds_fits_the_segments_of_a_load(
    waiting: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    assert len(planned(make_kernel(), waiting, initrds=[make_initrd(5)] * 40).segments) == 16


@given(st.lists(st.tuples(st.sampled_from(["System RAM", "Crash kernel", "reserved"]),
                          *[st.integers(0, 1 << 66) | st.integers(0, 1 << 24)] * 2)))  # fmt: skip
def test_map_that_makes_no_sense_only_gives_clear_errors(
    waiting: Machine, lines: list[tuple[str, int, int]]
) -> None:
    iomem = tuple(IoResource(start, end, name) for name, start, end in lines)
    try:
        kept = crash.reserve(replace(waiting, iomem=(*waiting.iomem, *iomem)))
    except PlacementError as error:
        assert error.hint
    else:
        assert kept.regions[-1].start <= kept.header.mem
        assert kept.header.end <= kept.regions[-1].end


def test_little_memory_left_is_a_warning(
    waiting: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    plan = planned(make_kernel(), waiting, initrds=[make_initrd(200 * MIB)])
    assert [f.severity for f in plan.findings] == [Severity.WARNING]
    assert "53 MiB left to run in" in plan.findings[0].message


@pytest.mark.parametrize(
    ("cmdline", "said"),
    [
        ("quiet", "nr_cpus=1 reset_devices"),
        ("maxcpus=1", "reset_devices"),
        ("nr_cpus=1 reset_devices", ""),
        ("nr-cpus=1 -- reset_devices", "reset_devices"),
    ],
)
def test_what_is_recommended_is_noted_and_never_added(
    cmdline: str, said: str, waiting: Machine, make_kernel: MakeKernel
) -> None:
    plan = planned(make_kernel(), waiting, cmdline=cmdline)
    assert plan.cmdline == cmdline
    assert "".join(f.remedy for f in plan.findings) == (said and f"add to the cmdline: {said}")
    assert all(finding.severity is Severity.NOTE for finding in plan.findings)


def test_crashkernel_of_the_running_kernel_is_not_for_this_one(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    for said in ("crashkernel=256M", "-- crashkernel=256M"):
        plan = planned(make_kernel(), waiting, cmdline=f"{RECOMMENDED} {said}")
        assert [f.remedy for f in plan.findings] == ["remove crashkernel= from the cmdline"]


def test_facts_of_the_running_kernel_that_are_missing_are_a_warning(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    plan = planned(make_kernel(), replace(waiting, crash=CrashFacts()))
    assert ["CONFIG_CRASH_DUMP" in f.remedy for f in plan.findings] == [True]


def test_kernel_that_loads_it_by_itself_needs_no_facts(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    limits = KexecLimits(methods=(Method.FILE,))
    plan = planned(make_kernel(), replace(waiting, crash=CrashFacts(), kexec=limits))
    assert (plan.panic, plan.method, plan.segments, plan.findings) == (True, Method.FILE, (), ())


def test_images_that_the_running_kernel_would_find_no_place_for_are_refused_beforehand(
    waiting: Machine, make_kernel: MakeKernel, make_initrd: MakeInitrd
) -> None:
    other = replace(waiting, kexec=KexecLimits(methods=(Method.FILE,)))
    how: dict[str, Any] = {"kernel": make_kernel(image_size=100 * MIB), "machine": other}
    check(planned(**how, initrds=[make_initrd(150 * MIB)]))
    with pytest.raises(PreflightError, match=r"256 MiB are set aside .* 48 MiB too few") as caught:
        check(planned(**how, initrds=[make_initrd(200 * MIB)]))
    assert "crashkernel=640M" in caught.value.hint


def test_limits_of_ordinary_loads_are_not_those_of_crash_kernels(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    other = replace(waiting, kexec=KexecLimits(load_limit=0))
    check(planned(make_kernel(), other))
    used_up = replace(waiting, kexec=KexecLimits(load_limit_panic=0))
    with pytest.raises(PreflightError, match="kexec_load_limit_panic is used up"):
        check(planned(make_kernel(), used_up))
    check(prepare(kernel=make_kernel(), machine=used_up))


def test_processors_that_cannot_be_stopped_only_make_a_dump_unreliable(
    waiting: Machine, make_kernel: MakeKernel
) -> None:
    spinning = replace(waiting, cpus=(Cpu(0), Cpu(1, None, "spin-table")))
    plan = planned(make_kernel(), spinning)
    check(plan)
    assert [f.severity for f in plan.findings] == [Severity.WARNING]


def test_tree_with_narrow_addresses_cannot_name_memory_above_4_gib(
    waiting: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    source = "/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; cpus { }; };"
    dtb = tmp_path / "narrow.dtb"
    command: list[str | Path] = ["dtc", "-q", "-o", dtb, "-O", "dtb", "-"]
    subprocess.run(command, input=source.encode(), check=True)
    plan = planned(make_kernel(), waiting, dtb=whole(str(dtb)))
    regions = DeviceTree.parse(plan.tree).get("/chosen", "linux,usable-memory-range")
    assert regions == struct.pack(">2I", 0x60000000, 256 * MIB)
    both = replace(waiting, iomem=parse_iomem(IOMEM + UPPER))
    with pytest.raises(TreeError, match="too narrow"):
        planned(make_kernel(), both, dtb=whole(str(dtb)))


def test_drawing_marks_what_is_set_aside(waiting: Machine, make_kernel: MakeKernel) -> None:
    text = render_text(planned(make_kernel(), waiting), waiting)
    bars = "".join(line for line in text.splitlines() if "|" in line)
    assert "CC" in bars
    assert "E" in bars
    assert "C kept for a crash kernel" in text
    ordinary = render_text(prepare(kernel=make_kernel(), machine=waiting), waiting)
    assert "CCCC" in ordinary
    assert "elfcorehdr" not in ordinary


def test_pc_is_told_by_cmdline_and_memory_map(vmlinuz: FileSlice) -> None:
    plan = planned(vmlinuz, PC, cmdline=f"{RECOMMENDED} irqpoll")
    assert plan.findings == ()
    header = plan.segments[-1]
    assert header.name == "elfcorehdr"
    assert plan.cmdline == f"elfcorehdr={header.mem:#x} {RECOMMENDED} irqpoll"
    assert all(0x30000000 <= part.mem < part.end <= 0x40000000 for part in plan.segments)
    assert 0x30000000 <= plan.entry < 0x40000000
    (params,) = (part for part in plan.segments if part.name == "boot_params")
    assert isinstance(params.source, bytes)
    told = Params(params.source, params.mem)
    assert told.cmdline == plan.cmdline.encode()
    assert told.memory == [
        (0, 0xA0000, 1),
        (0x30000000, header.mem - 0x30000000, 1),
        (0x7EA00000, 0x200000, 2),
        (0x7EC00000, 0x1400000, 3),
        (0x80000000, 0x10000, 2),
    ]


def test_dump_of_a_pc_leaves_out_the_first_megabyte(vmlinuz: FileSlice, tmp_path: Path) -> None:
    path = tmp_path / "elfcorehdr"
    path.write_bytes(header_of(planned(vmlinuz, PC)))
    with path.open("rb") as file:
        core = ELFFile(file)
        assert core.header["e_machine"] == "EM_X86_64"
        parts = [s.header for s in core.iter_segments() if s.header.p_type == "PT_LOAD"][1:]
        assert [(p.p_paddr, p.p_paddr + p.p_memsz) for p in parts] == [
            (0x100000, 0x30000000),
            (0x40000000, 0x7EA00000),
            (0x100000000, 0x180000000),
        ]


@pytest.mark.parametrize("driver", ["virtio_mem", "kmem"])
def test_memory_that_a_driver_added_is_dumped_but_nothing_lies_in_it(
    driver: str, waiting: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    added = f"140000000-17fffffff : virtio0\n  140000000-147ffffff : System RAM ({driver})\n"
    more = replace(waiting, iomem=parse_iomem(IOMEM + added))
    path = tmp_path / "elfcorehdr"
    path.write_bytes(header_of(planned(make_kernel(), more)))
    with path.open("rb") as file:
        last = [segment.header for segment in ELFFile(file).iter_segments()][-1]
    assert (last.p_paddr, last.p_paddr + last.p_memsz) == (0x100000000, 0x148000000)
    ordinary = prepare(kernel=make_kernel(), machine=more)
    assert all(part.end <= 0x140000000 for part in ordinary.segments)


def test_kernel_that_is_linked_to_lie_elsewhere_cannot_be_a_crash_kernel(tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage(relocatable=0))
    with pytest.raises(PlacementError, match="must lie at 0x1000000"):
        planned(whole(str(path)), PC)
