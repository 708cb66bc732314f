"""What a file is, in words and numbers, for ``bootmenu inspect``.

Unlike :func:`bootmenu.images.open_kernel` this never fails on a file that is no kernel: that
is an answer too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images.contents import open_contents
from bootmenu.images.kernel import KernelImage
from bootmenu.images.recognise import HEAD, recognise
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

    def lines(self) -> list[str]:
        """As text, a fact per line."""
        return [f"{name:<12} {value}" for name, value in self._facts()]

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
                ("in memory", f"{self.image.image_size:,} bytes"),
                ("text offset", f"{self.image.text_offset:#x}"),
                ("page size", f"{pages >> 10} KiB" if pages else "not said"),
                ("placement", "anywhere" if self.image.anywhere else "near the start of memory"),
            ]
        if self.problem:
            facts += [("problem", self.problem), ("hint", self.hint)]
        return facts

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
        }
        if self.image is not None:
            shown |= {
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
        found = recognise(opened.read(HEAD))
    try:
        # The whole, so that damage in the middle of a compressed file is told as well.
        image = open_contents(file, found.arch or arch).kernel
        image.verify()
        return Description(file, image.format, image.arch, image.version(), image)
    except ImageError as error:
        problem = error.message.removeprefix(f"{file}: ")
        return Description(file, str(found.kind), found.machine, problem=problem, hint=error.hint)
