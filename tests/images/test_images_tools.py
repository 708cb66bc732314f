"""bootmenu inspect says what the formats' own tools say."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.appliance.image import debian_kernel, default_cache, kernel_file
from bootmenu.files import whole
from bootmenu.images.contents import open_contents
from bootmenu.images.inspect import Description, inspect
from bootmenu.model import Arch, FileSlice

GOLDEN = Path(__file__).parents[1] / "golden"
SECTION = r"\d (\.\w+) +([0-9a-f]{8}) "
Make = Callable[..., bytes]

FIT = """\
/dts-v1/;
/ {
    description = "test"; #address-cells = <1>;
    images {
        kernel {
            description = "Linux"; data = /incbin/("Image.gz"); type = "kernel"; arch = "arm64";
            os = "linux"; compression = "gzip"; load = <0x80000>; entry = <0x80000>;
            hash-1 { algo = "sha256"; };
        };
        fdt {
            data = /incbin/("board.dtb.gz"); type = "flat_dt"; arch = "arm64"; compression = "gzip";
            hash-1 { algo = "crc32"; };
        };
        ramdisk {
            data = /incbin/("ramdisk"); type = "ramdisk"; arch = "arm64"; os = "linux";
            compression = "none";
            hash-1 { algo = "md5"; };
        };
        fpga { data = /incbin/("ramdisk"); type = "fpga"; arch = "arm64"; compression = "none"; };
    };
    configurations {
        default = "conf-1";
        conf-1 { kernel = "kernel"; fdt = "fdt"; ramdisk = "ramdisk"; compatible = "maker,board"; };
        conf-extra { loadables = "fpga"; load-only; };
    };
};
"""


def run(command: str, folder: Path) -> str:
    return subprocess.run(
        command, shell=True, cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def folder(tmp_path: Path, make_image: Make) -> Path:
    """What containers are made of."""
    (tmp_path / "Image").write_bytes(make_image())
    (tmp_path / "ramdisk").write_bytes(b"070701" + bytes(range(256)) * 20)
    (tmp_path / "board.dts").write_text('/dts-v1/; / { compatible = "maker,board"; };')
    run("gzip -k Image; dtc -q -O dtb -o board.dtb board.dts; gzip -k board.dtb", tmp_path)
    return tmp_path


def described(path: Path, arch: Arch = Arch.ARM64) -> Description:
    return inspect(whole(str(path)), arch)


def test_fit_has_the_parts_that_dumpimage_lists(folder: Path) -> None:
    (folder / "fit.its").write_text(FIT)
    run("mkimage -E -f fit.its fit", folder)
    listed = run("dumpimage -l fit", folder)
    found = described(folder / "fit")
    assert not found.problem
    sizes = {part.name: part.size for part in found.parts if part.size is not None}
    assert sizes == {
        name: int(size)
        for name, size in re.findall(r"(?s)Image \d+ \((\S+)\).*?Data Size: +(\d+) Bytes", listed)
    }
    what = {part.name: part.what for part in found.parts}
    assert what["kernel"] == "kernel, arm64, gzip-compressed, sha256 is right"
    assert what["conf-1"] == (
        "the default: kernel kernel, ramdisk ramdisk, fdt fdt, for maker,board"
    )
    assert set(what) - set(sizes) == set(re.findall(r"Configuration \d+ \((\S+)\)", listed))
    data = bytearray((folder / "fit").read_bytes())
    at = data.index((folder / "ramdisk").read_bytes())
    data[at + 1000] ^= 1
    (folder / "fit").write_bytes(data)
    text = "\n".join(described(folder / "fit").lines())
    assert "ramdisk, arm64, md5 is WRONG" in text


def test_fit_with_packed_tree_and_a_configuration_without_a_kernel(folder: Path) -> None:
    from bootmenu.errors import ImageError

    (folder / "fit.its").write_text(FIT)
    run("mkimage -E -f fit.its fit", folder)
    file = whole(str(folder / "fit"))
    found = open_contents(file, Arch.ARM64)
    assert found.dtb is not None
    assert not isinstance(found.dtb, FileSlice)
    assert b"".join(found.dtb.pieces()) == (folder / "board.dtb").read_bytes()
    with pytest.raises(ImageError, match="conf-extra has no kernel"):
        open_contents(file, Arch.ARM64, configuration="conf-extra")


def test_uimage_has_the_parts_that_dumpimage_lists(folder: Path) -> None:
    run(
        "mkimage -A arm64 -O linux -n 'Two files' -T multi -C none -d Image:ramdisk:board.dtb one; "
        "mkimage -A arm64 -O linux -n 'Linux-6.1' -T kernel -C gzip -d Image.gz two",
        folder,
    )
    listed = run("dumpimage -l one", folder)
    found = described(folder / "one")
    sizes = [int(size) for size in re.findall(r"Image \d: (\d+) Bytes", listed)]
    assert [part.size for part in found.parts] == sizes
    assert found.parts[0].name == "Two files"
    listed = run("dumpimage -l two", folder)
    (part,) = described(folder / "two").parts
    assert f"Image Name:   {part.name}" in listed
    assert f"Data Size:    {part.size} Bytes" in listed
    assert part.what.endswith("crc32 is right")


def test_sections_of_another_tools_image_are_those_of_objdump(folder: Path) -> None:
    """dracut and makepkg's hooks put sections on a stub with objcopy, in any order."""
    head = struct.pack("<2s58xI", b"MZ", 64)
    head += struct.pack("<4sHHIIIHH", b"PE\0\0", 0xAA64, 1, 0, 0, 0, 112 + 16 * 8, 0x206)
    optional = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII",
        0x20B, 0, 0, 512, 0, 0, 0x1000, 0x1000, 0, 0x1000, 0x200, 0, 0, 0, 0, 0, 0, 0,
        0x2000, 0x400, 0, 10, 0, 0, 0, 0, 0, 0, 16,
    ) + bytes(128)  # fmt: skip
    text = struct.pack("<8sIIIIIIHHI", b".text", 512, 0x1000, 512, 1024, 0, 0, 0, 0, 0x60000020)
    (folder / "stub").write_bytes((head + optional + text).ljust(1024, b"\0") + bytes(512))
    (folder / "cmdline").write_text("root=/dev/vda1 quiet")
    (folder / "osrel").write_text("ID=test\n")
    run(
        "aarch64-linux-gnu-objcopy"
        " --add-section .initrd=ramdisk --change-section-vma .initrd=0x3000000"
        " --add-section .osrel=osrel --change-section-vma .osrel=0x20000"
        " --add-section .linux=Image --change-section-vma .linux=0x2000000"
        " --add-section .cmdline=cmdline --change-section-vma .cmdline=0x30000"
        " stub image",
        folder,
    )
    listed = run("aarch64-linux-gnu-objdump -h image", folder)
    found = described(folder / "image")
    assert found.kind == "arm64 Image in a unified kernel image"
    sizes = {name: int(size, 16) for name, size in re.findall(SECTION, listed)}
    assert {part.name: part.size for part in found.parts} == sizes
    assert sizes[".cmdline"] == 20


