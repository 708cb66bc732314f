"""Kernels in every compression, made by its own tool, give the very bytes that went in."""

import errno
import functools
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootmenu.errors import ImageError, VolumeError
from bootmenu.files import whole
from bootmenu.images.kernel import KernelImage, open_kernel
from bootmenu.images.packed import MAX_EMPTY, Packed
from bootmenu.model import FileSlice

Make = Callable[..., bytes]
Write = Callable[[bytes], FileSlice]

COMMANDS = {
    "gzip": "gzip -9 -c",
    "zstd": "zstd -q -c",
    "zstd --ultra": "zstd -q --ultra -22 --long=27 -c",
    "zstd through a pipe": "cat | zstd -q --no-check -c",
    "xz": "xz -c",
    "xz --check=crc32": "xz --check=crc32 --lzma2=dict=32MiB -c",
    "xz --arm": "xz --check=crc32 --arm --lzma2=preset=6 -c",
    "lzma": "xz --format=lzma -c",
    "bzip2": "bzip2 -c",
    "lz4": "lz4 -q -c",
    "lz4, small blocks": "lz4 -q -9 -B4 -BD --content-size --no-frame-crc -c",
    "lz4 legacy": "lz4 -q -l -c",
}
ZBOOT = {
    "gzip": "gzip -c",
    "zstd22": "zstd -q --ultra -22 -c",
    "zstd": "zstd -q -c",
    "xzkern": "xz --check=crc32 -c",
    "lzma": "xz --format=lzma -c",
    "lz4": "lz4 -q -l -c",
}
CHECKED = ["gzip", "zstd", "xz", "bzip2", "lz4"]


@functools.cache
def packed(command: str, data: bytes) -> bytes:
    """What *command* makes of *data* that comes through a pipe."""
    return subprocess.run(
        command, shell=True, input=data, stdout=subprocess.PIPE, check=True
    ).stdout


def unpacked(image: KernelImage) -> bytes:
    assert isinstance(image.source, Packed)
    return b"".join(image.source.pieces())


def zboot(compression: str, payload: bytes, size: int) -> bytes:
    """As drivers/firmware/efi/libstub/Makefile.zboot lays it out."""
    head = struct.pack(
        "<4s4sII8x32s4xI", b"MZ\0\0", b"zimg", 512, len(payload), compression.encode(), 64
    )
    if compression != "gzip":
        payload += struct.pack("<I", size)
    pe = struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, 0, 0, 0)
    return (head + pe).ljust(512, b"\0") + payload + b"signature"


