"""A kernel image on disk, described by its header, and where its bytes come from.

:func:`open_kernel` reads only the first bytes, so that an entry can be checked and shown
at once. What compression surrounds the image is a codec: a function from a file to pieces
of what it holds (:mod:`bootmenu.images.gzip`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import NamedTuple, Protocol

from bootmenu.errors import ImageError
from bootmenu.files import open_slice, pieces_of
from bootmenu.images import arm64, riscv64
from bootmenu.images.packed import Checksum, Codec, Packed, raw
from bootmenu.images.recognise import HEAD, Kind, Recognised, recognise
from bootmenu.images.refusal import article, refuse
from bootmenu.model import Arch, FileSlice, Stream

_BANNER = b"Linux version "
_BANNER_MAX = 256
MAX_LAYERS = 4


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
    bare: FileSlice | Stream  # as a file of its own, with what follows it, such as a signature

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
        for _ in pieces_of(self.source):
            pass

    def version(self) -> str:
        """The release that the kernel names itself by (``6.12.0-arm64``), "" if not found.

        Reads up to the whole image, so it is for descriptions, not for loading.
        """
        at = getattr(self.header, "version_at", 0)
        if at:  # a bzImage is packed: it says its version outside
            text = _first(pieces_of(self.bare), at + _BANNER_MAX)[at:].split(b"\0", 1)[0]
            return text.decode("ascii", "replace").split(" ", 1)[0]
        return _find_version(pieces_of(self.source))


class _Wrapped(NamedTuple):
    """Where a kernel's bytes lie, how they are packed, and in what."""

    file: FileSlice
    compression: Kind | None = None
    checksums: tuple[Checksum, ...] = ()
    outer: str = ""  # the container, in words


def open_kernel(
    kernel: FileSlice,
    arch: Arch = Arch.ARM64,
    *,
    compression: Kind | None = None,
    checksums: tuple[Checksum, ...] = (),
    outer: str = "",
) -> KernelImage:
    """The kernel in *kernel*, for a machine of *arch*; only its first bytes are read.

    A container (*outer*, in words) may have said what *compression* and *checksums* it has.
    Raises ImageError, saying what the file is instead and what to do; VolumeError when it
    cannot be read.
    """
    wrapped = _Wrapped(kernel, compression, checksums, outer)
    for _ in range(MAX_LAYERS):
        head, found = _look(wrapped)
        inner = _unwrap(wrapped, found, head, arch)
        if inner is None:
            return _open(kernel, wrapped, found, head, arch)
        wrapped = inner
    raise ImageError(f"{kernel}: it is wrapped too often", hint="unpack it, and name the kernel")


def _look(wrapped: _Wrapped) -> tuple[bytes, Recognised]:
    """The first :data:`HEAD` bytes of what is wrapped, unpacked, and what they are."""
    if wrapped.compression is None:
        with open_slice(wrapped.file) as file:
            head = file.read(HEAD)
    else:
        packed = Packed(wrapped.file, codec_of(wrapped.compression), HEAD)
        head = _first(packed.pieces(), HEAD)
    return head, recognise(head)


def _unwrap(wrapped: _Wrapped, found: Recognised, head: bytes, arch: Arch) -> _Wrapped | None:
    """What is in a container or a compressed file, None for what is neither."""
    file = wrapped.file
    if wrapped.compression is not None:
        return None
    if found.kind in CODECS:
        return wrapped._replace(compression=found.kind)
    if found.kind is Kind.ZBOOT and found.machine in ("", arch):
        from bootmenu.images import zboot

        _verify(wrapped)
        kind, payload = zboot.payload(file, head)
        return _Wrapped(payload, kind, outer=wrapped.outer or found.kind)
    # U-Boot on x86 has one number for both, that of i386.
    wide = (found.machine, arch) == ("i386", Arch.X86_64)
    if found.kind is Kind.UIMAGE and (wide or found.machine in ("", arch)):
        from bootmenu.images import uimage

        _verify(wrapped)
        opened = uimage.parse(file, head)
        checksums = (opened.checksum,) if opened.checksum else ()
        outer = wrapped.outer or found.kind
        return _Wrapped(opened.kernel, opened.compression, checksums, outer)
    return None


def _verify(wrapped: _Wrapped) -> None:
    """Check what is about to be opened further: its parts have no checksums of their own."""
    if wrapped.checksums:
        size = wrapped.file.size
        for _ in Packed(wrapped.file, raw, size, checksums=wrapped.checksums).pieces():
            pass


