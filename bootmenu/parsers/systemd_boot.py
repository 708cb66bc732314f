"""The menu of systemd-boot: the Boot Loader Specification's entries of both types in one list.

Specification: UAPI.1, https://uapi-group.org/specifications/specs/boot_loader_specification/;
systemd-boot(7). One list holds what lies on the EFI system partition (ESP) and on the extended boot
loader partition (XBOOTLDR) of the same disk: ``/EFI/Linux/*.efi`` (:mod:`bootmenu.parsers.uki`) and
``/loader/entries/*.conf`` (:mod:`bootmenu.parsers.bls`), in the order and with the titles of
:mod:`bootmenu.parsers.candidates`; the ESP's ``loader.conf`` (:mod:`bootmenu.parsers.loader_conf`)
says which is the default. A parser does not know partition types: an ESP is a volume with such
files and systemd-boot or ``loader.conf``; the XBOOTLDR one that has such files, no GRUB, and a
name of the same disk, or there is but one ESP.

A root that holds ``/boot``, ``/efi`` or ``/boot/efi`` itself is read there as well: so machines
without UEFI have it, whose boot loaders take the same entries. Entries that a GRUB offers are not
offered again.

Not supported: what systemd-boot adds by itself (Windows, macOS, the EFI shell, the firmware's
setup), since kexec starts none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from bootmenu.errors import ParseError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Configuration, Format, Problem, Volume
from bootmenu.parsers import bls, loader_conf
from bootmenu.parsers.candidates import Candidate, in_order, with_titles
from bootmenu.parsers.context import Context

PREFIXES = ("", "/boot", "/efi", "/boot/efi")
"""Where a volume may have what the boot loader sees as a root."""
MAX_CONF = 64 << 10
MAX_VENDORS = 50

_GRUB = ("/grub/grub.cfg", "/grub2/grub.cfg", "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_PARTITION = re.compile(
    r"(?P<disk>(?:sd|vd|xvd|hd)[a-z]+|(?:nvme\d+n|mmcblk|loop|nbd)\d+(?=p))p?\d+"
)


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """The menu on *volume*, without the entries that a GRUB has taken from the same files."""
    esps = [candidate for candidate in context.volumes if _is_esp(candidate)]
    if _esp_of(volume, esps) is not None:
        return []  # in that volume's menu
    menu = _Menu(context)
    menu.add(volume, found)
    if volume in esps:
        for other in context.volumes:
            if other.name != volume.name and _esp_of(other, esps) == volume:
                menu.add(other, ())
    configuration = menu.configuration(volume)
    return [configuration] if configuration.entries or configuration.problems else []


class _Menu:
    """The list while it is made."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files: dict[str, VolumeFiles] = {}
        self._candidates: list[Candidate] = []
        self._problems: list[Problem] = []
        self._settings: loader_conf.Settings | None = None
        self._path = ""

    def add(self, volume: Volume, found: Sequence[Configuration]) -> None:
        """What lies on *volume*, where *found* are its other configurations."""
        files = self._files[volume.name] = bls.files_of(volume)
        seen: set[str] = set()
        for prefix in PREFIXES:
            root = _real(files, prefix or "/")
            if root is None or root in seen:
                continue
            seen.add(root)  # /boot/boot may be a link to /boot
            self._add_images(volume, files, prefix)
            self._add_snippets(volume, files, prefix, found)
            conf = bls.as_stored(volume, files, f"{prefix}/loader/loader.conf")
            if self._settings is None and files.is_not_directory(conf):
                self._read_settings(volume, files, conf)

    def configuration(self, volume: Volume) -> Configuration:
        """The menu, which is that of *volume*."""
        shown = with_titles(in_order(self._candidates))
        settings = self._settings or loader_conf.Settings()
        # To systemd-boot, an entry whose kernel is missing is not there.
        there = [candidate for candidate in shown if self._is_there(candidate)]
        default = settings.choose(there or shown)
        entries = tuple(replace(c.entry, default=c is default) for c in shown)
        type_1 = any(entry.format is Format.BLS for entry in entries) or not entries
        return Configuration(
            device=volume.name,
            format=Format.BLS if type_1 else Format.UKI,
            path=self._path,
            entries=entries,
            default=default.entry.id if default else None,
            timeout=settings.timeout,
            problems=tuple(self._problems),
        )

    def _is_there(self, candidate: Candidate) -> bool:
        program = candidate.entry.kernel or candidate.program
        if program is None or program.url or program.volume is None:
            return True
        return self._files[program.volume].is_file(program.path)

    def _add_images(self, volume: Volume, files: VolumeFiles, prefix: str) -> None:
        directory = bls.as_stored(volume, files, f"{prefix}/EFI/Linux")
        names = [name for name in _names(files, directory) if _is_shown(name, ".efi")]
        if not names:
            return
        from bootmenu.parsers import uki

        self._path = self._path or directory
        for name in names[: uki.MAX_IMAGES]:
            path = f"{directory}/{name}"
            if len(self._candidates) >= bls.MAX_ENTRIES:
                break
            try:
                self._take(uki.candidates(volume, files, self._context, prefix, path))
            except (ParseError, VolumeError) as error:
                self._problems.append(Problem(error.message, volume.name, path))

    def _add_snippets(
        self, volume: Volume, files: VolumeFiles, prefix: str, found: Sequence[Configuration]
    ) -> None:
        directory = bls.as_stored(volume, files, f"{prefix}/loader/entries")
        if not files.is_dir(directory):
            return
        snippets, errors = bls.read_snippets(files, directory)
        self._path = self._path or directory
        self._problems += [Problem(e.message, volume.name, e.path, e.line) for e in errors]
        taken = _taken(files, volume, self._context, found) if snippets else lambda path: False
        for snippet in snippets:
            if not _is_shown(snippet.name, ".conf") or taken(snippet.path):
                continue
            try:
                made = bls.candidate(snippet, volume, files, self._context, prefix)
                self._take([made] if made else [])
            except (ParseError, VolumeError) as error:
                self._problems.append(Problem(error.message, volume.name, snippet.path))

    def _take(self, candidates: Sequence[Candidate]) -> None:
        self._candidates += candidates[: bls.MAX_ENTRIES - len(self._candidates)]

    def _read_settings(self, volume: Volume, files: VolumeFiles, path: str) -> None:
        try:
            self._settings = loader_conf.parse(files.read_text(path, MAX_CONF))
        except VolumeError as error:
            self._problems.append(Problem(error.message, volume.name, path))


