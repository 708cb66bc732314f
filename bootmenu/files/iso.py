"""The files inside an ISO image, and the image as a volume of its own.

An ISO image's files lie in it in one piece and unpacked, so a kernel inside one is handed over
as a part of the image's file: nothing is mounted, copied or unpacked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache

from bootmenu.errors import VolumeError
from bootmenu.files.iso9660 import Entry, Image
from bootmenu.files.slices import whole
from bootmenu.files.volume import ISO9660, Status, VolumeFiles
from bootmenu.model import FileSlice, Volume

REMEMBERED_IMAGES = 8
REMEMBERED_DIRECTORIES = 256
"""What is read once for all that ask, while the image's file does not change."""


class IsoFiles(VolumeFiles):
    """The files of the image at the host's path *root*; raises VolumeError as its methods do."""

    def __init__(self, root: str) -> None:
        self._opened = _opened(root)
        super().__init__(root, ignore_case=self._opened.image.ignore_case)

    def resolve(self, path: str) -> str:
        """There is none: raises VolumeError."""
        raise VolumeError(f"{path} is inside an ISO image, {self.root}")

    def slice(self, path: str) -> FileSlice:
        """Where the bytes of a regular file lie in the image."""
        size = self.size(path)
        entry = self._opened.find(self._walk(path))
        if entry.fault:
            raise VolumeError(f"{path}: {entry.fault}")
        if size and entry.offset + size > self._opened.size:
            hint = "was it downloaded completely?"
            raise VolumeError(f"{path} lies behind the end of the image", hint=hint)
        return FileSlice(self.root, entry.offset, size, name=path)

    def _status(self, names: Sequence[str]) -> Status:
        entry = self._opened.find(names)
        return Status(entry.mode, entry.size, entry.changed)

    def _target(self, names: Sequence[str]) -> str:
        return self._opened.find(names).target

    def _names(self, names: Sequence[str]) -> Iterator[str]:
        yield from self._opened.directory(names)


def iso_volume(volume: Volume, path: str) -> Volume:
    """The ISO image *path* on *volume*, as the volume ``vda1:/debian.iso``.

    Raises VolumeError when it is missing, cannot be read, or is no ISO image.
    """
    files = VolumeFiles.of(volume)
    place = files.slice(path)
    if isinstance(files, IsoFiles):
        raise VolumeError(f"{path}: an ISO image inside another one is not opened")
    image = _opened(place.path).image
    return Volume(
        name=f"{volume.name}:{files.path_of(path)}",
        root=place.path,
        uuid=image.uuid,
        label=image.label,
        fstype=ISO9660,
    )


class _Opened:
    """An image, and those of its directories that somebody asked for."""

    def __init__(self, file: FileSlice) -> None:
        self.image = Image(file)
        self.size = file.size
        self._directories: dict[int, dict[str, Entry]] = {}  # by where they lie

    def find(self, names: Sequence[str]) -> Entry:
        """What is at *names*; OSError when nothing is."""
        entry = self.image.root
        for name in names:
            found = self._content(entry).get(name)
            if found is None:
                raise FileNotFoundError(name)
            entry = found
        return entry

    def directory(self, names: Sequence[str]) -> dict[str, Entry]:
        """What is in the directory at *names*; OSError when there is none."""
        return self._content(self.find(names))

    def _content(self, entry: Entry) -> dict[str, Entry]:
        if not stat.S_ISDIR(entry.mode):
            raise NotADirectoryError
        known = self._directories.get(entry.offset)
        if known is None:
            known = self.image.directory(entry)
            if len(self._directories) >= REMEMBERED_DIRECTORIES:
                self._directories.clear()
            self._directories[entry.offset] = known
        return known


def _opened(root: str) -> _Opened:
    file = whole(root)
    found = os.stat(root)  # noqa: PTH116 (a text, which may be any bytes)
    return _remembered(file, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=REMEMBERED_IMAGES)
def _remembered(file: FileSlice, inode: int, changed: int) -> _Opened:
    return _Opened(file)
