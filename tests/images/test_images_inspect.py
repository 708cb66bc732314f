"""bootmenu inspect: what a file is, whatever it is."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.errors import VolumeError
from bootmenu.images.inspect import inspect
from bootmenu.model import Arch, FileSlice

Write = Callable[[bytes], FileSlice]
Make = Callable[..., bytes]


def test_kernel_is_described_in_full(kernel_file: Write, make_image: Make) -> None:
    found = inspect(kernel_file(gzip.compress(make_image())), Arch.ARM64)
    text = "\n".join(found.lines())
    assert "kind         gzip'd arm64 Image" in text
    assert "version      6.12.107+deb13-arm64" in text
    assert "in memory    1,572,864 bytes" in text
    assert found.data()["page_size"] == 4096
    assert found.data()["problem"] is None


def test_foreign_and_damaged_files_are_described_too(kernel_file: Write, make_image: Make) -> None:
    found = inspect(kernel_file(gzip.compress(make_image())[:-100]), Arch.ARM64)
    assert found.kind == "gzip'd file"
    assert found.problem.startswith("truncated")
    assert "hint" in "\n".join(found.lines())
    found = inspect(kernel_file(make_image(flags=0b1011)), Arch.ARM64)
    assert (found.machine, found.image) == ("arm64", None)
    assert "big-endian" in found.problem


def test_packed_kernel_of_another_machine_is_described_in_full_and_so_is_its_damage(
    kernel_file: Write, make_image: Make
) -> None:
    packed = gzip.compress(make_image())
    found = inspect(kernel_file(packed), Arch.X86_64)
    assert (found.kind, found.machine, found.problem) == ("gzip'd arm64 Image", "arm64", "")
    assert found.version == "6.12.107+deb13-arm64"
    found = inspect(kernel_file(packed[:-8] + bytes(8)), Arch.X86_64)
    assert found.problem.startswith("damaged")


def test_unreadable_file_is_an_error(kernel_file: Write) -> None:
    gone = kernel_file(b"a kernel")
    Path(gone.path).unlink()
    with pytest.raises(VolumeError, match="No such file"):
        inspect(gone, Arch.ARM64)
