"""The initrds of a load: files, taken where they lie.

U-Boot's systems wrap theirs with ``mkimage`` (``uInitrd``); the kernel knows nothing of that
header, so that what follows it is the initrd. Specification: include/image.h of U-Boot.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from bootmenu.errors import ImageError
from bootmenu.files import open_slice, pieces_of
from bootmenu.loader.memory import align_up
from bootmenu.model import ARCHIVE_ALIGNMENT, FileSlice, Stream

Initrds = tuple[FileSlice | Stream | bytes, ...]

MAX_INITRDS = 12
"""kexec takes 16 segments. A kernel, what it is told, a trampoline and what a crash kernel is told
besides are four; more initrds than this are joined."""

_TRAILER = b"TRAILER!!!\0"
_BLOCK = 512
_WRAPPER = struct.Struct(">I8xI14xB33x")  # magic number, size of what follows, type
_WRAPPER_MAGIC = 0x27051956
_RAMDISK = 3

EMPTY = (
    b"070701" + b"%08x" * 13 % (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(_TRAILER), 0) + _TRAILER
).ljust(_BLOCK, b"\0")
"""A cpio archive (newc) without files."""


def open_initrds(files: Sequence[FileSlice | Stream], *, required: bool) -> Initrds:
    """*files* as initrds; an empty one where there must be some.

    Firmware with UEFI keeps a note of the initrd that it gave the running kernel. The next
    kernel finds that note, and would unpack memory that holds something else by now, unless
    it is given an initrd: so with UEFI there always is one, if need be an empty one.

    Raises ImageError when a file is empty, VolumeError when one cannot be read.
    """
    if not files and required:
        return (EMPTY,)
    unwrapped: list[FileSlice | Stream] = []
    for file in files:
        if not isinstance(file, FileSlice):  # a container said where it begins and ends
            unwrapped.append(file)
        else:
            with open_slice(file) as opened:
                unwrapped.append(_unwrapped(file, opened.read(min(file.size, _WRAPPER.size))))
        if not unwrapped[-1].size:
            raise ImageError(
                f"{file}: the initrd is empty",
                hint="make it again (on Debian update-initramfs -u); was the disk full?",
            )
    last = unwrapped[MAX_INITRDS - 1 :]
    return (*unwrapped[: MAX_INITRDS - 1], Joined(tuple(last))) if last[1:] else tuple(unwrapped)


@dataclass(frozen=True, slots=True)
class Joined:
    """Several initrds as one Stream of the model, each on a boundary that cpio archives need."""

    parts: tuple[FileSlice | Stream, ...]

    @property
    def size(self) -> int:
        """Bytes of all of them, with the zeros between."""
        *first, last = self.parts
        return sum(align_up(part.size, ARCHIVE_ALIGNMENT) for part in first) + last.size

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes of each in turn. Raises what these do."""
        *first, last = self.parts
        ends = [*(align_up(part.size, ARCHIVE_ALIGNMENT) for part in first), last.size]
        for part, end in zip(self.parts, ends, strict=True):
            left = end
            for piece in pieces_of(part):
                left -= len(piece)
                yield piece
            yield bytes(left)  # what a stream leaves of its size is zeros, too

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts))


def padded(sizes: Sequence[int], page: int) -> list[int]:
    """The *sizes* of initrds in whole pages of *page* bytes.

    Zeros may stand between the archives of an initrd, so that each begins on a page.
    """
    return [align_up(size, page) for size in sizes]


def consecutive(start: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """Where each of *sizes* bytes begins when they lie behind one another from *start* on."""
    return tuple(accumulate(sizes, initial=start))[: len(sizes)]


def _unwrapped(file: FileSlice, head: bytes) -> FileSlice:
    """What is in *file* behind the header of mkimage, *file* itself when there is none."""
    if len(head) < _WRAPPER.size:
        return file
    magic, size, kind = _WRAPPER.unpack(head)
    if magic != _WRAPPER_MAGIC or kind != _RAMDISK:
        return file
    if size > file.size - _WRAPPER.size:
        raise ImageError(
            f"{file}: truncated, {file.size - _WRAPPER.size:,} of {size:,} bytes are there",
            hint="make it again (on Debian update-initramfs -u); was the disk full?",
        )
    return replace(file, offset=file.offset + _WRAPPER.size, size=size)
