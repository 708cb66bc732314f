"""The load: where the bytes come from, and where they shall lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from bootmenu.model.arch import Arch
from bootmenu.model.machine import Method


@dataclass(frozen=True, slots=True)
class FileSlice:
    """*size* bytes at *offset* of the host's file *path*: handed to the kernel where they lie.

    A file inside an ISO image, or a part of a unified kernel image, is a part of another file;
    *name* is what a person knows it by: ``vda1:/debian.iso:/install/vmlinuz``.
    """

    path: str
    offset: int
    size: int
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.name or self.path

    def part(self, offset: int, size: int) -> FileSlice:
        """*size* bytes at *offset* of these, which must have them."""
        return replace(self, offset=self.offset + offset, size=size)


class Stream(Protocol):
    """Bytes that come piece by piece while they are loaded, as those of a compressed kernel."""

    @property
    def size(self) -> int:
        """How many bytes are handed over: what the pieces leave of them is zeros."""

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes, from the first on, as often as it is called.

        Raises ImageError where the source turns out to be damaged, VolumeError where it
        cannot be read.
        """

    def __str__(self) -> str:
        """What a person knows the source by."""


Source = bytes | memoryview | FileSlice | Stream
"""Where a segment's bytes come from."""


def size_of(source: Source) -> int:
    """How many bytes *source* hands over."""
    return len(source) if isinstance(source, bytes | memoryview) else source.size


@dataclass(frozen=True, slots=True)
class Segment:
    """*source*, placed at the physical address *mem* and zero-filled up to *memsz* bytes."""

    name: str  # kernel, initrd, dtb, boot_params, elfcorehdr, trampoline
    source: Source
    mem: int
    memsz: int
    reason: str  # why it lies there
    digest: str = ""  # SHA-256 of what the source gave, in hexadecimal, once it was read

    @property
    def bufsz(self) -> int:
        """Bytes that are copied; the rest of *memsz* is zeros."""
        return size_of(self.source)

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.mem + self.memsz


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file that kexec_file_load reads: *sources*, one behind the other.

    Each but the first begins at a multiple of :data:`ARCHIVE_ALIGNMENT`, zeros before it. What is
    not *copied* has one source, a whole file, which the kernel reads where it lies.
    """

    name: str  # kernel, initrd
    sources: tuple[Source, ...]
    copied: bool  # joined or unpacked in memory first
    reason: str  # why it is copied, or not
    digest: str = ""  # SHA-256 of the file, in hexadecimal, once it was read

    @property
    def size(self) -> int:
        """Its bytes, as far as that is known before they are read."""
        return sum(size_of(source) for source in self.sources)


ARCHIVE_ALIGNMENT = 4
"""Where the kernel looks for an archive behind the one before, in an initrd made of several."""


class Severity(StrEnum):
    """How much a :class:`Finding` matters."""

    ERROR = "error"  # kexec would fail or the next kernel would hang
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a load that a person should know beforehand."""

    severity: Severity
    message: str
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What kexec_load is handed, and why each part lies where it does.

    With the method FILE it is what kexec_file_load is handed: *files*, and no segments or entry,
    since where they lie is the running kernel's own choice.
    """

    arch: Arch
    entry: int
    segments: tuple[Segment, ...]
    cmdline: str
    kernel: str  # what the kernel image is, in words
    tree: bytes = b""  # the device tree that is handed over, flattened
    panic: bool = False  # whether it waits, as a crash kernel, for the running one to crash
    findings: tuple[Finding, ...] = ()
    method: Method = Method.CLASSIC
    files: tuple[HandedFile, ...] = ()

    def with_findings(self, findings: tuple[Finding, ...]) -> LoadPlan:
        """The same plan with *findings* added."""
        return replace(self, findings=self.findings + findings)
