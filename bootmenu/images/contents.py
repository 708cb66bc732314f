"""What one file brings along: a kernel, and where it is a container its initrd, tree, cmdline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bootmenu.errors import ImageError
from bootmenu.files import open_slice
from bootmenu.images.kernel import KernelImage, codec_of, open_kernel
from bootmenu.images.packed import Packed, raw
from bootmenu.images.pe import MAX_HEADER
from bootmenu.images.recognise import Kind, recognise_file
from bootmenu.model import Arch, FileSlice, Stream

MAX_CMDLINE = 64 << 10
MAX_TREE = 4 << 20
"""Bytes that a compressed device tree may unpack to: more than any that can be used."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A kernel, and what its file says of everything else that a load takes."""

    kernel: KernelImage
    initrds: tuple[FileSlice | Stream, ...] = ()
    dtb: FileSlice | Stream | None = None
    overlays: tuple[FileSlice | Stream, ...] = ()
    cmdline: str = ""


def open_contents(
    file: FileSlice, arch: Arch, *, compatible: Sequence[str] = (), configuration: str = ""
) -> Contents:
    """What is in *file*, for a machine of *arch* whose tree is *compatible*.

    *configuration* is the name of one of a FIT's. Only heads are read, except of what has a
    checksum for several files at once. Raises ImageError for what is damaged or no kernel,
    VolumeError when it cannot be read.
    """
    with open_slice(file) as opened:
        found = recognise_file(opened)
    if found.kind is Kind.FDT:
        return _of_fit(file, arch, compatible, configuration)
    if configuration:
        raise ImageError(
            f"{file}: {found.kind}, which has no configuration {configuration}",
            hint="configurations are parts of FIT images",
        )
    if found.kind is Kind.UKI and found.machine == arch:
        return _of_uki(file, arch, compatible)
    kernel = open_kernel(file, arch)
    if found.kind is Kind.UIMAGE:
        return _of_uimage(file, kernel)
    return Contents(kernel)


def _of_uimage(file: FileSlice, kernel: KernelImage) -> Contents:
    """A multi-file image has an initrd as its second file and a device tree as its third."""
    from bootmenu.images import uimage

    with open_slice(file) as opened:
        others = uimage.parse(file, opened.read(uimage.HEADER.size)).others
    return Contents(
        kernel,
        tuple(part for part in others[:1] if part.size > 1),  # one byte stands for none
        others[1] if len(others) > 1 else None,
    )


def _of_uki(file: FileSlice, arch: Arch, compatible: Sequence[str]) -> Contents:
    from bootmenu.images import uki
    from bootmenu.images.fit import boards_of

    with open_slice(file) as opened:
        image = uki.parse(opened.read(MAX_HEADER))

    def part(name: str) -> FileSlice | None:
        found = image.find(name) if image is not None else None
        return uki.section_slice(file, found.name) if found is not None else None

    def is_for_machine(tree: uki.Part) -> bool:
        if tree.offset + tree.size > file.size:
            return False
        # As the stub does, of both trees the first name is compared.
        own = boards_of(file.part(tree.offset, tree.size))[:1]
        return own == tuple(compatible[:1]) != ()

    automatic = filter(is_for_machine, image.all(".dtbauto") if image is not None else ())
    tree = next((uki.section_slice(file, one.name) for one in automatic), None)
    kernel, text = part(".linux"), part(".cmdline")
    if kernel is None:
        raise ImageError(
            f"{file}: a unified kernel image without a kernel (.linux is empty)",
            hint="make it again with ukify",
        )
    cmdline = ""
    if text is not None:
        with open_slice(text) as opened:
            cmdline = opened.read(MAX_CMDLINE).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    return Contents(
        open_kernel(kernel, arch, outer=Kind.UKI),
        # Microcode comes first, as the stub puts it.
        tuple(one for one in (part(".ucode"), part(".initrd")) if one is not None),
        tree or part(".dtb"),
        cmdline=cmdline.strip("\r\n \t"),
    )


def _of_fit(file: FileSlice, arch: Arch, compatible: Sequence[str], configuration: str) -> Contents:
    from bootmenu.images.fit import COMPRESSIONS, Fit, Image

    fit = Fit(file)
    if not fit.configurations:
        raise ImageError(
            f"{file}: a device tree, not a FIT image with configurations",
            hint="a device tree belongs in the DTB field",
        )
    chosen = fit.choose(configuration, compatible)

    def named(image: Image) -> FileSlice:
        return FileSlice(
            image.data.path, image.data.offset, image.data.size, name=f"{file}#{image.name}"
        )

    def packing(image: Image) -> Kind | None:
        if image.compression == "none":
            return None
        if image.compression not in COMPRESSIONS:
            raise ImageError(
                f"{file}#{image.name}: compressed with {image.compression}, "
                "which cannot be unpacked here",
                hint=f"make it anew with one of {', '.join(COMPRESSIONS)}",
            )
        return COMPRESSIONS[image.compression]

    def tree(name: str) -> FileSlice | Packed:
        image = fit.image(name)
        part, packed = named(image), packing(image)
        if packed is not None:
            codec = codec_of(packed)
            return Packed(part, codec, MAX_TREE, checksums=image.checksums)
        for _ in Packed(part, raw, part.size, checksums=image.checksums).pieces():
            pass
        return part

    kernel = fit.image(chosen.kernel)
    initrds: tuple[Packed, ...] = ()
    if chosen.ramdisk:
        image = fit.image(chosen.ramdisk)
        # The kernel unpacks its initrd itself, whatever the image says of it.
        part = named(image)
        initrds = (Packed(part, raw, part.size, checksums=image.checksums),)
    trees = [tree(name) for name in chosen.trees]
    return Contents(
        open_kernel(
            named(kernel),
            arch,
            compression=packing(kernel),
            checksums=kernel.checksums,
            outer=f"FIT image ({chosen.name})",
        ),
        initrds,
        trees[0] if trees else None,
        tuple(trees[1:]),
    )
