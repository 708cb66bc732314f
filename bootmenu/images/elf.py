"""A kernel as the linker left it: ``vmlinux``, an ELF file.

Specification: System V ABI, ELF-64. Its loadable segments are laid out behind one another as
they would lie in memory, gaps filled with zeros. On arm64 and riscv64 the linker puts the
header of an Image first, so that what comes out *is* an Image; on x86_64 the entry point is
where the kernel is entered in 64-bit mode.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, NamedTuple

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images import bzimage
from bootmenu.images.damage import DAMAGED
from bootmenu.images.packed import Packed, reading
from bootmenu.model import FileSlice

MAX_SEGMENTS = 64
MAX_SIZE = 1 << 30
MAX_UNPACKED = 2 << 30
"""How long a compressed file may say that it is, debug information included."""
MAX_AHEAD = 16 << 20
"""What may lie before the first segment of a compressed file, to be unpacked only to look at it."""
_PIECE = 1 << 20
_ALIGNMENT = 2 << 20
_FIELDS = ("p_paddr", "p_vaddr", "p_memsz", "p_filesz", "p_offset")
_SECTIONS_AT = struct.Struct("<Q10xHH")  # e_shoff, e_shentsize, e_shnum
_E_SHOFF = 40


class Part(NamedTuple):
    """A loadable segment: *size* bytes at *offset* of the file lie *at* bytes behind the first."""

    at: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The segments of *file*, or of what it unpacks to, in memory. It is a Stream of the model.

    *size* bytes are loaded, *memory* are taken, and the entry point lies at *entry*, counted
    from the first; that one is meant for the physical address *address*.
    """

    file: FileSlice | Packed
    parts: tuple[Part, ...]
    size: int
    memory: int
    entry: int
    address: int

    def __str__(self) -> str:
        return str(self.file)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes in the order of their addresses."""
        at = 0
        with reading(self.file) as file:
            for part in self.parts:
                while at < part.at:
                    gap = min(_PIECE, part.at - at)
                    yield bytes(gap)
                    at += gap
                file.seek(part.offset)
                left = part.size
                while left:
                    piece = file.read(min(_PIECE, left))
                    if not piece:
                        raise _damaged(self.file, f"byte {file.tell():,} of it is missing")
                    yield piece
                    left -= len(piece)
                    at += len(piece)


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an x86_64 vmlinux. Sizes in bytes.

    It has no setup header; *raw* is what one would say (see :mod:`bootmenu.images.bzimage`).
    """

    image_size: int
    entry: int  # from where it is loaded
    pref_address: int  # where it was linked to lie
    raw: bytes = bzimage.setup_header()
    alignment: int = _ALIGNMENT
    flags: int = 0
    page_size: int = 4096
    cmdline_size: int = bzimage.CMDLINE_SIZE
    initrd_max: int = bzimage.INITRD_MAX
    relocatable: bool = False  # whether it is, it does not say
    anywhere: bool = False
    above_4g: bool = True
    takes_efi: bool = True
    five_level: bool | None = None

    @property
    def text_offset(self) -> int:
        """It lies where it was linked to lie, modulo 2 MiB."""
        return self.pref_address % _ALIGNMENT


def unpacked_size(head: bytes, path: str) -> int:
    """How many bytes the ELF file has that begins with *head*, by its own account.

    *path* is for messages. Raises ImageError when it is no kernel, or larger than can be.
    """
    _, loads = _program_headers(_without_sections(head, path), path)
    at, each, count = _SECTIONS_AT.unpack_from(head, _E_SHOFF)
    ends = [one["p_offset"] + one["p_filesz"] for one in loads]
    size: int = max([at + each * count, *ends])
    if size > MAX_UNPACKED:
        raise _damaged(path, f"it says that it is {size:,} bytes long")
    return size


