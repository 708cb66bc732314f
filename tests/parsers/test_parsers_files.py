"""The files of a volume: nothing leaves it, nothing blocks, no byte is lost."""

import os
import socket
from pathlib import Path

import pytest

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Volume


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A volume, with a secret beside it."""
    (tmp_path / "secret").write_text("outside")
    volume = tmp_path / "volume"
    (volume / "boot").mkdir(parents=True)
    (volume / "boot" / "Image").write_bytes(b"kernel")
    return volume


def test_absolute_link_stays_on_the_volume(root: Path) -> None:
    (root / "secret").write_text("inside")
    (root / "boot" / "link").symlink_to("/secret")
    assert VolumeFiles(str(root)).read_text("/boot/link") == "inside"


@pytest.mark.parametrize("target", ["/../secret", "../../secret", "../../../../../../secret"])
def test_no_link_leaves_the_volume(root: Path, target: str) -> None:
    (root / "boot" / "escape").symlink_to(target)
    with pytest.raises(VolumeError, match="no such file"):
        VolumeFiles(str(root)).slice("/boot/escape")
    with pytest.raises(VolumeError, match="no such file"):
        VolumeFiles(str(root)).slice(f"/boot/{target}")


def test_link_in_the_middle_of_a_path_is_followed(root: Path) -> None:
    (root / "grub").symlink_to("boot/../boot")
    files = VolumeFiles(str(root))
    assert files.slice("grub/Image").path == str(root / "boot" / "Image")
    assert files.path_of("//grub/./Image") == "/boot/Image"


def test_links_that_loop_are_an_error(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "self").symlink_to("self/self/self")
    for name in ("a", "self"):
        with pytest.raises(VolumeError, match="too many symbolic links"):
            VolumeFiles(str(root)).slice(name)
        assert not VolumeFiles(str(root)).exists(name)


def test_special_files_do_not_block(root: Path) -> None:
    os.mkfifo(root / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(root / "socket"))
    listener.close()
    files = VolumeFiles(str(root))
    for name in ("fifo", "socket", "boot"):
        assert files.exists(name)
        assert not files.is_file(name)
        with pytest.raises(VolumeError):
            files.read_bytes(name, 10)
        with pytest.raises(VolumeError):
            files.size(name)


def test_larger_than_the_limit_is_an_error(root: Path) -> None:
    files = VolumeFiles(str(root))
    assert files.read_bytes("/boot/Image", 6) == b"kernel"
    with pytest.raises(VolumeError, match="larger than 5 bytes"):
        files.read_bytes("/boot/Image", 5)


def test_vfat_names_compare_without_case(root: Path) -> None:
    volume = Volume(name="sda1", root=str(root), fstype="vfat")
    assert VolumeFiles.of(volume).path_of("/BOOT/image") == "/boot/Image"
    assert not VolumeFiles(str(root)).exists("/BOOT/image")


def test_every_byte_of_a_text_comes_back(root: Path) -> None:
    raw = bytes(range(256)) + "ü".encode()
    (root / "text").write_bytes(raw)
    text = VolumeFiles(str(root)).read_text("text")
    assert text.encode("utf-8", "surrogateescape") == raw


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 5000, "a/" * 2000, "", "/", "x/../.."])
def test_strange_paths_are_errors_or_the_root(root: Path, path: str) -> None:
    files = VolumeFiles(str(root))
    if not path.strip("/"):
        assert files.is_dir(path)
    else:
        with pytest.raises(VolumeError):
            files.read_bytes(path, 10)
        assert not files.is_file(path)


def test_listing_is_sorted_and_a_missing_directory_is_an_error(root: Path) -> None:
    for name in ("b", "a", "c"):
        (root / name).touch()
    files = VolumeFiles(str(root))
    assert files.listdir("/") == ["a", "b", "boot", "c"]
    with pytest.raises(VolumeError, match="no such file"):
        files.listdir("/missing")
