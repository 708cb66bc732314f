"""Bytes that begin within a page: segments are whole pages, so that zeros come before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootmenu.files import pieces_of
from bootmenu.model import FileSlice, Stream


@dataclass(frozen=True, slots=True)
class Inset:
    """*zeros* bytes of zero and then *source*, as a Stream of the model."""

    zeros: int
    source: FileSlice | Stream

    def __str__(self) -> str:
        return str(self.source)

    @property
    def size(self) -> int:
        """How many bytes are handed over."""
        return self.zeros + self.source.size

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes, from the first zero on; raises what the source does."""
        yield bytes(self.zeros)
        yield from pieces_of(self.source)


def inset(zeros: int, source: FileSlice | Stream) -> FileSlice | Stream:
    """*source* with *zeros* bytes of zero before it."""
    return Inset(zeros, source) if zeros else source
