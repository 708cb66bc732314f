"""Files that are no arm64 Image: the message says what they are and what to do."""

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.errors import ImageError, VolumeError
from bootmenu.files import whole
from bootmenu.images.kernel import open_kernel
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
        (elf(183), "it has nothing to load", "damaged"),
        (zboot(0x8664), "a kernel for x86_64", "arm64"),
        (zboot(0xAA64), "zboot image compressed with nothing", "gzip"),
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
    with pytest.raises(ImageError, match=r"boot protocol .* 2.12"):
        open_kernel(kernel_file(bzimage()), Arch.X86_64)
