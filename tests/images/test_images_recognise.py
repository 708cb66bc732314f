"""Files that are no arm64 Image: the message says what they are and what to do."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.errors import ImageError, VolumeError
from bootmenu.files import whole
from bootmenu.images import open_kernel
from bootmenu.model import Arch, FileSlice

Write = Callable[[bytes], FileSlice]
Make = Callable[..., bytes]


def bzimage() -> bytes:
    head = bytearray(0x1000)
    head[:2] = b"MZ"
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    head[0x236] = 0x03
    return bytes(head)


def pe(machine: int, section: bytes = b".text") -> bytes:
    head = bytearray(b"MZ" + bytes(0x3A) + struct.pack("<I", 0x40))
    head += struct.pack("<4sHH12xHH", b"PE\0\0", machine, 1, 0, 0)
    return bytes(head + struct.pack("<8sIIII16x", section, 0, 0, 0, 0)) + bytes(600)


def zboot(machine: int) -> bytes:
    return b"MZ\0\0zimg" + pe(machine)[8:]


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(200)


def riscv() -> bytes:
    return b"MZ" + bytes(0x2E) + b"RISCV\0\0\0" + b"RSC\x05" + bytes(100)


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (bzimage(), r"a kernel for x86_64 \(x86 bzImage\), and this machine is arm64", "arm64"),
        (riscv(), "a kernel for riscv64", "arm64"),
        (elf(62), "a kernel for x86_64", "arm64"),
        (elf(183), "an ELF file", "objcopy"),
        (zboot(0x8664), "a kernel for x86_64", "arm64"),
        (zboot(0xAA64), "an EFI zboot image", "unpack"),
        (pe(0xAA64, b".linux"), "a unified kernel image", "objcopy"),
        (pe(0xAA64), "an EFI program", "EFI firmware"),
        (b"\xd0\x0d\xfe\xed" + bytes(100), "a device tree or FIT", "DTB"),
        (b"070701" + b"0" * 104, "a cpio archive", "initrd"),
        (b"", "an empty file, no kernel", "nothing of it was written"),
        (bytes(5000), "a file of zeros, no kernel", "lost"),
        (b"<!DOCTYPE html><html>404</html>", "a web page", "URL"),
        (b"#!/bin/sh\necho no kernel\n", "a text file", "script"),
        (b"\x01\x02\x03\xff" * 40, "a file of no known format", "Image"),
    ],
)
def test_says_what_it_is(kernel_file: Write, data: bytes, message: str, hint: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        open_kernel(kernel_file(data))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("command", "word", "hint"),
    [
        ("zstd -q -c raw", "a zstd-compressed file", "zstd -d"),
        ("xz -c raw", "an xz-compressed file", "xz -d"),
        ("xz --format=lzma -c raw", "an lzma-compressed file", "unlzma"),
        ("bzip2 -c raw", "a bzip2-compressed", "bunzip2"),
    ],
)
def test_compressors_as_they_write(
    tmp_path: Path, make_image: Make, command: str, word: str, hint: str
) -> None:
    Path(tmp_path, "raw").write_bytes(make_image())
    subprocess.run(f"{command} > packed", shell=True, cwd=tmp_path, check=True)
    with pytest.raises(ImageError, match=word) as caught:
        open_kernel(whole(str(tmp_path / "packed")))
    assert hint in caught.value.hint


def test_uimage_as_mkimage_writes_it(tmp_path: Path, make_image: Make) -> None:
    Path(tmp_path, "raw").write_bytes(make_image())
    arguments = "-A arm64 -O linux -T kernel -C none -a 0x80000 -e 0x80000 -n x -d raw uImage"
    subprocess.run(["mkimage", *arguments.split()], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(ImageError, match="a U-Boot uImage") as caught:
        open_kernel(whole(str(tmp_path / "uImage")))
    assert "dumpimage" in caught.value.hint


def test_directory_device_fifo_and_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, message in [
        (tmp_path, "a directory"),
        (tmp_path / "fifo", "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "none", "No such file"),
    ]:
        with pytest.raises(VolumeError, match=message):
            open_kernel(whole(str(path)))


def test_program_of_this_machine_is_no_kernel() -> None:
    tool = shutil.which("true")
    assert tool is not None
    with pytest.raises(ImageError):
        open_kernel(whole(tool))


def test_on_another_architecture_it_says_so(kernel_file: Write, make_image: Make) -> None:
    with pytest.raises(ImageError, match=r"for arm64 .* this machine is x86_64"):
        open_kernel(kernel_file(make_image()), Arch.X86_64)
    with pytest.raises(ImageError, match="starts kernels for arm64 only"):
        open_kernel(kernel_file(bzimage()), Arch.X86_64)
