"""A disk of systems that lie in other files: a unified kernel image, an ISO image; and extlinux."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bootmenu.appliance.debian import fetch
from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree

MEDIA = Disk(
    Filesystem.VFAT,
    label="MEDIA",
    uuid="B007-3A55",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c005",
    size=220,
)
EXTLINUX = """\
DEFAULT board
TIMEOUT 300
LABEL board
    MENU LABEL The ^board's own system
    LINUX ../Image
    INITRD ../board.img
    APPEND console=ttyAMA0 from=extlinux
"""
LOOPBACK = """\
menuentry "Live system" {
    linux /live/vmlinuz console=ttyAMA0 findiso=${iso_path}
    initrd /live/initrd.img
}
"""
RELEASE = 'ID=debian\nPRETTY_NAME="Debian, unified"\nVERSION_ID="13"\n'
ALIGNMENT = 0x10000


def media_disk(disks: SampleDisks, folder: Path) -> Path:
    """The image of the disk MEDIA, made in *folder* with xorriso, objcopy and systemd's stub."""
    files = Tree(
        {
            "Image": Node.file(disks.kernel),
            "board.img": Node.file(disks.initrd("board")),
            "extlinux/extlinux.conf": Node.file(EXTLINUX.encode()),
            "EFI/Linux/debian.efi": Node.file(_unified(disks, folder)),
            "isos/live.iso": Node.file(_iso(disks, folder)),
        }
    )
    image = folder / "media.img"
    write_disk(MEDIA, files, image)
    return image


def _unified(disks: SampleDisks, folder: Path) -> bytes:
    """A unified kernel image, put together as systemd-stub(7) says."""
    stubs = Tree.of_tar(
        fetch("arm64", ["systemd-boot-efi"], disks.cache, print).archive,
        lambda path: path.endswith("linuxaa64.efi.stub"),
    )
    ((_, stub),) = stubs.items()
    stub_file = folder / "stub.efi"
    stub_file.write_bytes(stub.data)
    output = folder / "debian.efi"
    at = 0x1000000  # behind the stub's own sections
    command = ["aarch64-linux-gnu-objcopy"]
    for name, data in (
        (".osrel", RELEASE.encode()),
        (".cmdline", b"console=ttyAMA0 from=uki"),
        (".initrd", disks.initrd("uki")),
        (".linux", disks.kernel),
    ):
        part = folder / name
        part.write_bytes(data)
        command += ["--add-section", f"{name}={part}", "--change-section-vma", f"{name}={at:#x}"]
        at += (len(data) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    subprocess.run([*command, stub_file, output], check=True)
    return output.read_bytes()


def _iso(disks: SampleDisks, folder: Path) -> bytes:
    """A live medium of the common form: Rock Ridge and Joliet, a loopback.cfg for GRUB."""
    tree = Tree(
        {
            "boot/grub/loopback.cfg": Node.file(LOOPBACK.encode()),
            "live/vmlinuz": Node.file(disks.kernel),
            "live/initrd.img": Node.file(disks.initrd("iso")),
        }
    )
    tree.write(folder / "medium")
    output = folder / "live.iso"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", "LIVE", "-o"]
    subprocess.run([*command, output, folder / "medium"], check=True)
    return output.read_bytes()
