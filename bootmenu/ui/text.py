"""Text in a number of cells: words wrapped for reading, characters folded for editing."""

from __future__ import annotations

from bootmenu.ui.terminal.cells import columns, width_of


def wrap(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* cells, broken between words where possible."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if width_of(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            *full, line = fold(word, width)
            lines.extend(full)
        lines.append(line)
    return lines


def fold(text: str, width: int) -> list[str]:
    """*text* cut into lines of at most *width* cells, nothing added and nothing lost."""
    if text.isascii():
        step = max(width, 1)
        return [text[at : at + step] for at in range(0, len(text), step)] or [""]
    lines, line, used = [], "", 0
    for character in text:
        needed = columns(character)
        if line and used + needed > width:
            lines.append(line)
            line, used = "", 0
        line += character
        used += needed
    return [*lines, line]


def size_text(size: int) -> str:
    """*size* bytes as a person reads it."""
    if size < 1024:
        return f"{size} B"
    if size < 1024 * 1024:
        return f"{size / 1024:.0f} KiB"
    return f"{size / 1024 / 1024:.1f} MiB"
