"""The fewest plain VT100 bytes that turn what a terminal shows into the next frame.

Used are only cursor movement (CUP, CUU, CUD, CUF, CR, LF, BS), SGR, EL, ED and DECAWM, see the
VT100 User Guide, chapter 3. Selective SGR resets came with the VT220 and are not used.
A line feed goes to the start of the next line, for the console's line discipline makes
CR LF of it.
"""

from __future__ import annotations

from bootmenu.ui.terminal.cells import BLANK, PLAIN, Cell, Look, Row, blank_row
from bootmenu.ui.terminal.profile import Profile

CLEAR = "\x1b[m\x1b[H\x1b[J"
NO_WRAP = "\x1b[?7l"
"""DECAWM off, so that the last column can be written. Whoever wrote meanwhile may want it on."""
_WORTH_ERASING = 3  # cells; fewer are overwritten, EL takes as many bytes
_MANY_ROWS = 6  # changed rows from which starting anew may be cheaper


class Painter:
    """What one terminal shows now, and how to change it."""

    def __init__(self, profile: Profile, width: int, height: int) -> None:
        self._profile = profile
        self._cells: dict[Cell, Cell] = {}
        self._x, self._y, self._look = 0, 0, PLAIN
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """The terminal now has *height* rows of *width* cells, showing nobody knows what."""
        self._width = width
        self._height = height
        self.forget()

    def adopt(self, profile: Profile) -> None:
        """The terminal turned out to be of *profile*; what differs goes with the next frame."""
        self._profile = profile
        self._cells.clear()

    def forget(self) -> None:
        """Something else wrote to the terminal: begin anew with the next frame."""
        self._shown: list[Row] | None = None

    def paint(self, frame: list[Row], cursor: tuple[int, int]) -> bytes:
        """What to send so that *frame* is shown and the cursor stands at *cursor* (x, y)."""
        rows = [self._adapted(row) for row in frame]
        blank = [blank_row(self._width) for _ in range(self._height)]
        if self._shown is None:
            best = _Stroke(NO_WRAP + CLEAR, 0, 0, PLAIN)
            best.draw(blank, rows)
        else:
            best = _Stroke("", self._x, self._y, self._look)
            best.draw(self._shown, rows)
            changed = sum(old != new for old, new in zip(self._shown, rows, strict=True))
            if changed >= _MANY_ROWS:
                anew = _Stroke(CLEAR, 0, 0, PLAIN)
                anew.draw(blank, rows)
                best = min(best, anew, key=_Stroke.__len__)
        best.move(*self._inside(cursor))
        self._shown = rows
        self._x, self._y, self._look = best.x, best.y, best.look
        return str(best).encode()

    def _inside(self, cursor: tuple[int, int]) -> tuple[int, int]:
        x, y = cursor
        return max(0, min(x, self._width - 1)), max(0, min(y, self._height - 1))

    def _adapted(self, row: Row) -> Row:
        """*row* in the glyphs and looks that the terminal has."""
        cells = self._cells
        adapted = []
        for cell in row:
            known = cells.get(cell)
            if known is None:
                known = cells[cell] = self._adapt(cell)
            adapted.append(known)
        for x in range(1, len(row)):  # a wide glyph that became narrow leaves a gap
            if not adapted[x][0] and adapted[x - 1][0].isascii():
                adapted[x] = (" ", adapted[x][1])
        return adapted

    def _adapt(self, cell: Cell) -> Cell:
        text, look = cell
        look = self._profile.look(look)
        if text == " " and look.hides_blanks:
            return BLANK
        return (self._profile.glyph(text) if text else "", look)