def _is_shown(name: str, suffix: str) -> bool:
    return name.lower().endswith(suffix) and not name.lower().startswith((".", "auto-"))


def _esp_of(volume: Volume, esps: Sequence[Volume]) -> Volume | None:
    """Which of *esps* has the entries of *volume* in its menu; None when it has its own."""
    others = [esp for esp in esps if esp.name != volume.name]
    if not others or not _is_xbootldr(volume):
        return None
    disk = _disk(volume)
    same = [esp for esp in others if disk and _disk(esp) == disk]
    unknown = [esp for esp in others if not (disk and _disk(esp))]
    if same:
        return same[0]
    return unknown[0] if len(unknown) == 1 else None


def _is_xbootldr(volume: Volume) -> bool:
    files = bls.files_of(volume)
    if not (files.is_dir("/loader/entries") or files.is_dir("/EFI/Linux")):
        return False
    return not _has_loader(files) and not any(files.is_file(path) for path in _GRUB)


def _is_esp(volume: Volume) -> bool:
    files = bls.files_of(volume)
    return _has_loader(files) and not any(files.is_file(path) for path in _GRUB)


def _has_loader(files: VolumeFiles) -> bool:
    return files.is_file("/loader/loader.conf") or any(
        bls.is_systemd_boot(f"/EFI/systemd/{name}") for name in _names(files, "/EFI/systemd")
    )


def _disk(volume: Volume) -> str:
    """The disk that *volume* is a partition of, as far as its name says so; else ""."""
    matched = _PARTITION.fullmatch(volume.name)
    return matched["disk"] if matched else ""


def _taken(
    files: VolumeFiles, volume: Volume, context: Context, found: Sequence[Configuration]
) -> Callable[[str], bool]:
    """Whether a GRUB offers the entry of a path: one of this volume's, or one that reads it."""
    origins = {o.path for c in found for e in c.entries for o in e.origins}
    taken = {_real(files, path) for path in origins if path.endswith(".conf")}
    if not taken and any(_reads_entries_of(volume, other) for other in context.volumes):
        return lambda path: True
    return lambda path: _real(files, path) in taken


def _reads_entries_of(volume: Volume, other: Volume) -> bool:
    """Whether a GRUB on the ESP *other* has the entries of *volume* in its own menu.

    Red Hat's had its grub.cfg there, and ran ``blscfg`` on the volume that it searched for.
    """
    if other.name == volume.name or not volume.uuid:
        return False
    files = bls.files_of(other)
    for name in _names(files, "/EFI")[:MAX_VENDORS]:
        try:
            text = files.read_text(f"/EFI/{name}/grub.cfg", MAX_CONF).lower()
        except VolumeError:
            continue
        if re.search(r"^\s*blscfg\b", text, re.MULTILINE) and volume.uuid.lower() in text:
            return True
    return False


def _real(files: VolumeFiles, path: str) -> str | None:
    try:
        return files.path_of(path)
    except VolumeError:
        return None


def _names(files: VolumeFiles, directory: str) -> list[str]:
    try:
        return files.listdir(directory)
    except VolumeError:
        return []
