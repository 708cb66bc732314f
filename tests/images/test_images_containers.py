"""Files that hold a kernel and more, made by their own tools."""

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.appliance.image import debian_kernel, default_cache, kernel_file
from bootmenu.errors import ImageError
from bootmenu.files import open_slice, whole
from bootmenu.images.contents import open_contents
from bootmenu.images.elf import Layout
from bootmenu.images.kernel import open_kernel
from bootmenu.model import Arch, FileSlice, Stream

Make = Callable[..., bytes]

FIT = """\
/dts-v1/;
/ {{
    description = "test";
    #address-cells = <1>;
    images {{
        kernel {{
            data = /incbin/("{kernel}");
            type = "kernel"; arch = "arm64"; os = "linux"; compression = "{compression}";
            load = <0x80000>; entry = <0x80000>;
            hash-1 {{ algo = "sha256"; }};
            hash-2 {{ algo = "crc32"; }};
        }};
        fdt-a {{
            data = /incbin/("a.dtb"); type = "flat_dt"; arch = "arm64"; compression = "none";
            hash-1 {{ algo = "sha1"; }};
        }};
        fdt-b {{
            data = /incbin/("b.dtb"); type = "flat_dt"; arch = "arm64"; compression = "none";
        }};
        overlay {{
            data = /incbin/("o.dtbo"); type = "flat_dt"; arch = "arm64"; compression = "none";
        }};
        ramdisk {{
            data = /incbin/("ramdisk"); type = "ramdisk"; arch = "arm64"; os = "linux";
            compression = "none";
            hash-1 {{ algo = "md5"; }};
        }};
    }};
    configurations {{
        default = "conf-1";
        conf-1 {{ kernel = "kernel"; fdt = "fdt-a"; ramdisk = "ramdisk"; }};
        conf-2 {{
            kernel = "kernel"; fdt = "fdt-b", "overlay"; compatible = "maker,board-b";
        }};
    }};
}};
"""


