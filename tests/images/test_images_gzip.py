"""gzip'd Images: unpacked once, into one buffer, and never further than they may."""

import gzip
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootmenu.errors import ImageError
from bootmenu.files import whole
from bootmenu.images.kernel import KernelImage, open_kernel
from bootmenu.images.packed import Packed
from bootmenu.model import FileSlice

Write = Callable[[bytes], FileSlice]
Make = Callable[..., bytes]


def unpacked(image: KernelImage) -> bytes:
    assert isinstance(image.source, Packed)
    assert image.source.size == image.image_size
    return b"".join(image.source.pieces())


def test_unpacks_to_the_very_bytes(kernel_file: Write, make_image: Make) -> None:
    image = open_kernel(kernel_file(gzip.compress(make_image())))
    assert image.format == "gzip'd arm64 Image"
    assert unpacked(image) == make_image()
    assert image.version() == "6.12.107+deb13-arm64"


def test_what_gzip_itself_writes_in_two_members(tmp_path: Path, make_image: Make) -> None:
    data = make_image()
    for number, part in enumerate((data[:70000], data[70000:])):
        Path(tmp_path, str(number)).write_bytes(part)
    subprocess.run("gzip -c 0 > k.gz; gzip -9 -c 1 >> k.gz", shell=True, cwd=tmp_path, check=True)
    assert unpacked(open_kernel(whole(str(tmp_path / "k.gz")))) == data


@pytest.mark.parametrize("read_before", [0, 1, 2])
def test_second_member_may_begin_wherever_reading_stops(
    read_before: int, kernel_file: Write, make_image: Make
) -> None:
    data = make_image()
    first = gzip.compress(data[:70000])
    name = b"n" * ((1 << 20) - len(first) - 1 - read_before) + b"\0"
    named = first[:3] + b"\x08" + first[4:10] + name + first[10:]
    assert unpacked(open_kernel(kernel_file(named + gzip.compress(data[70000:])))) == data


def test_padding_behind_it_is_ignored(kernel_file: Write, make_image: Make) -> None:
    assert (
        unpacked(open_kernel(kernel_file(gzip.compress(make_image()) + bytes(512)))) == make_image()
    )


def test_length_at_the_end_is_not_trusted(kernel_file: Write, make_image: Make) -> None:
    packed = gzip.compress(make_image())
    with pytest.raises(ImageError, match="does not unpack"):
        unpacked(open_kernel(kernel_file(packed[:-4] + b"\xff\xff\xff\x7f")))


def test_cut_off_file(kernel_file: Write, make_image: Make) -> None:
    packed = gzip.compress(make_image())
    with pytest.raises(ImageError, match="truncated"):
        unpacked(open_kernel(kernel_file(packed[: len(packed) // 2])))


def test_flipped_checksum(kernel_file: Write, make_image: Make) -> None:
    packed = bytearray(gzip.compress(make_image()))
    packed[-8] ^= 1
    with pytest.raises(ImageError, match="does not unpack"):
        unpacked(open_kernel(kernel_file(bytes(packed))))


def test_cut_off_before_it_was_compressed(kernel_file: Write, make_image: Make) -> None:
    packed = gzip.compress(make_image(sections=0x140000))
    with pytest.raises(ImageError, match="truncated, 1,048,576"):
        unpacked(open_kernel(kernel_file(packed)))


def test_bomb_is_not_unpacked(kernel_file: Write, make_image: Make) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = packer.compress(make_image(size=0x9000, image_size=0x9000))
    zeros = bytes(8 << 20)
    data += b"".join(packer.compress(zeros) for _ in range(12)) + packer.flush()
    with pytest.raises(ImageError, match="far more"):
        unpacked(open_kernel(kernel_file(data)))


def test_gzip_of_something_else_says_what(kernel_file: Write) -> None:
    with pytest.raises(ImageError, match="a gzip'd file of a cpio archive") as caught:
        open_kernel(kernel_file(gzip.compress(b"070701" + b"0" * 500)))
    assert "initrd" in caught.value.hint


@settings(max_examples=150)
@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_garbled_gzip_only_gives_image_errors(
    kernel_file: Write, make_image: Make, at: int, value: int, cut: int
) -> None:
    data = bytearray(gzip.compress(make_image(size=0x9000, image_size=0x9000)))
    data[at % len(data)] = value
    try:
        unpacked(open_kernel(kernel_file(bytes(data[: len(data) - cut]))))
    except ImageError as error:
        assert error.message
