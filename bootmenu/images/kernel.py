"""A kernel image on disk, described by its header, and handed out when it is loaded.

:func:`open_kernel` reads only the first bytes, so that an entry can be checked and shown
at once; :meth:`KernelImage.load` gives the whole. What compression surrounds the Image is a
codec: a function from a file to pieces of what it holds (:mod:`bootmenu.images.gzip`).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images import arm64
from bootmenu.images.recognise import HEAD, Kind, recognise
from bootmenu.images.refusal import refuse
from bootmenu.model import Arch, FileSlice

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many bytes of how many are done."""
Codec = Callable[[BinaryIO, str], Iterator[bytes]]
"""Decompresses a file from where it stands, in pieces; the text names it in messages."""

MAX_TRAILER = 64 << 20
"""What may follow an Image behind its image_size (a signature); more is a bomb."""
_BANNER = b"Linux version "
_BANNER_MAX = 256


@dataclass(frozen=True, slots=True)
class KernelImage:
    """What a kernel's header says; all sizes in bytes."""

    file: FileSlice
    arch: Arch
    format: str  # in words
    header: arm64.Header
    codec: Codec | None = None  # None when it lies in the file as it is loaded

    @property
    def text_offset(self) -> int:
        """Where it wants to lie behind a 2 MiB boundary."""
        return self.header.text_offset

    @property
    def image_size(self) -> int:
        """How much memory it takes from there, BSS included."""
        return self.header.image_size

    @property
    def flags(self) -> int:
        """The header's flags."""
        return self.header.flags

    @property
    def page_size(self) -> int | None:
        """The page size that it was built for, None where it does not say."""
        return self.header.page_size

    @property
    def anywhere(self) -> bool:
        """Whether it may lie anywhere in memory."""
        return self.header.anywhere

    def load(self, progress: Progress | None = None) -> FileSlice | memoryview:
        """Its bytes: the file itself where it is not compressed, else one buffer.

        Raises ImageError when the file is damaged, VolumeError when it cannot be read.
        """
        if self.codec is None:
            return self.file.part(0, min(self.file.size, self.image_size))
        with open_slice(self.file) as file:
            return self._decompress(file, self.codec, progress)

    def _decompress(self, file: BinaryIO, codec: Codec, progress: Progress | None) -> memoryview:
        # Pages of an anonymous mapping cost nothing until they are written, and the mapping
        # is already the buffer of the final size: nothing is ever moved to grow it.
        buffer = memoryview(mmap.mmap(-1, self.image_size))
        filled = trailer = 0
        head = b""
        for piece in codec(file, str(self.file)):
            part = piece[: self.image_size - filled]
            buffer[filled : filled + len(part)] = part
            filled += len(part)
            trailer += len(piece) - len(part)
            if trailer > MAX_TRAILER:
                raise ImageError(
                    f"{self.file}: damaged, it unpacks to far more than its header says",
                    hint=arm64.DAMAGED,
                )
            if progress is not None:
                progress("decompressing the kernel", file.tell(), self.file.size)
        head = bytes(buffer[: min(filled, HEAD)])
        arm64.check_size(self.header, head, filled + trailer, str(self.file))
        return buffer[:filled]

    def version(self) -> str:
        """The release that the kernel names itself by (``6.12.0-arm64``), "" if not found.

        Reads up to the whole image, so it is for descriptions, not for loading.
        """
        with open_slice(self.file) as file:
            if self.codec is not None:
                return _find_version(self.codec(file, str(self.file)))
            return _find_version(iter(lambda: file.read(1 << 20), b""))


def open_kernel(kernel: FileSlice, arch: Arch = Arch.ARM64) -> KernelImage:
    """The kernel in *kernel*, for a machine of *arch*; only its first bytes are read.

    Raises ImageError, saying what the file is instead and what to do; VolumeError when it
    cannot be read.
    """
    name = str(kernel)
    with open_slice(kernel) as file:
        head = file.read(HEAD)
        outer = None
        found = recognise(head)
        codec = _codec(found.kind)
        if codec is not None:
            outer = found
            file.seek(0)
            head = _first(codec(file, name))
            found = recognise(head)
    if found.kind is not Kind.ARM64 or arch is not Arch.ARM64:
        raise refuse(name, found, arch, outer=outer)
    header = arm64.parse(head, name)
    if outer is None:
        arm64.check_size(header, head, kernel.size, name)
    words = f"{_PACKED[outer.kind]} {found.kind}" if outer is not None else str(found.kind)
    return KernelImage(kernel, Arch.ARM64, words, header, codec)


_PACKED = {Kind.GZIP: "gzip'd", Kind.ZSTD: "zstd-compressed"}


def _codec(kind: Kind) -> Codec | None:
    if kind is Kind.GZIP:
        from bootmenu.images.gzip import decompress

        return decompress
    return None


def _first(pieces: Iterator[bytes]) -> bytes:
    """The first :data:`HEAD` bytes, or all if there are fewer."""
    head = b""
    for piece in pieces:
        head += piece[:HEAD]
        if len(head) >= HEAD:
            break
    return head[:HEAD]


def _find_version(pieces: Iterator[bytes]) -> str:
    left, seen = b"", 0
    for piece in pieces:
        text = left + piece
        at = text.find(_BANNER)
        while at >= 0 and at + _BANNER_MAX <= len(text):
            name = text[at + len(_BANNER) : at + _BANNER_MAX].split(b" ", 1)[0]
            if name and all(32 < byte < 127 and byte != ord("%") for byte in name):
                return name.decode("ascii")
            at = text.find(_BANNER, at + 1)
        left = text[-_BANNER_MAX:]
        seen += len(piece)
        if seen > arm64.MAX_IMAGE_SIZE:
            break
    return ""