def read(source: FileSlice | Stream) -> bytes:
    if not isinstance(source, FileSlice):
        return b"".join(source.pieces())
    with open_slice(source) as file:
        return file.read()


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def folder(tmp_path: Path, make_image: Make) -> Path:
    """The parts that containers are made of."""
    (tmp_path / "Image").write_bytes(make_image())
    (tmp_path / "ramdisk").write_bytes(b"070701" + bytes(range(256)) * 20)
    for name in ("a.dtb", "b.dtb", "o.dtbo"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    run("gzip", "-k", "Image", cwd=tmp_path)
    return tmp_path


def mkimage(folder: Path, *options: str) -> FileSlice:
    run("mkimage", "-A", "arm64", "-O", "linux", "-n", "Linux", *options, "out", cwd=folder)
    return whole(str(folder / "out"))


@pytest.mark.parametrize(
    ("compression", "tool"),
    [
        ("none", "cat"),
        ("gzip", "gzip -c"),
        ("bzip2", "bzip2 -c"),
        ("lzma", "xz --format=lzma -c"),
        ("lz4", "lz4 -q -c"),
        ("zstd", "zstd -q -c"),
    ],
)
def test_uimage_of_every_compression(
    compression: str, tool: str, folder: Path, make_image: Make
) -> None:
    subprocess.run(f"{tool} < Image > packed", shell=True, cwd=folder, check=True)
    file = mkimage(folder, "-T", "kernel", "-C", compression, "-d", "packed")
    image = open_kernel(file)
    assert image.format.endswith("arm64 Image in a U-Boot uImage")
    assert read(image.source) == make_image()
    data = bytearray((folder / "out").read_bytes())
    data[-3] ^= 1
    (folder / "out").write_bytes(data)
    with pytest.raises(ImageError, match="damaged"):
        open_kernel(file).verify()
    data[10] ^= 1
    (folder / "out").write_bytes(data)
    with pytest.raises(ImageError, match="checksum of the uImage header"):
        open_kernel(file)


def test_uimage_that_u_boot_does_not_move_is_a_kernel_too(folder: Path, make_image: Make) -> None:
    file = mkimage(folder, "-T", "kernel_noload", "-C", "none", "-d", "Image")
    assert read(open_kernel(file).source) == make_image()


def test_uimage_for_x86_may_hold_a_kernel_of_64_bits(folder: Path) -> None:
    _, data = kernel_file(debian_kernel(Arch.X86_64, default_cache(), print))
    (folder / "bzImage").write_bytes(data)
    file = mkimage(folder, "-A", "x86", "-T", "kernel", "-C", "none", "-d", "bzImage")
    assert open_kernel(file, Arch.X86_64).format == "x86 bzImage in a U-Boot uImage"


def test_uimage_of_several_files(folder: Path, make_image: Make) -> None:
    file = mkimage(folder, "-T", "multi", "-C", "none", "-d", "Image:ramdisk:a.dtb")
    found = open_contents(file, Arch.ARM64)
    assert read(found.kernel.source) == make_image()
    assert [read(one) for one in found.initrds] == [(folder / "ramdisk").read_bytes()]
    assert found.dtb is not None
    assert read(found.dtb) == (folder / "a.dtb").read_bytes()
    data = bytearray((folder / "out").read_bytes())
    data[-3] ^= 1
    (folder / "out").write_bytes(data)
    with pytest.raises(
        ImageError, match=r"the crc32 of \S+ bytes in it is not what the image says"
    ):
        open_contents(file, Arch.ARM64)


def test_uimage_for_another_machine_or_no_kernel_says_so(folder: Path) -> None:
    for options, message in [
        (("-A", "x86", "-T", "kernel", "-C", "none"), "for i386"),
        (("-T", "ramdisk", "-C", "none"), "type ramdisk, no kernel"),
        (("-T", "kernel", "-C", "lzo"), "compressed with lzo"),
    ]:
        with pytest.raises(ImageError, match=message):
            open_kernel(mkimage(folder, *options, "-d", "Image"))


def fit(folder: Path, *options: str, compression: str = "gzip") -> FileSlice:
    kernel = "Image.gz" if compression == "gzip" else "Image"
    (folder / "fit.its").write_text(FIT.format(kernel=kernel, compression=compression))
    run("mkimage", *options, "-f", "fit.its", "out", cwd=folder)
    return whole(str(folder / "out"))


@pytest.mark.parametrize("options", [[], ["-E"], ["-E", "-p", "0x100000"], ["-E", "-B", "0x1000"]])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_fit_gives_its_default_configuration(
    options: list[str], compression: str, folder: Path, make_image: Make
) -> None:
    found = open_contents(fit(folder, *options, compression=compression), Arch.ARM64)
    assert "FIT image (conf-1)" in found.kernel.format
    assert read(found.kernel.source) == make_image()
    assert [read(one) for one in found.initrds] == [(folder / "ramdisk").read_bytes()]
    assert found.dtb is not None
    assert read(found.dtb) == (folder / "a.dtb").read_bytes()
    assert not found.overlays


def test_fit_gives_the_configuration_of_this_board_or_that_was_named(folder: Path) -> None:
    file = fit(folder, "-E")
    board = ["maker,board-b-rev2", "maker,board-b", "maker,soc"]
    for found in (
        open_contents(file, Arch.ARM64, compatible=board),
        open_contents(file, Arch.ARM64, configuration="conf-2"),
    ):
        assert found.dtb is not None
        assert read(found.dtb) == (folder / "b.dtb").read_bytes()
        assert [read(one) for one in found.overlays] == [(folder / "o.dtbo").read_bytes()]
        assert not found.initrds
    with pytest.raises(ImageError, match="no configuration conf-9") as caught:
        open_contents(file, Arch.ARM64, configuration="conf-9")
    assert "conf-1, conf-2" in caught.value.hint


def test_fit_without_a_word_on_boards_is_chosen_by_its_trees(folder: Path) -> None:
    """As U-Boot does; mkimage writes such ones by itself."""
    for name in "ab":
        source = f'/dts-v1/; / {{ compatible = "maker,board-{name}", "maker,soc"; }};'
        (folder / f"{name}.dts").write_text(source)
        run("dtc", "-q", "-O", "dtb", "-o", f"{name}.dtb", f"{name}.dts", cwd=folder)
    auto = ("-f", "auto", "-T", "kernel", "-C", "none", "-b", "a.dtb", "-b", "b.dtb")
    file = mkimage(folder, *auto, "-d", "Image")
    for boards, name in (
        (["maker,board-b", "maker,soc"], "b.dtb"),
        (["maker,board-c", "maker,soc"], "a.dtb"),
        (["other"], "a.dtb"),
    ):
        found = open_contents(file, Arch.ARM64, compatible=boards)
        assert found.dtb is not None
        assert read(found.dtb) == (folder / name).read_bytes()


@pytest.mark.parametrize("part", ["Image.gz", "ramdisk", "a.dtb"])
def test_fit_with_a_wrong_byte(part: str, folder: Path) -> None:
    file = fit(folder, "-E")
    data = (folder / "out").read_bytes()
    content = (folder / part).read_bytes()
    at = data.index(content) + len(content) // 2
    (folder / "out").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        found = open_contents(file, Arch.ARM64)
        found.kernel.verify()
        read(found.initrds[0])


def test_fit_that_is_cut_off(folder: Path) -> None:
    file = fit(folder, "-E")
    data = (folder / "out").read_bytes()
    for size in (20, 300, len(data) - 10):
        (folder / "out").write_bytes(data[:size])
        with pytest.raises(ImageError, match=r"truncated|damaged"):
            open_contents(FileSlice(file.path, 0, size), Arch.ARM64)


def test_fit_agrees_with_dumpimage(folder: Path) -> None:
    from bootmenu.images.fit import Fit

    file = fit(folder, "-E")
    listed = run("dumpimage", "-l", "out", cwd=folder)
    for image in Fit(file).images:
        assert f"({image.name})" in listed
        assert f"{image.data.size} Bytes" in listed
        assert all(one.value.hex() in listed for one in image.checksums)


def test_unified_kernel_image_brings_its_initrd_and_cmdline(folder: Path, make_image: Make) -> None:
    stub = struct.pack("<2s58xI", b"MZ", 64) + struct.pack("<4sHH12xHH", b"PE\0\0", 0xAA64, 3, 0, 0)
    parts = {
        b".linux": make_image(),
        b".initrd": (folder / "ramdisk").read_bytes(),
        b".cmdline": b"root=/dev/vda1 quiet\n\0",
    }
    table, body, at = b"", b"", 512
    for name, data in parts.items():
        table += struct.pack("<8sIIII16x", name, len(data), 0, len(data) + 100, at)
        body += data + bytes(100)
        at += len(data) + 100
    (folder / "out").write_bytes((stub + table).ljust(512, b"\0") + body)
    found = open_contents(whole(str(folder / "out")), Arch.ARM64)
    assert read(found.kernel.source) == make_image()
    assert [read(one) for one in found.initrds] == [(folder / "ramdisk").read_bytes()]
    assert found.cmdline == "root=/dev/vda1 quiet"


def test_vmlinux_is_laid_out_as_the_image_that_objcopy_makes(
    folder: Path, make_image: Make
) -> None:
    base = 0xFFFF800080000000
    run(
        "aarch64-linux-gnu-ld", "-n", "-b", "binary", "Image", "-o", "vmlinux", "-e", hex(base),
        f"--section-start=.data={base:#x}", cwd=folder,
    )  # fmt: skip
    image = open_kernel(whole(str(folder / "vmlinux")))
    assert isinstance(image.source, Layout)
    assert read(image.source) == make_image()
    assert (image.text_offset, image.image_size) == (0, 3 << 19)
    header = run("aarch64-linux-gnu-readelf", "-lW", "vmlinux", cwd=folder)
    assert f"Entry point {base:#x}" in header


def test_vmlinux_that_is_cut_off_or_a_program(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"no kernel"):
        open_kernel(whole(shutil.which("true") or ""), Arch.X86_64).verify()


def test_configuration_in_a_name(folder: Path) -> None:
    from bootmenu.model import Resource

    found = Resource.parse("vda1:/boot/image.itb#conf-2")
    assert (found.volume, found.path, found.section) == ("vda1", "/boot/image.itb", "conf-2")
    assert str(found) == "vda1:/boot/image.itb#conf-2"
