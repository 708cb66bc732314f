"""Parts of a unified kernel image, by the names that an entry gives them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from bootmenu.errors import ImageError, VolumeError
from bootmenu.files import open_slice, whole
from bootmenu.images.uki import section_slice
from bootmenu.model import FileSlice

SECTIONS = {
    ".linux": b"kernel",
    ".initrd": b"initrd" * 200,
    ".profile": b"ID=zero",
    ".initrd@0": b"of profile 0",
    ".profile@1": b"ID=one",
    ".dtbauto@1": b"first",
    ".dtbauto@1:1": b"second",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file with SECTIONS, each of them followed by padding."""
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    head += struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, len(SECTIONS), 0, 0)
    body, start = b"", 1024
    for name, content in SECTIONS.items():
        section = name.partition("@")[0].encode()
        where = (len(content), 0, 2048, start + len(body))
        head += struct.pack("<8sIIII16x", section, *where)
        body += content.ljust(2048, b"\xee")
    path = tmp_path / "image.efi"
    path.write_bytes(head.ljust(start, b"\0") + body)
    return path


@pytest.mark.parametrize("name", [name for name in SECTIONS if not name.startswith(".profile")])
def test_part_is_exactly_its_section(name: str, image: Path) -> None:
    with open_slice(section_slice(whole(str(image)), name)) as part:
        assert part.read() == SECTIONS[name]


def test_image_may_be_a_part_itself(image: Path, tmp_path: Path) -> None:
    outer = tmp_path / "disc.iso"
    outer.write_bytes(b"#" * 5000 + image.read_bytes() + b"#" * 5000)
    inner = FileSlice(str(outer), 5000, image.stat().st_size, name="disc.iso:/image.efi")
    part = section_slice(inner, ".linux")
    assert str(part) == "disc.iso:/image.efi#.linux"
    with open_slice(part) as opened:
        assert opened.read() == b"kernel"


@pytest.mark.parametrize("name", [".dtb", ".initrd@1", ".dtbauto", ".dtbauto@1:2", ".linux@7", "x"])
def test_part_that_is_not_there(name: str, image: Path) -> None:
    with pytest.raises(ImageError, match="has no section"):
        section_slice(whole(str(image)), name)


def test_file_that_is_cut_off_or_none(image: Path) -> None:
    file = whole(str(image))
    with pytest.raises(ImageError, match="truncated"):
        section_slice(file.part(0, 3000), ".initrd")
    with pytest.raises(ImageError, match="not a unified kernel image"):
        section_slice(file.part(4, 3000), ".initrd")
    image.unlink()
    with pytest.raises(VolumeError, match="cannot be read"):
        section_slice(file, ".linux")
