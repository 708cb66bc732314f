"""A kernel image on disk, described by its header, and where its bytes come from.

:func:`open_kernel` reads only the first bytes, so that an entry can be checked and shown
at once. What compression surrounds the image is a codec: a function from a file to pieces
of what it holds (:mod:`bootmenu.images.gzip`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bootmenu.files import open_slice
from bootmenu.images import arm64
from bootmenu.images.packed import Codec, Packed
from bootmenu.images.recognise import HEAD, Kind, recognise
from bootmenu.images.refusal import refuse
from bootmenu.model import Arch, FileSlice, Stream

_BANNER = b"Linux version "
_BANNER_MAX = 256
_PIECE = 1 << 20


class Header(Protocol):
    """What the headers of all architectures say; sizes in bytes."""

    @property
    def text_offset(self) -> int:
        """Where it wants to lie behind a 2 MiB boundary."""

    @property
    def image_size(self) -> int:
        """How much memory it takes from there, BSS included."""

    @property
    def flags(self) -> int:
        """The header's flags."""

    @property
    def page_size(self) -> int | None:
        """The page size that it was built for, None where it does not say."""

    @property
    def anywhere(self) -> bool:
        """Whether it may lie anywhere in memory."""


@dataclass(frozen=True, slots=True)
class KernelImage:
    """A kernel: what its header says, and where the bytes that are loaded come from."""

    file: FileSlice
    arch: Arch
    format: str  # in words
    header: Header
    source: FileSlice | Stream

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

    def verify(self) -> None:
        """Read all of it. Raises ImageError when it is damaged, VolumeError when unreadable."""
        for _ in self._pieces():
            pass

    def _pieces(self) -> Iterator[bytes | memoryview]:
        if not isinstance(self.source, FileSlice):
            yield from self.source.pieces()
            return
        with open_slice(self.source) as file:
            yield from iter(partial(file.read, _PIECE), b"")

    def version(self) -> str:
        """The release that the kernel names itself by (``6.12.0-arm64``), "" if not found.

        Reads up to the whole image, so it is for descriptions, not for loading.
        """
        return _find_version(self._pieces())


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
    if outer is None or codec is None:
        arm64.check_size(header, head, kernel.size, name)
        raw = kernel.part(0, min(kernel.size, header.image_size))
        return KernelImage(kernel, Arch.ARM64, str(found.kind), header, raw)

    def check(head: bytes, total: int) -> None:
        arm64.check_size(header, head, total, name)

    packed = Packed(kernel, codec, header.image_size, check)
    return KernelImage(kernel, Arch.ARM64, f"{_PACKED[outer.kind]} {found.kind}", header, packed)


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


def _find_version(pieces: Iterator[bytes | memoryview]) -> str:
    left, seen = b"", 0
    for piece in pieces:
        text = left + bytes(piece)
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
