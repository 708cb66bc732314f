"""What a label or a typed command starts: a kernel, another configuration, or something else.

Programs of syslinux's own (COM32 modules) are followed where all that they do is to choose:
menus, ``config``, ``linux``, ``whichsys``, ``ifcpu``, ``ifcpu64`` and ``cmd``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bootmenu.files import VolumeFiles
from bootmenu.parsers.syslinux.paths import locate
from bootmenu.parsers.syslinux.script import Label, Script, split_word

MAX_STEPS = 8
"""Commands that call each other."""
MAX_PATHS = 64
"""Configurations that a menu module shows as one."""

_EXTENSIONS = (
    (".c32", "com32"),
    (".bss", "boot"),
    (".bin", "boot"),
    (".bs", "boot"),
    (".0", "boot"),
)
"""What a KERNEL is by its name; everything else is Linux."""
_MENUS = {"menu", "vesamenu"}
_OTHER_MENUS = {"gfxboot", "gfxmenu"}  # their arguments are no configurations
_CHOOSERS = {"whichsys", "ifcpu", "ifcpu64", "cmd"}
_MODULES = _MENUS | _OTHER_MENUS | _CHOOSERS | {"config", "linux", "chain", "mboot", "reboot"}


@dataclass(frozen=True, slots=True)
class Linux:
    """A kernel by the name that the configuration gives it, and its arguments."""

    file: str
    arguments: str
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Other configurations, by path; *menu* when a menu module shows them, all in one."""

    paths: tuple[str, ...]
    directory: str
    menu: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The menu of the same configuration."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that cannot be started here, and why."""

    reason: str


Outcome = Linux | Chain | Again | Refused


class Commands:
    """The commands of *script*, for a loader that works in *directory*.

    *typed* says whether a KERNEL's name tells what it is, as for syslinux; *optical* whether the
    loader would be ISOLINUX.
    """

    def __init__(
        self, script: Script, files: VolumeFiles, directory: str, *, typed: bool, optical: bool
    ) -> None:
        self._script = script
        self._files = files
        self._directory = directory
        self._typed = typed
        self._system = "-iso-" if optical else "-sys-"
        self._by_name: dict[str, Label] = {}
        self._by_word: dict[str, Label] = {}
        for label in script.labels:  # the first of equal names counts
            self._by_name.setdefault(label.name.text, label)
            self._by_word.setdefault(split_word(label.name.text)[0], label)

    def of_label(self, label: Label, added: str = "", steps: int = 0) -> Outcome:
        """What *label* starts, with *added* typed behind its name."""
        name = label.kernel.text if label.kernel else ""
        file, own = split_word(name or label.name.text)
        append = label.append.text if label.append and label.append.text != "-" else ""
        arguments = " ".join(filter(None, (own, append, added)))
        kind = label.kind
        if kind == "localboot":
            return Refused("boots the local disk, whose systems have entries of their own")
        if kind == "kernel":
            kind = _kind(file)
            kind = "linux" if kind == "boot" and not self._typed else kind
        elif kind == "com32":
            file = file if file.lower().endswith(".c32") else f"{file}.c32"
        if kind == "config":
            return self._config(file, arguments)
        if kind == "com32":
            return self._module(file, arguments, steps, label)
        if kind in {"boot", "bss", "pxe", "comboot"}:
            return Refused(f"starts {file}, which is no Linux")
        return _linux(file, arguments, label)

    def of_text(self, text: str, steps: int = 0) -> Outcome | None:
        """What typing *text* would start; None when it names neither a label nor a file."""
        if label := self.find_label(text):
            return self.of_label(label[0], label[1], steps)
        file, arguments = split_word(text)
        if not file or not self._script.implicit:
            return None
        extensions = ("", *(extension for extension, _ in _EXTENSIONS))
        found = [e for e in extensions if self._files.is_file(locate(file + e, self._directory))]
        if not found and _module_name(file) in _MODULES:
            found = [""] if file.lower().endswith(".c32") else [".c32"]
        if not found:
            return None
        file += found[0]
        kind = _kind(file)
        if kind == "com32":
            return self._module(file, arguments, steps, None)
        if kind == "boot":
            return Refused(f"starts {file}, which is no Linux")
        return _linux(file, arguments, None)  # without the global APPEND, whatever its manual says

    def find_label(self, text: str) -> tuple[Label, str] | None:
        """The label that *text* begins with, and what follows its name.

        Syslinux ends a name at the first space; U-Boot's may have spaces in them.
        """
        if text in self._by_name:
            return self._by_name[text], ""
        word, arguments = split_word(text)
        label = self.named(text) or self._by_word.get(word)
        return (label, arguments) if label else None

    def named(self, text: str) -> Label | None:
        """The label whose whole name is *text*, or its first word: so do menus look for it."""
        return self._by_name.get(text) or self._by_name.get(split_word(text)[0])

    def _config(self, file: str, arguments: str) -> Chain:
        directory = self._directory
        if arguments:
            wanted = locate(split_word(arguments)[0], directory)
            directory = wanted if self._files.is_dir(wanted) else directory
        return Chain((locate(file, self._directory),), directory)

    def _module(self, file: str, arguments: str, steps: int, label: Label | None) -> Outcome:
        name = _module_name(file)
        words = arguments.split()[:MAX_PATHS]
        if name in _MENUS:
            paths = tuple(locate(word, self._directory) for word in words if word != "~")
            return Chain(paths, self._directory, menu=True) if paths else Again()
        if name in _OTHER_MENUS:
            return Again()
        if name == "config" and words:
            return self._config(words[0], " ".join(words[1:]))
        if name == "linux":
            while arguments.startswith("-"):
                arguments = split_word(arguments)[1]
            file, rest = split_word(arguments)
            return _linux(file, rest, label) if file else Refused("linux.c32 is given no kernel")
        if name == "mboot":
            return Refused("multiboot (mboot.c32) is not supported")
        chosen = self._choice(name, words) if name in _CHOOSERS and steps < MAX_STEPS else ""
        if chosen and (outcome := self.of_text(chosen, steps + 1)):
            return outcome
        return Refused(f"starts {file}, which is no Linux")

    def _choice(self, name: str, words: Sequence[str]) -> str:
        """The command that a module among _CHOOSERS would run here: on a 64-bit processor."""
        if name == "whichsys":
            for at, word in enumerate(words):
                if word == self._system:
                    ends = [i for i in range(at + 1, len(words)) if words[i] in _SYSTEMS]
                    return " ".join(words[at + 1 : ends[0] if ends else None])
            return ""
        parts = " ".join(words).split(" -- ")
        if name == "ifcpu":  # what is asked of the processor comes first
            parts = parts[1:]
        return parts[0] if parts else ""


_SYSTEMS = {"-iso-", "-sys-", "-pxe-"}


def _linux(file: str, arguments: str, label: Label | None) -> Outcome:
    if file.rpartition("/")[2].lower() == "memdisk":
        return Refused("starts a disk image through the BIOS (memdisk), which is no Linux")
    return Linux(file, arguments, label)


def _kind(file: str) -> str:
    for extension, kind in _EXTENSIONS:
        if file.lower().endswith(extension):
            return kind
    return "linux"


def _module_name(file: str) -> str:
    return file.rpartition("/")[2].lower().removesuffix(".c32")