def test_kernel_behind_many_device_trees_comes_with_that_of_this_machine(folder: Path) -> None:
    """One image for a hundred boards: what ukify --devicetree-auto writes."""
    trees = []
    for board in ["other,board", "maker,board"]:
        (folder / "one.dts").write_text(f'/dts-v1/; / {{ compatible = "{board}", "maker,soc"; }};')
        run("dtc -q -O dtb -o one.dtb one.dts", folder)
        trees.append((folder / "one.dtb").read_bytes())
    contents = [(b".dtbauto", trees[0])] * 120
    contents += [(b".dtbauto", trees[1]), (b".dtb", trees[0])]
    contents += [(b".linux", (folder / "Image").read_bytes())]
    head = struct.pack("<2s58xI", b"MZ", 64)
    head += struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, len(contents), 0, 0)
    at, body = 8192, b""
    for name, content in contents:
        head += struct.pack("<8sIIII16x", name, len(content), 0, len(content), at + len(body))
        body += content
    (folder / "image").write_bytes(head.ljust(at, b"\0") + body)
    found = described(folder / "image")
    assert (found.kind, found.problem) == ("arm64 Image in a unified kernel image", "")
    file = whole(str(folder / "image"))
    for compatible, names in {
        ("maker,board", "maker,soc"): ".dtbauto:120",
        ("maker,board-2", "maker,soc"): ".dtb",
        (): ".dtb",
    }.items():
        opened = open_contents(file, Arch.ARM64, compatible=compatible)
        assert str(opened.dtb) == f"{file}#{names}"


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("uki-profiles/esp/EFI/Linux/particle_42.1.efi", "aarch64-linux-gnu-objdump"),
        ("uki-profiles/esp/loader/addons/all.addon.efi", "aarch64-linux-gnu-objdump"),
        ("bls-xbootldr/esp/EFI/Linux/rescue_7.efi", "aarch64-linux-gnu-objdump"),
        ("uki-mixed/esp/EFI/Linux/arch-linux.efi", "objdump"),
    ],
)
def test_sections_of_ukifys_images_are_those_of_objdump(name: str, tool: str) -> None:
    listed = run(f"{tool} -h {name}", GOLDEN)
    sizes = [(name, int(size, 16)) for name, size in re.findall(SECTION, listed)]
    found = described(GOLDEN / name)
    assert [(re.split("[@:]", part.name)[0], part.size) for part in found.parts] == sizes


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("cat Image >out", "ARM64 boot executable Image, little-endian, 4K pages"),
        ("gzip -c Image >out", "gzip compressed data"),
        ("zstd -q -c Image >out", "Zstandard compressed data"),
        ("xz -c Image >out", "XZ compressed data"),
        ("bzip2 -c Image >out", "bzip2 compressed data"),
        ("lz4 -q -c Image >out", "LZ4 compressed data"),
        ("xz --format=lzma -c Image >out", "LZMA compressed data"),
        ("cp board.dtb out", "Device Tree Blob"),
        ("mkimage -A arm64 -T kernel -C none -n x -d Image out", "u-boot legacy uImage"),
    ],
)
def test_formats_are_those_that_file_sees(command: str, said: str, folder: Path) -> None:
    run(command, folder)
    assert said in run("file -b out", folder)
    found = described(folder / "out")
    words = {
        "ARM64": "arm64 Image",
        "gzip": "gzip'd arm64 Image",
        "Zstandard": "zstd-compressed arm64 Image",
        "XZ": "xz-compressed arm64 Image",
        "bzip2": "bzip2-compressed arm64 Image",
        "LZ4": "lz4-compressed arm64 Image",
        "LZMA": "lzma-compressed arm64 Image",
        "Device": "device tree or FIT image",
        "u-boot": "arm64 Image in a U-Boot uImage",
    }
    assert found.kind == words[said.split(" ", 1)[0]]
    if found.image is not None:
        assert found.image.page_size == 4096
        assert found.data()["byte_order"] == "little"
        packed = found.kind.partition(" arm64 Image")
        assert found.compression == re.sub("'d|-compressed", "", packed[0] if packed[1] else "")


