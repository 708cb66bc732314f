"""The sample disks, read with the filesystems' own tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootmenu.appliance.disk import START, Disk, Filesystem, write_disk
from bootmenu.appliance.samples import grub_cfg
from bootmenu.appliance.tools import find
from bootmenu.appliance.tree import Node, Tree
from bootmenu.appliance.vm import VirtualMachine
from bootmenu.errors import BuildError
from bootmenu.model import Arch

FILES = Tree(
    {
        "boot/vmlinuz": Node.file(b"kernel" * 1000),
        "loader/entries/a-rather-long-name.conf": Node.file(b"title x\n"),
    }
)


def disk(filesystem: Filesystem, uuid: str) -> Disk:
    partuuid = "5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c001"
    return Disk(filesystem, label="SAMPLE", uuid=uuid, partuuid=partuuid, size=40)


def tool(name: str, *arguments: str | Path) -> str:
    done = subprocess.run([find(name) or name, *arguments], capture_output=True, check=True)
    return done.stdout.decode()


def test_ext4_disk_holds_its_files_and_identity(tmp_path: Path) -> None:
    image, uuid = tmp_path / "disk.img", "7f1c7b5e-3a52-4d0e-9d6b-2f6f0d3c8a11"
    write_disk(disk(Filesystem.EXT4, uuid), FILES, image)
    found = tool("blkid", "-p", "-O", str(START), "-S", str(38 << 20), "-o", "export", image)
    assert f"UUID={uuid}" in found
    assert "LABEL=SAMPLE" in found
    listing = tool("debugfs", "-R", "ls -p /boot", f"{image}?offset={START}")
    assert "/vmlinuz/6000/" in listing
    assert "uuid=5D8E3E52-6F0B-4D7A-8A43-1C7BE0A3C001" in tool("sfdisk", "-d", image)


def test_vfat_disk_holds_its_files_and_identity(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    write_disk(disk(Filesystem.VFAT, "B007-3A11"), FILES, image)
    place = f"{image}@@{START}"
    assert "B007-3A11" in tool("mdir", "-i", place)
    path = "::loader/entries/a-rather-long-name.conf"
    assert tool("mtype", "-i", place, path) == "title x\n"


def test_grub_cfg_leaves_no_placeholder() -> None:
    text = grub_cfg("6.12.1-amd64", "ttyS0")
    assert "@" not in text
    assert "linux\t/boot/vmlinuz-6.12.1-amd64 root=UUID=7f1c7b5e-" in text
    assert "ro console=ttyS0 quiet" in text


def test_grub_accepts_the_sample_grub_cfg(tmp_path: Path) -> None:
    (tmp_path / "grub.cfg").write_text(grub_cfg("6.12.1-arm64", "ttyAMA0"))
    tool("grub-script-check", tmp_path / "grub.cfg")


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("name", ["plain.img", "with,comma.img"])
def test_machine_never_writes_to_its_drives(name: str, arch: Arch) -> None:
    kernel, initramfs = Path("vmlinuz"), Path("initramfs")
    machine = VirtualMachine(
        kernel, initramfs, arch, drives=(Path(name),), uefi=arch is not Arch.RISCV64
    )
    command = machine.command()
    files = [word for word in command if "file=" in word]
    assert files[-1].endswith("file=" + name.replace(",", ",,"))
    assert all("snapshot=on" in word or "readonly=on" in word for word in files)
    assert "kvm" not in " ".join(command)


def test_machine_without_uefi_says_so() -> None:
    machine = VirtualMachine(Path("vmlinuz"), Path("initramfs"), Arch.RISCV64, uefi=True)
    with pytest.raises(BuildError, match="riscv64"):
        machine.command()
