"""What the menu looks like: a TOML file of looks and glyphs, see ``themes/``.

A look is words: ``bold``, ``reverse``, ``underline``, a colour (one of the eight, or a
number of the 256-colour palette) and ``on`` a colour. A terminal ignores what it lacks.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from rich.color import Color, ColorParseError
from rich.style import Style

from bootmenu.errors import UsageError
from bootmenu.shipped import folder

LOCAL = Path("/etc/bootmenu/themes")
COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")

ROLES = (
    "title",  # the first line
    "device",  # the name above its entries
    "entry",
    "submenu",
    "selected",  # the whole selected line; plain: only its marker is seen
    "marker",  # the marker in front of it, and a button that has the cursor
    "default",  # the sign of the entry that starts by itself
    "broken",  # an entry that cannot start, and its sign
    "changed",  # what the person edited
    "label",
    "value",
    "field",  # the text that is being edited
    "button",
    "added",  # lines of a difference
    "removed",
    "bar",  # the part that is loaded
    "rule",
    "status",
    "warning",
    "error",
    "keys",  # the last line
)
"""What can be given a look."""
GLYPHS = {
    "marker": ">",
    "default": "*",
    "broken": "!",
    "edited": "(edited)",
    "open": "-",
    "closed": "+",
    "rule": "",
    "bar": "#",
    "bar_left": ".",
}


@dataclass(frozen=True)
class Theme:
    """The look of every role, and the glyphs."""

    looks: dict[str, Style] = field(default_factory=dict)
    glyphs: dict[str, str] = field(default_factory=lambda: dict(GLYPHS))

    def style(self, role: str) -> Style:
        """The look of *role*; plain for one that the theme does not mention."""
        return self.looks.get(role, _PLAIN)


_PLAIN = Style.null()


def load(name: str) -> Theme:
    """The theme *name*: a file's path, or the name of a local or a shipped theme.

    Raises UsageError when it is missing or makes no sense.
    """
    path = _find(name)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the theme {path}: {error}") from error
    try:
        looks = {role: _style(role, words) for role, words in data.get("looks", {}).items()}
        glyphs = {key: _glyph(key, value) for key, value in data.get("glyphs", {}).items()}
    except (ValueError, AttributeError, ColorParseError) as error:
        raise UsageError(
            f"theme {path}: {error}", hint=f"compare it with {folder('themes')}/serial.toml"
        ) from error
    return Theme(looks, GLYPHS | glyphs)


def _find(name: str) -> Path:
    if "/" in name:
        return Path(name)
    places = [place / f"{name}.toml" for place in (LOCAL, folder("themes"))]
    for path in places:
        if path.is_file():
            return path
    raise UsageError(f"there is no theme {name!r}", hint=f"put it at {places[0]}")


def _style(role: str, words: object) -> Style:
    if role not in ROLES:
        raise ValueError(f"there is no look {role!r}, only {', '.join(ROLES)}")
    if not isinstance(words, str):
        raise ValueError(f"a look is words in quotes, not {words!r}")
    attributes = {"bold": False, "reverse": False, "underline": False}
    colours: dict[str, Color] = {}
    place = "color"
    for word in words.split():
        if word in attributes:
            attributes[word] = True
        elif word == "on":
            place = "bgcolor"
        elif word in COLOURS or word.isdecimal():
            colours[place] = Color.parse(word if word in COLOURS else f"color({word})")
        else:
            raise ValueError(f"{word!r} is neither an attribute nor a colour")
    return Style(
        color=colours.get("color"),
        bgcolor=colours.get("bgcolor"),
        bold=attributes["bold"] or None,
        reverse=attributes["reverse"] or None,
        underline=attributes["underline"] or None,
    )


def _glyph(key: str, value: object) -> str:
    if key not in GLYPHS:
        raise ValueError(f"there is no glyph {key!r}, only {', '.join(GLYPHS)}")
    if not isinstance(value, str):
        raise ValueError(f"the glyph {key!r} is text in quotes, not {value!r}")
    return value
