"""Where the names in a syslinux configuration lead to."""

from __future__ import annotations

import posixpath
import re

from bootmenu.files import VolumeFiles
from bootmenu.model import Resource, Volume

_ELSEWHERE = re.compile(
    r"(?P<disk>\([^()]*\))(?P<path>.*)|(?P<host>[^/]+)::(?P<file>.*)", re.DOTALL
)


def files_of(volume: Volume) -> VolumeFiles:
    """The files of *volume*; of an unknown filesystem in any case, since it may be FAT."""
    return VolumeFiles.of(volume) if volume.fstype else VolumeFiles(volume.root, ignore_case=True)


def locate(name: str, directory: str) -> str:
    """The path on the volume that *name* means to a loader that works in *directory*.

    ``::`` before a name is the root of what the loader was started from.
    """
    path = name[2:] if name.startswith("::") else posixpath.join(directory, name)
    return "/" + posixpath.normpath(f"/{path}").lstrip("/")


def resource(name: str, directory: str, volume: Volume) -> Resource:
    """The file that *name* means: on *volume*, at a URL, or on a disk or server not here."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name):
        return Resource(url=name)
    if not name.startswith("::") and (elsewhere := _ELSEWHERE.fullmatch(name)):
        path = elsewhere["path"] or elsewhere["file"] or ""
        return Resource(locate(path, "/"), None, elsewhere["disk"] or f"server {elsewhere['host']}")
    if "\\" in name and files_of(volume).ignore_case:  # FAT: either slash
        name = name.replace("\\", "/")
    return Resource(locate(name, directory), volume.name)
