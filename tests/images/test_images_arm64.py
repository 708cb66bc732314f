"""Raw Images: what is accepted, and the message for each way in which one can be wrong."""

import gzip
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootmenu.errors import ImageError
from bootmenu.images.kernel import open_kernel
from bootmenu.model import Arch, FileSlice

Write = Callable[[bytes], FileSlice]
Make = Callable[..., bytes]


def test_image_is_described(kernel_file: Write, make_image: Make) -> None:
    image = open_kernel(kernel_file(make_image()))
    assert image.arch is Arch.ARM64
    assert image.format == "arm64 Image"
    assert image.page_size == 4096
    assert image.anywhere
    assert image.image_size == 3 << 19
    assert image.version() == "6.12.107+deb13-arm64"


def test_raw_image_is_loaded_where_it_lies(kernel_file: Write, make_image: Make) -> None:
    path = kernel_file(make_image())
    assert open_kernel(path).source == FileSlice(path.path, 0, 1 << 20)


def test_signature_behind_the_image_is_left_out(kernel_file: Write, make_image: Make) -> None:
    path = kernel_file(make_image(size=1 << 20, image_size=1 << 19))
    assert open_kernel(path).source == FileSlice(path.path, 0, 1 << 19)


@pytest.mark.parametrize(
    ("flags", "size"), [(0, None), (2, 4096), (4, 16384), (6, 65536), (0xE, 65536)]
)
def test_page_size_of_the_header(
    kernel_file: Write, make_image: Make, flags: int, size: int | None
) -> None:
    assert open_kernel(kernel_file(make_image(flags=flags))).page_size == size


def test_kernel_of_before_3_17_has_known_sizes(kernel_file: Write, make_image: Make) -> None:
    image = open_kernel(kernel_file(make_image(image_size=0, flags=0)))
    assert (image.text_offset, image.image_size) == (0x80000, 16 << 20)


def test_kernel_of_before_3_17_is_never_loaded_in_part(
    kernel_file: Write, make_image: Make
) -> None:
    image = make_image(image_size=0, flags=0, size=(16 << 20) + 1)
    with pytest.raises(ImageError, match="16,777,217 bytes, and no word in its header"):
        open_kernel(kernel_file(image))
    packed = open_kernel(kernel_file(gzip.compress(image, 1)))
    with pytest.raises(ImageError, match="16,777,217 bytes, and no word in its header"):
        packed.verify()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"code": (0, 0)}, "first instructions are zeros"),
        ({"text_offset": 3 << 19}, "text_offset"),
        ({"flags": 0b1011}, "big-endian"),
        ({"image_size": 1 << 40}, "damaged"),
        ({"image_size": 8 << 20}, "truncated, 1,048,576 bytes of at least 4,194,304"),
        ({"sections": 0x140000}, "truncated, 1,048,576 bytes of at least 1,310,720"),
        ({"size": 63}, "no known format|truncated"),
        ({"size": 60}, "truncated"),
    ],
)
def test_each_fault_has_its_own_message(
    kernel_file: Write, make_image: Make, wrong: dict[str, int], message: str
) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        open_kernel(kernel_file(make_image(**wrong)))
    assert caught.value.hint


def test_pe_sections_decide_before_the_rule_of_thumb(kernel_file: Write, make_image: Make) -> None:
    open_kernel(kernel_file(make_image(sections=0x100000, image_size=8 << 20)))


def test_section_without_bytes_in_the_file_cuts_no_kernel_off(
    kernel_file: Write, make_image: Make
) -> None:
    image = bytearray(make_image(sections=0x100000))
    struct.pack_into("<H", image, 0x46, 2)
    struct.pack_into("<8sIIII16x", image, 0x80, b".bss", 0x80000, 0x100000, 0, 0x7FFFFFFF)
    open_kernel(kernel_file(bytes(image)))


@settings(max_examples=300)
@given(edits=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=12))
def test_garbled_headers_only_give_image_errors(
    kernel_file: Write, make_image: Make, edits: list[tuple[int, int]]
) -> None:
    data = bytearray(make_image(size=0x9000, image_size=0x9000, sections=0x4000))
    for at, value in edits:
        data[at] = value
    try:
        open_kernel(kernel_file(bytes(data))).verify()
    except ImageError as error:
        assert error.message


@settings(max_examples=200)
@given(data=st.binary(max_size=600))
def test_any_bytes_only_give_image_errors(kernel_file: Write, data: bytes) -> None:
    with pytest.raises(ImageError):
        open_kernel(kernel_file(data))
