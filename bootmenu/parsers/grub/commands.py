"""GRUB's commands, as far as they decide what is offered and what would run.

Specification: GNU GRUB manual, "The list of available commands". Commands that only change how
GRUB looks, or that prepare what kexec does not need, are accepted and do nothing. Each function
here and in the modules beside is one command; it returns the command's status, 0 for true, and
raises :class:`~bootmenu.errors.BootmenuError` for an error, which is noted and false.
"""

from __future__ import annotations

from collections.abc import Callable

from bootmenu.errors import ParseError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Arch
from bootmenu.parsers.grub import entries, loading, saving, search, sources, variables
from bootmenu.parsers.grub.blscfg import blscfg
from bootmenu.parsers.grub.conditions import evaluate
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.numbers import leading_number, signed
from bootmenu.parsers.grub.options import Option, parse_options
from bootmenu.parsers.grub.state import BAD_NUMBER, NOT_THERE, Call, Leave

Handler = Callable[[Interpreter, Call], int]


def _true(run: Interpreter, call: Call) -> int:
    return 0


def _false(run: Interpreter, call: Call) -> int:
    return 1


def _echo(run: Interpreter, call: Call) -> int:
    words = call.arguments
    while words and words[0] in {"-n", "-e"}:
        words = words[1:]
    run.reading.echo(" ".join((*words, *([call.block.text] if call.block else []))))
    return 0


# --- control -----------------------------------------------------------------------------


def _loop_exit(run: Interpreter, call: Call) -> int:
    count = 1
    if call.arguments:
        found = leading_number(call.arguments[0], 10)
        if found is None:
            run.note(f"{call.name}: '{call.arguments[0][:40]}' is no number", call.line)
            return BAD_NUMBER
        count = found[0]
        if found[1] or not count:
            raise ParseError("how many loops?")
    if run.loops == 0:
        run.note(f"{call.name}: not in a loop", call.line)
        return 0
    run.status = 0
    raise Leave(call.name, min(count, run.loops))


def _return(run: Interpreter, call: Call) -> int:
    if not run.in_function:
        raise ParseError("not in a function")
    if call.arguments:
        found = leading_number(call.arguments[0], 10)
        if found is None:
            run.note("return: which number?", call.line)
            return BAD_NUMBER
        if found[1] or len(call.arguments) > 1:
            raise ParseError("return: one number expected")
        run.status = signed(found[0])
    raise Leave("return")


def _exit(run: Interpreter, call: Call) -> int:
    if run.boot.kernel is None:
        run.boot.other = call.name
    raise Leave("exit")


def _shift(run: Interpreter, call: Call) -> int:
    found = leading_number(call.arguments[0], 10) if call.arguments else (1, "")
    if run.in_function and (found is None or found[1] or found[0] > len(run.arguments)):
        raise ParseError("fewer arguments than that")
    if found is not None:
        run.arguments = run.arguments[found[0] :]
    return 0


def _setparams(run: Interpreter, call: Call) -> int:
    if not run.in_function:
        return NOT_THERE
    run.arguments = call.arguments
    return 0


def _test(run: Interpreter, call: Call) -> int:
    arguments = call.arguments
    if arguments and arguments[-1] == "]":
        arguments = arguments[:-1]
    return 0 if evaluate(arguments, _Facts(run)) else 1


class _Facts:
    """The files of a script, for ``test``."""

    def __init__(self, run: Interpreter) -> None:
        self._run = run

    def exists(self, path: str) -> bool:
        found = self._find(path)
        return found is not None and found[0].exists(found[1])

    def is_dir(self, path: str) -> bool:
        found = self._find(path)
        return found is not None and found[0].is_dir(found[1])

    def is_file(self, path: str) -> bool:
        found = self._find(path)
        return found is not None and found[0].is_file(found[1])

    def is_filled(self, path: str) -> bool:
        found = self._find(path)
        return found is not None and found[0].is_file(found[1]) and found[0].size(found[1]) > 0

    def changed(self, path: str) -> int | None:
        found = self._find(path)
        return found[0].changed(found[1]) if found is not None else None

    def _find(self, path: str) -> tuple[VolumeFiles, str] | None:
        return self._run.reading.devices.files(path, self._run.root)


