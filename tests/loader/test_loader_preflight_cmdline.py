"""Cmdlines that would be cut off, or that leave the next kernel without a voice here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loader_pc import BIOS, bzimage

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.errors import PreflightError
from bootmenu.files import whole
from bootmenu.images.bzimage import Header
from bootmenu.images.kernel import KernelImage
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight import cmdline
from bootmenu.loader.preflight.examination import check
from bootmenu.loader.preflight.root import examine_root
from bootmenu.loader.preflight.words import parameters
from bootmenu.model import Arch, BlockDevice, FileSlice, Finding, LoadPlan, Machine, Severity

MakeKernel = Callable[..., FileSlice]


def test_cmdline_that_would_be_cut_off(machine: Machine, make_kernel: MakeKernel) -> None:
    check(prepare(kernel=make_kernel(), cmdline="x" * 2047, machine=machine))
    with pytest.raises(PreflightError, match="2,048 bytes"):
        check(prepare(kernel=make_kernel(), cmdline="x" * 2048, machine=machine))


@pytest.mark.parametrize("arch", [Arch.ARM64, Arch.X86_64])
def test_what_the_kernel_does_not_see_behind_a_nul_is_told(
    arch: Arch, machine: Machine, make_kernel: MakeKernel, tmp_path: Path
) -> None:
    kernel = make_kernel()
    if arch is Arch.X86_64:
        (tmp_path / "vmlinuz").write_bytes(bzimage())
        machine, kernel = BIOS, whole(str(tmp_path / "vmlinuz"))

    def said(text: str) -> list[str]:
        plan = prepare(kernel=kernel, cmdline=f"console=tty0 {text}", machine=machine)
        return [f"{one.severity}: {one.cause}" for one in plan.findings]

    assert said("quiet\0root=/dev/vda1") == [
        "warning: the kernel does not see the 14 bytes behind it"
    ]
    assert not said("quiet\0\0")


def _plan(arch: Arch, text: str) -> LoadPlan:
    return LoadPlan(arch, 0, (), text, "")


def _image(arch: Arch, make_kernel: MakeKernel, header: Header | None = None) -> KernelImage:
    from bootmenu.images.kernel import open_kernel

    opened = open_kernel(make_kernel(), Arch.ARM64)
    return replace(opened, arch=arch, header=header or opened.header)


def test_riscv64_takes_less(make_kernel: MakeKernel) -> None:
    image = _image(Arch.RISCV64, make_kernel)
    said = {
        size: [one.severity for one in cmdline.length(_plan(Arch.RISCV64, "x" * size), image)]
        for size in (511, 512, 1023, 1024)
    }
    assert said == {
        511: [],
        512: [Severity.WARNING],
        1023: [Severity.WARNING],
        1024: [Severity.ERROR],
    }


def test_bzimage_says_itself_what_it_takes(make_kernel: MakeKernel) -> None:
    small = Header(b"", 0, 0, 0, 0, 0, True, 0, 255, 0, 0)
    image = _image(Arch.X86_64, make_kernel, small)
    assert not list(cmdline.length(_plan(Arch.X86_64, "x" * 255), image))
    (finding,) = cmdline.length(_plan(Arch.X86_64, "x" * 256), image)
    assert finding.cause == "the kernel would cut it off after 255"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("quiet  ro", [("quiet", None), ("ro", None)]),
        ('root="LABEL=a b" x=', [("root", "LABEL=a b"), ("x", "")]),
        ('"dyndbg=file a +p" y', [("dyndbg", "file a +p"), ("y", None)]),
        ("a=1 -- b=2", [("a", "1")]),
        ('open="never closed', [("open", "never closed")]),
    ],
)
def test_words_are_taken_apart_as_the_kernel_does(
    text: str, words: list[tuple[str, str | None]]
) -> None:
    assert parameters(text) == words


@given(st.text(st.sampled_from('abr=0"\\ -:/,_\u0000\udc80ü')))
def test_no_cmdline_is_too_odd(text: str) -> None:
    pc = Machine(Arch.X86_64, 4096, consoles=("tty0", "ttyS0"))
    for odd in (text, f"console={text}", f"root={text}"):
        list(cmdline.consoles(_plan(Arch.X86_64, odd), None, pc))
        examine_root(odd, [BlockDevice("vda1", "/dev/vda1", label=text)])


def _voice(
    machine: Machine, make_kernel: MakeKernel, text: str, *, here: str = "tty0 ttyAMA0"
) -> tuple[Finding, ...]:
    speaking = replace(machine, consoles=tuple(here.split()))
    return prepare(kernel=make_kernel(), cmdline=text, machine=speaking).findings


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("console=ttyAMA0,115200n8", "tty0 ttyAMA0"),
        ("console=ttyS0 console=tty0", "tty0 ttyAMA0"),
        ("console=tty1 earlycon=pl011,0x9000000", "tty0"),
        ("console=tty", "tty0"),
        ("console=ttyS", "ttyS0"),
        ("console=0", "ttyS0"),
        ('console="ttyS0,115200"', "ttyS0"),
        ("console=uart8250,mmio,0x10000", "ttyS0"),  # what that becomes, only the kernel knows
        ("console=00:04:0.0 quiet", "ttyS0"),
        ("console=null", "ttyS0"),  # somebody wants silence
        ("console=", "ttyS0"),
        ("console=ttyAMA0", ""),
        ("quiet", "ttyAMA0"),  # the tree's stdout-path
        ("", "tty0"),
    ],
)
def test_console_that_is_here(
    machine: Machine, make_kernel: MakeKernel, text: str, here: str
) -> None:
    assert _voice(machine, make_kernel, text, here=here) == ()


def test_console_that_is_not_here(machine: Machine, make_kernel: MakeKernel) -> None:
    (finding,) = _voice(machine, make_kernel, "console=ttyS0,9600 console=ttyS1")
    assert finding.severity is Severity.WARNING
    assert "its console is ttyS0, ttyS1, this kernel's tty0, ttyAMA0" in finding.cause
    assert finding.remedy == "add console=ttyAMA0 to the cmdline"
    # What follows -- is for init.
    assert _voice(machine, make_kernel, "console=ttyS0 -- console=ttyAMA0") != ()


def test_no_console_where_the_tree_names_none(machine: Machine, make_kernel: MakeKernel) -> None:
    tree = DeviceTree.parse(machine.fdt)
    tree.remove("/chosen", "stdout-path")
    mute = replace(machine, fdt=tree.serialize())
    (finding,) = _voice(mute, make_kernel, "quiet", here="ttyAMA0")
    assert "its console is the screen" in finding.cause
    assert _voice(mute, make_kernel, "quiet", here="tty0 ttyAMA0") == ()
    assert _voice(mute, make_kernel, "", here="ttyAMA0") == ()  # an image that is inspected


def test_no_console_on_a_pc_with_a_serial_line_only(machine: Machine) -> None:
    pc = replace(machine, arch=Arch.X86_64, fdt=b"", consoles=("ttyS0",))
    (finding,) = cmdline.consoles(_plan(Arch.X86_64, "root=/dev/sda1 quiet"), None, pc)
    assert finding.remedy == "add console=ttyS0 to the cmdline"
    screen = replace(pc, consoles=("tty0", "ttyS0"))
    assert not list(cmdline.consoles(_plan(Arch.X86_64, "quiet"), None, screen))


def test_acpi_may_name_a_console(machine: Machine, make_kernel: MakeKernel) -> None:
    stub = DeviceTree()
    stub.add_node("/chosen")
    acpi = replace(machine, fdt=stub.serialize())
    assert _voice(acpi, make_kernel, "quiet", here="ttyAMA0") == ()