@pytest.fixture(scope="module")
def kernel(make_image: Make) -> bytes:
    """A kernel with something in it to compress, over many blocks of every format."""
    text = b"".join(b"%07d" % number for number in range(200_000))
    return make_image(size=0x9000, image_size=2 << 20) + text


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_sector_below_a_compressed_kernel_is_named_by_its_offset(
    name: str, kernel: bytes, kernel_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = open_kernel(kernel_file(packed(COMMANDS[name], kernel)))
    real, bad = os.preadv, min(image.file.size // 2, 5000)

    def preadv(descriptor: int, buffers: list[memoryview], at: int) -> int:
        if at >= bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, [buffers[0][: bad - at]], at)

    monkeypatch.setattr("bootmenu.files.slices.os.preadv", preadv)
    said = f"vmlinuz: cannot be read from byte {bad:,} on: Input/output error"
    with pytest.raises(VolumeError, match=said):
        unpacked(image)


@pytest.mark.parametrize("name", CHECKED)
def test_a_compressed_kernel_that_was_cut_off_or_changed_says_up_to_which_byte(
    name: str, kernel: bytes, kernel_file: Write
) -> None:
    data = packed(COMMANDS[name], kernel)
    middle = len(data) // 2
    for damaged in (data[:middle], data[:middle] + bytes(64) + data[middle + 64 :]):
        with pytest.raises(ImageError, match=r"vmlinuz: .*(before byte|after) [\d,]+"):
            unpacked(open_kernel(kernel_file(damaged)))


@pytest.mark.parametrize("name", COMMANDS)
def test_unpacks_to_the_very_bytes(name: str, kernel: bytes, kernel_file: Write) -> None:
    image = open_kernel(kernel_file(packed(COMMANDS[name], kernel)))
    assert image.format.endswith(" arm64 Image")
    assert unpacked(image) == kernel
    assert image.version() == "6.12.107+deb13-arm64"


@pytest.mark.parametrize("name", ["gzip", "zstd", "xz", "bzip2", "lz4", "lz4 legacy"])
def test_what_was_compressed_in_two_parts_is_one_kernel(
    name: str, kernel: bytes, kernel_file: Write
) -> None:
    if name == "lz4 legacy":  # blocks of 8 MiB, so that the first must be a full one
        kernel = kernel[:0x9000].ljust(9 << 20, b"x")
        data = packed(COMMANDS[name], kernel)
        assert unpacked(open_kernel(kernel_file(data)))[: 2 << 20] == kernel[: 2 << 20]
        return
    parts = [packed(COMMANDS[name], part) for part in (kernel[:70_001], kernel[70_001:])]
    assert unpacked(open_kernel(kernel_file(b"".join(parts)))) == kernel


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_frames_to_be_skipped_are_skipped_wherever_they_are(
    name: str, kernel: bytes, kernel_file: Write
) -> None:
    skipped = struct.pack("<II", 0x184D2A5F, 5) + b"seeks"
    parts = [packed(COMMANDS[name], part) for part in (kernel[:70_001], kernel[70_001:])]
    data = skipped + skipped.join([*parts, b""])
    assert unpacked(open_kernel(kernel_file(data))) == kernel


@pytest.mark.parametrize("name", ["zstd", "gzip"])
def test_a_file_that_goes_on_and_unpacks_to_nothing_is_not_read_to_its_end(
    name: str, tmp_path: Path
) -> None:
    empty = packed(f"{name} -c", b"")
    path = tmp_path / "empty"
    with path.open("wb") as file:
        for _ in range(2 * MAX_EMPTY // (1 << 20)):
            file.write(empty * ((1 << 20) // len(empty)))
    with pytest.raises(ImageError, match="64 MiB of it unpack to nothing"):
        open_kernel(whole(str(path)))


def test_what_pzstd_packs_is_a_kernel(tmp_path: Path, kernel: bytes, kernel_file: Write) -> None:
    image = kernel_file(kernel)
    subprocess.run(["pzstd", "-q", "-p2", image.path, "-o", str(tmp_path / "out")], check=True)
    assert unpacked(open_kernel(whole(str(tmp_path / "out")))) == kernel


@pytest.mark.parametrize(
    "command", ["xz --lzma2=preset=0,dict=512MiB -c", "zstd -q -1 --ultra --long=30 -c"]
)
def test_a_kernel_that_takes_too_much_memory_to_unpack_is_not_called_damaged(
    command: str, kernel: bytes, kernel_file: Write
) -> None:
    with pytest.raises(ImageError, match="more than 128 MiB of memory to unpack") as caught:
        open_kernel(kernel_file(packed(command, kernel)))
    assert "smaller dictionary" in caught.value.hint


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "trailer", [b"\0" * 512, b"\1", b"a signature of some length", b"\0*M\x18 is no frame"]
)
def test_what_follows_is_ignored(
    name: str, trailer: bytes, kernel: bytes, kernel_file: Write
) -> None:
    if name == "lz4 legacy" and len(trailer) in range(2, 512):
        trailer = b"\xff" * 30  # it has no end mark: only what can be no size ends it
    assert unpacked(open_kernel(kernel_file(packed(COMMANDS[name], kernel) + trailer))) == kernel


@pytest.mark.parametrize("name", COMMANDS)
def test_cut_off(name: str, kernel: bytes, kernel_file: Write) -> None:
    data = packed(COMMANDS[name], kernel)
    with pytest.raises(ImageError, match=r"vmlinuz: truncated, .* after [\d,]+ bytes"):
        unpacked(open_kernel(kernel_file(data[: len(data) * 3 // 4])))


@pytest.mark.parametrize("name", CHECKED)
def test_a_wrong_byte_is_found(name: str, kernel: bytes, kernel_file: Write) -> None:
    data = bytearray(packed(COMMANDS[name], kernel))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(ImageError, match=r"vmlinuz: (damaged|truncated)"):
        unpacked(open_kernel(kernel_file(bytes(data))))


@pytest.mark.parametrize("name", CHECKED)
def test_bomb_is_not_unpacked(name: str, kernel: bytes, kernel_file: Write) -> None:
    bomb = kernel[:0x9000].ljust(90 << 20, b"\0")
    with pytest.raises(ImageError, match="far more than its header says"):
        unpacked(open_kernel(kernel_file(packed(COMMANDS[name], bomb))))


@pytest.mark.parametrize("compression", ZBOOT)
def test_zboot(compression: str, kernel: bytes, kernel_file: Write) -> None:
    data = zboot(compression, packed(ZBOOT[compression], kernel), len(kernel))
    image = open_kernel(kernel_file(data))
    assert image.format.endswith("arm64 Image in an EFI zboot image")
    assert unpacked(image) == kernel
    with pytest.raises(ImageError, match="truncated"):
        open_kernel(kernel_file(data[: len(data) // 2]))


@pytest.mark.parametrize(("name", "word"), [("lzo", "lzo"), ("", "nothing"), ("\x1b", "nothing")])
def test_zboot_of_another_compression_is_refused_by_its_name(
    name: str, word: str, kernel_file: Write
) -> None:
    with pytest.raises(ImageError, match=f"compressed with .*{word}") as caught:
        open_kernel(kernel_file(zboot(name, b"x" * 100, 1)))
    assert "zstd" in caught.value.hint


@settings(max_examples=25)
@given(st.data())
@pytest.mark.parametrize("name", COMMANDS)
def test_damaged_files_only_give_image_errors(
    name: str, kernel: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    damaged = bytearray(packed(COMMANDS[name], kernel))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)))
    path = tmp_path / "vmlinuz"
    path.write_bytes(damaged[:end] if data.draw(st.booleans()) else damaged)
    try:
        open_kernel(whole(str(path))).verify()
    except ImageError as error:
        assert error.message and error.hint
