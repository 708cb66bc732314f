"""A widget that is lines of text in roles; everything on a screen is one of these.

One widget renders a whole list, for every widget costs time at start and on each frame.
The theme alone decides on looks: Textual's own styling of content is bypassed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bootmenu.ui.terminal.cells import crop, shown, width_of

if TYPE_CHECKING:
    from textual.app import App

    from bootmenu.ui.app import MenuApp
    from bootmenu.ui.theme import Theme

Span = tuple[str, str]
"""A text and its role, whose look the theme says; a last ("", role) fills the line."""
Line = list[Span]


class Lines(Widget, inherit_css=False, inherit_bindings=False):
    """Lines of text. *height* is in lines, or None for all that others leave."""

    def __init__(self, height: int | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.styles.height = "1fr" if height is None else height
        self._strips: list[Strip] | None = None
        self._width = 0

    def lines(self, width: int, height: int) -> list[Line]:
        """What it shows, in at most *height* lines of *width* cells."""
        raise NotImplementedError

    @property
    def caret(self) -> tuple[int, int] | None:
        """Where the terminal's cursor belongs, as column and line, if here."""
        return None

    @property
    def menu(self) -> MenuApp:
        """The app, which knows the theme and the daemon."""
        return cast("MenuApp", cast("App[object]", self.app))

    @property
    def look(self) -> Theme:
        """The theme."""
        return self.menu.look

    def highlighted(self, line: Line) -> Line:
        """*line* as the selected one: as a whole, if the theme has a look for that."""
        if not self.look.style("selected"):
            return line
        return [*((text, "selected") for text, _ in line), ("", "selected")]

    def changed(self) -> None:
        """Say that :meth:`lines` would now return something else."""
        self._strips = None
        self.refresh()

    def notify_style_update(self) -> None:
        """Textual's hook for a new size or style."""
        self._strips = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of the region *crop*."""
        width, height = self.size
        if self._strips is None or len(self._strips) != height or self._width != width:
            lines = self.lines(width, height)[:height]
            lines.extend([[]] * (height - len(lines)))
            self._strips = [self._strip(line, width) for line in lines]
            self._width = width
        strips = self._strips[crop.y : crop.bottom]
        if crop.x or crop.width != width:
            strips = [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def _strip(self, line: Line, width: int) -> Strip:
        segments, left, style = [], width, Style.null()
        for text, role in line:
            style = self.look.style(role)
            fitting = crop(shown(text), left)
            if fitting:
                segments.append(Segment(fitting, style))
                left -= width_of(fitting)
        if left:
            fills = bool(line) and not line[-1][0]
            segments.append(Segment(" " * left, style if fills else Style.null()))
        return Strip(segments, width)
