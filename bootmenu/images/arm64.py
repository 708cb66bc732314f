"""The header of an arm64 ``Image``, and every reason not to start what lies behind it.

Layout and meaning: Documentation/arch/arm64/booting.rst. The header is 64 bytes, little
endian whatever the kernel's own byte order. A kernel built with an EFI stub also carries a
PE header, whose sections say how long the file must be at least.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootmenu.errors import ImageError
from bootmenu.images.damage import DAMAGED
from bootmenu.images.pe import needed_size

MAGIC = b"ARM\x64"
HEADER = struct.Struct("<IIQQQ24x4sI")  # code0 code1 text_offset image_size flags magic pe

FLAG_BIG_ENDIAN = 1 << 0
FLAG_ANYWHERE = 1 << 3
PAGE_SIZES = {0: None, 1: 4096, 2: 16384, 3: 65536}

OLD_TEXT_OFFSET = 0x80000  # of kernels before 3.17, whose header says no image_size
OLD_IMAGE_SIZE = 16 << 20
MAX_IMAGE_SIZE = 1 << 30


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says, in bytes; *page_size* is None where the kernel does not say."""

    text_offset: int
    image_size: int  # in memory, BSS included
    flags: int

    @property
    def page_size(self) -> int | None:
        """The page size (granule) that the kernel was built for."""
        return PAGE_SIZES[self.flags >> 1 & 3]

    @property
    def silent(self) -> bool:
        """Whether it is of before 3.17, which did not say how much memory it takes."""
        return (self.text_offset, self.image_size) == (OLD_TEXT_OFFSET, OLD_IMAGE_SIZE)

    @property
    def anywhere(self) -> bool:
        """Whether it may lie anywhere in memory, not only near its start."""
        return bool(self.flags & FLAG_ANYWHERE)

    @property
    def big_endian(self) -> bool:
        """Whether the kernel runs the processor big endian."""
        return bool(self.flags & FLAG_BIG_ENDIAN)


def parse(head: bytes, path: str) -> Header:
    """The header at the start of *head*, checked; *path* is for messages.

    Raises ImageError for what no arm64 machine could start.
    """
    if len(head) < HEADER.size:
        raise ImageError(f"{path}: truncated, the kernel's header is incomplete", hint=DAMAGED)
    code0, code1, text_offset, image_size, flags, magic, _ = HEADER.unpack_from(head)
    if magic != MAGIC:
        raise ImageError(
            f"{path}: no arm64 kernel, the magic number is missing",
            hint="choose an arm64 Image, e.g. vmlinuz of Debian's linux-image-arm64",
        )
    if code0 == 0 and code1 == 0:
        raise ImageError(
            f"{path}: damaged, the kernel's first instructions are zeros", hint=DAMAGED
        )
    if image_size == 0:
        text_offset, image_size = OLD_TEXT_OFFSET, OLD_IMAGE_SIZE
    if text_offset >= image_size:
        raise ImageError(
            f"{path}: damaged, its header says text_offset {text_offset:#x} "
            f"beyond image_size {image_size:#x}",
            hint=DAMAGED,
        )
    if image_size > MAX_IMAGE_SIZE:
        raise ImageError(
            f"{path}: damaged, its header says that it needs {image_size:#x} bytes", hint=DAMAGED
        )
    header = Header(text_offset, image_size, flags)
    if header.big_endian:
        raise ImageError(
            f"{path}: a big-endian kernel, which this loader does not start",
            hint="choose a kernel built without CONFIG_CPU_BIG_ENDIAN",
        )
    return header


def check_size(header: Header, head: bytes, size: int, path: str) -> None:
    """Raise ImageError when *size* bytes of Image cannot be all of it.

    A file is rightly shorter than image_size by its BSS. The PE header, where there is
    one, says exactly what must be there; without it a kernel whose BSS would outweigh the
    rest counts as cut off.
    """
    if header.silent and size > header.image_size:
        raise ImageError(
            f"{path}: {size:,} bytes, and no word in its header of how much memory it takes",
            hint="choose a kernel of Linux 3.17 or later, or one of at most 16 MiB",
        )
    needed = needed_size(head) or (0 if header.silent else header.image_size // 2)
    if size < needed:
        raise ImageError(
            f"{path}: truncated, {size:,} bytes of at least {needed:,} are there", hint=DAMAGED
        )
