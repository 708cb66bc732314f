"""Kernel images as they are fuzzed: opened for each architecture, read to their end, inspected.

What must hold for any input: no exception but our own, with a message, and by the fuzzer's own
limits bounded time and memory.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootmenu.errors import BootmenuError
from bootmenu.files import whole
from bootmenu.images.contents import open_contents
from bootmenu.images.inspect import inspect
from bootmenu.model import Arch

FIT = """/dts-v1/; / { description = "x"; #address-cells = <1>;
images { kernel { description = "x"; data = /incbin/("Image");
type = "kernel"; arch = "arm64"; os = "linux"; compression = "none"; load = <0>; entry = <0>;
hash-1 { algo = "crc32"; }; }; };
configurations { default = "c"; c { description = "x"; kernel = "kernel"; }; }; };"""


@dataclass(frozen=True)
class ImageTarget:
    """The file is the input; *command* makes the one to start from, of ``Image``."""

    command: str

    def prepare(self, folder: Path) -> Callable[[bytes], None]:
        """The function to be fuzzed, which writes into the empty directory *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "kernel"

        def examine(data: bytes) -> None:
            path.write_bytes(data)
            for arch in Arch:
                try:
                    found = open_contents(whole(str(path)), arch, compatible=("maker,board",))
                    found.kernel.verify()
                except BootmenuError as error:
                    assert error.message
            assert all(line.isprintable() for line in inspect(whole(str(path)), Arch.ARM64).lines())

        return examine

    def corpus(self, folder: Path) -> None:
        """Make the file to start from in *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        work = folder.with_suffix(".make")
        work.mkdir(exist_ok=True)
        head = struct.pack("<IIQQQ24x4sI", 1, 1, 0, 0x3000, 10, b"ARM\x64", 0)
        (work / "Image").write_bytes(head + b"Linux version 6.1 " * 500)
        (work / "fit.its").write_text(FIT)
        (work / "riscv").write_bytes(RISCV)
        (work / "bzimage").write_bytes(bzimage())
        made = subprocess.run(
            self.command, shell=True, cwd=work, check=True, stdout=subprocess.PIPE
        ).stdout
        (folder / "seed").write_bytes(made)


RISCV = struct.pack(
    "<IIQQQI12x8s4sI", 1, 1, 0x200000, 0x3000, 0, 2, b"RISCV\0\0\0", b"RSC\x05", 0
).ljust(0x2000, b"x")


def bzimage() -> bytes:
    """The smallest that is one."""
    data = bytearray(0x1000)
    data[0x1F1] = 1
    struct.pack_into("<I", data, 0x1F4, 0x80)
    data[0x1FE:0x206] = b"\x55\xaa\xeb\x70HdrS"
    struct.pack_into("<H", data, 0x206, 0x20F)
    data[0x211] = 1
    struct.pack_into("<I", data, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<IBBHI", data, 0x230, 0x200000, 1, 21, 0x3F, 2047)
    struct.pack_into("<QI", data, 0x258, 0x1000000, 0x3000)
    return bytes(data)


_UKI = Path(__file__).parents[1] / "golden/uki-profiles/esp/EFI/Linux/particle_42.1.efi"
_MKIMAGE = "mkimage -A arm64 -O linux -T {kind} -C {packing} -n x -d {files} out >&2 && cat out"
_LD = (
    "aarch64-linux-gnu-ld -n -b binary Image -o out -e 0x80000000 --section-start=.data=0x80000000"
)

IMAGE_TARGETS = {
    "image-arm64": ImageTarget("cat Image"),
    "image-riscv64": ImageTarget("cat riscv"),
    "image-bzimage": ImageTarget("cat bzimage"),
    "image-gzip": ImageTarget("gzip -c Image"),
    "image-zstd": ImageTarget("zstd -q -c Image"),
    "image-xz": ImageTarget("xz -c Image"),
    "image-lzma": ImageTarget("xz --format=lzma -c Image"),
    "image-bzip2": ImageTarget("bzip2 -c Image"),
    "image-lz4": ImageTarget("lz4 -q -c Image"),
    "image-lz4-legacy": ImageTarget("lz4 -q -l -c Image"),
    "image-uimage": ImageTarget(_MKIMAGE.format(kind="kernel", packing="none", files="Image")),
    "image-multi": ImageTarget(_MKIMAGE.format(kind="multi", packing="none", files="Image:riscv")),
    "image-fit": ImageTarget("mkimage -E -f fit.its out >&2 && cat out"),
    "image-uki": ImageTarget(f"cat {_UKI}"),
    "image-vmlinux": ImageTarget(f"{_LD} && cat out"),
    # This compression has no checksum: what is mutated in it is seen inside.
    "image-vmlinux-lz4": ImageTarget(f"{_LD} && lz4 -q -l -c out"),
    "image-bzimage-lz4": ImageTarget("lz4 -q -l -c bzimage"),
    "image-zboot": ImageTarget(
        "gzip -c Image >packed; printf 'MZ\\0\\0zimg\\0\\2\\0\\0\\0\\1\\0\\0' >out; "
        "truncate -s 24 out; printf gzip >>out; truncate -s 512 out; cat packed >>out; "
        "truncate -s 2048 out; cat out"
    ),
}
