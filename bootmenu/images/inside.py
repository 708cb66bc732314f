"""What a container holds, for ``bootmenu inspect``: members, configurations, sections.

All that has a checksum is read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images import fit, uimage, uki
from bootmenu.images.packed import Checksum, Packed, raw
from bootmenu.images.pe import MAX_HEADER
from bootmenu.images.recognise import Kind
from bootmenu.model import FileSlice

MAX_SHOWN = 512


class Inside(NamedTuple):
    """A part of a container: its *name*, what it is, its *size* in bytes, None for none."""

    name: str
    what: str
    size: int | None = None


def contents_of(file: FileSlice, kind: Kind) -> list[Inside]:
    """The parts of *file*, which is of *kind*; none where that is no container.

    Raises ImageError when their table is damaged, VolumeError when it cannot be read. A wrong
    checksum is said of its part.
    """
    parts = {Kind.FDT: _of_fit, Kind.UIMAGE: _of_uimage, Kind.UKI: _of_uki, Kind.PE: _of_uki}.get(
        kind
    )
    found = []
    for part in parts(file) if parts is not None else ():
        found.append(part)
        if len(found) == MAX_SHOWN:
            break
    return found


def _of_fit(file: FileSlice) -> Iterator[Inside]:
    image = fit.Fit(file)
    if image.compatible:
        yield Inside("device tree", f"for {', '.join(image.compatible)}")
    for one in image.images:
        words = [one.type or "of no type", one.arch]
        words.append("" if one.compression == "none" else f"{one.compression}-compressed")
        words += [_checked(one.data, checksum) for checksum in one.checksums]
        yield Inside(one.name, ", ".join(word for word in words if word), one.data.size)
    for choice in image.configurations:
        parts = {
            "kernel": choice.kernel,
            "ramdisk": choice.ramdisk,
            "fdt": " + ".join(choice.trees),
            "for": " ".join(choice.compatible),
        }
        words = [f"{name} {value}" for name, value in parts.items() if value]
        start = "the default: " if choice.name == image.default else ""
        yield Inside(choice.name, start + (", ".join(words) or "empty"))


def _of_uimage(file: FileSlice) -> Iterator[Inside]:
    with open_slice(file) as opened:
        found = uimage.parse(file, opened.read(uimage.HEADER.size))
    words = ["kernel"]
    if found.compression is not None:
        words.append(str(found.compression))
    # The checksum of several files is of all together, and was verified.
    words.append(_checked(found.kernel, found.checksum) if found.checksum else "crc32 is right")
    yield Inside(found.name or "(no name)", ", ".join(words), found.kernel.size)
    for what, part in zip(("initrd", "device tree"), found.others, strict=False):
        yield Inside(what, what, part.size)
    for number, part in enumerate(found.others[2:], 4):
        yield Inside(f"file {number}", "not used", part.size)


def _of_uki(file: FileSlice) -> Iterator[Inside]:
    with open_slice(file) as opened:
        image = uki.parse(opened.read(MAX_HEADER))
    for part in image.parts if image is not None else ():
        missing = part.offset + part.size - file.size
        what = f"{missing:,} bytes of it are missing" if missing > 0 else "section"
        yield Inside(part.name, what, part.size)


def _checked(data: FileSlice, checksum: Checksum) -> str:
    try:
        for _ in Packed(data, raw, data.size, checksums=(checksum,)).pieces():
            pass
    except ImageError:
        return f"{checksum.algorithm} is WRONG"
    return f"{checksum.algorithm} is right"
