"""A unified kernel image: a kernel, its initrd, cmdline and more as the sections of a PE file.

Specification: UAPI.5, https://uapi-group.org/specifications/specs/unified_kernel_image/, and
systemd-stub(7). A ``.profile`` section begins a profile: the sections behind it replace those of
the same name before the first one. A section of no size stands for none. Of sections of one name
the first counts, but for ``.dtbauto``: of these the boot loader takes the one for its machine.

A part is named by its section: ``.initrd`` of the base, ``.initrd@1`` of the profile 1 (they
count from 0), ``.dtbauto:2`` for the third of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images import pe
from bootmenu.model import FileSlice

PROFILE = ".profile"
MAX_PROFILES = 256  # as systemd-stub

_NAME = re.compile(r"(?P<section>\.[a-z]+)(?:@(?P<profile>\d{1,3}))?(?::(?P<index>\d{1,4}))?")


class Part(NamedTuple):
    """A section's *name* as above, and where its *size* bytes begin in the file."""

    name: str
    offset: int
    size: int


class UnifiedImage:
    """The sections of one image, by profile. *machine* is the architecture that it names."""

    def __init__(self, executable: pe.Executable) -> None:
        self.machine = executable.machine
        self._blocks: list[list[pe.Section]] = [[]]  # the base, then each profile
        for section in executable.sections:
            if section.name == PROFILE:
                if len(self._blocks) > MAX_PROFILES:
                    break
                self._blocks.append([])
            self._blocks[-1].append(section)

    @property
    def profiles(self) -> int:
        """How many profiles there are; the base alone is one."""
        return max(1, len(self._blocks) - 1)

    @property
    def parts(self) -> Iterator[Part]:
        """Every section that is not empty, in their order; those of a profile have its number."""
        for number, block in enumerate(self._blocks):
            profile = number - 1 if number else None
            for name in dict.fromkeys(section.name for section in block):
                yield from (part for part in self._named(name, profile) if part.size)

    def find(self, section: str, profile: int = 0) -> Part | None:
        """The part that *section* means in *profile*, None without one."""
        return next(self.all(section, profile), None)

    def all(self, section: str, profile: int = 0) -> Iterator[Part]:
        """Every section of that name in *profile*, and those of the base behind them."""
        own = self._named(section, profile)
        yield from (part for part in own if part.size)
        if not own or section == ".dtbauto":  # one of no size hides the base's
            yield from (part for part in self._named(section, None) if part.size)

    def part(self, name: str) -> Part | None:
        """The part of that very name."""
        matched = _NAME.fullmatch(name)
        if matched is None:
            return None
        profile = int(matched["profile"]) if matched["profile"] else None
        parts = self._named(matched["section"], profile)
        return next((part for part in parts if part.name == name and part.size), None)

    def _named(self, section: str, profile: int | None) -> list[Part]:
        block = 0 if profile is None else profile + 1
        if block >= len(self._blocks):
            return []
        name = section if profile is None else f"{section}@{profile}"
        found = [found for found in self._blocks[block] if found.name == section]
        return [
            # The file has no more than both say; in memory, zeros would follow.
            Part(f"{name}:{i}" if i else name, one.offset, min(one.size, one.memory))
            for i, one in enumerate(found)
        ]


def parse(head: bytes) -> UnifiedImage | None:
    """The image whose file begins with *head* (:data:`pe.MAX_HEADER` bytes, or all that there are).

    None when that is no PE file. Whether it has a ``.linux`` is for the caller to see.
    """
    executable = pe.read(head)
    return UnifiedImage(executable) if executable is not None else None


def section_slice(file: FileSlice, name: str) -> FileSlice:
    """Where the bytes of the part *name* of the image *file* lie.

    Raises ImageError when there is no such part, or it is cut off; VolumeError when the file
    cannot be read.
    """
    with open_slice(file) as opened:
        image = parse(opened.read(pe.MAX_HEADER))
    if image is None:
        hint = "name a file that ukify or dracut --uefi has made, or the kernel itself"
        raise ImageError(f"{file}: not a unified kernel image", hint=hint)
    part = image.part(name)
    if part is None:
        hint = "the image was made anew since it was read: choose its entry again"
        raise ImageError(f"{file}: the image has no section {name}", hint=hint)
    if part.offset + part.size > file.size:
        hint = "copy the image again: the file is damaged or was not written completely"
        raise ImageError(f"{file}: truncated, its section {name} is not all there", hint=hint)
    return replace(file.part(part.offset, part.size), name=f"{file}#{name}")
