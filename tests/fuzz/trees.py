"""Device trees, overlays and the facts of machines as they are fuzzed.

What must hold for any input: no exception but our own, with a message, and a plan that keeps to
the memory that the machine has.
"""

from __future__ import annotations

import functools
import json
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from bootmenu.devicetree.edits import compare, describe
from bootmenu.devicetree.overlay import apply_overlays
from bootmenu.devicetree.overrides import apply_parameters, forget_parameters
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.discover.capture import capture, restore
from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import BootmenuError
from bootmenu.files import whole
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import diagnose
from bootmenu.loader.render import render_json, render_text
from bootmenu.model import Arch, FileSlice, LoadPlan, Machine, Method
from tests.fuzz.images import RISCV, bzimage

MACHINES = Path(__file__).parents[1] / "golden/machines"

BASE = """/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; compatible = "maker,board";
led: led { status = "disabled"; value = <1 2>; }; soc { bus: bus@1 { reg = <1 2>; }; }; };"""
OVERLAY = """/dts-v1/; /plugin/; / { compatible = "maker,board";
fragment@0 { target = <&led>; __overlay__ { status = "okay"; new: on { how = <1 2 3>; }; }; };
fragment@1 { target-path = "/soc"; __dormant__ { a = [00 01]; b = "x", "y"; }; };
__overrides__ { on = <&new>,"how:0"; wide = <&new>,"how.0:4=7"; text = <&new>,"name";
also = <0>,"+1-0", <&new>,"how{a=1,b=2}"; }; };"""


@dataclass(frozen=True)
class TreeTarget:
    """*examine* is given the input; *source* is the device tree source to start from."""

    examine: Callable[[bytes], None]
    source: str

    def prepare(self, _folder: Path) -> Callable[[bytes], None]:
        """The function to be fuzzed."""
        return _only_our_errors(self.examine)

    def corpus(self, folder: Path) -> None:
        """Compile the tree to start from into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "seed").write_bytes(_compiled(self.source))


@dataclass(frozen=True)
class MachineTarget:
    """*examine* is given the input and a kernel for each architecture."""

    examine: Callable[[bytes, dict[Arch, FileSlice]], None]
    part: str  # of the captured machines, what they start from; "" for all of it

    def prepare(self, folder: Path) -> Callable[[bytes], None]:
        """The function to be fuzzed; kernels are written into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        kernels = {}
        for arch, data in _KERNELS.items():
            path = folder / arch
            path.write_bytes(data)
            kernels[arch] = whole(str(path))
        return _only_our_errors(lambda data: self.examine(data, kernels))

    def corpus(self, folder: Path) -> None:
        """Copy the machines to start from into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in MACHINES.glob("*.json"):
            stored = json.loads(path.read_text())
            text = "\n".join(stored[self.part]) if self.part else json.dumps(stored)
            (folder / f"seed-{path.stem}").write_text(text)


def _only_our_errors(examine: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def checked(data: bytes) -> None:
        try:
            examine(data)
        except BootmenuError as error:
            assert error.message

    return checked


@functools.cache
def _compiled(source: str) -> bytes:
    command = ["dtc", "-q", "-@", "-I", "dts", "-O", "dtb"]
    return subprocess.run(command, input=source.encode(), check=True, capture_output=True).stdout


def _tree(data: bytes) -> None:
    tree = DeviceTree.parse(data)
    again = DeviceTree.parse(tree.serialize())
    assert not compare(tree, again)
    describe(tree)


def _overlay(data: bytes) -> None:
    apply_overlays(DeviceTree.parse(_compiled(BASE)), [("overlay", data)]).serialize()


def _overrides(data: bytes) -> None:
    tree = DeviceTree.parse(data)
    apply_parameters(tree, ["on=5", "wide=1", "text=x", "also=b"], "overlay")
    forget_parameters(tree)
    tree.serialize()


def _iomem(data: bytes, kernels: dict[Arch, FileSlice]) -> None:
    resources = parse_iomem(data.decode("utf-8", "replace"))
    tree = DeviceTree()
    tree.add_node("/chosen")
    for arch in (Arch.ARM64, Arch.RISCV64):
        machine = Machine(arch, 4096, resources, tree.serialize())
        _plan(machine, kernels)
        if arch is Arch.ARM64:
            _plan(replace(machine, page_size=65536), kernels)


def _capture(data: bytes, kernels: dict[Arch, FileSlice]) -> None:
    machine = restore(data.decode("utf-8", "replace"))
    shown = restore(capture(machine))  # what was secret in it is blank now
    assert restore(capture(shown)) == shown
    diagnose(machine)
    _plan(machine, kernels)


def _plan(machine: Machine, kernels: dict[Arch, FileSlice]) -> None:
    for panic, method in product((False, True), (Method.AUTO, Method.FILE)):
        try:
            plan = prepare(
                kernel=kernels[machine.arch],
                initrds=[kernels[machine.arch]],
                machine=machine,
                panic=panic,
                method=method,
            )
        except BootmenuError as error:
            assert error.message
        else:
            _assert_sound(plan, machine)


def _assert_sound(plan: LoadPlan, machine: Machine) -> None:
    for segment in plan.segments:
        assert 0 <= segment.mem < segment.end <= 1 << 64
        assert segment.mem % machine.page_size == segment.memsz % machine.page_size == 0
    text = render_text(plan, machine, 80)
    assert all(len(line) <= 80 and line.isprintable() for line in text.split("\n"))
    json.loads(render_json(plan, machine))


_ARM64 = struct.pack("<IIQQQ24x4sI", 1, 1, 0x3000, 0x10000, 10, b"ARM\x64", 0)
_KERNELS = {
    Arch.ARM64: _ARM64.ljust(0x9000, b"x"),
    Arch.RISCV64: RISCV,
    Arch.X86_64: bzimage(),
}

TREE_TARGETS = {
    "tree": TreeTarget(_tree, BASE),
    "overlay": TreeTarget(_overlay, OVERLAY),
    "overrides": TreeTarget(_overrides, OVERLAY),
}
MACHINE_TARGETS = {
    "iomem": MachineTarget(_iomem, "iomem"),
    "capture": MachineTarget(_capture, ""),
}
