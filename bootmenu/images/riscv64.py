"""The header of a riscv64 ``Image``.

Layout: Documentation/arch/riscv/boot-image-header.rst. It is that of arm64 with other magic
numbers and a version.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootmenu.errors import ImageError
from bootmenu.images.damage import DAMAGED
from bootmenu.images.pe import needed_size

MAGIC = b"RSC\x05"
HEADER = struct.Struct("<IIQQQI20x4sI")  # code0 code1 text_offset image_size flags version magic pe
_FLAG_BIG_ENDIAN = 1
_MAJOR = 0
MAX_IMAGE_SIZE = 1 << 30


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says, in bytes."""

    text_offset: int
    image_size: int  # in memory, BSS included
    flags: int

    @property
    def page_size(self) -> int:
        """All riscv64 kernels have pages of 4 KiB."""
        return 4096

    @property
    def anywhere(self) -> bool:
        """It may, but kernels before 6.4 cannot use the memory below them: lowest is best."""
        return False


def parse(head: bytes, path: str) -> Header:
    """The header at the start of *head*, checked; *path* is for messages.

    Raises ImageError for what no riscv64 machine could start.
    """
    if len(head) < HEADER.size:
        raise ImageError(f"{path}: truncated, the kernel's header is incomplete", hint=DAMAGED)
    code0, code1, text_offset, image_size, flags, version, magic, _ = HEADER.unpack_from(head)
    if magic != MAGIC:
        raise ImageError(
            f"{path}: no riscv64 kernel, the magic number is missing",
            hint="choose a riscv64 Image, e.g. vmlinux-* of Debian's linux-image-riscv64",
        )
    if code0 == 0 and code1 == 0:
        raise ImageError(
            f"{path}: damaged, the kernel's first instructions are zeros", hint=DAMAGED
        )
    if version >> 16 != _MAJOR:
        raise ImageError(
            f"{path}: its header has the version {version >> 16}.{version & 0xFFFF}, "
            f"and this loader knows {_MAJOR}",
            hint="use a newer bootmenu, or an older kernel",
        )
    if flags & _FLAG_BIG_ENDIAN:
        raise ImageError(
            f"{path}: a big-endian kernel, which this loader does not start",
            hint="choose a little-endian kernel",
        )
    if not 0 < image_size <= MAX_IMAGE_SIZE or text_offset > MAX_IMAGE_SIZE:
        raise ImageError(
            f"{path}: damaged, its header says that it needs {image_size:#x} bytes "
            f"at {text_offset:#x}",
            hint=DAMAGED,
        )
    # Wherever the base is, what counts is the address modulo 2 MiB.
    return Header(text_offset % (2 << 20), image_size, flags)


def check_size(header: Header, head: bytes, size: int, path: str) -> None:
    """Raise ImageError when *size* bytes of Image cannot be all of it, as for arm64."""
    needed = needed_size(head) or header.image_size // 2
    if size < needed:
        raise ImageError(
            f"{path}: truncated, {size:,} bytes of at least {needed:,} are there", hint=DAMAGED
        )
