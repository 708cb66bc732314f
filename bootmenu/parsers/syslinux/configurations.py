"""Which configurations of the syslinux family a volume has."""

from __future__ import annotations

from collections.abc import Sequence

from bootmenu.files import VolumeFiles
from bootmenu.model import Configuration, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.syslinux.paths import files_of

DIRECTORIES = (
    "/boot/extlinux", "/extlinux", "/boot/syslinux", "/syslinux", "", "/boot/isolinux",
    "/isolinux", "/EFI/syslinux", "/EFI/BOOT", "/boot/x86_64/loader", "/boot/i386/loader",
)  # fmt: skip
NAMES = ("extlinux.conf", "syslx64.cfg", "syslia32.cfg", "syslinux.cfg", "isolinux.cfg")
_NETWORK = "/pxelinux.cfg/default"


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """The configurations on *volume*, without the entries that *found* offers already."""
    paths = _locate(files_of(volume))
    if not paths:
        return []
    # Imported here: most volumes have none, and the menu waits for this.
    from bootmenu.parsers.syslinux.reader import Reader
    from bootmenu.parsers.syslinux.script import Reading

    reading = Reading(volume)
    offered = (entry for configuration in found for entry in configuration.entries)
    reader = Reader(reading, context, offered)
    configurations = []
    for path, real in paths.items():
        if real not in reading.visited:
            configuration = reader.read(path)
            if configuration.entries or configuration.problems:
                configurations.append(configuration)
    return configurations


def _locate(files: VolumeFiles) -> dict[str, str]:
    """The configurations on a volume, each once, and where they lead to by links."""
    found: dict[str, str] = {}
    directories = [d for d in DIRECTORIES if not d or files.is_dir(d)]
    paths = [f"{directory}/{name}" for directory in directories for name in NAMES]
    for path in (*paths, _NETWORK):
        if files.is_not_directory(path):
            real = files.path_of(path)
            if real not in found.values():  # not by a link: the directory counts
                found[real if real.casefold() == path.casefold() else path] = real
    return found
