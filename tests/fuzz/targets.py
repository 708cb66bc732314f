"""What is fuzzed: a file of a volume by file, each through the same scan that the menu makes.

A target writes its input at one place of a small tree and scans that. What must hold for any
input: no exception but our own, which is a problem of the list and not its end; nothing that
would steer a terminal; and, by the fuzzer's own limits, bounded time and memory.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bootmenu.model import Arch, Configuration, Platform, Volume
from bootmenu.parsers import listing
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan
from tests.fuzz.images import IMAGE_TARGETS, ImageTarget
from tests.fuzz.trees import MACHINE_TARGETS, TREE_TARGETS, MachineTarget, TreeTarget

GOLDEN = Path(__file__).parents[1] / "golden"
FOUND = Path(__file__).parent / "found"
"""Inputs that once broke a target, by its name: kept, and tried again by the tests."""
ARCHES = tuple(Arch)


@dataclass(frozen=True)
class Target:
    """The file at *path* of a volume is the input; *around* are the other files."""

    path: str
    seeds: str  # a pattern below tests/golden: real files to start from
    around: dict[str, str] = field(default_factory=dict)
    fstype: str = "ext4"

    def prepare(self, folder: Path) -> Callable[[bytes], None]:
        """The function to be fuzzed, which writes below the empty directory *folder*."""
        for path, content in self.around.items():
            _write(folder, path, content.encode())
        _write(folder, self.path, b"")
        target = folder / self.path.lstrip("/")
        volume = Volume("vda1", str(folder), uuid="AB-12", label="ROOT", fstype=self.fstype)

        def examine(data: bytes) -> None:
            target.write_bytes(data)
            arch = ARCHES[len(data) % len(ARCHES)]
            compatible = ("raspberrypi,4-model-b", "brcm,bcm2711")
            found = scan(volume, Context(arch, Platform.EFI, (volume,), compatible))
            _assert_presentable(volume, found)

        return examine

    def corpus(self, folder: Path) -> None:
        """Copy the real files to start from into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(sorted(GOLDEN.glob(self.seeds))):
            if path.is_file():
                shutil.copyfile(path, folder / f"seed-{number}")


def _write(folder: Path, path: str, content: bytes) -> None:
    target = folder / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _assert_presentable(volume: Volume, found: list[Configuration]) -> None:
    text = listing.render_text([volume], found)
    for configuration in found:
        text += "\n".join(str(problem) for problem in configuration.problems)
        text += "".join(listing.render_entry(entry, False) for entry in configuration.entries)
        # A format's own mistake is reported by scan as the exception's name.
        for problem in configuration.problems:
            assert not problem.message.split(":")[0].endswith(("Error", "Exception")), problem
    strange = {c for c in text if not c.isprintable() and c != "\n"}
    assert not strange, strange
    json.loads(listing.render_json([volume], found))


_KERNEL = {"/boot/vmlinuz": "kernel", "/boot/initrd.img": "initrd"}

_SAVING = "load_env\nset default=$saved_entry\nmenuentry $x { x=1; save_env x saved_entry }"

TARGETS: dict[str, Target | ImageTarget | TreeTarget | MachineTarget] = {
    "grub": Target("/boot/grub/grub.cfg", "*/**/grub.cfg", _KERNEL),
    "grubenv": Target(
        "/boot/grub/grubenv", "*/**/grubenv", {**_KERNEL, "/boot/grub/grub.cfg": _SAVING}
    ),
    "blscfg": Target(
        "/loader/entries/a.conf",
        "*/**/*.conf",
        {"/grub2/grub.cfg": "load_env\nblscfg\n", "/grub2/grubenv": "kernelopts=ro\n"},
    ),
    "bls": Target("/loader/entries/a+3-1.conf", "*/**/loader/entries/*.conf", fstype="vfat"),
    "loader-conf": Target(
        "/loader/loader.conf",
        "*/**/loader.conf",
        {"/loader/entries/a.conf": "title A\nlinux /a\n"},
        "vfat",
    ),
    "uki": Target(
        "/EFI/Linux/a+3.efi",
        "*/**/*.efi",
        {"/loader/entries/a.conf": "efi /EFI/Linux/a+3.efi\nprofile 1\noptions x\n"},
        "vfat",
    ),
    "syslinux": Target(
        "/syslinux/syslinux.cfg",
        "*linux-*/**/*.cfg",
        {"/linux": "kernel", "/syslinux/other.cfg": "ui menu.c32\nlabel a\nlinux /linux\n"},
        "vfat",
    ),
    "extlinux": Target("/boot/extlinux/extlinux.conf", "*/**/extlinux.conf", _KERNEL),
    "petitboot": Target("/petitboot.conf", "*/**/petitboot.conf", _KERNEL),
    "kboot": Target("/etc/kboot.conf", "*/**/kboot.conf", _KERNEL),
    "yaboot": Target("/etc/yaboot.conf", "*/**/yaboot.conf", _KERNEL),
    "lilo": Target("/etc/lilo.conf", "*/**/lilo.conf", _KERNEL),
    "uboot": Target("/boot/boot.cmd", "*/**/boot.cmd", {**_KERNEL, "/boot/armbianEnv.txt": "a=b"}),
    "uboot-image": Target("/boot/boot.scr", "*/**/boot.scr", _KERNEL),
    "armbian": Target("/boot/armbianEnv.txt", "*/**/armbianEnv.txt", _KERNEL),
    "raspberrypi": Target(
        "/config.txt",
        "*/**/config.txt",
        {"/cmdline.txt": "console=serial0", "/kernel8.img": "k", "/overlays/vc4-kms-v3d.dtbo": ""},
        "vfat",
    ),
    "overlay-map": Target(
        "/overlays/overlay_map.dtb",
        "*/**/overlay_map.dtb",
        {"/config.txt": "dtoverlay=disable-bt\ndtparam=a", "/kernel8.img": "k"},
        "vfat",
    ),
    "fstab": Target("/etc/fstab", "*/**/fstab", _KERNEL),
    "iso": Target("/live.iso", "iso-files/**/*.iso"),
    "snapper": Target(
        "/@snapshots/1/info.xml",
        "*/**/info.xml",
        {"/@snapshots/1/snapshot/boot/vmlinuz": "kernel", "/@/etc/fstab": "UUID=AB-12 / btrfs"},
        "btrfs",
    ),
    "timeshift": Target(
        "/timeshift-btrfs/snapshots/a/info.json",
        "*/**/info.json",
        {"/timeshift-btrfs/snapshots/a/@/boot/vmlinuz": "kernel"},
        "btrfs",
    ),
    **IMAGE_TARGETS,
    **TREE_TARGETS,
    **MACHINE_TARGETS,
}
