"""GRUB's commands that load what an entry starts: Linux, and what is no Linux.

Specification: GNU GRUB manual, "Booting GNU/Linux"; the cmdline is put together as GRUB does it,
which quotes an argument with a blank and puts a backslash before quotes. A kernel whose file is
missing is false, as for GRUB, and named all the same: the entry then says what it lacks.
"""

from __future__ import annotations

from bootmenu.errors import BootmenuError, ParseError
from bootmenu.model import Origin, Platform, Resource
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.state import FILE_NOT_FOUND, Call

_KERNELS = ((0x202, b"HdrS"), (0x38, b"ARM\x64"), (0x38, b"RSC\x05"))
"""Where the formats of kernels with an EFI stub have their marks: x86, arm64, RISC-V."""
_HEAD = 0x206
_HEX = frozenset("0123456789abcdefABCDEF")


def linux(run: Interpreter, call: Call) -> int:
    """``linux FILE ARGUMENT…``."""
    arguments = [a for a in call.arguments if a != "--quirks"]
    if not arguments:
        raise ParseError("which kernel?")
    kernel = run.reading.devices.resource(arguments[0], run.root)
    _start(run, call, kernel, " ".join(_quoted(argument) for argument in arguments[1:]))
    return 0 if kernel.url or run.reading.devices.is_file(kernel) else FILE_NOT_FOUND


def initrd(run: Interpreter, call: Call) -> int:
    """``initrd FILE…``; what ``newc:`` would pack into an archive is left out."""
    if run.boot.kernel is None:
        raise ParseError("the kernel must be loaded first")
    names = [a for a in call.arguments if not a.startswith("--")]
    packed = [name for name in names if name.startswith("newc:")]
    if packed:
        run.note(f"initrd: '{packed[0]}' is left out: newc is not supported", call.line)
    run.boot.initrds = tuple(
        run.reading.devices.resource(name, run.root) for name in names if name not in packed
    )
    run.boot.origins["initrd"] = Origin("initrd", run.path, call.line)
    return 0


def devicetree(run: Interpreter, call: Call) -> int:
    """``devicetree [FILE]``; without a file the firmware's is used again."""
    if not call.arguments:
        run.boot.dtb = None
        return 0
    run.boot.dtb = run.reading.devices.resource(call.arguments[0], run.root)
    run.boot.origins["dtb"] = Origin("dtb", run.path, call.line)
    return 0


def chainloader(run: Interpreter, call: Call) -> int:
    """``chainloader FILE ARGUMENT…``: a kernel that is an EFI program too is a kernel here."""
    arguments = [a for a in call.arguments if not a.startswith("--")]
    if arguments and "+" not in arguments[0]:
        program = run.reading.devices.resource(arguments[0], run.root)
        head = _head(run, program) or b""
        if any(head[offset:].startswith(mark) for offset, mark in _KERNELS):
            _start(run, call, program, " ".join(arguments[1:]))
            return 0
    return other(run, call)


def other(run: Interpreter, call: Call) -> int:
    """What kexec is not asked for: Multiboot, BSD, boot sectors; or what starts nothing."""
    names = [a for a in call.arguments if not a.startswith("--")]
    run.boot.other = " ".join((call.name, *names[:1]))
    return 0


def module(run: Interpreter, call: Call) -> int:
    """A further file of what has been named already."""
    return 0 if run.boot.other else other(run, call)


def fwsetup(run: Interpreter, call: Call) -> int:
    """The firmware's menu, which nearly every EFI has: its entry takes a place in the order."""
    if "--is-supported" in call.arguments:
        return 0 if run.reading.devices.context.platform is Platform.EFI else 1
    return other(run, call)


def _start(run: Interpreter, call: Call, kernel: Resource, cmdline: str) -> None:
    boot = run.boot
    boot.kernel, boot.cmdline = kernel, cmdline
    boot.initrds, boot.other = (), ""
    boot.origins.pop("initrd", None)
    for field in ("kernel", "cmdline"):
        boot.origins[field] = Origin(field, run.path, call.line)


def _head(run: Interpreter, file: Resource) -> bytes | None:
    """The first bytes of *file*, None when it cannot be read."""
    try:
        volume = run.reading.devices.volume_of(file)
        return run.reading.devices.files_of(volume).read_head(file.path, _HEAD)
    except BootmenuError:
        return None


def _quoted(argument: str) -> str:
    r"""*argument* as GRUB writes it into a cmdline; ``\x20`` stays what it is."""
    text = argument
    if "\\" in text or '"' in text or "'" in text:
        text = "".join(
            f"\\{character}"
            if character in "\\'\"" and not _is_hex_escape(argument[index : index + 4])
            else character
            for index, character in enumerate(argument)
        )
    return f'"{text}"' if " " in argument else text


def _is_hex_escape(text: str) -> bool:
    return len(text) == 4 and text[:2] == "\\x" and text[2] in _HEX and text[3] in _HEX
