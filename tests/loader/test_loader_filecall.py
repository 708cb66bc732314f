"""Loads by kexec_file_load: which files are handed over, and what cannot be, in words."""

import errno
import gzip
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loader_pc import BIOS, MIB, UEFI, bzimage

from bootmenu.discover.capture import capture, restore
from bootmenu.errors import KexecError, PreflightError
from bootmenu.files import whole
from bootmenu.loader.digests import digested
from bootmenu.loader.initrd import EMPTY
from bootmenu.loader.method import file_call_may_do
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.examination import check
from bootmenu.loader.render import render_json, render_text
from bootmenu.model import (
    Arch,
    EditAction,
    FileSlice,
    KexecLimits,
    LoadPlan,
    Machine,
    Method,
    Stream,
    TreeEdit,
)

MakeKernel = Callable[..., FileSlice]
MakeInitrd = Callable[[int], FileSlice]
BOTH = (Method.CLASSIC, Method.FILE)


def permitting(machine: Machine, **limits: Any) -> Machine:
    """*machine* with a kernel that has both calls, but for its *limits*."""
    return replace(machine, kexec=KexecLimits(**({"methods": BOTH} | limits)))


@pytest.fixture
def vmlinuz(tmp_path: Path) -> FileSlice:
    path = tmp_path / "vmlinuz"
    path.write_bytes(bzimage() + b"the signature")
    return whole(str(path))


def sources_of(plan: LoadPlan) -> dict[str, tuple[object, ...]]:
    return {file.name: file.sources for file in plan.files}


def test_a_kernel_and_its_initrd_are_handed_over_as_they_lie_signature_included(
    vmlinuz: FileSlice, make_initrd: MakeInitrd
) -> None:
    initrd = make_initrd(5000)
    plan = prepare(
        kernel=vmlinuz,
        initrds=[initrd],
        cmdline="quiet",
        machine=permitting(BIOS),
        method=Method.FILE,
    )
    assert (plan.method, plan.segments, plan.cmdline) == (Method.FILE, (), "quiet")
    assert sources_of(plan) == {"kernel": (vmlinuz,), "initrd": (initrd,)}
    assert not any(file.copied for file in plan.files)
    assert plan.findings == ()


def test_several_initrds_are_joined_and_the_plan_says_what_that_takes(
    vmlinuz: FileSlice, make_initrd: MakeInitrd
) -> None:
    initrds = make_initrd(4998), make_initrd(70)
    plan = prepare(kernel=vmlinuz, initrds=initrds, machine=permitting(BIOS), method=Method.FILE)
    (joined,) = [file for file in plan.files if file.name == "initrd"]
    assert (joined.sources, joined.copied) == (initrds, True)
    text = render_text(plan, BIOS)
    assert "kexec_file_load: the running kernel chooses the places" in text
    assert "2 files joined in memory" in text
    shown = json.loads(render_json(plan, BIOS))
    assert (shown["method"], shown["entry"], shown["segments"]) == ("file", None, [])
    assert [one["bytes"] for one in shown["files"][1]["sources"]] == [4998, 70]
    read = digested(plan, lambda _done, _total: None)
    assert [file.digest for file in read.files] == [
        hashlib.sha256(Path(vmlinuz.path).read_bytes()).hexdigest(),
        hashlib.sha256(bytes(5000 + 70)).hexdigest(),
    ]
    assert read.files[1].digest[:32] in render_text(read, BIOS)


def test_names_of_files_do_not_steer_the_terminal(vmlinuz: FileSlice) -> None:
    named = replace(vmlinuz, name="vda1:/boot/\x1b]0;owned\x07vmlinuz")
    plan = prepare(kernel=named, machine=permitting(BIOS), method=Method.FILE)
    text = render_text(plan, BIOS)
    assert r"vda1:/boot/\x1b]0;owned\x07vmlinuz" in text
    assert text.replace("\n", "").isprintable()


def test_copies_count_as_memory_that_a_load_takes(
    vmlinuz: FileSlice, make_initrd: MakeInitrd
) -> None:
    initrds = make_initrd(200 * MIB), make_initrd(200 * MIB)
    machine = replace(permitting(BIOS), memory_available=1000 * MIB)
    how: dict[str, Any] = {"kernel": vmlinuz, "initrds": initrds, "machine": machine}
    assert not prepare(**how).findings
    (finding,) = prepare(**how, method=Method.FILE).findings
    assert "take 408 MiB, and the load up to 834 MiB besides" in finding.message


