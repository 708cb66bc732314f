"""Themes, text that is edited, text that is broken into lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootmenu.errors import UsageError
from bootmenu.ui import theme as themes
from bootmenu.ui.terminal.profile import COLOUR, SERIAL, VT
from bootmenu.ui.text import fold, size_text, wrap
from bootmenu.ui.textline import TextLine


@pytest.mark.parametrize("name", [SERIAL.name, VT.name, COLOUR.name])
def test_every_kind_of_terminal_has_a_theme(name: str) -> None:
    theme = themes.load(name)
    assert theme.style("title").bold
    assert theme.glyphs["marker"]


def test_serial_theme_is_ascii_without_colour() -> None:
    theme = themes.load("serial")
    assert all(text.isascii() for text in theme.glyphs.values())
    assert all(look.color is None and look.bgcolor is None for look in theme.looks.values())


def test_own_theme_is_preferred_to_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serial.toml").write_text('[looks]\ntitle = "red on white"\n')
    monkeypatch.setattr(themes, "LOCAL", tmp_path)
    theme = themes.load("serial")
    assert theme.style("title").color is not None
    assert theme.glyphs["marker"] == ">"  # what it does not say is as in no theme
    assert themes.load(str(tmp_path / "serial.toml")) == theme


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[looks]\ntitle = 'crimson'", "'crimson' is neither an attribute nor a colour"),
        ("[looks]\ntitel = 'bold'", "there is no look 'titel', only title, device"),
        ("[looks]\ntitle = 3", "a look is words in quotes"),
        ("[looks]\ntitle = '300'", "300"),
        ("[glyphs]\nmarkers = '>'", "there is no glyph 'markers'"),
        ("[glyphs]\nmarker = 1", "is text in quotes"),
        ("looks = 3", "theme"),
        ("[looks", "cannot read"),
    ],
)
def test_theme_that_makes_no_sense_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        themes.load(str(path))


def test_missing_theme_says_where_to_put_it() -> None:
    with pytest.raises(UsageError) as error:
        themes.load("mauve")
    assert "mauve.toml" in error.value.hint


def typed(text: str, *keys: str) -> TextLine:
    line = TextLine(text)
    for key in keys:
        assert line.press(key, None if len(key) > 1 else key)
    return line


def test_plain_editing_keys_do_what_they_say() -> None:
    assert typed("root=1 quiet", "ctrl+w").text == "root=1 "
    assert typed("root=1 quiet", "home", "delete").text == "oot=1 quiet"
    assert typed("root=1 quiet", "ctrl+left", "ctrl+k").text == "root=1 "
    assert typed("root=1 quiet", "left", "X").text == "root=1 quieXt"
    assert typed("root=1 quiet", "ctrl+u").text == ""
    assert typed("root=1 quiet", "home", "ctrl+right", "X").text == "root=1X quiet"
    assert typed("", "backspace", "delete", "left", "right", "ctrl+w").text == ""
    assert not TextLine("a").press("f5", None)
    assert not TextLine("a").press("tab", "\t")


def test_cursor_moves_between_folded_lines() -> None:
    line = TextLine("abcdefghij")
    assert line.place(5) == (0, 2)
    assert line.move_row(-1, 5)
    line = typed("abcdefgh", "left")
    assert line.place(5) == (2, 1)
    assert line.move_row(-1, 5)
    assert line.place(5) == (2, 0)
    assert not line.move_row(-1, 5)


def test_folding_loses_nothing_and_wrapping_keeps_words() -> None:
    text = "a\u4e2d" * 9 + " \udcff x"
    assert "".join(fold(text, 5)) == text
    assert fold("", 5) == [""]
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("abcdefghij k", 4) == ["abcd", "efgh", "ij k"]
    assert wrap("", 4) == [""]


def test_sizes_are_readable() -> None:
    assert [size_text(n) for n in (12, 2048, 33 << 20)] == ["12 B", "2 KiB", "33.0 MiB"]
