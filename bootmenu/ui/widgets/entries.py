"""The list of the main menu: devices, submenus and entries, and the selection."""

from __future__ import annotations

from bootmenu.ui.rows import MenuRow, RowKind, rows_of, submenus_around
from bootmenu.ui.terminal.cells import crop_middle, shown
from bootmenu.ui.widgets.lines import Line, Lines

_TELLS = 4  # lines below which every one is needed for a row


def _level(row: MenuRow) -> int:
    return row.depth if row.selectable else -1


class EntryList(Lines):
    """All rows of the menu, of which one is selected.

    The selection keeps to its row's key while rows come and go, and returns to it where all
    had gone, as when the daemon starts anew. Until a key is pressed it follows the default entry.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[MenuRow] = []
        self.opened: set[str] = set()
        self.selected: str | None = None
        self._wanted: str | None = None  # what a key selected last; its row may have gone
        self.touched = False
        self._top = 0
        self._places: dict[str, int] = {}  # of the rows, by key

    # --- what is selected

    @property
    def row(self) -> MenuRow | None:
        """The selected row."""
        at = self._places.get(self.selected or "")
        return None if at is None else self.rows[at]

    def update(self) -> None:
        """Take the rows from the daemon's state."""
        state = self.menu.state
        if state is None:
            return
        at = self._index()
        if not self.touched:
            default = next((e for e in state.entries if e.id == state.default), None)
            if default is not None:
                self.opened |= submenus_around(default)
                self.selected = default.id
        self.rows = rows_of(state, self.opened)
        self._places = {row.key: at for at, row in enumerate(self.rows)}
        if self._wanted in self._places:
            self.selected = self._wanted
        elif self.row is None:
            self._select_near(at)
        self.changed()

    def _index(self) -> int:
        return self._places.get(self.selected or "", 0)

    def _select_near(self, at: int) -> None:
        choices = [i for i, row in enumerate(self.rows) if row.selectable]
        nearest = min(choices, key=lambda i: (abs(i - at), i), default=None)
        self.selected = None if nearest is None else self.rows[nearest].key

    # --- moving

    def move(self, step: int) -> bool:
        """Move the selection *step* selectable rows down, stopping at the ends."""
        self.touched = True
        choices = [i for i, row in enumerate(self.rows) if row.selectable]
        if not choices:
            return False
        at = self._index()
        place = choices.index(at) if at in choices else 0
        target = self.rows[choices[max(0, min(place + step, len(choices) - 1))]].key
        moved = target != self.selected
        self.selected = self._wanted = target
        if moved:
            self.changed()
        return moved

    def open(self) -> bool:
        """Open the selected submenu; whether it was a closed one."""
        row = self.row
        if row is None or row.kind is not RowKind.SUBMENU or row.opened:
            return False
        self._toggle(row.key)
        return True

    def close(self) -> bool:
        """Close the submenu that is selected or around the selection; whether there was one."""
        row = self.row
        if row is None:
            return False
        if row.kind is not RowKind.SUBMENU or not row.opened:
            above = self.rows[: self._index()]
            around = [r for r in above if r.kind is RowKind.SUBMENU and r.depth < row.depth]
            if not around or not row.depth:
                return False
            row = around[-1]
        self.selected = row.key
        self._toggle(row.key)
        return True

    def _toggle(self, key: str) -> None:
        self.touched = True
        self._wanted = key
        self.opened ^= {key}
        self.update()

    # --- what it looks like

    @property
    def caret(self) -> tuple[int, int] | None:
        """Beside the selected row's marker."""
        return len(self.look.glyphs["marker"]), self._index() - self._top

    def lines(self, width: int, height: int) -> list[Line]:
        """The rows that fit, the selected one among them."""
        at = self._index()
        # The first line says what the rows below it belong to, when that has scrolled away.
        told = height > _TELLS
        if not self._top + told <= at < self._top + height:
            self._top = at - height // 2
        self._top = max(0, min(self._top, len(self.rows) - height))
        rows = self.rows[self._top : self._top + height]
        lines = [(row, self._line(row, width)) for row in rows]
        shown = [
            self.highlighted(line) if row.key == self.selected else line for row, line in lines
        ]
        if told and self._top and (path := self._around(self._top + 1)):
            shown[0] = [(crop_middle(" > ".join(path), width), "device")]
        return shown

    def _around(self, at: int) -> list[str]:
        """The device and the submenus that row *at* stands in, by their titles."""
        path: list[str] = []
        level = _level(self.rows[at])
        for row in reversed(self.rows[:at]):
            if level < 0:
                break
            if _level(row) < level:
                level = _level(row)
                path.insert(0, row.text)
        return path

    def _line(self, row: MenuRow, width: int) -> Line:
        if row.kind is RowKind.DEVICE:
            detail = f"  {row.detail}" if row.detail else ""
            return [(row.text, "device"), (detail, "error" if row.failed else "")]
        glyphs = self.look.glyphs
        marker = glyphs["marker"]
        here = row.key == self.selected
        mark: Line = [(marker, "marker") if here else (" " * len(marker), "")]
        indent = "  " * row.depth
        if row.kind is RowKind.SUBMENU:
            sign = glyphs["open" if row.opened else "closed"]
            default = glyphs["default"] if row.default else " "
            title = crop_middle(shown(row.text), width - len(marker) - len(indent) - 5)
            text = f" {indent}{sign} {title}"
            return [*mark, (" ", ""), (default, "default"), (text, "submenu")]
        return [*mark, *self._entry(row, indent, width - len(marker))]

    def _entry(self, row: MenuRow, indent: str, width: int) -> Line:
        entry = row.entry
        if entry is None:
            return []
        glyphs, sign, role = self.look.glyphs, " ", "default"
        state = self.menu.state
        if not entry.bootable:
            sign, role = glyphs["broken"], "broken"
        elif state is not None and entry.id == state.default:
            sign = glyphs["default"]
        edited = f" {glyphs['edited']}" if self.menu.drafts.edited(entry) else ""
        title = crop_middle(shown(entry.title), width - len(sign) - 2 - len(indent) - len(edited))
        return [
            (" ", ""),
            (sign, role),
            (f" {indent}", ""),
            (title, "entry" if entry.bootable else "broken"),
            (edited, "changed"),
        ]
