"""A disk with one kernel in every image format, each made by the format's own tool.

Making it takes half a minute, so it is kept until this file or the kernel changes.
"""

from __future__ import annotations

import hashlib
import lzma
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bootmenu.appliance.debian import NAMES, fetch
from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree
from bootmenu.model import Arch

FORMATS = Disk(
    Filesystem.EXT4,
    label="FORMATS",
    uuid="f0f0f0f0-7a52-4d0e-9d6b-2f6f0d3c8a77",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c0f0",
    size=768,
)
UIMAGE = "mkimage -A arm64 -O linux -a 0x80000 -e 0x80000 -n Linux"
COMMANDS = {
    "Image.gz": "gzip -1 -k Image",
    "Image.zst": "zstd -q -1 Image",
    "Image.xz": "xz -0 -T2 -k --check=crc32 Image",
    "Image.lzma": "lzma -0 -k Image",
    "Image.bz2": "bzip2 -1 -k Image",
    "Image.lz4": "lz4 -q -1 Image Image.lz4",
    "Image-legacy.lz4": "lz4 -q -l -1 Image Image-legacy.lz4",
    # Through a pipe, as the kernel is built: zstd cannot say then how long it is.
    "piped.zst": "zstd -q -1 <Image >piped.zst",
    "vmlinux": "aarch64-linux-gnu-ld -n -b binary Image -o vmlinux -e 0xffff800080000000 "
    "--section-start=.data=0xffff800080000000",
    "vmlinux.gz": "gzip -1 -k vmlinux",
    "uImage": f"{UIMAGE} -T kernel -C none -d Image uImage",
    "uImage.gz": f"{UIMAGE} -T kernel -C gzip -d Image.gz uImage.gz",
    "uImage.lz4": f"{UIMAGE} -T kernel -C lz4 -d Image-legacy.lz4 uImage.lz4",
    "uImage.zst": f"{UIMAGE} -T kernel -C zstd -d Image.zst uImage.zst",
    "uImage.multi": f"{UIMAGE} -T multi -C gzip -d Image.gz:ramdisk-multi uImage.multi",
    "image.itb": "mkimage -E -f image.its image.itb",
    "ukify.efi": "{python} {ukify} build --efi-arch=aa64 --stub={stub} --linux=Image "
    "--initrd=ramdisk-uki --cmdline='console=ttyAMA0 from=ukify' --uname=6 --output=ukify.efi",
    "objcopy.efi": "printf 'console=ttyAMA0 from=objcopy' >cmdline && aarch64-linux-gnu-objcopy"
    " --add-section .cmdline=cmdline --change-section-vma .cmdline=$(({base} + 0x1000000))"
    " --add-section .linux=Image --change-section-vma .linux=$(({base} + 0x2000000))"
    " --add-section .initrd=ramdisk-uki --change-section-vma .initrd=$(({base} + 0x8000000))"
    " {stub} objcopy.efi",
}
"""How each file is made, in this order, in a folder that has Image, the ramdisks and image.its."""
ZBOOT = {
    "gzip": "Image.gz",
    "zstd": "piped.zst",
    "xzkern": "Image.xz",
    "lzma": "Image.lzma",
    "lz4": "Image-legacy.lz4",
}
"""The compressions that an EFI zboot image may have (lzo aside), and a file packed so."""
RAMDISKS = {
    "uImage.multi": "multi",
    "image.itb": "board",
    "image.itb#conf-other": "named",
    "ukify.efi": "uki",
    "objcopy.efi": "uki",
}
"""The kernels that bring a ramdisk along, and its marker."""
KERNELS = (
    "Image",
    *COMMANDS,
    "image.itb#conf-other",
    *(f"zboot-{name}.efi" for name in ZBOOT),
)
"""Everything on the disk that is the same kernel."""
SOURCE = """\
/dts-v1/;
/ {
    description = "a kernel with a ramdisk for each of two machines";
    #address-cells = <1>;
    images {
        kernel {
            data = /incbin/("Image.gz");
            type = "kernel"; arch = "arm64"; os = "linux"; compression = "gzip";
            load = <0x80000>; entry = <0x80000>;
            hash-1 { algo = "sha256"; };
        };
        board {
            data = /incbin/("ramdisk-board");
            type = "ramdisk"; arch = "arm64"; os = "linux"; compression = "none";
            hash-1 { algo = "crc32"; };
        };
        named {
            data = /incbin/("ramdisk-named");
            type = "ramdisk"; arch = "arm64"; os = "linux"; compression = "none";
            hash-1 { algo = "sha1"; };
        };
    };
    configurations {
        default = "conf-other";
        conf-other { kernel = "kernel"; ramdisk = "named"; };
        conf-board { kernel = "kernel"; ramdisk = "board"; compatible = "linux,dummy-virt"; };
    };
};
"""
LOAD_EACH = Path(__file__).with_name("load_each.py")


