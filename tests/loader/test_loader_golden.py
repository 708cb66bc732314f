"""Captures of machines, and the plans that they must give.

Each tests/golden/machines/NAME.json is a machine, as ``bootmenu machine capture`` wrote it, and
NAME.plan the plan of a small kernel and two initrds on it, as ``bootmenu plan`` draws it and as
its JSON says it; NAME.panic.plan that of the same as a crash kernel, where memory is set aside for
one. `make golden` writes the plans anew: read the difference before you commit it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from loader_kernels import write_kernel

from bootmenu.discover.capture import capture, restore
from bootmenu.files import whole
from bootmenu.loader.plan import prepare
from bootmenu.loader.render import render_json, render_text
from bootmenu.model import Arch, LoadPlan, Machine

MACHINES = Path(__file__).parents[1] / "golden/machines"
NAMES = sorted(path.stem for path in MACHINES.glob("*.json"))
WAITING = sorted(p.stem for p in MACHINES.glob("*.json") if "Crash kernel" in p.read_text())
CMDLINE = "root=/dev/vda2 ro quiet"
MIB = 1 << 20
INITRDS = (3 * MIB, 61_234_567)


def _plan(machine: Machine, folder: Path, *, panic: bool = False) -> LoadPlan:
    offset = 2 * MIB if machine.arch is Arch.RISCV64 else 0
    kernel = write_kernel(folder / "vmlinuz", machine.arch, text_offset=offset, image_size=34 * MIB)
    initrds = []
    for number, size in enumerate(INITRDS):
        path = folder / f"initrd{number}.img"
        with path.open("wb") as file:
            file.truncate(size)
        initrds.append(whole(str(path)))
    return prepare(
        kernel=kernel,
        initrds=initrds,
        cmdline=CMDLINE,
        machine=machine,
        entropy=bytes(136),
        panic=panic,
    )


@pytest.mark.parametrize(
    ("name", "panic"),
    [*((name, False) for name in NAMES), *((name, True) for name in WAITING)],
)
def test_machine_gives_its_plan(
    name: str, panic: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    machine = restore((MACHINES / f"{name}.json").read_text())
    plan = _plan(machine, tmp_path, panic=panic)
    text = render_text(plan, machine, 80)
    assert max(map(len, text.splitlines())) <= 80
    said = json.loads(render_json(plan, machine))
    del said["memory"]  # the map says it, in fewer lines
    got = f"{text}\n\n{json.dumps(said, indent=1)}\n".replace(f"{tmp_path}/", "")
    expected = MACHINES / f"{name}{'.panic' if panic else ''}.plan"
    if request.config.getoption("--regenerate", default=False):
        expected.write_text(got)
    assert got == expected.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_segment_is_seen_in_the_drawing(name: str, tmp_path: Path) -> None:
    machine = restore((MACHINES / f"{name}.json").read_text())
    plan = _plan(machine, tmp_path)
    for width in (70, 80, 100, 132):
        lines = render_text(plan, machine, width).splitlines()
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
    from bootmenu.devicetree.tree import DeviceTree

    machine = restore((MACHINES / f"{name}.json").read_text())
    assert restore(capture(machine)) == machine
    if machine.fdt:
        tree = DeviceTree.parse(machine.fdt)
        seeds = [tree.get("/chosen", name) or b"" for name in ("kaslr-seed", "rng-seed")]
        assert not any(map(any, seeds))
