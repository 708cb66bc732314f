"""A compressed kernel as a stream: unpacked while it is loaded, never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.model import FileSlice

Codec = Callable[[BinaryIO, str], Iterator[bytes]]
"""Decompresses a file from where it stands, in pieces; the text names it in messages."""
Check = Callable[[bytes, int], None]
"""Raises ImageError for a kernel that begins with those bytes and has so many of them."""

HEAD = 4096
"""How many of the first bytes a :data:`Check` is given."""
MAX_TRAILER = 64 << 20
"""What may follow an image behind its size in memory (a signature); more is a bomb."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What *file* unpacks to, of which *size* bytes are loaded. It is a Stream of the model."""

    file: FileSlice
    codec: Codec
    size: int
    check: Check = field(compare=False)

    def __str__(self) -> str:
        return str(self.file)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """At most *size* bytes; ImageError when the rest is not what it should be."""
        total = 0
        head = b""
        with open_slice(self.file) as file:
            for piece in self.codec(file, str(self.file)):
                if len(head) < HEAD:
                    head += piece[: HEAD - len(head)]
                if total < self.size:
                    yield memoryview(piece)[: self.size - total]
                total += len(piece)
                if total > self.size + MAX_TRAILER:
                    raise ImageError(
                        f"{self.file}: damaged, it unpacks to far more than its header says",
                        hint="copy the kernel again: the file is damaged",
                    )
        self.check(head, total)
