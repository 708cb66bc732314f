"""What a file is, in words and numbers, for ``bootmenu inspect``.

Unlike :func:`bootmenu.images.kernel.open_kernel` this never fails on a file that is no kernel: that
is an answer too.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bootmenu.errors import ImageError
from bootmenu.escape import printable
from bootmenu.files import open_slice
from bootmenu.images.contents import Contents, open_contents
from bootmenu.images.inside import Inside, contents_of
from bootmenu.images.kernel import PACKED, KernelImage
from bootmenu.images.recognise import recognise_file
from bootmenu.model import Arch, FileSlice

SCHEMA = "bootmenu.image/1"


@dataclass(frozen=True, slots=True)
class Description:
    """A file described; *image* is None when it cannot be loaded as a kernel."""

    file: FileSlice
    kind: str  # in words
    machine: str  # architecture, as the file names it; "" where it names none
    version: str = ""  # what the kernel calls itself
    image: KernelImage | None = None
    problem: str = ""
    hint: str = ""
    parts: tuple[Inside, ...] = ()  # of a container

    def lines(self) -> list[str]:
        """As text, a fact per line."""
        facts = [f"{name:<12} {printable(value)}" for name, value in self._facts()]
        return facts + [f"  {printable(line)}" for line in self._listed()]

    def _listed(self) -> list[str]:
        """The parts of a container as a table."""
        wide = min(24, max((len(part.name) for part in self.parts), default=0))
        return [
            f"{part.name:<{wide}}  {'' if part.size is None else f'{part.size:,}':>13}  {part.what}"
            for part in self.parts
        ]

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("file", str(self.file)),
            ("size", f"{self.file.size:,} bytes"),
            ("kind", self.kind),
        ]
        if self.machine:
            facts.append(("for", self.machine))
        if self.version:
            facts.append(("version", self.version))
        if self.image is not None:
            pages = self.image.page_size
            facts += [
                ("compression", self.compression or "none"),
                ("byte order", "little endian"),
                ("in memory", f"{self.image.image_size:,} bytes"),
                ("text offset", f"{self.image.text_offset:#x}"),
                ("page size", f"{pages >> 10} KiB" if pages else "not said"),
                ("placement", "anywhere" if self.image.anywhere else "near the start of memory"),
            ]
        if self.problem:
            facts += [("problem", self.problem), ("hint", self.hint)]
        return facts

    @property
    def compression(self) -> str:
        """What the kernel is compressed with, "" for nothing, as far as a load unpacks it."""
        words = self.kind.split(" ", 1)[0]
        names = {text: kind for kind, text in PACKED.items()}
        return names[words].name.lower() if words in names else ""

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        shown: dict[str, Any] = {
            "schema": SCHEMA,
            "path": str(self.file),
            "size": self.file.size,
            "kind": self.kind,
            "arch": self.machine or None,
            "version": self.version or None,
            "problem": self.problem or None,
            "hint": self.hint or None,
            "parts": [part._asdict() for part in self.parts],
        }
        if self.image is not None:
            shown |= {
                "compression": self.compression or None,
                "byte_order": "little",
                "image_size": self.image.image_size,
                "text_offset": self.image.text_offset,
                "flags": self.image.flags,
                "page_size": self.image.page_size,
            }
        return shown


def inspect(file: FileSlice, arch: Arch) -> Description:
    """Describe *file*, for a machine of *arch* where it does not say for which.

    Raises VolumeError when it cannot be read.
    """
    with open_slice(file) as opened:
        found = recognise_file(opened)
    parts: tuple[Inside, ...] = ()
    try:
        parts = tuple(contents_of(file, found.kind))
        # The whole, so that damage in the middle of a compressed file is told as well.
        image = _opened(file, found.arch or arch).kernel
        image.verify()
        version = image.version()
        return Description(file, image.format, image.arch, version, image, parts=parts)
    except ImageError as error:
        return Description(
            file,
            str(found.kind),
            found.machine,
            problem=error.message.removeprefix(f"{file}: "),
            hint=error.hint,
            parts=parts,
        )


def _opened(file: FileSlice, arch: Arch) -> Contents:
    """What is in *file*: for *arch*, else for the architecture of the kernel that it hides.

    Raises ImageError.
    """
    try:
        return open_contents(file, arch)
    except ImageError:
        for other in Arch:
            if other is not arch:
                with suppress(ImageError):
                    return open_contents(file, other)
        raise
