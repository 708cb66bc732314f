"""Sample disks, for the demo and for tests: real kernels that say what started them.

    debian   ext4, label "debian": Debian's kernel and a grub.cfg as grub-mkconfig writes it
    esp      vfat, label "ESP": Boot Loader Specification entries and a compressed kernel
    stick    ext4, label "stick": a disk to plug in, which an entry of "debian" waits for
    broken   ext4, label "broken": kernels that arm64 must not start (for tests)

The initrd holds busybox and /etc/marker, whose text names the disk that it came from.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bootmenu.appliance.debian import NAMES, Packages, fetch
from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.image import debian_kernel, kernel_file
from bootmenu.appliance.machines import FACTS
from bootmenu.appliance.tools import require
from bootmenu.appliance.tree import Node, Tree
from bootmenu.model import Arch

DEBIAN = Disk(
    Filesystem.EXT4,
    label="debian",
    uuid="7f1c7b5e-3a52-4d0e-9d6b-2f6f0d3c8a11",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c001",
    size=96,
)
ESP = Disk(
    Filesystem.VFAT,
    label="ESP",
    uuid="B007-3A11",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c002",
    size=64,
)
STICK = Disk(
    Filesystem.EXT4,
    label="stick",
    uuid="c0ffee00-1d2e-4f30-8a5b-6c7d8e9f0a33",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c003",
    size=96,
)
BROKEN = Disk(
    Filesystem.EXT4,
    label="broken",
    uuid="badbad00-5a52-4d0e-9d6b-2f6f0d3c8a44",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c004",
    size=128,
)

BROKEN_TITLES = {
    "truncated": "Truncated kernel",
    "x86": "Kernel for another processor",
    "16k": "Kernel with 16K pages",
}
"""Titles of the entries of the disk "broken", by the name of their file."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class SampleDisks:
    """The disks as raw images, each made when it is first asked for. Raises BuildError."""

    cache: Path
    report: Callable[[str], None] = lambda _: None
    arch: Arch = Arch.ARM64

    @property
    def release(self) -> str:
        """The kernel release of what the good entries start."""
        return self._kernel[0]

    @property
    def kernel(self) -> bytes:
        """Debian's kernel, as it lies on the disk "debian"."""
        return self._kernel[1]

    @property
    def console(self) -> str:
        """The serial line of the machines that they are for."""
        return FACTS[self.arch].console

    @cached_property
    def debian(self) -> Path:
        """The disk with a grub.cfg."""
        return self._disk(
            DEBIAN, lambda: self._system("debian", grub_cfg(self.release, self.console))
        )

    @cached_property
    def esp(self) -> Path:
        """The disk with Boot Loader Specification entries."""

        def files() -> Tree:
            kernel, data = "Image.gz", gzip.compress(self.kernel, 6, mtime=0)
            if self.arch is Arch.X86_64:  # whose kernel is compressed in itself
                kernel, data = "vmlinuz", self.kernel
            tree = Tree(
                {
                    kernel: Node.file(data),
                    "initrd.img": Node.file(self.initrd("esp")),
                    "loader/loader.conf": _text("timeout 10\ndefault debian-*\n"),
                }
            )
            for name, title, options in (
                ("debian-1", "Debian from the ESP", " quiet"),
                ("debian-1-verbose", "Debian from the ESP, verbose", ""),
                ("debian-1-one-cpu", "Debian from the ESP, one CPU", " nr_cpus=1"),
            ):
                cmdline = f"console={self.console}{options}"
                entry = bls_entry(title, f"/{kernel}", "/initrd.img", cmdline, self.release)
                tree[f"loader/entries/{name}.conf"] = _text(entry)
            return tree

        return self._disk(ESP, files)

    @cached_property
    def stick(self) -> Path:
        """The disk to plug in."""

        def files() -> Tree:
            tree = self._system("stick", None)
            kernel, initrd = f"/boot/vmlinuz-{self.release}", f"/boot/initrd.img-{self.release}"
            cmdline = f"console={self.console}"
            entry = bls_entry("Debian on the stick", kernel, initrd, cmdline, self.release)
            tree["loader/entries/stick.conf"] = _text(entry)
            return tree

        return self._disk(STICK, files)

    @cached_property
    def broken(self) -> Path:
        """The disk with kernels that must not be started."""

        def files() -> Tree:
            kernels = {
                "truncated": self.kernel[: len(self.kernel) // 3],
                "x86": kernel_file(self._fetch("amd64", "linux-image-cloud-amd64"))[1],
                "16k": kernel_file(self._fetch("arm64", "linux-image-arm64-16k"))[1],
            }
            tree = Tree({"initrd.img": Node.file(self.initrd("broken"))})
            for name, title in BROKEN_TITLES.items():
                tree[f"vmlinuz-{name}"] = Node.file(kernels[name])
                cmdline = f"console={self.console}"
                entry = bls_entry(title, f"/vmlinuz-{name}", "/initrd.img", cmdline)
                tree[f"loader/entries/{name}.conf"] = _text(entry)
            return tree

        return self._disk(BROKEN, files)

    def initrd(self, marker: str) -> bytes:
        """An initrd that prints *marker* and gives a shell."""
        tree = Tree(
            {
                "init": Node.file((HERE / "init").read_bytes(), 0o755),
                "bin/busybox": Node.file(self._busybox, 0o755),
                "bin/sh": Node.link("busybox"),
                "etc/marker": _text(f"marker: {marker}\n"),
                "etc/profile": Node.file((HERE / "profile").read_bytes()),
                **{name: Node.folder() for name in ("dev", "proc", "root", "sys")},
            }
        )
        return gzip.compress(tree.cpio(), 6, mtime=0)

    def _system(self, marker: str, configuration: str | None) -> Tree:
        tree = Tree(
            {
                f"boot/vmlinuz-{self.release}": Node.file(self.kernel),
                f"boot/initrd.img-{self.release}": Node.file(self.initrd(marker)),
                "etc/os-release": _text('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n'),
            }
        )
        if configuration is not None:
            tree["boot/grub/grub.cfg"] = _text(configuration)
            tree["boot/grub/grubenv"] = _text("# GRUB Environment Block\n".ljust(1024, "#"))
        return tree

    @cached_property
    def _linux(self) -> Packages:
        return debian_kernel(self.arch, self.cache, self.report)

    @cached_property
    def _kernel(self) -> tuple[str, bytes]:
        return kernel_file(self._linux)

    @cached_property
    def _busybox(self) -> bytes:
        packages = self._fetch(NAMES[self.arch], "busybox-static")
        return Tree.of_tar(packages.archive, lambda path: path == "usr/bin/busybox")[
            "usr/bin/busybox"
        ].data

    def _fetch(self, architecture: str, package: str) -> Packages:
        return fetch(architecture, [package], self.cache, self.report)

    def _disk(self, disk: Disk, files: Callable[[], Tree]) -> Path:
        """The image of *disk*, from the cache while this package and the kernel are the same."""
        recipe = b"".join(path.read_bytes() for path in sorted(HERE.iterdir()) if path.is_file())
        key = hashlib.sha256(recipe + self._linux.key.encode()).hexdigest()[:12]
        image = self.cache / "samples" / key / f"{disk.label}.img"
        if not image.exists():
            require(["sfdisk", "mke2fs", "mkfs.vfat", "mcopy"])
            tree = files()
            self.report(f"making the sample disk {disk.label}")
            write_disk(disk, tree, image)
        return image


def grub_cfg(release: str, console: str) -> str:
    """A grub.cfg of the form that Debian's grub-mkconfig writes, for the disk "debian"."""
    text = (HERE / "grub.cfg").read_text()
    values = {
        "@UUID@": DEBIAN.uuid,
        "@RELEASE@": release,
        "@OTHER@": STICK.uuid,
        "@CONSOLE@": console,
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def bls_entry(title: str, kernel: str, initrd: str, options: str, version: str = "") -> str:
    """A type 1 entry, https://uapi-group.org/specifications/specs/boot_loader_specification/."""
    lines = [f"title {title}", f"version {version}"] if version else [f"title {title}"]
    lines += [f"linux {kernel}", f"initrd {initrd}", f"options {options}"]
    return "\n".join(lines) + "\n"


def _text(text: str) -> Node:
    return Node.file(text.encode())
