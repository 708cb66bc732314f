"""riscv64: no trampoline, the tree first, and the kernel as low as it can lie."""

import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import ImageError, PlacementError
from bootmenu.files import whole
from bootmenu.images.kernel import open_kernel
from bootmenu.loader.memory import usable
from bootmenu.loader.plan import prepare
from bootmenu.model import Arch, FileSlice, IoResource, Machine

MIB = 1 << 20
MakeInitrd = Callable[[int], FileSlice]

# Both forms that kernels list reservations in: beside the memory, and inside of it.
BESIDE = """\
80000000-8001ffff : Reserved
80020000-bfffffff : System RAM
  80202000-80f8dfff : Kernel image
  bf000000-bf0fffff : Reserved
"""
INSIDE = """\
80000000-bfffffff : System RAM
  80000000-8001ffff : Reserved
  80202000-80f8dfff : Kernel image
  bf000000-bf0fffff : Reserved
"""


def image(size: int = MIB, image_size: int = 3 << 19, **fields: int) -> bytes:
    head = struct.pack(
        "<IIQQQI12x8s4sI",
        fields.get("code", 0x106F), 0, fields.get("text_offset", 0x200000), image_size,
        fields.get("flags", 0), fields.get("version", 2), b"RISCV\0\0\0", b"RSC\x05", 0,
    )  # fmt: skip
    return head.ljust(size, b"\x5a")


@pytest.fixture
def kernel(tmp_path: Path) -> FileSlice:
    path = tmp_path / "Image"
    path.write_bytes(image())
    return whole(str(path))


@pytest.fixture
def board(machine: Machine) -> Machine:
    return replace(machine, arch=Arch.RISCV64, iomem=parse_iomem(BESIDE), cpus=())


@pytest.mark.parametrize("iomem", [BESIDE, INSIDE])
def test_plan(board: Machine, kernel: FileSlice, make_initrd: MakeInitrd, iomem: str) -> None:
    machine = replace(board, iomem=parse_iomem(iomem))
    plan = prepare(
        kernel=kernel, initrds=[make_initrd(70_000)], cmdline="root=/dev/vda1", machine=machine
    )
    assert [segment.name for segment in plan.segments] == ["dtb", "kernel", "initrd"]
    tree, placed, initrd = plan.segments
    assert plan.entry == placed.mem == 0x80200000
    assert tree.source == plan.tree
    assert tree.mem % (2 * MIB) == 0
    assert initrd.mem > placed.end
    assert not any(s.mem < 0xBF100000 and s.end > 0xBF000000 for s in plan.segments)
    assert plan.arch is Arch.RISCV64
    assert "riscv Image" in plan.kernel


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"code": 0}, "first instructions are zeros"),
        ({"flags": 1}, "big-endian"),
        ({"version": 1 << 16}, r"the version 1\.0"),
        ({"image_size": 0}, "damaged"),
        ({"image_size": 1 << 40}, "damaged"),
        ({"size": 1000}, "truncated"),
    ],
)
def test_headers_that_no_machine_could_start(
    tmp_path: Path, fields: dict[str, int], message: str
) -> None:
    path = tmp_path / "Image"
    path.write_bytes(image(**fields))
    with pytest.raises(ImageError, match=message):
        open_kernel(whole(str(path)), Arch.RISCV64)


@settings(max_examples=150)
@given(st.data())
def test_rules_hold_on_every_map(board: Machine, kernel: FileSlice, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.sets(st.integers(0, 1 << 26), min_size=2, max_size=16)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    assume(pairs)
    iomem = tuple(IoResource(a << 12, (b << 12) - 1, "System RAM") for a, b in pairs)
    machine = replace(board, iomem=iomem)
    try:
        plan = prepare(kernel=kernel, machine=machine)
    except PlacementError as error:
        assert error.hint
        return
    taken = sorted((s.mem, s.end) for s in plan.segments)
    assert all(end <= start for (_, end), (start, _) in pairwise(taken))
    free = usable(machine)
    assert all(any(f.start <= s.mem and s.end <= f.end for f in free) for s in plan.segments)
    assert plan.entry % (2 * MIB) == 0