def layout(file: FileSlice | Packed, head: bytes = b"") -> Layout:
    """How the ELF *file* lies in memory; of a packed one, *head* is how it begins.

    Raises ImageError when it is no kernel.
    """
    if isinstance(file, FileSlice):
        with open_slice(file) as opened:
            entry, loads = _program_headers(opened, str(file))
    else:
        entry, loads = _program_headers(_without_sections(head, str(file)), str(file))
    found = _laid_out(file, entry, sorted(loads, key=lambda one: one["p_paddr"]))
    offsets = [part.offset for part in found.parts if part.size]
    ahead = offsets[0] if offsets else 0
    if isinstance(file, Packed) and ahead > MAX_AHEAD:
        raise _damaged(file, f"its first segment lies {ahead:,} bytes behind its beginning")
    if isinstance(file, Packed) and offsets != sorted(offsets):
        raise ImageError(
            f"{file}: its parts lie in another order than in memory, "
            "which can only be loaded from a file that is not compressed",
            hint="unpack it, and name what comes out",
        )
    return found


def _without_sections(head: bytes, path: str) -> BinaryIO:
    """The headers in *head*, without the word that there are sections at the far end."""
    if len(head) < _E_SHOFF + _SECTIONS_AT.size:
        raise _damaged(path, "its header is incomplete")
    return BytesIO(head[:_E_SHOFF] + bytes(8) + head[_E_SHOFF + 8 :])


def _program_headers(opened: BinaryIO, path: str) -> tuple[int, list[dict[str, int]]]:
    """The entry point, and the fields of every segment that is loaded."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(opened)
        if elf.elfclass != 64 or not elf.little_endian:
            raise ImageError(
                f"{path}: an ELF file of {elf.elfclass} bits, "
                f"{'little' if elf.little_endian else 'big'} endian",
                hint="kernels of 64 bits, little endian, can be started",
            )
        if elf["e_type"] not in ("ET_EXEC", "ET_DYN"):
            raise _damaged(path, f"it is no executable ({elf['e_type']})")
        if elf["e_phnum"] > MAX_SEGMENTS:
            raise _damaged(path, f"it has {elf['e_phnum']} segments")
        segments = [segment.header for segment in elf.iter_segments()]
        if any(segment["p_type"] == "PT_INTERP" for segment in segments):
            raise _damaged(path, "it is a program for a running system")
        loads = [
            {name: int(segment[name]) for name in _FIELDS}
            for segment in segments
            if segment["p_type"] == "PT_LOAD"
        ]
        return int(elf["e_entry"]), loads
    except (ELFError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error


def _laid_out(file: FileSlice | Packed, entry: int, loads: list[dict[str, int]]) -> Layout:
    loads = [one for one in loads if one["p_memsz"]]
    if not loads:
        raise _damaged(file, "it has nothing to load")
    address = loads[0]["p_paddr"]
    parts, end = [], 0
    for one in loads:
        at = one["p_paddr"] - address
        if one["p_filesz"] > one["p_memsz"] or one["p_offset"] + one["p_filesz"] > file.size:
            raise _damaged(file, "it was cut off: a segment ends behind the end of the file")
        if at < end or at + one["p_memsz"] > MAX_SIZE:
            raise _damaged(file, "its segments overlap or are too far apart")
        parts.append(Part(at, one["p_offset"], one["p_filesz"]))
        end = at + one["p_memsz"]
    holder = next((o for o in loads if o["p_vaddr"] <= entry < o["p_vaddr"] + o["p_memsz"]), None)
    if holder is not None:
        entered = entry - holder["p_vaddr"] + holder["p_paddr"] - address
    else:  # x86_64 names the physical address
        entered = entry - address
    if not 0 <= entered < end:
        raise _damaged(file, f"its entry point {entry:#x} lies in no segment")
    size = max(part.at + part.size for part in parts)
    return Layout(file, tuple(parts), size, end, entered, address)


def image_head(found: Layout, size: int) -> bytes:
    """The first *size* bytes at the entry point: the header of an Image on arm64 and riscv64.

    Raises ImageError when the kernel does not begin there, so that no Image comes out.
    """
    if found.entry:
        raise _damaged(found.file, "its entry point is not where it begins")
    head = b""
    for piece in found.pieces():
        head += piece[: size - len(head)]
        if len(head) >= size:
            break
    return head


def _damaged(file: object, why: str) -> ImageError:
    return ImageError(f"{file}: damaged or no kernel: {why}", hint=DAMAGED)
