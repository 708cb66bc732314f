"""What Textual's compositor made of the widgets, as rows of cells."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

from bootmenu.ui.terminal.cells import PLAIN, Look, Row, blank_row, put


class Frame:
    """The cells of one screen, kept up to date from the compositor's updates."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._looks: dict[Style, Look] = {}

    def resize(self, width: int, height: int) -> None:
        """Make it *height* rows of *width* cells; a new size begins blank."""
        if len(self.rows) != height or (height and len(self.rows[0]) != width):
            self.rows = [blank_row(width) for _ in range(height)]

    def update(self, renderable: object) -> None:
        """Apply one of the compositor's updates, full or partial."""
        if isinstance(renderable, LayoutUpdate):
            for y, strips in enumerate(renderable.strips, renderable.region.y):
                x = renderable.region.x
                for strip in strips:
                    x = self._put(x, y, strip)
        elif isinstance(renderable, ChopsUpdate):
            for y, left, right in renderable.spans:
                ends = renderable.chop_ends[y]
                for end, (x, chop) in zip(ends, renderable.chops[y].items(), strict=False):
                    if chop is not None and x < right and end > left:
                        self._put(x, y, chop)

    def _put(self, x: int, y: int, strip: Strip) -> int:
        if not 0 <= y < len(self.rows):
            return x
        row = self.rows[y] = list(self.rows[y])
        for segment in strip:
            x = put(row, x, segment.text, self._look(segment))
        return x

    def _look(self, segment: Segment) -> Look:
        style = segment.style
        if style is None:
            return PLAIN
        look = self._looks.get(style)
        if look is None:
            look = self._looks[style] = _look_of(style)
        return look

    def text(self) -> list[str]:
        """Its rows as text, without the blanks at their ends."""
        return ["".join(text for text, _ in row).rstrip() for row in self.rows]


def _look_of(style: Style) -> Look:
    foreground = style.color.number if style.color is not None else None
    background = style.bgcolor.number if style.bgcolor is not None else None
    return Look(
        bold=bool(style.bold),
        reverse=bool(style.reverse),
        underline=bool(style.underline),
        foreground=-1 if foreground is None else foreground,
        background=-1 if background is None else background,
    )
