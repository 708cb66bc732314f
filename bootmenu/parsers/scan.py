"""Every format, on one volume.

Here is the one place where what a disk says is made fit for a screen: titles, ids and problems
lose their control characters, and an entry learns which of its files are missing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import cast

from bootmenu.errors import BootmenuError, VolumeError
from bootmenu.files import Effort, VolumeFiles, exhausted, limited
from bootmenu.model import BootEntry, Configuration, Format, Problem, Volume
from bootmenu.parsers.context import Context

Read = Callable[[Volume, Context, Sequence[Configuration]], list[Configuration]]


@dataclass(frozen=True, slots=True)
class Reader:
    """A module of this room whose ``read`` gives the configurations of *format*.

    It is imported only for a volume that has one of *marks* in what :func:`_names` gives: a board
    of one kind does not wait for the formats of all others. Without marks every volume may have
    such a configuration.
    """

    format: Format
    module: str
    marks: tuple[str, ...] = ()

    @property
    def read(self) -> Read:
        """The module's function."""
        return cast("Read", import_module(f"bootmenu.parsers.{self.module}").read)


READERS: tuple[Reader, ...] = (
    Reader(Format.GRUB, "grub.configurations"),
    Reader(Format.BLS, "systemd_boot"),
    Reader(
        Format.SYSLINUX,
        "syslinux.configurations",
        ("extlinux", "syslinux", "isolinux", "pxelinux", "/sysl", "\n/efi", "/x86_64", "/i386"),
    ),
    Reader(Format.UBOOT, "uboot.configurations", ("boot.scr", "boot.cmd", "armbianenv", "uenv")),
    Reader(
        Format.RASPBERRYPI,
        "raspberrypi.configurations",
        ("config.txt", "/firmware", "/bootcode.bin", "/start", "/bcm27"),
    ),
    Reader(Format.PETITBOOT, "petitboot", ("petitboot",)),
    Reader(Format.KBOOT, "kboot", ("kboot",)),
    Reader(
        Format.YABOOT,
        "yaboot",
        ("yaboot", "/lilo.conf", "/suseboot", "/ppc", "/install", "/boot/etc"),
    ),
    Reader(Format.BARE, "bare"),
    Reader(Format.BARE, "subvolumes"),
    Reader(Format.GRUB, "iso", (".iso", "/iso", "/images")),  # the convention for images is GRUB's
)
"""The formats in the order of their entries; each is told what those before it found."""

DIRECTORIES = (
    "/boot/grub", "/boot/grub2", "/grub", "/grub2", "/EFI", "/boot/efi", "/boot/extlinux",
    "/extlinux", "/loader/entries", "/boot/loader/entries",
)  # fmt: skip
"""Where most configurations are."""
SECONDS = 12.0
"""Of the processor, for all formats of a volume together; what is not read by then is left out."""
MAX_ENTRIES = 5000
"""Entries of a volume."""
MAX_PROBLEMS = 100
"""Problems of a configuration that are kept."""
MAX_TITLE = 200
"""Characters of a title that are kept."""
MAX_ID = 500
"""Characters of an id that are kept."""
MAX_FILES = 32
"""Files of an entry that are looked for."""


def scan(volume: Volume, context: Context) -> list[Configuration]:
    """The boot configurations on *volume*; *context* has all volumes, this one too.

    Raises nothing: a format that fails becomes a configuration with a problem. Another volume
    that arrives or leaves may change the result.
    """
    found, effort = _read(volume, context)
    if effort.cut_short and effort.leapt:  # the machine may have been stopped: hardly twice
        found, _ = _read(volume, context)
    ids = _Ids()
    return [_presentable(c, context, ids) for c in _bounded(found, volume)]


def _read(volume: Volume, context: Context) -> tuple[list[Configuration], Effort]:
    """What all formats find on *volume*, and what became of the time that they had."""
    found: list[Configuration] = []
    with limited(SECONDS) as effort:
        names, problems = _names(volume)
        if problems:
            found.append(Configuration(volume.name, Format.BARE, "", problems=problems))
        for reader in READERS:
            if reader.marks and not any(mark in names for mark in reader.marks):
                continue
            try:
                found += reader.read(volume, context, tuple(found))
            except BootmenuError as error:
                found.append(_failed(volume, reader.format, error.message))
            except Exception as error:  # a disk must never take the menu down
                found.append(_failed(volume, reader.format, f"{type(error).__name__}: {error}"))
            if exhausted():
                what = "takes too long to read: the rest of its configurations is left out"
                found.append(_failed(volume, reader.format, what))
                break
    return found, effort


