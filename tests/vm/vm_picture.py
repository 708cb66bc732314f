"""What a graphics card shows: a picture of text, 8 by 16 pixels a character."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 8, 16
"""The size of a character in the kernel's own console font."""
READABLE = 96
"""How far apart two colours are, in the sum of their three channels, to be told apart."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    """A screendump in QEMU's PPM format (P6, 8 bits a channel)."""

    width: int
    height: int
    pixels: bytes

    @classmethod
    def read(cls, path: Path) -> Picture:
        """The picture in the file *path*."""
        data = path.read_bytes()
        kind, size, depth, pixels = data.split(b"\n", 3)
        if kind != b"P6" or depth != b"255":
            raise ValueError(f"{path}: not a picture of 8 bits a channel")
        width, height = (int(part) for part in size.split())
        return cls(width, height, pixels)

    def colours(self, column: int, row: int) -> set[Colour]:
        """The colours in the character cell at *column*, *row*."""
        found = set()
        for y in range(row * HEIGHT, (row + 1) * HEIGHT):
            start = (y * self.width + column * WIDTH) * 3
            line = self.pixels[start : start + WIDTH * 3]
            found |= {(line[i], line[i + 1], line[i + 2]) for i in range(0, len(line), 3)}
        return found

    def is_readable(self, column: int, row: int) -> bool:
        """Whether something is drawn in the cell that stands out from its ground."""
        colours = self.colours(column, row)
        return any(
            sum(abs(a - b) for a, b in zip(one, other, strict=True)) >= READABLE
            for one in colours
            for other in colours
        )

    def background(self, column: int, row: int) -> Colour:
        """The colour of the cell's upper left pixel, which no letter reaches."""
        start = (row * HEIGHT * self.width + column * WIDTH) * 3
        return self.pixels[start], self.pixels[start + 1], self.pixels[start + 2]

    def share(self, colour: Colour) -> float:
        """How much of the picture has this *colour*, from 0 to 1; a VGA has but 64 shades."""
        points = Counter(self.pixels[at : at + 3] for at in range(0, len(self.pixels), 3))
        near = (
            count
            for point, count in points.items()
            if all(abs(a - b) < 4 for a, b in zip(point, colour, strict=True))
        )
        return sum(near) / (self.width * self.height)
