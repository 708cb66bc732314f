"""Kernels that lie about: ``/boot/vmlinuz*``, ``Image*``, ``*.itb`` and the like, and at the root.

There is no specification; names are those that distributions and the kernel's own ``make install``
give. A kernel is offered when no configuration does, with the initrd and the device tree of the
same version beside it and ``root=`` of the fstab that mounts its volume. A link to a kernel is no
second kernel, and neither is the ``vmlinux`` that a distribution keeps beside its ``vmlinuz``.
``/usr/lib/modules/*/vmlinuz`` counts only when there is no other kernel at all.

Not listed: ``zImage`` and ``bzImage`` where they cannot run, fallback initrds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Arch, BootEntry, Configuration, Format, Origin, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.locations import find_volume
from bootmenu.parsers.systems import mounts, pretty_name
from bootmenu.parsers.trees import Trees
from bootmenu.parsers.versions import version_key

DIRECTORIES = ("/boot", "/")
MODULES = "/usr/lib/modules"
MAX_KERNELS = 100
MAX_COMPARED = 1000
"""Kernels among which the newest are found: to compare their names takes time."""

_COMPRESSED = r"(?:\.(?:gz|xz|zst|lz4|lzma|bz2|lzo))?"
_KERNEL = re.compile(
    r"(?:(?P<kind>Image|vmlinuz|vmlinux|uImage|zImage|bzImage)(?:[-.](?P<version>.+?))??"
    rf"|kernel-(?:genkernel-\w+-)?(?P<numbered>\d.*?)){_COMPRESSED}"
    r"|(?P<fit>.+)\.itb",
    re.DOTALL,
)
_NOT_KERNELS = (
    ".sig", ".asc", ".hmac", ".sha256", ".sha512", ".md5", ".p7s", ".txt", ".efi", ".debug", ".map",
)  # fmt: skip
_KINDS_OF_X86 = {"zImage", "bzImage"}
_INITRD = re.compile(
    r"(?:initrd\.img|initramfs\.img|initrd|initramfs|uInitrd|ramdisk)"
    rf"(?:-(?:genkernel-\w+-)?(?P<version>.+?))??(?:\.img|\.cpio)?{_COMPRESSED}",
    re.DOTALL,
)
_TREE_FOLDERS = (
    "/usr/lib/linux-image-{}",  # Debian
    "/usr/lib/firmware/{}/device-tree",  # Ubuntu
    "/usr/lib/modules/{}/dtb",  # Fedora
    "/boot/dtbs/{}",
    "/boot/dtbs-{}",  # Alpine
    "/boot/dtb-{}",
    "/dtbs/{}",
    "/dtbs-{}",
    "/dtb-{}",
)
_COMMON_TREE_FOLDERS = ("/boot/dtb", "/boot/dtbs", "/dtb", "/dtbs")
"""Of kernels without a version, or of the one that is installed."""


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """The kernels on *volume* that *found*, its other configurations, do not offer."""
    files = VolumeFiles.of(volume)
    offered = {
        _real(files, entry.kernel.path)
        for configuration in found
        for entry in configuration.entries
        if entry.kernel and entry.kernel.volume == volume.name
    }
    there = _kernels(files, _candidates(files), context.arch)
    if not there and not offered:
        there = _kernels(files, _packaged(files), context.arch)
    kernels = [kernel for kernel in there if kernel.real not in offered]
    if not kernels:
        return []
    system = _system(volume, context)
    entries = []
    initrds = _Initrds(files)
    trees = Trees(files, context.compatible)
    for kernel in kernels:
        # A FIT image has its own initrd and trees.
        fit = kernel.path.endswith(".itb")
        initrd = None if fit else initrds.find(kernel)
        dtb = None if fit else _device_tree(files, kernel.version, trees)
        name = kernel.version or kernel.path
        entries.append(
            BootEntry(
                id=f"{context.key(volume)}:bare:{kernel.path}",
                title=f"{system.name}, kernel {name}" if system.name else f"Kernel {name}",
                device=volume.name,
                format=Format.BARE,
                source=kernel.path,
                kernel=Resource(kernel.path, volume.name),
                initrds=(Resource(initrd, volume.name),) if initrd else (),
                dtb=Resource(dtb, volume.name) if dtb else None,
                cmdline=system.cmdline,
                origins=(Origin("cmdline", system.fstab, system.line),) if system.cmdline else (),
            )
        )
    return [
        Configuration(
            device=volume.name, format=Format.BARE, path=kernels[0].path, entries=tuple(entries)
        )
    ]


@dataclass(frozen=True, slots=True)
class _Kernel:
    path: str
    real: str  # the path without links
    version: str
    kind: str


@dataclass(frozen=True, slots=True)
class _System:
    """What the kernels on a volume belong to; *line* is of the file *fstab*, as shown."""

    name: str = ""
    cmdline: str = ""
    fstab: str = ""
    line: int = 0


def _candidates(files: VolumeFiles) -> Iterator[tuple[str, re.Match[str]]]:
    """What is called like a kernel, with its path."""
    for directory in DIRECTORIES:
        for name in _names(files, directory):
            matched = _KERNEL.fullmatch(name)
            if matched and not name.lower().endswith(_NOT_KERNELS):
                yield f"{directory.rstrip('/')}/{name}", matched


def _packaged(files: VolumeFiles) -> Iterator[tuple[str, re.Match[str]]]:
    """The kernels that packages keep with their modules."""
    for version in _names(files, MODULES):
        if matched := _KERNEL.fullmatch(f"vmlinuz-{version}"):
            yield f"{MODULES}/{version}/vmlinuz", matched


def _kernels(
    files: VolumeFiles, candidates: Iterator[tuple[str, re.Match[str]]], arch: Arch
) -> list[_Kernel]:
    """Kernels, newest first; each file once, by the name that says its version."""
    by_file: dict[str, _Kernel] = {}
    for path, matched in candidates:
        kind = matched["kind"] or ""
        if (kind in _KINDS_OF_X86 and arch is not Arch.X86_64) or not files.is_file(path):
            continue
        version = matched["version"] or matched["numbered"] or matched["fit"] or ""
        kernel = _Kernel(path, _real(files, path), version, kind)
        known = by_file.get(kernel.real)
        if known is None or (kernel.path == kernel.real and known.path != known.real):
            by_file[kernel.real] = kernel
        if len(by_file) == MAX_COMPARED:
            break
    packed = {kernel.version for kernel in by_file.values() if kernel.kind in {"vmlinuz", "Image"}}
    kernels = [k for k in by_file.values() if k.kind != "vmlinux" or k.version not in packed]
    return sorted(kernels, key=lambda k: version_key(k.version), reverse=True)[:MAX_KERNELS]


class _Initrds:
    """The initrds among *files*, whose directories are read once for all kernels."""

    def __init__(self, files: VolumeFiles) -> None:
        self._files = files
        self._paths: dict[str, dict[str, str]] = {}  # by directory and version

    def find(self, kernel: _Kernel) -> str | None:
        """The initrd of the same version, in the kernel's own directory or in /boot."""
        directory = kernel.path.rpartition("/")[0]
        if directory.startswith(MODULES):
            packed = f"{directory}/initramfs.img"  # as ostree and image builders have it
            if self._files.is_file(packed):
                return packed
            directory = "/boot"
        if directory not in self._paths:
            self._paths[directory] = dict(self._in(directory))
        return self._paths[directory].get(kernel.version)

    def _in(self, directory: str) -> Iterator[tuple[str, str]]:
        """Versions and paths; the last of a version is the one that counts."""
        for name in reversed(_names(self._files, directory or "/")):
            matched = _INITRD.fullmatch(name)
            if matched and self._files.is_file(f"{directory}/{name}"):
                yield matched["version"] or "", f"{directory}/{name}"


