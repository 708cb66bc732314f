"""What would boot if Enter was pressed now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootmenu.ui.terminal.cells import width_of
from bootmenu.ui.text import fold, wrap
from bootmenu.ui.widgets.lines import Line, Lines

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Entry, Request
    from bootmenu.ui.rows import MenuRow

HEIGHT = 7
"""Lines, the rule above them included."""
_LABEL = 9
_BESIDE = 7  # cells of a row that its title does not get


class Details(Lines):
    """Kernel, files, cmdline and source of one entry."""

    def __init__(self) -> None:
        super().__init__(HEIGHT)
        self.row: MenuRow | None = None

    def show(self, row: MenuRow | None) -> None:
        """Show the entry of *row*, what the submenu holds, or nothing."""
        self.row = row
        self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """A rule, then one field a line, the cmdline in as many as are left."""
        rule = self.look.glyphs["rule"]
        lines: list[Line] = [[(rule * width, "rule")]] if rule else [[]]
        row = self.row
        if row is None:
            return lines
        if width_of(row.text) + 2 * row.depth + _BESIDE > width:  # cut in its middle above
            lines.extend([(line, "value")] for line in fold(row.text, width)[:2])
        entry = row.entry
        if entry is None:
            keys = "Enter or Left closes" if row.opened else "Enter or Right opens"
            return [*lines, [(f"{row.detail}; {keys}", "value")]]
        request = self.menu.drafts.request(entry)
        slow, reason = self.menu.profile.slow, not entry.bootable and entry.problems[:1]
        if slow and reason and not self.menu.drafts.edited(entry):
            # The reason names what is missing; the files would say it twice more.
            return [*lines, *_reason(reason[0], width)]
        fields = _fields(entry, request)
        below = [_field("From", _here(entry.source, entry))]
        if entry.writes:
            below.append(_field("Writes", ", ".join(_short(change) for change in entry.writes)))
        room = 1 if slow else height - len(lines) - len(fields) - len(below) - 1
        lines.extend(_field(label, value) for label, value in fields)
        cmdline = _shortened(request.cmdline, width - _LABEL, max(room, 1))
        lines.append(_field("Cmdline", cmdline[0]))
        lines.extend([(" " * _LABEL, ""), (line, "value")] for line in cmdline[1:])
        if reason:
            said = _reason(reason[0], width)
            return [*[*lines, *below][: height - len(said)], *said]
        return [*lines[: height - len(below)], *below]


def _reason(problem: str, width: int) -> list[Line]:
    return [[(line, "error")] for line in wrap(f"Cannot start: {problem}", width)[:2]]


def _field(label: str, value: str) -> Line:
    return [(label.ljust(_LABEL), "label"), (value, "value")]


def _fields(entry: Entry, request: Request) -> list[tuple[str, str]]:
    """Label and value; kernel and initrd always, so that the lines keep their places."""
    initrds = " ".join(_here(initrd, entry) for initrd in request.initrds)
    fields = [("Kernel", _here(request.kernel, entry) or "none"), ("Initrd", initrds or "none")]
    if request.dtb or request.edits:
        edits = f", {len(request.edits)} edited" if request.edits else ""
        fields.append(("Tree", (_here(request.dtb, entry) or "the machine's own") + edits))
    if request.overlays:
        fields.append(("Overlays", " ".join(_here(one, entry) for one in request.overlays)))
    return fields


def _short(change: str) -> str:
    """*change*, which begins with the path of the file, without that file's folder."""
    path, colon, what = change.partition(": ")
    return f"{path.rpartition('/')[2]}{colon}{what}"


def _here(text: str, entry: Entry) -> str:
    """*text* without the name of the device below which its entry stands."""
    return text.replace(f"{entry.device}:", "", 1)


def _shortened(text: str, width: int, height: int) -> list[str]:
    """*text* in *height* lines; dots say that there is more (the editor shows it all)."""
    lines = fold(text, max(width, 8))
    if len(lines) > height:
        lines = [*lines[: height - 1], lines[height - 1][:-3] + "..."]
    return lines