class _Stroke:
    """One string of output, and where it leaves the cursor and the look."""

    def __init__(self, start: str, x: int, y: int, look: Look) -> None:
        self._out = [start]
        self.x, self.y, self.look = x, y, look  # x is -1 when the terminal may have wrapped

    def __str__(self) -> str:
        return "".join(self._out)

    def __len__(self) -> int:
        return sum(len(part.encode()) for part in self._out)

    def draw(self, old: list[Row], new: list[Row]) -> None:
        """Change every row of *old* into that of *new*."""
        for y, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                self._draw_row(y, before, after)

    def _draw_row(self, y: int, before: Row, after: Row) -> None:
        end, old_end = _end(after), _end(before)
        erase = old_end - end > _WORTH_ERASING
        limit = end if erase else len(after)
        x = 0
        while x < limit:
            if before[x] == after[x]:
                x += 1
                continue
            while not after[x][0] and x:  # the second half of a wide glyph
                x -= 1
            self.move(x, y, after)
            x = self._put(after, x)
        if erase:
            self.move(end, y, after)
            if not self.look.hides_blanks:
                self._set_look(PLAIN)
            self._out.append("\x1b[K")

    def _put(self, row: Row, x: int) -> int:
        """Write the cell of *row* at *x*, where the cursor stands; returns the next cell."""
        text, look = row[x]
        if not (row[x] == BLANK and self.look.hides_blanks):
            self._set_look(look)
        self._out.append(text)
        after = x + 1
        while after < len(row) and not row[after][0]:
            after += 1
        self.x = after if after < len(row) else -1
        return after

    def move(self, x: int, y: int, row: Row | None = None) -> None:
        """Bring the cursor to *x*, *y*; cells of *row* before *x* may be written again."""
        if (x, y) == (self.x, self.y):
            return
        ways = [_absolute(x, y)]
        if self.y == y and 0 <= self.x < x:
            ways.append(_times(x - self.x, "C"))
            again = self._again(row, x) if row is not None else None
            if again is not None:
                ways.insert(0, again)
        if self.y == y and 0 <= x < self.x <= x + 4:
            ways.append("\b" * (self.x - x))
        if self.y == y and x == 0:
            ways.append("\r")
        if y > self.y:
            ways.append("\n" * (y - self.y) + (_times(x, "C") if x else ""))
        if self.x == x and y < self.y:
            ways.append(_times(self.y - y, "A"))
        if self.x == x and y > self.y:
            ways.append(_times(y - self.y, "B"))
        self._out.append(min(ways, key=_cost))
        self.x, self.y = x, y

    def _again(self, row: Row, x: int) -> str | None:
        """The cells from the cursor to *x*, if the present look can write them."""
        cells = row[self.x : x]
        if len(cells) > 8:
            return None
        for cell in cells:
            blank = cell == BLANK and self.look.hides_blanks
            if not blank and (cell[1] != self.look or not cell[0].isascii() or not cell[0]):
                return None
        return "".join(text for text, _ in cells)

    def _set_look(self, look: Look) -> None:
        if look == self.look:
            return
        codes = _codes(look)
        had = _codes(self.look)
        if set(had) <= set(codes) and self.look.foreground in (-1, look.foreground):
            new = [code for code in codes if code not in had]
        else:
            new = ["0", *codes] if codes else []
        self._out.append(f"\x1b[{';'.join(new)}m")
        self.look = look


def _end(row: Row) -> int:
    """The number of cells up to the last that is not blank."""
    end = len(row)
    while end and row[end - 1] == BLANK:
        end -= 1
    return end


def _cost(output: str) -> int:
    """Bytes on the line, where a line feed becomes CR LF."""
    return len(output) + output.count("\n")


def _absolute(x: int, y: int) -> str:
    if x == 0:
        return f"\x1b[{y + 1}H" if y else "\x1b[H"
    return f"\x1b[{y + 1};{x + 1}H" if y else f"\x1b[;{x + 1}H"


def _times(count: int, final: str) -> str:
    return f"\x1b[{count}{final}" if count > 1 else f"\x1b[{final}"


def _codes(look: Look) -> list[str]:
    codes = []
    if look.bold:
        codes.append("1")
    if look.underline:
        codes.append("4")
    if look.reverse:
        codes.append("7")
    if look.foreground >= 0:
        codes.append(f"3{look.foreground}" if look.foreground < 8 else f"38;5;{look.foreground}")
    if look.background >= 0:
        codes.append(f"4{look.background}" if look.background < 8 else f"48;5;{look.background}")
    return codes