def test_under_uefi_an_initrd_is_never_missing(vmlinuz: FileSlice) -> None:
    plan = prepare(kernel=vmlinuz, machine=permitting(UEFI), method=Method.FILE)
    assert sources_of(plan)["initrd"] == (EMPTY,)
    plan = prepare(kernel=vmlinuz, machine=permitting(BIOS), method=Method.FILE)
    assert "initrd" not in sources_of(plan)


def test_a_packed_kernel_is_unpacked_with_what_follows_it_and_a_part_is_copied(
    machine: Machine, make_kernel: MakeKernel, vmlinuz: FileSlice, tmp_path: Path
) -> None:
    image = Path(make_kernel(image_size=MIB).path).read_bytes() + b"the signature"
    (tmp_path / "Image.gz").write_bytes(gzip.compress(image))
    plan = prepare(
        kernel=whole(str(tmp_path / "Image.gz")), machine=permitting(machine), method=Method.FILE
    )
    (kernel,) = plan.files
    (source,) = kernel.sources
    assert kernel.copied
    assert not isinstance(source, bytes | memoryview | FileSlice)
    stream: Stream = source
    assert b"".join(map(bytes, stream.pieces())) == image
    (tmp_path / "disk").write_bytes(b"x" * 4096 + Path(vmlinuz.path).read_bytes())
    part = FileSlice(str(tmp_path / "disk"), 4096, vmlinuz.size)
    (kernel,) = prepare(kernel=part, machine=permitting(BIOS), method=Method.FILE).files
    assert (kernel.sources, kernel.copied) == ((part,), True)


@pytest.fixture
def dtb(virt_dtb: bytes, tmp_path: Path) -> FileSlice:
    (tmp_path / "board.dtb").write_bytes(virt_dtb)
    return whole(str(tmp_path / "board.dtb"))


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"edits": [TreeEdit(EditAction.ADD_NODE, "/mine")]}, "edits of the device tree"),
        ({"parameters": [("uart=on",)]}, "parameters of the device tree"),
        ({"dtb": True}, "the DTB "),
        ({"overlays": True}, "overlays"),
    ],
)
def test_a_tree_of_ones_own_is_refused_in_words(
    machine: Machine, make_kernel: MakeKernel, dtb: FileSlice, asked: dict[str, Any], what: str
) -> None:
    asked = (
        {"dtb": dtb} if "dtb" in asked else {"overlays": [dtb]} if "overlays" in asked else asked
    )
    how: dict[str, Any] = {"kernel": make_kernel(), "method": Method.FILE, **asked}
    plan = prepare(**how, machine=permitting(machine))
    with pytest.raises(PreflightError, match=f"cannot hand over {what}") as refused:
        check(plan)
    assert "--method classic" in refused.value.hint
    plan = prepare(**how, machine=permitting(machine, lockdown="integrity"))
    with pytest.raises(PreflightError, match=f"cannot hand over {what}") as refused:
        check(plan)
    assert "lift the lockdown" in refused.value.hint


def test_an_image_for_riscv64_may_be_too_new_a_thing_for_the_running_kernel(
    machine: Machine, make_riscv: Callable[[], FileSlice]
) -> None:
    old = replace(permitting(machine), arch=Arch.RISCV64, cpus=(), release="6.12.48-riscv64")
    (finding,) = prepare(kernel=make_riscv(), machine=old, method=Method.FILE).findings
    assert "Linux 6.12 takes a vmlinux only" in finding.cause
    for release in ("6.16.1-riscv64", "9" * 5000 + ".1"):
        new = replace(old, release=release)
        assert not prepare(kernel=make_riscv(), machine=new, method=Method.FILE).findings


@pytest.fixture
def make_riscv(tmp_path: Path) -> Callable[[], FileSlice]:
    def make() -> FileSlice:
        head = b"\x13\0\0\0\x13\0\0\0" + struct.pack(
            "<QQQI12x8s4sI", 0x200000, 2 * MIB, 0, 2, b"RISCV", b"RSC\x05", 0
        )
        (tmp_path / "riscv").write_bytes(head.ljust(MIB, b"\0"))
        return whole(str(tmp_path / "riscv"))

    return make


def test_lockdown_leaves_the_file_call_and_the_plan_says_so(vmlinuz: FileSlice) -> None:
    locked = permitting(BIOS, lockdown="integrity")
    plan = prepare(kernel=vmlinuz, machine=locked)
    check(plan)
    assert plan.method is Method.FILE
    (finding,) = plan.findings
    assert "whose signature it trusts" in finding.message
    assert "lockdown is integrity" in finding.cause
    with pytest.raises(PreflightError, match="locked down") as refused:
        check(prepare(kernel=vmlinuz, machine=locked, method=Method.CLASSIC))
    assert "--method file" in refused.value.hint


