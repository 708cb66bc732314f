"""A disk with one kernel in many image formats, each made by the format's own tool."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree

FORMATS = Disk(
    Filesystem.VFAT,
    label="FORMATS",
    uuid="F0F0-0001",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c0f0",
    size=320,
)
COMMANDS = {
    "Image.zst": "zstd -q -3 -c Image",
    "Image.xz": "xz -0 -T2 --check=crc32 -c Image",
    "Image.lz4": "lz4 -q -1 -c Image",
    "uImage.gz": "gzip -1 -k -f Image && mkimage -A arm64 -O linux -T kernel -C gzip "
    "-a 0x80000 -e 0x80000 -n Linux -d Image.gz uImage.gz >&2 && cat uImage.gz",
    "image.itb": "gzip -1 -k -f Image && mkimage -E -f image.its image.itb >&2 && cat image.itb",
    "vmlinux": "aarch64-linux-gnu-ld -n -b binary Image -o vmlinux -e 0xffff800080000000 "
    "--section-start=.data=0xffff800080000000 && cat vmlinux",
}
"""How each file is made of Image and ramdisk, in a folder that has both; to standard output."""
ZBOOT = {"zboot-zstd.efi": ("zstd", "zstd -q -c")}
SOURCE = """\
/dts-v1/;
/ {
    description = "a kernel with its ramdisk";
    #address-cells = <1>;
    images {
        kernel {
            data = /incbin/("Image.gz");
            type = "kernel"; arch = "arm64"; os = "linux"; compression = "gzip";
            load = <0x80000>; entry = <0x80000>;
            hash-1 { algo = "sha256"; };
        };
        ramdisk {
            data = /incbin/("ramdisk");
            type = "ramdisk"; arch = "arm64"; os = "linux"; compression = "none";
            hash-1 { algo = "crc32"; };
        };
    };
    configurations {
        default = "conf-1";
        conf-1 { kernel = "kernel"; ramdisk = "ramdisk"; };
    };
};
"""


def formats_disk(disks: SampleDisks, folder: Path) -> Path:
    """The image of the disk FORMATS, made in *folder*; it holds the kernel as ``Image``, too."""
    (folder / "Image").write_bytes(disks.kernel)
    (folder / "ramdisk").write_bytes(disks.initrd("fit"))
    (folder / "image.its").write_text(SOURCE)
    made = {name: _shell(command, folder) for name, command in COMMANDS.items()}
    made |= {name: _zboot(name, folder) for name in ZBOOT}
    files = {name: Node.file(data) for name, data in made.items()}
    files["Image"] = Node.file(disks.kernel)
    files["formats.img"] = Node.file(disks.initrd("formats"))
    image = folder / "formats.img"
    write_disk(FORMATS, Tree(files), image)
    return image


def _shell(command: str, folder: Path) -> bytes:
    return subprocess.run(
        command, shell=True, cwd=folder, check=True, stdout=subprocess.PIPE
    ).stdout


def _zboot(name: str, folder: Path) -> bytes:
    """An EFI zboot image as drivers/firmware/efi/libstub/Makefile.zboot lays it out.

    The payload comes through a pipe, so that zstd cannot say how long it is.
    """
    compression, command = ZBOOT[name]
    payload = _shell(f"cat Image | {command}", folder)
    if compression != "gzip":
        payload += struct.pack("<I", (folder / "Image").stat().st_size)
    pe = struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, 0, 0, 0)
    head = struct.pack(
        "<4s4sII8x32s4xI", b"MZ\0\0", b"zimg", 512, len(payload), compression.encode(), 64
    )
    return (head + pe).ljust(512, b"\0") + payload