def _device_tree(files: VolumeFiles, version: str, trees: Trees) -> str | None:
    """The tree that came with the kernel *version* and is for this machine."""
    chosen = (f"/boot/dtb-{version}", "/boot/dtb") if version else ("/boot/dtb",)
    for path in chosen:
        if files.is_file(path):
            return path  # an installer has chosen
    versioned = [folder.format(version) for folder in _TREE_FOLDERS] if version else []
    for folder in (*versioned, *_COMMON_TREE_FOLDERS):
        if tree := trees.find(folder):
            return tree
    return None


def _system(volume: Volume, context: Context) -> _System:
    """The system whose fstab has *volume* as its root or, on another volume, as its /boot."""
    for candidate in (volume, *(v for v in context.volumes if v != volume)):
        files = VolumeFiles.of(candidate)
        table = mounts(files)
        root = next((mount for mount in table if mount.point == "/"), None)
        boots = (mount.device for mount in table if mount.point == "/boot")
        if root is None or (
            candidate != volume
            and not any(find_volume(device, context, volume) == volume for device in boots)
        ):
            continue
        subvolume = [o for o in root.options if o.startswith(("subvol=", "subvolid="))]
        flags = f" rootflags={subvolume[0]}" if subvolume else ""
        shown = "/etc/fstab" if candidate == volume else f"{candidate.name}:/etc/fstab"
        return _System(pretty_name(files), f"root={root.device}{flags} ro", shown, root.line)
    return _System(pretty_name(VolumeFiles.of(volume)))


def _names(files: VolumeFiles, directory: str) -> list[str]:
    try:
        return files.listdir(directory)
    except VolumeError:
        return []


def _real(files: VolumeFiles, path: str) -> str:
    try:
        return files.path_of(path)
    except VolumeError:
        return path
