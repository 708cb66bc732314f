"""What a person is told who builds an image, and what goes into it."""

from __future__ import annotations

import lzma
import re
import subprocess
from pathlib import Path

import pytest

from bootmenu.appliance import build, debian, python, root, tools
from bootmenu.appliance.modules import module_tree, release_folder
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BuildError
from bootmenu.model import Arch
from bootmenu.shipped import folder


def test_missing_tools_are_named_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tools, "find", lambda program: None)
    with pytest.raises(BuildError) as caught:
        tools.require(["mmdebstrap", "depmod", "modprobe"])
    assert caught.value.message == "missing on this machine: mmdebstrap, depmod, modprobe"
    assert caught.value.hint == "apt-get install kmod mmdebstrap"


def test_failed_command_is_reported_with_its_own_words() -> None:
    with pytest.raises(BuildError, match=r"mke2fs failed: .*does not exist"):
        tools.run(["mke2fs", "-n", "/nonexistent/image"])


def test_updates_that_the_mirror_cannot_give_are_left_out_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mmdebstrap(command: list[str], hint: str = "") -> subprocess.CompletedProcess[bytes]:
        if command[-1] != debian.RELEASE:
            raise BuildError("File has unexpected size. Mirror sync in progress?")
        Path(command[-2]).write_bytes(b"the archive")
        return subprocess.CompletedProcess(command, 0, b"", b"udev_257_riscv64.deb partial")

    monkeypatch.setattr(debian, "run", mmdebstrap)
    said: list[str] = []
    packages = debian.fetch("riscv64", ["udev"], tmp_path, said.append)
    assert packages.versions == ("udev_257_riscv64.deb",)
    assert packages.archive.read_bytes() == b"the archive"
    assert said[1:] == ["its updates cannot be read: trying trixie without them"]


def test_own_kernel_without_its_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build(Arch.ARM64, tmp_path, kernel=tmp_path / "Image")
    assert "--modules" in caught.value.hint


def test_modules_folder_must_hold_one_kernel(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="none"):
        release_folder(tmp_path)
    for release in ("6.12.1", "6.12.2"):
        (tmp_path / release / "kernel").mkdir(parents=True)
    with pytest.raises(BuildError, match=r"6\.12\.1, 6\.12\.2"):
        release_folder(tmp_path)
    assert release_folder(tmp_path / "6.12.2").name == "6.12.2"


@pytest.mark.parametrize("packed", [b"", lzma.compress(b"", check=lzma.CHECK_CRC32)])
def test_own_kernel_that_has_virtio_on_pci_as_a_module_finds_its_disks(
    tmp_path: Path, packed: bytes
) -> None:
    folder = tmp_path / "6.1.0-40-arm64"  # as in Debian 12; in Debian 13 it is built in
    suffix = ".ko.xz" if packed else ".ko"
    for name in ("block/virtio_blk", "virtio/virtio_pci", "net/virtio_net"):
        module = folder / "kernel" / "drivers" / f"{name}{suffix}"
        module.parent.mkdir(parents=True)
        module.write_bytes(packed)
    found = {Path(path).name for path in module_tree(folder) if path.endswith(".ko.zst")}
    assert found == {"virtio_blk.ko.zst", "virtio_pci.ko.zst"}


def test_libraries_of_libraries_come_along(tmp_path: Path) -> None:
    sh = Path("/bin/sh").resolve().read_bytes()
    assert "libc.so.6" in root.needed(sh)
    tree = Tree({"usr/bin/sh": Node.file(sh, 0o755)})
    files = Tree(
        {
            "usr/lib/x/libc.so.6": Node.file(b"no elf"),
            "usr/lib/x/libfdt.so.1": Node.link("libfdt-1.so"),
            "usr/lib/x/libfdt-1.so": Node.file(b"no elf"),
        }
    )
    root.add_libraries(tree, files, triplet="x", names=("libfdt.so.1",))
    assert {"usr/lib/x/libc.so.6", "usr/lib/x/libfdt.so.1", "usr/lib/x/libfdt-1.so"} < set(tree)


def test_library_that_no_package_brings_is_named() -> None:
    with pytest.raises(BuildError, match=r"libgone\.so\.1"):
        root.add_libraries(Tree(), Tree(), triplet="x", names=("libgone.so.1",))


def test_every_locked_package_has_a_hash_and_no_registry_is_named() -> None:
    lines = [line for line in python.LOCK.read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines)
    requirements = re.findall(r"^(\S+)==(\S+) \\$", text, re.MULTILINE)
    names = {name for name, _ in requirements}
    assert {"textual", "pyudev", "fdt", "asyncvarlink", "pyelftools"} <= names
    assert "cffi" not in names  # whose wheels are not made for every architecture
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(requirements)
    assert "://" not in python.LOCK.read_text()


def test_scripts_of_the_overlay_are_valid_and_can_be_started() -> None:
    overlay = folder("rootfs-overlay")
    scripts = [overlay / "init", *sorted((overlay / "usr/lib/bootmenu").iterdir())]
    assert len(scripts) == 5
    for script in scripts:
        assert script.read_text().startswith("#!/bin/busybox sh\n")
        assert script.stat().st_mode & 0o111, script
        subprocess.run(["busybox", "sh", "-n", script], check=True)
