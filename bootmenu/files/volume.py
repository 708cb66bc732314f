"""The files of one volume, safely read.

A volume's content is not trusted. A path is walked here, component by component, so that no
symbolic link and no ``..`` leaves the volume: an absolute link starts again at the volume's
own root, as it would for the system that lies there. Only regular files are opened; a FIFO
named ``grub.cfg`` blocks nobody.

Text is UTF-8 with ``surrogateescape``: whatever bytes a cmdline has, the same bytes come out
when it is encoded the same way. Such text is not fit for a terminal; parsers clean the titles.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bootmenu.errors import VolumeError
from bootmenu.files.effort import exhausted
from bootmenu.files.slices import open_slice
from bootmenu.model import FileSlice, Volume

MAX_LINKS = 40
"""Symbolic links in one path, as in Linux."""
MAX_PATH = 4096
"""Characters of a path, links expanded."""
MAX_NAMES = 16384
"""Names that are read of one directory."""
TEXT_LIMIT = 4 << 20
"""Bytes of a text file, unless the caller says otherwise."""

ISO9660 = "iso9660"

_OTHER = "choose another entry, or name another file"
_CASELESS = frozenset({"vfat", "msdos", "exfat", "ntfs", "ntfs3"})


class Status(NamedTuple):
    """What something is, in the terms of stat(2): its size in bytes, and when it was written."""

    mode: int
    size: int
    changed: int


class VolumeFiles:
    """The files under the directory *root*; *ignore_case* compares names without case.

    Paths are those of the volume, with or without the leading ``/``. Every method raises
    :class:`~bootmenu.errors.VolumeError` unless it says otherwise. Without case, the names of a
    directory are read once and remembered: take a new instance when the volume may have changed.
    """

    def __init__(self, root: str, *, ignore_case: bool = False) -> None:
        self.root = root
        self.ignore_case = ignore_case
        # Names as stored, by directory and by their folded form.
        self._folded: dict[tuple[str, ...], dict[str, str]] = {}

    @classmethod
    def of(cls, volume: Volume) -> VolumeFiles:
        """The files of *volume*, names compared as its filesystem does.

        Raises VolumeError when it is an ISO image that cannot be read.
        """
        if volume.fstype == ISO9660 and os.path.isfile(volume.root):  # noqa: PTH113
            from bootmenu.files.iso import IsoFiles

            return IsoFiles(volume.root)
        return cls(volume.root, ignore_case=volume.fstype in _CASELESS)

    def resolve(self, path: str) -> str:
        """The host's path of *path*: no component of it is a symbolic link any more."""
        with _errors(path):
            return self._host(self._walk(path))

    def path_of(self, path: str) -> str:
        """The path on the volume that *path* leads to: links followed, case as stored."""
        with _errors(path):
            return "/" + "/".join(self._walk(path))

    def read_bytes(self, path: str, limit: int) -> bytes:
        """The content of a regular file of at most *limit* bytes."""
        content = self.read_head(path, limit + 1)
        if len(content) > limit:
            raise VolumeError(f"larger than {limit} bytes: {path}")
        return content

    def slice(self, path: str) -> FileSlice:
        """Where the bytes of a regular file lie on this system."""
        with _errors(path):
            names = self._walk(path)
            return FileSlice(self._host(names), 0, _regular(self._status(names), path), name=path)

    def read_head(self, path: str, size: int) -> bytes:
        """The first *size* bytes of a regular file, fewer where it is shorter."""
        return self.read_at(path, 0, size)

    def read_at(self, path: str, offset: int, size: int) -> bytes:
        """*size* bytes at *offset* of a regular file, fewer where it is shorter."""
        file = self.slice(path)
        with open_slice(file) as opened:
            opened.seek(offset)
            return opened.read(max(0, min(size, file.size - offset)))

    def read_text(self, path: str, limit: int = TEXT_LIMIT) -> str:
        """The content of a text file of at most *limit* bytes; no byte of it is lost."""
        return self.read_bytes(path, limit).decode("utf-8", "surrogateescape")

    def exists(self, path: str) -> bool:
        """Whether there is anything at *path*; raises nothing."""
        return self._mode(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether *path* is a regular file; raises nothing."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISREG(mode)

    def is_not_directory(self, path: str) -> bool:
        """Whether there is something at *path* that should be a file; raises nothing.

        A FIFO is: what reads it says why it cannot.
        """
        mode = self._mode(path)
        return mode is not None and not stat.S_ISDIR(mode)

    def is_dir(self, path: str) -> bool:
        """Whether *path* is a directory; raises nothing."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISDIR(mode)

    def size(self, path: str) -> int:
        """The size of a regular file, in bytes."""
        with _errors(path):
            return _regular(self._status(self._walk(path)), path)

    def changed(self, path: str) -> int | None:
        """When what is at *path* was last written, in seconds; None without it. Raises nothing."""
        try:
            return self._status(self._walk(path)).changed
        except (OSError, ValueError, VolumeError):
            return None

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted; of a huge one the first that are found."""
        with _errors(path):
            return sorted(self._names(self._walk(path)))

    def _mode(self, path: str) -> int | None:
        try:
            return self._status(self._walk(path)).mode
        except (OSError, ValueError, VolumeError):
            return None

    # --- what an ISO image does otherwise; names lead from the root, none of them is a link ---

    def _status(self, names: Sequence[str]) -> Status:
        """What is at *names*, the last of which may be a link; OSError when nothing is."""
        found = os.lstat(self._host(names))
        return Status(found.st_mode, found.st_size, int(found.st_mtime))

    def _target(self, names: Sequence[str]) -> str:
        """Where the link at *names* leads."""
        return os.readlink(self._host(names))  # noqa: PTH115

    def _names(self, names: Sequence[str]) -> Iterator[str]:
        """What is in the directory at *names*, at most :data:`MAX_NAMES`."""
        with os.scandir(self._host(names)) as entries:
            for _, entry in zip(range(MAX_NAMES), entries, strict=False):
                yield entry.name

    # ---

    def _host(self, names: Sequence[str]) -> str:
        return os.path.join(self.root, *names)  # noqa: PTH118 (names may be any bytes)

    def _walk(self, path: str) -> list[str]:
        """The names that lead from the root to *path*, every link followed."""
        if len(path) > MAX_PATH:
            raise VolumeError(f"path too long: {path[:40]}…")
        if exhausted():
            raise VolumeError("not read: this volume has taken too long")
        pending = deque(path.split("/"))
        done: list[str] = []
        links = 0
        while pending:
            name = pending.popleft()
            if name in {"", "."}:
                continue
            if name == "..":
                del done[-1:]
                continue
            name, mode = self._lookup(done, name)
            if not stat.S_ISLNK(mode):
                done.append(name)
                continue
            links += 1
            target = self._target([*done, name])
            if links > MAX_LINKS or len(target) + sum(map(len, pending)) > MAX_PATH:
                raise VolumeError(f"too many symbolic links: {path}")
            if target.startswith("/"):
                done.clear()
            pending.extendleft(reversed(target.split("/")))
        return done

    def _lookup(self, directory: list[str], name: str) -> tuple[str, int]:
        """*name* as it is stored in *directory*, and its mode; OSError when missing."""
        try:
            return name, self._status([*directory, name]).mode
        except FileNotFoundError:
            if not self.ignore_case:
                raise
        key = tuple(directory)
        if key not in self._folded:
            names = sorted(self._names(key), reverse=True)  # the first of several equal ones counts
            self._folded[key] = {name.casefold(): name for name in names}
        stored = self._folded[key].get(name.casefold())
        if stored is None:
            raise FileNotFoundError(name)
        return stored, self._status([*directory, stored]).mode


def volume_named(name: str, volumes: Sequence[Volume]) -> Volume | None:
    """The one of *volumes* that is called *name*, or the ISO image that ``vda1:/debian.iso`` is.

    None when it is not here, or cannot be read.
    """
    for volume in volumes:
        if volume.name == name:
            return volume
    for volume in volumes:
        if name.startswith(f"{volume.name}:/"):
            from bootmenu.files.iso import iso_volume

            try:
                return iso_volume(volume, name[len(volume.name) + 1 :])
            except VolumeError:
                return None
    return None


def _regular(status: Status, path: str) -> int:
    """The size of what is a regular file."""
    if not stat.S_ISREG(status.mode):
        raise VolumeError(f"not a regular file: {path}", hint=_OTHER)
    return status.size


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """The choke point: what the system says of *path* becomes a VolumeError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VolumeError(f"no such file: {path}", hint=_OTHER) from error
    except OSError as error:
        raise VolumeError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL, or text that no encoding has bytes for
        raise VolumeError(f"not a path: {path!r}") from error
