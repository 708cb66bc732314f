"""The error for a file that is not a kernel that this machine could be given."""

from __future__ import annotations

from bootmenu.errors import ImageError
from bootmenu.images.recognise import Kind, Recognised
from bootmenu.model import Arch

_UNPACK = "unpack it, e.g. with {tool}, and name what comes out"
_HINTS = {
    Kind.PE: "an EFI program runs only under EFI firmware: name the kernel itself",
    Kind.FDT: "as a device tree it belongs in the DTB field",
    Kind.LZO: _UNPACK.format(tool="lzop -d"),
    Kind.CPIO: "name the kernel here, and this file as an initrd",
    Kind.HTML: "the download brought an error page: check the URL and download it again",
    Kind.TEXT: "name the kernel file, not a script or configuration",
    Kind.EMPTY: "copy the kernel again: nothing of it was written (was the disk full?)",
    Kind.ZEROS: "copy the kernel again: its contents were lost (was the disk pulled early?)",
    Kind.UNKNOWN: "a kernel is an Image, a bzImage, a vmlinux, a uImage, a FIT or a unified image",
    Kind.ARM64: "choose an entry made for this machine",
}
_TWICE = "it was wrapped or compressed twice: unpack it once, and name what comes out"
_CONTAINERS = frozenset({Kind.ZBOOT, Kind.UKI, Kind.UIMAGE, Kind.ELF})


def refuse(
    path: str, found: Recognised, arch: Arch, *, outer: Recognised | None = None
) -> ImageError:
    """Why the file at *path*, which is *found* (inside *outer*), cannot start on *arch*."""
    what = f"{article(outer.kind)} of {article(found.kind)}" if outer else article(found.kind)
    foreign = found.machine and found.machine != arch
    if foreign and (found.kind in _KERNELS or found.kind in _CONTAINERS):
        return ImageError(
            f"{path}: this is a kernel for {found.machine} ({found.kind}), "
            f"and this machine is {arch}",
            hint=f"choose an entry with a kernel for {arch}",
        )
    if found.kind in (Kind.EMPTY, Kind.ZEROS):
        return ImageError(f"{path}: {what}, no kernel", hint=_HINTS[found.kind])
    return ImageError(
        f"{path}: {what}, which cannot be loaded as a kernel", hint=_HINTS.get(found.kind, _TWICE)
    )


_KERNELS = frozenset({Kind.ARM64, Kind.BZIMAGE, Kind.RISCV, Kind.ARM32})


_AN = frozenset(
    {Kind.ARM64, Kind.ZBOOT, Kind.PE, Kind.BZIMAGE, Kind.ELF, Kind.EMPTY}
    | {Kind.XZ, Kind.LZMA, Kind.LZ4, Kind.LZO}
)


def article(kind: str) -> str:
    """*kind*, in words, with its article."""
    return f"{'an' if kind in _AN else 'a'} {kind}"
