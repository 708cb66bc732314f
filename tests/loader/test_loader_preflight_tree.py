"""Device trees that would leave the next kernel without processors, memory or its board."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import PreflightError
from bootmenu.files import whole
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import check
from bootmenu.model import EditAction, FileSlice, Machine, Severity, TreeEdit

MakeKernel = Callable[..., FileSlice]


def test_node_in_the_stub_of_an_acpi_machine(machine: Machine, make_kernel: MakeKernel) -> None:
    """The kernel would take the tree for a description and find no processor in it."""
    stub = DeviceTree()
    stub.add_node("/chosen")
    acpi = replace(machine, fdt=stub.serialize())
    edits = [TreeEdit(EditAction.ADD_NODE, "/mine")]
    check(prepare(kernel=make_kernel(), machine=acpi))
    with pytest.raises(PreflightError, match="no processors") as caught:
        check(prepare(kernel=make_kernel(), machine=acpi, edits=edits))
    assert "acpi=force" in caught.value.hint
    check(prepare(kernel=make_kernel(), machine=acpi, edits=edits, cmdline="acpi=force"))


def test_tree_without_memory(machine: Machine, make_kernel: MakeKernel) -> None:
    edits = [TreeEdit(EditAction.REMOVE_NODE, "/memory@40000000")]
    with pytest.raises(PreflightError, match="names no memory"):
        check(prepare(kernel=make_kernel(), machine=machine, edits=edits))
    # With UEFI the memory map is the firmware's.
    edits.append(TreeEdit(EditAction.SET, "/chosen", "linux,uefi-system-table", "<0x0 0x7f6d0018>"))
    check(prepare(kernel=make_kernel(), machine=machine, edits=edits))


def test_memory_that_an_edit_takes_away_from_under_the_kernel(
    machine: Machine, make_kernel: MakeKernel
) -> None:
    def less(size: str) -> list[TreeEdit]:
        return [TreeEdit(EditAction.SET, "/memory@40000000", "reg", f"<0 0x40000000 0 {size}>")]

    kernel = make_kernel()
    check(prepare(kernel=kernel, machine=machine, edits=less("0x40000000")))
    with pytest.raises(PreflightError, match="no memory where the kernel would lie") as caught:
        check(prepare(kernel=kernel, machine=machine, edits=less("0x10000000")))
    assert "mem=" in caught.value.hint


def test_memory_of_no_size_is_taken_from_the_running_tree(
    machine: Machine, make_kernel: MakeKernel, virt_dtb: bytes, tmp_path: Path
) -> None:
    """Many boards' DTBs say where memory begins, and leave its size to the firmware."""
    tree = DeviceTree.parse(virt_dtb)
    running = tree.get("/memory@40000000", "reg")
    tree.set("/memory@40000000", "reg", bytes(4) + b"\x40\0\0\0" + bytes(8))
    (tmp_path / "board.dtb").write_bytes(tree.serialize())
    board = whole(str(tmp_path / "board.dtb"))
    plan = prepare(kernel=make_kernel(), dtb=board, machine=machine)
    assert DeviceTree.parse(plan.tree).get("/memory@40000000", "reg") == running
    check(plan)


def test_tree_of_another_board(
    machine: Machine, make_kernel: MakeKernel, virt_dtb: bytes, tmp_path: Path
) -> None:
    tree = DeviceTree.parse(virt_dtb)
    tree.set("/", "compatible", b"acme,other\0acme,soc\0")
    (tmp_path / "other.dtb").write_bytes(tree.serialize())
    other = whole(str(tmp_path / "other.dtb"))
    here = replace(machine, compatible=("linux,dummy-virt",))
    (finding,) = prepare(kernel=make_kernel(), dtb=other, machine=here).findings
    assert finding.severity is Severity.WARNING
    assert "acme,other, and this machine is linux,dummy-virt" in finding.cause
    kin = replace(machine, compatible=("acme,board", "acme,soc"))
    assert prepare(kernel=make_kernel(), dtb=other, machine=kin).findings == ()
    assert prepare(kernel=make_kernel(), machine=here).findings == ()