@pytest.mark.parametrize(
    ("xloadflags", "five_level", "message", "hint"),
    [
        (0x7D, False, "none that has to lie below 4 GiB", "CONFIG_RELOCATABLE, or use --method"),
        (0x1F, True, "page tables of five levels", "no5lvl"),
    ],
)
def test_a_bzimage_that_the_running_kernel_does_not_take_is_refused(
    xloadflags: int, five_level: bool, message: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "vmlinuz").write_bytes(bzimage(xloadflags=xloadflags))
    kernel, machine = whole(str(tmp_path / "vmlinuz")), permitting(BIOS)
    assert machine.pc is not None
    running = replace(machine, pc=replace(machine.pc, five_level=five_level))
    with pytest.raises(PreflightError, match=message) as refused:
        check(prepare(kernel=kernel, machine=running, method=Method.FILE))
    assert hint in refused.value.hint


def test_the_running_pc_keeps_a_part_of_the_cmdline_free(vmlinuz: FileSlice) -> None:
    how: dict[str, Any] = {"kernel": vmlinuz, "machine": permitting(BIOS)}
    assert not prepare(**how, cmdline="x" * 2017).findings
    assert not prepare(**how, cmdline="x" * 2016, method=Method.FILE).findings
    (finding,) = prepare(**how, cmdline="x" * 2017, method=Method.FILE).findings
    assert "refuses more than 2,016 of them" in finding.cause


@pytest.mark.parametrize(
    ("limits", "method", "message", "hint"),
    [
        ({"methods": (Method.CLASSIC,)}, Method.FILE, "no kexec_file_load", "--method classic"),
        ({"methods": (Method.FILE,)}, Method.CLASSIC, "no kexec_load", "--method file"),
        (
            {"methods": (Method.CLASSIC,), "lockdown": "integrity"},
            Method.FILE,
            "CONFIG_KEXEC_FILE",
            "CONFIG_KEXEC_FILE=y",
        ),
        (
            {"methods": (Method.CLASSIC,), "lockdown": "integrity"},
            Method.AUTO,
            "locked down",
            "secure boot",
        ),
    ],
)
def test_a_call_that_is_not_there_is_refused_with_the_one_that_is(
    vmlinuz: FileSlice, limits: dict[str, Any], method: Method, message: str, hint: str
) -> None:
    machine = permitting(BIOS, **limits)
    with pytest.raises(PreflightError, match=message) as refused:
        check(prepare(kernel=vmlinuz, machine=machine, method=method))
    assert hint in refused.value.hint


def test_without_the_classic_call_the_other_one_is_taken(vmlinuz: FileSlice) -> None:
    plan = prepare(kernel=vmlinuz, machine=permitting(BIOS, methods=(Method.FILE,)))
    assert (plan.method, plan.findings) == (Method.FILE, ())
    assert prepare(kernel=vmlinuz, machine=permitting(BIOS)).method is Method.CLASSIC


@pytest.mark.parametrize(
    ("number", "limits", "tried"),
    [
        (errno.ENOSYS, {}, True),
        (errno.EACCES, {}, True),
        (errno.EPERM, {}, True),
        (errno.EPERM, {"load_limit": 3}, True),
        (errno.EPERM, {"load_disabled": True}, False),
        (errno.EPERM, {"load_limit": 0}, False),
        (errno.EPERM, {"privileged": False}, False),
        (errno.EINVAL, {}, False),
        (errno.ENOMEM, {}, False),
        (errno.EACCES, {"methods": (Method.CLASSIC,)}, False),
    ],
)
def test_the_file_call_is_tried_where_only_the_classic_one_is_forbidden(
    number: int, limits: dict[str, Any], tried: bool
) -> None:
    refusal = KexecError("refused", errno=number)
    assert file_call_may_do(refusal, permitting(BIOS, **limits)) is tried


def test_for_a_crash_kernel_its_own_limit_counts() -> None:
    refusal = KexecError("refused", errno=errno.EPERM)
    assert file_call_may_do(refusal, permitting(BIOS, load_limit=0), panic=True)
    assert not file_call_may_do(refusal, permitting(BIOS, load_limit_panic=0), panic=True)


def test_a_capture_says_which_calls_there_are() -> None:
    assert restore(capture(permitting(BIOS))).kexec.methods == BOTH
