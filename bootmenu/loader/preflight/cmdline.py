"""The cmdline: its length, and whether anybody here would see what the next kernel says.

Sources: COMMAND_LINE_SIZE in arch/*/include/uapi/asm/setup.h, cmdline_size in
Documentation/arch/x86/boot.rst; bzImage64_load() of arch/x86/kernel/kexec-bzimage64.c;
kernel/printk/printk.c (console_setup).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootmenu.devicetree.chosen import CHOSEN
from bootmenu.devicetree.tree import DeviceTree
from bootmenu.images.kernel import KernelImage
from bootmenu.loader.preflight.findings import error, warning
from bootmenu.loader.preflight.tree import described
from bootmenu.loader.preflight.words import parameters
from bootmenu.model import Arch, Finding, LoadPlan, Machine, Method

LONGEST = {Arch.ARM64: 2047, Arch.X86_64: 2047, Arch.RISCV64: 1023}
"""Bytes of cmdline that a kernel takes; what is longer is cut off."""
OLDER_RISCV = 511
"""What a riscv64 kernel took before it was 1,023, in Linux 6.4."""
KEPT_FREE = 31
"""Bytes of it that an x86 kernel keeps free in kexec_file_load: ``elfcorehdr=``, and the NUL."""
_SCREEN = "tty0"


def length(plan: LoadPlan, image: KernelImage) -> Iterator[Finding]:
    """A cmdline of which the next kernel would not see the end."""
    size = len(plan.cmdline.encode("utf-8", "surrogateescape"))
    longest = getattr(image.header, "cmdline_size", 0) or LONGEST[plan.arch]
    remedy = "remove parameters from the cmdline"
    if size > longest:
        yield error(
            f"the cmdline has {size:,} bytes",
            f"the kernel would cut it off after {longest:,}",
            remedy,
        )
    elif plan.arch is Arch.X86_64 and plan.method is Method.FILE and size > longest - KEPT_FREE:
        yield warning(
            f"the cmdline has {size:,} bytes",
            f"kexec_file_load of Linux 6.12 refuses more than {longest - KEPT_FREE:,} of them",
            remedy,
        )
    elif plan.arch is Arch.RISCV64 and size > OLDER_RISCV:
        yield warning(
            f"the cmdline has {size:,} bytes",
            f"a kernel before Linux 6.4 may cut it off after {OLDER_RISCV}",
            remedy,
        )


def unseen(plan: LoadPlan, tree: DeviceTree | None) -> Iterator[Finding]:
    """A NUL, with which a cmdline ends: files of a machine that lost its power may have some."""
    handed = plan.cmdline.encode("utf-8", "surrogateescape")
    if tree is not None:
        handed = tree.get(CHOSEN, "bootargs") or b""
    behind = handed.rstrip(b"\0").partition(b"\0")[2]
    if behind:
        yield warning(
            "the cmdline has a NUL in it",
            f"the kernel does not see the {len(behind):,} bytes behind it",
            "remove it from the cmdline, and look at the file that it comes from",
        )


def consoles(plan: LoadPlan, tree: DeviceTree | None, machine: Machine) -> Iterator[Finding]:
    """A next kernel that speaks on none of the consoles that this one speaks on.

    Without any cmdline nothing is said: an image alone is looked at.
    """
    if not plan.cmdline:
        return
    here = {_console(name) for name in machine.consoles}
    named = [value or "" for name, value in parameters(plan.cmdline) if name == "console"]
    spoken = {_console(value.split(",")[0]) for value in named} or _unasked(plan.arch, tree)
    if not here or not spoken or None in spoken or spoken & here:
        return
    names = ", ".join(value.split(",")[0] for value in named)
    yield warning(
        "the next kernel may be silent here",
        f"its console is {names or 'the screen'}, this kernel's {', '.join(machine.consoles)}"
        + ("" if named else ", and its cmdline names none"),
        f"add console={machine.consoles[-1]} to the cmdline",
    )


def _console(name: str) -> str | None:
    """The console that ``console=NAME`` means; None where that depends on the next kernel."""
    if name in ("", "null") or name.startswith("uart") or ":" in name:
        return None
    if re.fullmatch(r"tty\d*", name):  # every virtual terminal is on the screen
        return _SCREEN
    if name.isdigit():
        return f"ttyS{name}"
    return name if name[-1:].isdigit() else f"{name}0"


def _unasked(arch: Arch, tree: DeviceTree | None) -> set[str | None]:
    """What a kernel speaks on that is told no console: the screen, unless the tree says more."""
    if arch is Arch.X86_64:
        return {_SCREEN}
    if tree is None or not described(tree):
        return {None}  # ACPI may have a table for it
    asked = any(tree.get(CHOSEN, name) for name in ("stdout-path", "linux,stdout-path"))
    return {None} if asked else {_SCREEN}