def _bounded(found: Sequence[Configuration], volume: Volume) -> Iterator[Configuration]:
    """*found* without the entries that are too many for any menu."""
    left = MAX_ENTRIES
    for configuration in found:
        entries = configuration.entries[:left]
        left -= len(entries)
        yield replace(configuration, entries=entries)
        if len(entries) < len(configuration.entries):
            yield _failed(volume, configuration.format, f"more than {MAX_ENTRIES} entries")
            return


def _names(volume: Volume) -> tuple[str, tuple[Problem, ...]]:
    """The paths in ``/``, ``/boot`` and ``/etc``, in lower case, a line break before each.

    And a problem for each directory of boot configurations that may not be read: what a format
    looks for in there is simply not seen.
    """
    files = VolumeFiles.of(volume)
    paths: list[str] = []
    problems: list[Problem] = []
    for directory in ("/", "/boot", "/etc", *DIRECTORIES):
        if not files.is_dir(directory):
            continue
        try:
            names = files.listdir(directory)
        except VolumeError as error:
            problems.append(Problem(error.message, volume.name, directory))
        else:
            if directory not in DIRECTORIES:
                paths += [f"\n{directory.rstrip('/')}/{name}" for name in names]
    return "".join(paths).lower(), tuple(problems)


def clean(text: str, limit: int = MAX_TITLE) -> str:
    """*text* as one line for a screen: what would steer a terminal becomes U+FFFD."""
    shown = text[: limit * 4]
    if not (shown.isascii() and shown.isprintable()):  # most are: a letter at a time takes long
        shown = "".join(_visible(character) for character in shown)
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@lru_cache(maxsize=4096)
def _visible(character: str) -> str:
    if character in "\t\n":
        return " "
    # Control, format (which may reverse the text), surrogate (no UTF-8), private, unassigned.
    return "\ufffd" if unicodedata.category(character).startswith("C") else character


def _failed(volume: Volume, format_: Format, message: str) -> Configuration:
    problem = Problem(message, device=volume.name)
    return Configuration(device=volume.name, format=format_, path="", problems=(problem,))


def _presentable(configuration: Configuration, context: Context, ids: _Ids) -> Configuration:
    """*configuration* with clean texts, and *ids* that no other entry has."""
    shown: dict[str, str] = {}  # the first of several equal ids is the one that a default means
    files = {volume.name: VolumeFiles.of(volume) for volume in context.volumes}
    entries = []
    for entry in configuration.entries:
        unique = ids.unique(clean(entry.id, MAX_ID))
        shown.setdefault(entry.id, unique)
        entries.append(
            replace(
                entry,
                id=unique,
                title=clean(entry.title) or "(no title)",
                menu=tuple(clean(title) for title in entry.menu),
                problems=tuple(
                    clean(p) for p in (*_missing(entry, context, files), *entry.problems)
                ),
            )
        )
    return replace(
        configuration,
        entries=tuple(entries),
        default=shown.get(configuration.default or ""),
        problems=tuple(
            replace(problem, message=clean(problem.message), path=clean(problem.path))
            for problem in configuration.problems[:MAX_PROBLEMS]
        ),
    )


class _Ids:
    """The ids that are taken, and how often each was asked for."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def unique(self, id_: str) -> str:
        """*id_*, with a number behind it when it is taken."""
        name = id_
        while name in self._taken:  # counted on, so that a thousand equal ids are no square of it
            self._taken[id_] += 1
            name = f"{id_}#{self._taken[id_]}"
        self._taken[name] = 1
        return name


def _missing(entry: BootEntry, context: Context, files: dict[str, VolumeFiles]) -> list[str]:
    """What keeps *entry* from booting, as far as its files go; *files* are of the volumes."""
    problems = []
    for resource in entry.resources[:MAX_FILES]:
        if resource.url:
            continue
        volume = context.by_name(resource.volume) if resource.volume is not None else None
        if volume is None:
            wanted = resource.wants or resource.volume or "a volume"
            problems.append(f"{resource.path} is on {wanted}, which is not here")
            continue
        if volume.name not in files:
            files[volume.name] = VolumeFiles.of(volume)
        try:
            files[volume.name].slice(resource.path)
        except VolumeError as error:
            there = files[volume.name].is_file(resource.path)
            problems.append(error.message if there else f"no such file: {resource}")
    return problems
