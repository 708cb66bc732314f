"""The terminal driver's parts: what is sent, to whom, and what never is."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootmenu.ui.terminal.cells import PLAIN, Look, Row, blank_row, glyph, put, shown, width_of
from bootmenu.ui.terminal.painter import Painter
from bootmenu.ui.terminal.profile import COLOUR, SERIAL, VT, profile_for

WIDTH, HEIGHT = 20, 8
LOOKS = [PLAIN, Look(bold=True), Look(reverse=True), Look(bold=True, foreground=2, background=4)]


def frame_of(lines: list[tuple[int, str, Look]]) -> list[Row]:
    rows = [blank_row(WIDTH) for _ in range(HEIGHT)]
    for y, (x, text, look) in enumerate(lines[:HEIGHT]):
        put(rows[y], x, text, look)
    return rows


def seen(screen: pyte.Screen) -> list[list[tuple[str, bool, bool, str]]]:
    """Glyph, boldness, reversal and background of every cell, where they can be seen."""
    rows = []
    for y in range(HEIGHT):
        cells = [screen.buffer[y][x] for x in range(WIDTH)]
        rows.append([(c.data, c.bold and c.data != " ", bool(c.reverse), c.bg) for c in cells])
    return rows


def meant(frame: list[Row]) -> list[list[tuple[str, bool, bool, str]]]:
    colours = {-1: "default", 4: "blue"}
    return [
        [
            (text, look.bold and text != " ", look.reverse, colours[look.background])
            for text, look in row
        ]
        for row in frame
    ]


texts = st.text(st.sampled_from("ab- \u00e9\u4e2d\u2500"), max_size=WIDTH)
lines = st.tuples(st.integers(0, WIDTH - 1), texts, st.sampled_from(LOOKS))
frames = st.lists(st.lists(lines, max_size=HEIGHT), min_size=1, max_size=5)


@settings(max_examples=150)
@given(frames, st.booleans())
def test_terminal_shows_exactly_the_frame_after_each_of_any_changes(
    sequence: list[list[tuple[int, str, Look]]], scribbled: bool
) -> None:
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    screen.set_mode(pyte.modes.LNM)  # a tty makes CR LF of a line feed
    screen.reset_mode(pyte.modes.DECAWM)
    painter = Painter(COLOUR, WIDTH, HEIGHT)
    for number, content in enumerate(sequence):
        if scribbled and number == 1:
            stream.feed(b"\x1b[HKERNEL: something happened")
            painter.forget()
        frame = frame_of(content)
        stream.feed(painter.paint(frame, (number, 1)))
        assert seen(screen) == meant(frame)
        assert (screen.cursor.x, screen.cursor.y) == (number, 1)


def test_nothing_is_sent_when_nothing_changed() -> None:
    painter = Painter(SERIAL, WIDTH, HEIGHT)
    frame = frame_of([(0, "hello", PLAIN)])
    painter.paint(frame, (0, 0))
    assert painter.paint(frame, (0, 0)) == b""


def test_titles_from_a_disk_cannot_send_escape_sequences() -> None:
    row = blank_row(WIDTH)
    put(row, 0, "a\x1b[2Jb\x9bc\udc80\u202e", PLAIN)
    assert "".join(text for text, _ in row).rstrip() == "a?[2Jb?c??"
    assert shown("x\ny") == "x?y"
    assert glyph("\u0301") == "?"
    assert width_of("a\u4e2d") == 3


def test_serial_gets_ascii_without_colour_and_the_console_its_own_glyphs() -> None:
    assert [SERIAL.glyph(c) for c in "e\u00e9\u2500\u4e2d"] == ["e", "?", "?", "?"]
    assert [VT.glyph(c) for c in "\u00e9\u2500\u4e2d"] == ["\u00e9", "\u2500", "?"]
    assert COLOUR.glyph("\u4e2d") == "\u4e2d"
    bright = Look(foreground=12, background=4)
    assert SERIAL.look(bright) == PLAIN
    assert VT.look(bright) == Look(background=4)
    assert COLOUR.look(bright) == bright


@pytest.mark.parametrize(
    ("tty", "term", "profile"),
    [
        ("/dev/ttyS0", "xterm-256color", SERIAL),
        ("/dev/ttyAMA0", "linux", SERIAL),
        ("/dev/hvc0", "", SERIAL),
        ("/dev/tty1", "", VT),
        ("/dev/pts/3", "linux", VT),
        ("/dev/pts/3", "tmux-256color", COLOUR),
        ("/dev/pts/3", "vt220", SERIAL),
        ("/dev/pts/3", "dumb", SERIAL),
        ("", "", SERIAL),
    ],
)
def test_what_is_not_known_to_be_more_is_a_vt100(tty: str, term: str, profile: object) -> None:
    assert profile_for(tty, term) is profile