def formats_disk(disks: SampleDisks) -> Path:
    """The image of the disk FORMATS, which also has two archives to go on top of an initrd."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + LOAD_EACH.read_bytes() + disks.kernel)
    image = default_cache() / "tests" / f"formats-{recipe.hexdigest()[:12]}.img"
    if not image.exists():
        with tempfile.TemporaryDirectory() as folder:
            files = Tree({name: Node.file(data) for name, data in _made(disks, Path(folder))})
        files["load_each.py"] = Node.file(LOAD_EACH.read_bytes())
        write_disk(FORMATS, files, image)
    return image


def _made(disks: SampleDisks, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of the disk by name, made in *folder*."""
    (folder / "Image").write_bytes(disks.kernel)
    (folder / "image.its").write_text(SOURCE)
    for marker in set(RAMDISKS.values()):
        (folder / f"ramdisk-{marker}").write_bytes(disks.initrd(marker))
    tools = _systemd_tools(folder / "systemd")
    for name, command in COMMANDS.items():
        subprocess.run(
            command.format(**tools), shell=True, cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        yield name, (folder / name).read_bytes()
    for compression, payload in ZBOOT.items():
        packed = (folder / payload).read_bytes()
        yield f"zboot-{compression}.efi", zboot(compression, packed, len(disks.kernel))
    yield "Image", disks.kernel
    yield "more.cpio.xz", lzma.compress(_archive("more"), check=lzma.CHECK_CRC32, preset=0)
    yield "plain.cpio", _archive("plain")


def _systemd_tools(folder: Path) -> dict[str, str]:
    """Debian's ukify, which runs on any Python, and the stub that unified images begin with."""
    names = ["systemd-ukify", "systemd-boot-efi"]
    packages = fetch(NAMES[Arch.ARM64], names, default_cache(), print)
    libraries = "usr/lib/python3/dist-packages"
    parts = (
        "usr/bin/ukify",
        "usr/lib/systemd/boot/",
        f"{libraries}/pefile.py",
        f"{libraries}/ordlookup/",
    )
    Tree.of_tar(packages.archive, lambda path: path.startswith(parts)).write(folder)
    stub = folder / "usr/lib/systemd/boot/efi/linuxaa64.efi.stub"
    head = stub.read_bytes()
    (at,) = struct.unpack_from("<I", head, 0x3C)
    (base,) = struct.unpack_from("<Q", head, at + 24 + 24)  # ImageBase of the optional header
    return {
        "python": f"PYTHONPATH={folder / libraries} {sys.executable}",
        "ukify": str(folder / "usr/bin/ukify"),
        "stub": str(stub),
        "base": str(base),
    }


def _archive(name: str) -> bytes:
    """An initrd that brings one file, called and holding *name*."""
    return Tree({f"etc/{name}": Node.file(f"{name}\n".encode())}).cpio()


def zboot(compression: str, payload: bytes, size: int) -> bytes:
    """An EFI zboot image as drivers/firmware/efi/libstub/Makefile.zboot lays it out."""
    pe = struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, 0, 0, 0)
    head = struct.pack(
        "<4s4sII8x32s4xI", b"MZ\0\0", b"zimg", 512, len(payload), compression.encode(), 64
    )
    unpacked = b"" if compression == "gzip" else struct.pack("<I", size)
    return (head + pe).ljust(512, b"\0") + payload + unpacked
