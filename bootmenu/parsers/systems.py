"""What an installed system's own files say about it: its name and its mounts.

Specification: the manual pages os-release(5) and fstab(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.locations import find_volume

MAX_SIZE = 64 << 10  # bytes of one of these files
MAX_MOUNTS = 200

_ESCAPE = re.compile(r"\\([0-7]{3})")
_ROOT = re.compile(r"(?:^|\s)root=(\S+)")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of fstab: what is mounted, where, how."""

    device: str
    point: str
    options: tuple[str, ...]
    line: int


def pretty_name(files: VolumeFiles) -> str:
    """What the system calls itself, "" if it does not; raises nothing."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            text = files.read_text(path, MAX_SIZE)
        except VolumeError:
            continue
        for line in text.split("\n"):
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                return value.strip().strip("\"'")
    return ""


def mounts(files: VolumeFiles) -> list[Mount]:
    """The mounts in /etc/fstab, none without one; raises nothing."""
    try:
        text = files.read_text("/etc/fstab", MAX_SIZE)
    except VolumeError:
        return []
    found: list[Mount] = []
    for number, line in enumerate(text.split("\n"), 1):
        if len(found) == MAX_MOUNTS:
            break
        fields = [_ESCAPE.sub(_character, word) for word in line.split()]
        if len(fields) >= 2 and not fields[0].startswith("#"):
            options = tuple(fields[3].split(",")) if len(fields) > 3 else ()
            found.append(Mount(fields[0], fields[1], options, number))
    return found


def mounted(path: str, home: Volume, context: Context) -> Resource:
    """The file that the system on *home* knows as *path*: its fstab may have it elsewhere."""
    files = VolumeFiles.of(home)
    if not files.is_file(path):
        table = sorted(mounts(files), key=lambda mount: len(mount.point), reverse=True)
        for mount in table:
            inner = path.removeprefix(mount.point)
            if mount.point != "/" and inner != path and inner.startswith("/"):
                volume = find_volume(mount.device, context, home)
                if volume is None:
                    return Resource(inner, wants=mount.device)
                return Resource(inner, volume.name)
    return Resource(path, home.name)


def system_of_cmdline(cmdline: str, home: Volume, context: Context) -> str:
    """What the system that *cmdline* has as its root calls itself, else that on *home*."""
    roots = _ROOT.findall(cmdline)
    volume = find_volume(roots[-1], context, home) if roots else None
    name = pretty_name(VolumeFiles.of(volume)) if volume else ""
    return name or pretty_name(VolumeFiles.of(home))


def _character(matched: re.Match[str]) -> str:
    return chr(int(matched[1], 8))
