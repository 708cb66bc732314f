"""The device tree: nodes that fold and unfold, and their properties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootmenu.ui.widgets.lines import Line, Lines

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Node, Property


@dataclass(frozen=True)
class TreeRow:
    """A node, or a property of it."""

    node: Node
    depth: int
    own: Property | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when the tree around it changes."""
        return self.node.path, self.own.name if self.own is not None else ""


def parent_of(path: str) -> str:
    """The path of the node around the node *path*."""
    return path.rpartition("/")[0] or "/"


class TreeView(Lines):
    """Nodes and properties, one selected."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.unfolded: set[str] = {"/"}
        self.rows: list[TreeRow] = []
        self.selected: tuple[str, str] = ("/", "")
        self._top = 0

    def show(self, nodes: list[Node]) -> None:
        """Show *nodes*; what was unfolded and selected stays so."""
        at = self._index()
        self.nodes = nodes
        for node in nodes:
            if node.changed:
                self.unfolded |= _ancestors(node.path)
        self._arrange(at)

    def _arrange(self, at: int) -> None:
        rows: list[TreeRow] = []
        for node in self.nodes:
            if not _ancestors(node.path) <= self.unfolded:
                continue
            depth = 0 if node.path == "/" else node.path.count("/")
            rows.append(TreeRow(node, depth))
            if node.path in self.unfolded:
                rows.extend(TreeRow(node, depth + 1, one) for one in node.properties)
        self.rows = rows
        if rows and self.selected not in {row.key for row in rows}:
            self.selected = rows[min(at, len(rows) - 1)].key
        self.changed()

    @property
    def row(self) -> TreeRow | None:
        """The selected row."""
        return next((row for row in self.rows if row.key == self.selected), None)

    def _index(self) -> int:
        keys = [row.key for row in self.rows]
        return keys.index(self.selected) if self.selected in keys else 0

    def select(self, path: str, name: str = "") -> None:
        """Select the node *path* or its property *name*, unfolding what is around."""
        self.unfolded |= _ancestors(path) | ({path} if name else set())
        self.selected = (path, name)
        self._arrange(self._index())

    def move(self, step: int) -> bool:
        """Move the selection *step* rows down."""
        if not self.rows:
            return False
        target = self.rows[max(0, min(self._index() + step, len(self.rows) - 1))].key
        moved = target != self.selected
        self.selected = target
        if moved:
            self.changed()
        return moved

    def fold(self, *, unfold: bool) -> None:
        """Unfold the selected node; or fold it, or go to the node around."""
        row = self.row
        if row is None:
            return
        path = row.node.path
        if unfold:
            self.unfolded.add(path)
        elif row.own is not None:
            self.selected = (path, "")
        elif path in self.unfolded:
            self.unfolded.discard(path)
        else:
            self.selected = (parent_of(path), "")
        self._arrange(self._index())

    def find(self, text: str) -> bool:
        """Select the next node or property whose name or value has *text* in it."""
        every = [
            (node.path, one)
            for node in self.nodes
            for one in ("", *(prop.name for prop in node.properties))
        ]
        values = {(n.path, p.name): p.value for n in self.nodes for p in n.properties}
        start = every.index(self.selected) + 1 if self.selected in every else 0
        for path, name in every[start:] + every[:start]:
            own = name or path.rpartition("/")[2]
            if text in own or text in values.get((path, name), ""):
                self.select(path, name)
                return True
        return False

    @property
    def caret(self) -> tuple[int, int] | None:
        """Beside the selected row's marker."""
        return len(self.look.glyphs["marker"]), self._index() - self._top

    def lines(self, width: int, height: int) -> list[Line]:
        """The rows around the selection."""
        at = self._index()
        if not self._top <= at < self._top + height:
            self._top = at - height // 2
        self._top = max(0, min(self._top, len(self.rows) - height))
        rows = self.rows[self._top : self._top + height]
        lines = [(row, self._line(row)) for row in rows]
        return [self.highlighted(line) if row.key == self.selected else line for row, line in lines]

    def _line(self, row: TreeRow) -> Line:
        glyphs = self.look.glyphs
        marker = glyphs["marker"]
        here = row.key == self.selected
        changed = row.own.changed if row.own is not None else row.node.changed
        line: Line = [
            (marker, "marker") if here else (" " * len(marker), ""),
            (glyphs["default"] if changed else " ", "changed"),
        ]
        indent = "  " * row.depth
        role = "changed" if changed else "value"
        if row.own is None:
            sign = glyphs["open" if row.node.path in self.unfolded else "closed"]
            name = row.node.path.rpartition("/")[2] or "/"
            return [*line, (f"{indent}{sign} ", ""), (name, role)]
        value = f" = {row.own.value}" if row.own.value else ""
        return [*line, (f"{indent}  {row.own.name}{value}", role)]


def _ancestors(path: str) -> set[str]:
    """The paths of all nodes around the node *path*."""
    if path == "/":
        return set()
    parts = path.split("/")[1:-1]
    return {"/"} | {"/" + "/".join(parts[: count + 1]) for count in range(len(parts))}
