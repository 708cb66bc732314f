"""Values as text: what a person sees means the same bytes, always; and as dtc takes it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.devicetree.values import bytes_of, kind_of, text_of
from bootmenu.errors import TreeError


@given(st.binary(max_size=64))
def test_text_of_any_bytes_means_those_bytes(value: bytes) -> None:
    assert bytes_of(text_of(value)) == value


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1)))
def test_strings_of_any_characters_survive(parts: list[str]) -> None:
    value = b"".join(part.encode() + b"\0" for part in parts)
    assert bytes_of(text_of(value)) == value


def test_every_value_of_a_real_board(virt_dtb: bytes) -> None:
    tree = DeviceTree.parse(virt_dtb)
    values = [value for path, _ in tree.nodes() for value in tree.properties(path).values()]
    assert len(values) > 100
    assert all(bytes_of(text_of(value)) == value for value in values)


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        (b"", "", "empty"),
        (b"arm,pl011\0arm,primecell\0", '"arm,pl011", "arm,primecell"', "strings"),
        (b'a "b"\\\n\0', '"a \\"b\\"\\\\\\n"', "strings"),
        (b"\0\0\0\1\xff\0\0\0", "<0x1 0xff000000>", "cells"),
        (b"\xde\xad\1", "[de ad 01]", "bytes"),
        (b"\0", "[00]", "bytes"),
        (b"a\0\0b\0", "[61 00 00 62 00]", "bytes"),
    ],
)
def test_form_suits_the_kind(value: bytes, text: str, kind: str) -> None:
    assert (text_of(value), kind_of(value)) == (text, kind)


@pytest.mark.parametrize(
    "text",
    [
        '"text"',
        '"a", "b"',
        '"tab\\t quote\\" hex\\x41 octal\\101 back\\\\"',
        "<1 0x2 010>",
        "<>",
        "[dead]",
        "[de ad be]",
        '"mixed", <1>, [ff]',
        '"comma, inside", <0xffffffff>',
        '"wörter"',
    ],
)
def test_dtc_agrees_on_what_a_text_means(text: str, dtc: Callable[[str], bytes]) -> None:
    tree = DeviceTree.parse(dtc(f"/ {{ value = {text}; }};"))
    assert tree.get("/", "value") == bytes_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1", "cannot start"),
        ('"open', "no closing quote"),
        ("<1", "no closing >"),
        ("[de", "no closing ]"),
        ("<0x100000000>", "32-bit cell"),
        (f"<{'9' * 5000}>", "32-bit cell"),
        ("<-1>", "no number"),
        ("<09>", "no number"),
        ("<&uart>", "no number"),
        ("[0]", "whole bytes"),
        ("[xy]", "whole bytes"),
        ('"a" "b"', "comma is missing"),
        ('"a",', "last comma"),
        ('"\\777"', "no byte"),
        ('"\ud800"', "no character"),
    ],
)
def test_each_mistake_has_its_message(text: str, message: str) -> None:
    with pytest.raises(TreeError, match=message) as caught:
        bytes_of(text)
    assert caught.value.hint


@given(st.text(alphabet='<>[]"\\,0x19afg &\n', max_size=30))
def test_any_text_is_a_value_or_a_tree_error(text: str) -> None:
    try:
        value = bytes_of(text)
        assert bytes_of(text_of(value)) == value
    except TreeError as error:
        assert error.message