def test_device_tree_is_for_the_board_that_fdtget_reads(folder: Path) -> None:
    said = run("fdtget -t s board.dtb / compatible", folder).strip()
    found = described(folder / "board.dtb")
    assert [part.what for part in found.parts] == [f"for {said}"]
    assert "belongs in the DTB field" in found.hint


def test_names_in_a_container_cannot_steer_a_terminal(folder: Path) -> None:
    run("mkimage -A arm64 -T kernel -C none -n \"$(printf 'a\\033[2Jb')\" -d Image out", folder)
    text = "\n".join(described(folder / "out").lines())
    assert "\x1b" not in text
    assert "a\\x1b[2Jb" in text
    json.dumps(described(folder / "out").data())


@pytest.mark.parametrize("arch", Arch)
def test_debians_kernel_is_what_file_says(arch: Arch, tmp_path: Path) -> None:
    cache = default_cache()
    release, data = kernel_file(debian_kernel(arch, cache, print))
    path = tmp_path / "vmlinuz"
    path.write_bytes(data)
    said = run("file -b vmlinuz", tmp_path)
    found = described(path, arch)
    assert not found.problem
    assert found.version == release
    assert found.machine == arch
    assert found.image is not None
    if arch is Arch.ARM64:
        assert "ARM64 boot executable Image, little-endian, 4K pages" in said
        assert (found.kind, found.image.page_size) == ("arm64 Image", 4096)
    elif arch is Arch.X86_64:
        assert f"x86 boot executable bzImage, version {release} " in said
        assert found.kind == "x86 bzImage"
    else:
        assert "RISC-V" in said
        assert found.kind == "riscv Image"
