"""Captures of machines, and the plans that they must give.

Each tests/golden/machines/NAME.json is a machine, as ``bootmenu machine capture`` wrote it, and
NAME.plan the plan of a small kernel and two initrds on it, as ``bootmenu plan`` draws it and as
its JSON says it. `make golden` writes the plans anew: read the difference before you commit it.
"""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from bootmenu import loader
from bootmenu.discover.machine import capture, restore
from bootmenu.files import whole
from bootmenu.model import Arch, LoadPlan, Machine

MACHINES = Path(__file__).parents[1] / "golden/machines"
NAMES = sorted(path.stem for path in MACHINES.glob("*.json"))
CMDLINE = "root=/dev/vda2 ro quiet"
MIB = 1 << 20
INITRDS = (3 * MIB, 61_234_567)


def _head(arch: Arch) -> bytes:
    """The header of Debian's kernel of that architecture, as far as a plan reads it."""
    if arch is Arch.ARM64:
        return struct.pack("<IIQQQ24x4sI", 1, 1, 0, 34 * MIB, 0b1010, b"ARM\x64", 0)
    if arch is Arch.RISCV64:
        numbers = (0x106F, 0, 2 * MIB, 34 * MIB, 0, 2)
        return struct.pack("<IIQQQI12x8s4sI", *numbers, b"RISCV\0\0\0", b"RSC\x05", 0)
    data = bytearray(0x1000)
    data[0x1F1] = 39
    struct.pack_into("<I", data, 0x1F4, 11 * MIB // 16)
    data[0x1FE:0x206] = b"\x55\xaa\xeb\x6aHdrS"
    struct.pack_into("<H", data, 0x206, 0x20F)
    data[0x211] = 1
    struct.pack_into("<I", data, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<IBBHI", data, 0x230, 2 * MIB, 1, 21, 0x7F, 2047)
    struct.pack_into("<QI", data, 0x258, 16 * MIB, 47 * MIB)
    return bytes(data)


def _sparse(path: Path, size: int, head: bytes = b"") -> Path:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def _plan(machine: Machine, folder: Path) -> LoadPlan:
    kernel = _sparse(folder / "vmlinuz", 33 * MIB, _head(machine.arch))
    initrds = [_sparse(folder / f"initrd{n}.img", size) for n, size in enumerate(INITRDS)]
    return loader.prepare(
        kernel=whole(str(kernel)),
        initrds=[whole(str(initrd)) for initrd in initrds],
        cmdline=CMDLINE,
        machine=machine,
        entropy=bytes(136),
    )


@pytest.mark.parametrize("name", NAMES)
def test_machine_gives_its_plan(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    machine = restore((MACHINES / f"{name}.json").read_text())
    plan = _plan(machine, tmp_path)
    text = loader.render_text(plan, machine, 80)
    assert max(map(len, text.splitlines())) <= 80
    said = json.loads(loader.render_json(plan, machine))
    del said["memory"]  # the map says it, in fewer lines
    got = f"{text}\n\n{json.dumps(said, indent=1)}\n".replace(f"{tmp_path}/", "")
    expected = MACHINES / f"{name}.plan"
    if request.config.getoption("--regenerate", default=False):
        expected.write_text(got)
    assert got == expected.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_segment_is_seen_in_the_drawing(name: str, tmp_path: Path) -> None:
    machine = restore((MACHINES / f"{name}.json").read_text())
    plan = _plan(machine, tmp_path)
    for width in (70, 80, 100, 132):
        lines = loader.render_text(plan, machine, width).splitlines()
        assert max(map(len, lines)) <= width
        bars = "".join(re.findall(r"\|(.*)\|", "\n".join(lines)))
        wanted = {"kernel": "K", "initrd": "I", "dtb": "D", "boot_params": "P", "trampoline": "T"}
        assert {wanted[segment.name] for segment in plan.segments} <= set(bars)


@pytest.mark.parametrize("name", NAMES)
def test_capture_of_an_older_version_is_read(name: str) -> None:
    """What a version did not know yet is as if the machine did not have it."""
    text = (MACHINES / f"{name}.json").read_text()
    stored = json.loads(text)
    needed = {"schema", "arch", "page_size", "iomem"}
    for field in stored.keys() - needed:
        less = {key: value for key, value in stored.items() if key != field}
        assert restore(json.dumps(less)).iomem == restore(text).iomem
    older = restore(json.dumps({key: stored[key] for key in needed}))
    assert restore(capture(older)) == older


@pytest.mark.parametrize("name", NAMES)
def test_capture_is_as_this_version_writes_it_and_has_no_secrets(name: str) -> None:
    from bootmenu.devicetree import DeviceTree

    machine = restore((MACHINES / f"{name}.json").read_text())
    assert restore(capture(machine)) == machine
    if machine.fdt:
        tree = DeviceTree.parse(machine.fdt)
        seeds = [tree.get("/chosen", name) or b"" for name in ("kaslr-seed", "rng-seed")]
        assert not any(map(any, seeds))
