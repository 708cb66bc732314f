"""From what a label or a command starts to a boot entry."""

from __future__ import annotations

import re
from dataclasses import replace

from bootmenu.model import BootEntry, Format, Origin, Resource
from bootmenu.parsers.context import Context
from bootmenu.parsers.syslinux.command import Linux, Refused
from bootmenu.parsers.syslinux.paths import locate, resource
from bootmenu.parsers.syslinux.script import Label, Reading, Statement, split_word
from bootmenu.parsers.syslinux.variables import expand
from bootmenu.parsers.trees import Trees

MAX_FILES = 64
"""Initrds, or overlays, of one entry."""

_INITRD = re.compile(r"(?<!\S)initrd=(\S*)")


class Entries:
    """Makes the entries of the configuration *source*, which is U-Boot's when *uboot* is set.

    Relative paths lead from *directory*.
    """

    def __init__(
        self, reading: Reading, context: Context, source: str, directory: str, *, uboot: bool
    ) -> None:
        self._files = reading.files
        self._volume = reading.volume
        self._source = source
        self._directory = directory
        self._uboot = uboot
        self._format = format_of(source)
        self._key = f"{context.key(reading.volume)}:{self._format.value}"
        self._trees = Trees(reading.files, context.compatible)

    def of_label(self, label: Label, started: Linux | Refused, menu: tuple[str, ...]) -> BootEntry:
        """The entry of *label*, whose command has been followed to *started*."""
        return self._entry(label.name, title_of(label), started, label, menu)

    def of_command(self, command: Statement, started: Linux | Refused) -> BootEntry:
        """The entry of a command, as a person would type it."""
        label = started.label if isinstance(started, Linux) else None
        return self._entry(command, command.text, started, label, ())

    def _entry(
        self,
        name: Statement,
        title: str,
        started: Linux | Refused,
        label: Label | None,
        menu: tuple[str, ...],
    ) -> BootEntry:
        titled = label.title if label and label.title else name
        entry = BootEntry(
            id=f"{self._key}:{name.text}",
            title=title,
            device=self._volume.name,
            format=self._format,
            source=self._source,
            menu=menu,
            origins=(_origin("title", titled),),
        )
        if isinstance(started, Refused):
            return replace(entry, problems=(f"{name.path}:{name.line}: {started.reason}",))
        append = label.append if label and label.append else name
        cmdline, variables = started.arguments, list[str]()
        if self._uboot:
            cmdline, variables = expand(cmdline)
        problems = [
            f"{append.path}:{append.line}: what U-Boot's variable {variable} holds is not known"
            for variable in variables[:MAX_FILES]
        ]
        kernel = self._resource(started.file)
        if self._uboot and "#" in started.file and not self._files.is_file(kernel.path):
            file, _, configuration = started.file.partition("#")
            kernel = self._resource(file)
            problems.append(f"{name.path}:{name.line}: asks for {configuration} of a FIT image")
        initrds = self._initrds(started.arguments, label, append)
        overlays = label.overlays.text.replace(",", " ") if label and label.overlays else ""
        fields = {
            "kernel": label.kernel if label and label.kernel else name,
            "initrd": initrds,
            "dtb": (label.fdt or label.fdtdir) if label else None,
            "overlays": label.overlays if label else None,
            "cmdline": append if cmdline else None,
        }
        return replace(
            entry,
            kernel=kernel,
            initrds=self._resources(initrds.text.split(",") if initrds else []),
            dtb=self._device_tree(label) if label else None,
            overlays=self._resources(overlays.split()),
            cmdline=cmdline,
            problems=tuple(problems),
            origins=(
                *entry.origins,
                *(_origin(field, statement) for field, statement in fields.items() if statement),
            ),
        )

    def _initrds(self, arguments: str, label: Label | None, append: Statement) -> Statement | None:
        """The names of the initrds, with commas: of ``initrd=``, else of INITRD.

        Syslinux puts the last INITRD behind the cmdline and takes the first ``initrd=`` there;
        U-Boot takes whatever comes first in the file.
        """
        matched = _INITRD.search(arguments)
        chosen = None
        if label and label.initrds:
            chosen = label.initrds[0 if self._uboot else -1]
            chosen = chosen._replace(text=split_word(chosen.text)[0])
        first = chosen and chosen.path == append.path and chosen.line < append.line
        if matched and not (self._uboot and first):
            return append._replace(text=matched[1])
        return chosen

    def _device_tree(self, label: Label) -> Resource | None:
        if label.fdt:
            file = split_word(label.fdt.text)[0]
            return self._resource(file) if file not in {"", "-"} else None
        if not label.fdtdir:
            return None
        folder = locate(split_word(label.fdtdir.text)[0], self._directory)
        tree = self._trees.find(folder)
        return Resource(tree, self._volume.name) if tree else None

    def _resource(self, name: str) -> Resource:
        return resource(name, self._directory, self._volume)

    def _resources(self, names: list[str]) -> tuple[Resource, ...]:
        return tuple(self._resource(name) for name in names[:MAX_FILES] if name)


def format_of(source: str) -> Format:
    """What the configuration *source* is by its name."""
    name = source.rpartition("/")[2].lower()
    return Format.EXTLINUX if name == "extlinux.conf" else Format.SYSLINUX


def title_of(label: Label) -> str:
    """What a menu shows for *label*, without the mark of its hot key."""
    title = label.title.text.replace("^", "") if label.title else ""
    return title or label.name.text


def _origin(field: str, statement: Statement) -> Origin:
    return Origin(field, statement.path, statement.line)