def _loopback(run: Interpreter, call: Call) -> int:
    """``loopback NAME FILE``: the ISO image in FILE is a device; ``-d NAME``: no longer."""
    options = parse_options(call.arguments, {"delete": Option("d"), "decompress": Option("D")})
    devices = run.reading.devices
    names = options.names
    if "delete" in options:
        if not names or devices.loops.pop(names[0], None) is None:
            raise ParseError("no such device")
        return 0
    if len(names) != 2:
        raise ParseError("which device, and which file?")
    image = devices.resource(names[1], run.root)
    owner = image.volume if image.volume is not None else image.wants
    devices.loops[names[0]] = f"{owner}:{image.path}"
    if devices.find(names[0]) is None:
        VolumeFiles.of(devices.volume_of(image)).slice(image.path)  # raises when it is not here
        raise VolumeError(f"{image} is not an ISO 9660 image, which alone can be read")
    return 0


def _cpuid(run: Interpreter, call: Call) -> int:
    """``cpuid -l``: whether the processor has a long mode."""
    wanted = not call.arguments or call.arguments[0] in {"-l", "--long-mode"}
    return 0 if wanted and run.reading.devices.context.arch is Arch.X86_64 else 1


_ACCEPTED = [
    "background_color", "background_image", "badram", "boot", "btrfs-mount-subvol", "clear",
    "cls", "connectefi", "cryptomount", "cutmem", "date", "fdtdump", "gettext", "hdparm",
    "initrdfail", "insmod", "keymap", "loadfont", "ls", "lsfonts", "lsmod", "nativedisk",
    "password", "password_pbkdf2", "play", "rmmod", "serial", "sleep", "terminal_input",
    "terminal_output", "terminfo", "true", "trust", "vbeinfo", "verify_detached", "videoinfo",
    "videotest",
]  # fmt: skip
_REFUSED = [
    "acpi", "cat", "cmp", "drivemap", "false", "file", "getenv", "hashsum", "hexdump", "hwmatch",
    "keystatus", "lssal", "md5sum", "memrw", "parttool", "pcidump", "random",
    "setpci", "sha256sum", "smbios",
]  # fmt: skip
_OTHERS = [
    "appleloader", "freedos", "halt", "kernel16", "kfreebsd", "knetbsd", "kopenbsd", "multiboot",
    "multiboot2", "ntldr", "pxechain", "reboot", "truecrypt", "xen_hypervisor", "xnu_kernel",
    "xnu_kernel64",
]  # fmt: skip
_FOREIGN = [
    "legacy_configfile", "legacy_source", "syslinux_configfile", "syslinux_source",
    "extract_legacy_entries_configfile", "extract_legacy_entries_source",
    "extract_syslinux_entries_configfile", "extract_syslinux_entries_source",
]  # fmt: skip

COMMANDS: dict[str, Handler] = {
    **dict.fromkeys(_ACCEPTED, _true),
    **dict.fromkeys(_REFUSED, _false),
    **dict.fromkeys(_OTHERS, loading.other),
    **dict.fromkeys(_FOREIGN, sources.foreign),
    **dict.fromkeys(("module", "module2", "xen_module"), loading.module),
    **dict.fromkeys(("linux", "linux16", "linuxefi"), loading.linux),
    **dict.fromkeys(("initrd", "initrd16", "initrdefi"), loading.initrd),
    **dict.fromkeys(("menuentry", "submenu", "hiddenentry"), entries.menuentry),
    **dict.fromkeys(("source", "."), sources.source),
    **dict.fromkeys(("configfile", "extract_entries_configfile"), sources.configfile),
    **dict.fromkeys(("test", "["), _test),
    **dict.fromkeys(("break", "continue"), _loop_exit),
    **dict.fromkeys(("exit", "normal_exit"), _exit),
    **dict.fromkeys(("increment", "decrement"), variables.increment),
    **search.COMMANDS,
    "blscfg": blscfg,
    "chainloader": loading.chainloader,
    "cpuid": _cpuid,
    "devicetree": loading.devicetree,
    "echo": _echo,
    "eval": sources.eval_,
    "export": variables.export,
    "extract_entries_source": sources.extract_entries,
    "fwsetup": loading.fwsetup,
    "loopback": _loopback,
    "list_env": saving.list_env,
    "load_env": saving.load_env,
    "normal": sources.normal,
    "read": variables.read,
    "regexp": variables.regexp,
    "return": _return,
    "save_env": saving.save_env,
    "savedefault": saving.savedefault,
    "set": variables.set_,
    "setparams": _setparams,
    "shift": _shift,
    "tr": variables.translate,
    "unset": variables.unset,
}
