"""What a file is, by its first bytes, for the error that says what was given instead.

The magic numbers are those of the formats' own specifications; the kernel's are in
Documentation/arch/x86/boot.rst, arm64/booting.rst and riscv/boot-image-header.rst.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from bootmenu.images import arm64, pe, riscv64
from bootmenu.model import Arch

HEAD = 4096
"""How many bytes of a file :func:`recognise` wants to see."""


class Kind(StrEnum):
    """The formats told apart, by the words that a person reads."""

    ARM64 = "arm64 Image"
    GZIP = "gzip'd file"
    ZBOOT = "EFI zboot image"
    UKI = "unified kernel image"
    PE = "EFI program"
    BZIMAGE = "x86 bzImage"
    RISCV = "riscv Image"
    ARM32 = "32-bit ARM zImage"
    ELF = "ELF file (vmlinux?)"
    UIMAGE = "U-Boot uImage"
    FDT = "device tree or FIT image"
    ZSTD = "zstd-compressed file"
    XZ = "xz-compressed file"
    LZMA = "lzma-compressed file"
    BZIP2 = "bzip2-compressed file"
    LZ4 = "lz4-compressed file"
    LZO = "lzo-compressed file"
    CPIO = "cpio archive (an initrd?)"
    HTML = "web page"
    TEXT = "text file"
    ZEROS = "file of zeros"
    EMPTY = "empty file"
    UNKNOWN = "file of no known format"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file's *kind*, and the architecture that it names (None where it names none)."""

    kind: Kind
    machine: str = ""  # as the file names it: x86_64, arm64, i386, ...

    @property
    def arch(self) -> Arch | None:
        """The architecture, when it is one that bootmenu knows."""
        try:
            return Arch(self.machine)
        except ValueError:
            return None


_MAGICS = (
    (b"\x1f\x8b", Kind.GZIP),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"\xfd7zXZ\0", Kind.XZ),
    (b"BZh", Kind.BZIP2),
    (b"\x02\x21\x4c\x18", Kind.LZ4),
    (b"\x04\x22\x4d\x18", Kind.LZ4),
    (b"\x89LZO", Kind.LZO),
    (b"\xd0\x0d\xfe\xed", Kind.FDT),
    (b"07070", Kind.CPIO),
    (b"\x5d\0\0", Kind.LZMA),
)
SKIPPABLE = b"\x2a\x4d\x18"
"""Behind a byte 0x50 to 0x5f, a frame of zstd or lz4 that holds nothing, as pzstd writes some."""
_ELF_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "arm64", 243: "riscv64"}
_UIMAGE_MACHINES = {2: "arm", 3: "i386", 22: "arm64", 24: "x86_64", 26: "riscv64"}


def recognise(head: bytes) -> Recognised:
    """What a file is whose first :data:`HEAD` bytes (fewer if it is shorter) are *head*."""
    if not head:
        return Recognised(Kind.EMPTY)
    frame = _without_skippable(head)
    for magic, kind in _MAGICS:
        if frame.startswith(magic):
            return Recognised(kind)
    if head[0x38:0x3C] == arm64.MAGIC:
        return Recognised(Kind.ARM64, "arm64")
    if head[0x202:0x206] == b"HdrS":
        wide = len(head) > 0x236 and head[0x236] & 1  # XLF_KERNEL_64
        return Recognised(Kind.BZIMAGE, "x86_64" if wide else "i386")
    if head[0x38:0x3C] == riscv64.MAGIC:
        return Recognised(Kind.RISCV, "riscv64")
    if head[0x24:0x28] == b"\x18\x28\x6f\x01":
        return Recognised(Kind.ARM32, "arm")
    return _by_header(head) or Recognised(_by_content(head))


def recognise_file(opened: BinaryIO) -> Recognised:
    """What a file is, open at its first byte: of an EFI program all sections are looked at."""
    head = opened.read(HEAD)
    more = min(pe.table_end(head), pe.MAX_HEADER) - len(head)
    return recognise(head + opened.read(max(0, more)))


def is_skippable(head: bytes) -> bool:
    """Whether *head* begins a frame of zstd or lz4 that is to be skipped."""
    return head[1:4] == SKIPPABLE and head[0] >> 4 == 5


def _without_skippable(head: bytes) -> bytes:
    """*head* from its first frame on that is not to be skipped."""
    while is_skippable(head):
        head = head[8 + int.from_bytes(head[4:8], "little") :]
    return head


def _by_header(head: bytes) -> Recognised | None:
    executable = pe.read(head)
    if executable is not None:
        if head[4:8] == b"zimg":
            return Recognised(Kind.ZBOOT, executable.machine)
        unified = any(section.name == ".linux" for section in executable.sections)
        return Recognised(Kind.UKI if unified else Kind.PE, executable.machine)
    if head.startswith(b"\x7fELF") and len(head) >= 20:
        order = ">" if head[5] == 2 else "<"
        (machine,) = struct.unpack_from(f"{order}H", head, 18)
        return Recognised(Kind.ELF, _ELF_MACHINES.get(machine, f"machine {machine}"))
    if head.startswith(b"\x27\x05\x19\x56") and len(head) >= 64:
        return Recognised(Kind.UIMAGE, _UIMAGE_MACHINES.get(head[29], f"machine {head[29]}"))
    return None


def _by_content(head: bytes) -> Kind:
    if not any(head):
        return Kind.ZEROS
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return Kind.HTML
    printable = all(32 <= byte < 127 or byte in b"\t\n\r\f" for byte in head)
    return Kind.TEXT if printable else Kind.UNKNOWN
