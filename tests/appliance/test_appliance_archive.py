"""The archive that the kernel unpacks, held against the real cpio and zstd."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from bootmenu.appliance.pack import join, pack
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BuildError


@pytest.fixture
def tree() -> Tree:
    return Tree(
        {
            "usr/bin/busybox": Node.file(b"\x7fELF" + bytes(5000), 0o755),
            "bin": Node.link("usr/bin"),
            "etc/a name with spaces": Node.file(b"x"),
            "tmp": Node.folder(0o1777),
        }
    )


def unpack(archive: bytes, folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive, cwd=folder, check=True)
    return folder


def test_cpio_unpacks_what_was_packed(tree: Tree, tmp_path: Path) -> None:
    root = unpack(tree.cpio(), tmp_path / "root")
    assert (root / "usr/bin/busybox").read_bytes() == tree["usr/bin/busybox"].data
    assert (root / "usr/bin/busybox").stat().st_mode & 0o777 == 0o755
    assert (root / "bin/busybox").exists()
    assert (root / "etc/a name with spaces").read_text() == "x"
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (root / "usr/bin/busybox").stat().st_mtime == 0


def test_everything_belongs_to_root(tree: Tree) -> None:
    listed = subprocess.run(
        ["cpio", "-itvn", "--quiet"], input=tree.cpio(), capture_output=True, check=True
    )
    owners = {tuple(line.split()[2:4]) for line in listed.stdout.decode().splitlines()}
    assert owners == {("0", "0")}


def test_order_of_files_does_not_show(tree: Tree) -> None:
    backwards = Tree(reversed(list(tree.items())))
    assert tree.cpio() == backwards.cpio()


def test_parts_are_packed_once_and_join_to_one_file(tree: Tree, tmp_path: Path) -> None:
    said: list[str] = []
    other = Tree({"etc/passwd": Node.file(b"root")})
    first = pack("one", "k" * 64, lambda: tree, tmp_path, said.append)
    again = pack("one", "k" * 64, Tree, tmp_path, said.append)
    second = pack("two", "k" * 64, lambda: other, tmp_path, said.append)
    assert first == again
    assert said == ["packing one", "packing two"]
    join([first, second], tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    assert len(whole) == first.packed + second.packed
    part = subprocess.run(["zstd", "-dc", second.archive], capture_output=True, check=False)
    assert part.stdout == other.cpio()


def test_links_are_followed_inside_the_root() -> None:
    tree = Tree(
        {
            "usr/lib/libfdt.so.1": Node.link("libfdt-1.7.so"),
            "usr/lib/libfdt-1.7.so": Node.file(b"elf"),
            "usr/lib/absolute.so": Node.link("/usr/lib/libfdt.so.1"),
            "usr/lib/loop": Node.link("loop"),
            "usr/lib/nowhere": Node.link("gone"),
        }
    )
    chain = ["usr/lib/absolute.so", "usr/lib/libfdt.so.1", "usr/lib/libfdt-1.7.so"]
    assert tree.resolve("usr/lib/absolute.so") == chain
    assert tree.resolve("usr/lib/loop") == []
    assert tree.resolve("usr/lib/nowhere") == []


def test_damaged_download_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "root.tar"
    broken.write_bytes(b"no tar at all" * 100)
    with pytest.raises(BuildError, match=r"root\.tar") as caught:
        Tree.of_tar(broken)
    assert "build again" in caught.value.hint


def test_hard_links_of_a_package_keep_their_contents(tmp_path: Path) -> None:
    archive = tmp_path / "root.tar"
    (tmp_path / "perl").write_bytes(b"contents")
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "perl", "./usr/bin/perl")
        link = tarfile.TarInfo("./usr/bin/perl5")
        link.type, link.linkname = tarfile.LNKTYPE, "./usr/bin/perl"
        tar.addfile(link)
    assert Tree.of_tar(archive)["usr/bin/perl5"].data == b"contents"
