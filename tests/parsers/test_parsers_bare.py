"""Kernels without configuration: which are offered, where, with what."""

from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import Arch, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.offered import without_offered
from bootmenu.parsers.scan import scan


def kernels(scan_tree: Scan, *paths: str) -> list[str]:
    found = scan_tree(dict.fromkeys(paths, "k"))
    return [e.kernel.path for c in found for e in c.entries if e.kernel]


@pytest.mark.parametrize(
    "path",
    ["/boot/vmlinux-6.1-riscv64", "/uImage", "/boot/board.itb", "/boot/kernel-6.6.13-gentoo",
     "/boot/kernel-genkernel-x86_64-6.1.12", "/boot/vmlinuz-huge-5.15.19", "/Image.gz"],
)  # fmt: skip
def test_kernels_are_known_by_name(path: str, scan_tree: Scan) -> None:
    assert kernels(scan_tree, path) == [path]


@pytest.mark.parametrize(
    "path",
    ["/boot/zImage", "/boot/bzImage-6.1", "/boot/vmlinuz.hmac", "/boot/kernel-command", "/kernel",
     "/boot/vmlinux-6.1.debug", "/boot/Images", "/boot/memtest86+x64.bin"],
)  # fmt: skip
def test_what_cannot_run_here_is_not_offered(path: str, scan_tree: Scan) -> None:
    assert kernels(scan_tree, path) == []


def test_vmlinux_beside_its_vmlinuz_is_no_second_kernel(scan_tree: Scan) -> None:
    both = ("/boot/vmlinuz-6.4-default", "/boot/vmlinux-6.4-default.gz")
    assert kernels(scan_tree, *both) == ["/boot/vmlinuz-6.4-default"]


def test_packaged_kernels_count_only_when_there_are_no_others(scan_tree: Scan) -> None:
    packaged = "/usr/lib/modules/6.9/vmlinuz"
    assert kernels(scan_tree, packaged, "/usr/lib/modules/6.8/x") == [packaged]
    assert kernels(scan_tree, packaged, "/boot/vmlinuz-6.8") == ["/boot/vmlinuz-6.8"]


def test_boot_partition_takes_root_and_name_from_the_system_that_mounts_it(tmp_path: Path) -> None:
    make_tree(tmp_path / "boot", {"/vmlinuz-1": "k"})
    fstab = "/dev/x / btrfs ro,subvol=@ 0 0\nLABEL=BOOT /boot ext4\n"
    make_tree(tmp_path / "root", {"/etc/fstab": fstab, "/etc/os-release": "PRETTY_NAME=Some"})
    boot = Volume("sda1", str(tmp_path / "boot"), label="BOOT")
    root = Volume("sda2", str(tmp_path / "root"))
    (found,) = scan(boot, Context(Arch.ARM64, Platform.NONE, (boot, root)))
    (entry,) = found.entries
    assert entry.title == "Some, kernel 1"
    assert entry.cmdline == "root=/dev/x rootflags=subvol=@ ro"
    assert str(entry.origins[0]) == "sda2:/etc/fstab:1"


def test_kernel_that_another_volume_offers_is_not_bare(tmp_path: Path) -> None:
    make_tree(tmp_path / "boot", {"/vmlinuz-1": "k", "/vmlinuz-2": "k"})
    entry = "menuentry A { search --set=root --label BOOT; linux /vmlinuz-1; }"
    make_tree(tmp_path / "esp", {"/EFI/debian/grub.cfg": entry})
    volumes = (
        Volume("sda1", str(tmp_path / "boot"), label="BOOT"),
        Volume("sda2", str(tmp_path / "esp")),
    )
    context = Context(Arch.ARM64, Platform.EFI, volumes)
    found = without_offered([c for volume in volumes for c in scan(volume, context)])
    assert [e.kernel.path for c in found for e in c.entries if e.kernel] == [
        "/vmlinuz-2", "/vmlinuz-1",
    ]  # fmt: skip
    assert [c.format.value for c in found] == ["bare", "grub"]
