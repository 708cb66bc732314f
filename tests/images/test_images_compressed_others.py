"""Compressed files that hold a bzImage or a vmlinux, as kexec-tools takes them too."""

from __future__ import annotations

import gzip
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.appliance.image import debian_kernel, default_cache, kernel_file
from bootmenu.errors import ImageError
from bootmenu.files import pieces_of, whole
from bootmenu.images.inspect import inspect
from bootmenu.images.kernel import KernelImage, open_kernel
from bootmenu.model import Arch, FileSlice, Stream

COMMANDS = ["gzip -c", "zstd -qc", "xz -0c", "lzma -0c", "bzip2 -c", "lz4 -qc", "lz4 -qlc"]
BASE = 0xFFFF800080000000
OBJCOPY = "aarch64-linux-gnu-objcopy -I binary -O elf64-littleaarch64 --rename-section"
LINK = (
    f"{OBJCOPY} .data=.head,alloc,load,data,contents "
    "Image head.o && "
    f"{OBJCOPY} .data=.rest,alloc,load,data,contents "
    "rest rest.o && aarch64-linux-gnu-ld -n head.o rest.o -o vmlinux "
    f"-e {BASE:#x} --section-start=.head={BASE:#x} --section-start=.rest={BASE + (2 << 20):#x}"
)
Make = Callable[..., bytes]


def read(source: FileSlice | Stream) -> bytes:
    return b"".join(bytes(piece) for piece in pieces_of(source))


def run(command: str, folder: Path) -> str:
    return subprocess.run(
        command, shell=True, cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def vmlinux(tmp_path: Path, make_image: Make) -> Path:
    """Of two segments, with a hole between them and symbols behind."""
    (tmp_path / "Image").write_bytes(make_image())
    (tmp_path / "rest").write_bytes(bytes(range(256)) * 5000)
    run(LINK, tmp_path)
    assert run("aarch64-linux-gnu-readelf -lW vmlinux", tmp_path).count(" LOAD ") == 2
    return tmp_path / "vmlinux"


@pytest.fixture(scope="module")
def bzimage() -> bytes:
    """Debian's."""
    return kernel_file(debian_kernel(Arch.X86_64, default_cache(), print))[1]


def same(one: KernelImage, other: KernelImage) -> bool:
    """Whether both are loaded in the same way from the same bytes."""
    return (one.header, read(one.source), read(one.bare), one.version()) == (
        other.header, read(other.source), read(other.bare), other.version(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "kind"), [("gzip -c", "gzip'd"), ("zstd -qc", "zstd-compressed")]
)
def test_compressed_bzimage_is_loaded_as_it_is_unpacked(
    command: str, kind: str, bzimage: bytes, tmp_path: Path
) -> None:
    (tmp_path / "vmlinuz").write_bytes(bzimage)
    run(f"{command} vmlinuz >packed", tmp_path)
    plain = open_kernel(whole(str(tmp_path / "vmlinuz")), Arch.X86_64)
    assert same(open_kernel(whole(str(tmp_path / "packed")), Arch.X86_64), plain)
    described = inspect(whole(str(tmp_path / "packed")), Arch.X86_64)
    assert (described.version, described.problem) == (plain.version(), "")
    assert described.kind == f"{kind} x86 bzImage"


def test_compressed_bzimage_that_was_cut_off_before_is_told(bzimage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz.gz"
    path.write_bytes(gzip.compress(bzimage[: len(bzimage) // 2], 1))
    with pytest.raises(ImageError, match="truncated"):
        open_kernel(whole(str(path)), Arch.X86_64).verify()


@pytest.mark.parametrize("command", COMMANDS)
def test_compressed_vmlinux_is_loaded_as_it_is_unpacked(command: str, vmlinux: Path) -> None:
    run(f"{command} vmlinux >packed", vmlinux.parent)
    packed = open_kernel(whole(str(vmlinux.with_name("packed"))))
    assert same(packed, open_kernel(whole(str(vmlinux))))


def test_compressed_vmlinux_that_is_damaged_is_told(vmlinux: Path) -> None:
    data = vmlinux.read_bytes()
    path = vmlinux.with_name("packed")

    def verify(packed: bytes) -> None:
        path.write_bytes(packed)
        open_kernel(whole(str(path))).verify()

    packed = gzip.compress(data)
    verify(packed)
    with pytest.raises(ImageError, match=r"byte 1,500,000 of it is missing"):
        verify(gzip.compress(data[:1_500_000]))
    with pytest.raises(ImageError, match=r"truncated|cut off"):
        verify(packed[:-4])
    with pytest.raises(ImageError, match="damaged"):
        verify(packed[:-8] + bytes(4) + packed[-4:])
    with pytest.raises(ImageError, match="far more than its header says"):
        verify(gzip.compress(data + bytes(80 << 20)))
    far = struct.pack("<Q", 1 << 30)  # p_offset of what is looked at before anything is loaded
    with pytest.raises(ImageError, match="behind its beginning"):
        verify(gzip.compress(data[: 64 + 8] + far + data[64 + 16 :]))
    with pytest.raises(ImageError, match="it says that it is"):
        verify(gzip.compress(data[:40] + struct.pack("<Q", 1 << 60) + data[48:]))


def test_compressed_vmlinux_in_another_order_says_what_to_do(vmlinux: Path) -> None:
    data = bytearray(vmlinux.read_bytes())
    struct.pack_into("<Q", data, 64 + 8, len(data))  # p_offset
    data += vmlinux.with_name("Image").read_bytes()
    path = vmlinux.with_name("packed")
    path.write_bytes(gzip.compress(data))
    with pytest.raises(ImageError, match="another order") as refused:
        open_kernel(whole(str(path)))
    assert "unpack it" in refused.value.hint