def _open(
    kernel: FileSlice, wrapped: _Wrapped, found: Recognised, head: bytes, arch: Arch
) -> KernelImage:
    """The kernel that stands at the end of all unwrapping."""
    packing = wrapped.compression
    name = str(kernel)
    if found.machine != arch or found.kind not in _KERNELS:
        outer = Recognised(packing) if packing is not None else None
        raise refuse(name, found, arch, outer=outer)
    words = f"{PACKED[packing]} {found.kind}" if packing is not None else str(found.kind)
    if wrapped.outer:
        words += f" in {article(wrapped.outer)}"
    if found.kind is Kind.ELF:
        return _of_elf(kernel, wrapped, words, head, arch)
    if found.kind is Kind.BZIMAGE:
        return _of_bzimage(kernel, wrapped, words, head)
    module = arm64 if arch is Arch.ARM64 else riscv64
    header = module.parse(head, name)
    file = wrapped.file

    def check(head: bytes, total: int) -> None:
        module.check_size(header, head, total, name)

    if packing is None:
        check(head, file.size)
        file = file.part(0, min(file.size, header.image_size))
        if not wrapped.checksums:
            return KernelImage(kernel, arch, words, header, file, wrapped.file)
    codec = codec_of(packing) if packing is not None else raw
    packed = Packed(wrapped.file, codec, header.image_size, check, wrapped.checksums)
    return KernelImage(kernel, arch, words, header, packed, replace(packed, trailer=True))


def _of_bzimage(kernel: FileSlice, wrapped: _Wrapped, words: str, head: bytes) -> KernelImage:
    from bootmenu.images import bzimage

    name = str(kernel)
    header = bzimage.parse(head, name)
    start, size = header.payload_offset, header.payload_size

    def check(head: bytes, total: int) -> None:
        bzimage.check_size(header, head, total, name)

    if wrapped.compression is None:
        _verify(wrapped)
        check(head, wrapped.file.size)
        payload = wrapped.file.part(start, size)
        return KernelImage(kernel, Arch.X86_64, words, header, payload, wrapped.file)
    codec = codec_of(wrapped.compression)
    packed = Packed(wrapped.file, codec, size, check, wrapped.checksums, start=start)
    bare = replace(packed, start=0, size=start + size, trailer=True)
    return KernelImage(kernel, Arch.X86_64, words, header, packed, bare)


def _of_elf(
    kernel: FileSlice, wrapped: _Wrapped, words: str, head: bytes, arch: Arch
) -> KernelImage:
    from bootmenu.images import elf

    bare: FileSlice | Packed = wrapped.file
    if wrapped.compression is None:
        _verify(wrapped)
        layout = elf.layout(wrapped.file)
    else:
        size = elf.unpacked_size(head, str(kernel))
        codec = codec_of(wrapped.compression)
        packed = Packed(wrapped.file, codec, size, checksums=wrapped.checksums)
        layout = elf.layout(packed, head)
        bare = replace(packed, trailer=True)
    if arch is Arch.X86_64:
        header = elf.Header(layout.memory, layout.entry, layout.address)
        return KernelImage(kernel, arch, words, header, layout, bare)
    module = arm64 if arch is Arch.ARM64 else riscv64
    image = module.parse(elf.image_head(layout, HEAD), str(kernel))
    # An arm64 kernel loads Images, a riscv64 one loads ELF files.
    return KernelImage(kernel, arch, words, image, layout, layout if arch is Arch.ARM64 else bare)


CODECS = {
    Kind.GZIP: ("gzip", "decompress"),
    Kind.ZSTD: ("zstd", "decompress"),
    Kind.XZ: ("xz", "decompress"),
    Kind.LZMA: ("xz", "decompress_alone"),
    Kind.BZIP2: ("bzip2", "decompress"),
    Kind.LZ4: ("lz4", "decompress"),
}
"""The module here that unpacks each compression, and its function."""
PACKED = {
    Kind.GZIP: "gzip'd",
    Kind.ZSTD: "zstd-compressed",
    Kind.XZ: "xz-compressed",
    Kind.LZMA: "lzma-compressed",
    Kind.BZIP2: "bzip2-compressed",
    Kind.LZ4: "lz4-compressed",
}
"""What a file of each compression is, in words."""
_KERNELS = frozenset({Kind.ARM64, Kind.RISCV, Kind.BZIMAGE, Kind.ELF})


def codec_of(compression: Kind) -> Codec:
    """What unpacks *compression*, one of :data:`CODECS`; imported when it is asked for."""
    module, function = CODECS[compression]
    codec: Codec = getattr(import_module(f"bootmenu.images.{module}"), function)
    return codec


def _first(pieces: Iterator[bytes | memoryview], size: int) -> bytes:
    """The first *size* bytes, or all if there are fewer."""
    head = b""
    for piece in pieces:
        head += piece[: size - len(head)]
        if len(head) == size:
            break
    return head


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
