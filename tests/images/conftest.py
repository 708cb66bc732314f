import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.files import whole
from bootmenu.model import FileSlice

BANNER = b"Linux version 6.12.107+deb13-arm64 (debian-kernel@lists.debian.org) #1 SMP" + bytes(300)


def arm64_image(
    *,
    size: int = 1 << 20,
    image_size: int = 3 << 19,
    text_offset: int = 0,
    flags: int = 0b1010,
    code: tuple[int, int] = (0xFA405A4D, 0x1474483B),
    sections: int = 0,
) -> bytes:
    """An Image of *size* bytes; with *sections*, a PE header that claims that many bytes."""
    head = struct.pack(
        "<IIQQQ24x4sI", *code, text_offset, image_size, flags, b"ARM\x64", 0x40 if sections else 0
    )
    if sections:
        head += struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, 1, 0, 0)
        head += struct.pack("<8sIIII16x", b".data", sections, 0x1000, sections - 0x1000, 0x1000)
    body = head + bytes(0x8000 - len(head)) + BANNER
    return (body + b"\x5a" * max(0, size - len(body)))[:size]


@pytest.fixture
def kernel_file(tmp_path: Path) -> Callable[[bytes], FileSlice]:
    def write(data: bytes) -> FileSlice:
        path = tmp_path / "vmlinuz"
        path.write_bytes(data)
        return whole(str(path))

    return write


@pytest.fixture(scope="session")
def make_image() -> Callable[..., bytes]:
    return arm64_image
