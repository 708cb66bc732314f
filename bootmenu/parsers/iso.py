"""ISO images that lie on a volume as files: each is a submenu, and starts without being mounted.

Looked for are ``*.iso`` in :data:`DIRECTORIES`. An image that has a ``/boot/grub/loopback.cfg``
offers what that file says, run by the convention of
https://www.supergrubdisk.org/wiki/Loopback.cfg: ``$iso_path`` is the image's path, ``$rootuuid``
the UUID of its volume, ``$root`` the image. The file then hands the path to the system by itself.

Any other image offers what its own configuration for a medium says (GRUB's, with these variables
as well, else syslinux's, else the Boot Loader Specification's), with the parameter by which its
kind of system finds its image:

====================================  ==========================================================
Debian live, NixOS                    ``findiso=PATH``
Ubuntu (casper), dracut's live        ``iso-scan/filename=PATH``
images, Fedora's installer
Arch, Manjaro                         ``img_dev=DEVICE img_loop=PATH``
Gentoo                                ``isoboot=PATH``
openSUSE's installer                  ``install=hd:PATH``
====================================  ==========================================================

Of a system that is none of these its entries say that it may not find its files. PATH is that on
the image's volume. Not supported: images inside images, multi-volume sets, and images whose files
are to be found only through UDF. No image is ever the default, and nothing is written into one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bootmenu.errors import BootmenuError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Problem, Volume
from bootmenu.parsers.context import Context

DIRECTORIES = ("/", "/iso", "/isos", "/boot", "/boot/iso", "/boot/isos", "/images")
MAX_IMAGES = 30
LOOPBACK = ("/boot/grub/loopback.cfg", "/boot/grub2/loopback.cfg", "/grub/loopback.cfg")

_TOLD = frozenset({
    "findiso", "fromiso", "img_loop", "install", "inst.repo", "iso-scan/filename", "iso_filename",
    "isoboot", "isofrom", "isofrom_device", "isoloop", "live-media-path",
})  # fmt: skip
"""Parameters that tell a system where its image is."""
_LINUXRC = re.compile(r"/boot/[^/]+/loader/linux(?:64)?")
_END = re.compile(r"(?:^|\s)---?(?=\s|$)")
"""What follows is for the installed system, or for init."""


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What the ISO images on *volume* offer, each below a submenu of its own."""
    configurations: list[Configuration] = []
    for path in images(VolumeFiles.of(volume)):
        try:
            configurations += _Image(volume, path, context).configurations()
        except BootmenuError as error:
            problem = Problem(error.message, volume.name, path)
            configurations.append(
                Configuration(volume.name, Format.GRUB, path, problems=(problem,))
            )
    return configurations


def images(files: VolumeFiles) -> list[str]:
    """The paths of the ISO images among *files*, each file once, however many links it has."""
    found: dict[str, str] = {}
    for directory in DIRECTORIES:
        try:
            names = files.listdir(directory)
        except VolumeError:
            continue
        for name in names:
            path = f"{directory.rstrip('/')}/{name}"
            if name.lower().endswith(".iso") and files.is_file(path):
                found.setdefault(files.path_of(path), path)
    return list(found)[:MAX_IMAGES]


class _Image:
    """The image *path* on *volume*; raises VolumeError when it is none."""

    def __init__(self, volume: Volume, path: str, context: Context) -> None:
        from bootmenu.files.iso import iso_volume

        self._volume = volume
        self._path = path
        self._image = iso_volume(volume, path)
        others = tuple(v for v in context.volumes if v.name != volume.name)
        self._context = replace(context, volumes=(self._image, volume, *others))
        name = path.rpartition("/")[2]
        self._title = f"{self._image.label} ({name})" if self._image.label else name
        self._exported = {"iso_path": path, "rootuuid": volume.uuid}
        self._ids = f"{self._context.key(self._image)}:", f"{context.key(volume)}:{path}:"

    def configurations(self) -> Iterator[Configuration]:
        """What it offers, as configurations of the volume that it lies on."""
        loopback = self._loopback()
        for configuration in loopback or self._medium():
            entries = configuration.entries
            if not loopback:
                entries = tuple(_finding(entry, self._path, self._volume) for entry in entries)
            yield replace(
                configuration,
                device=self._volume.name,
                path=f"{self._path}:{configuration.path}",
                entries=tuple(self._outside(entry) for entry in entries),
                default=None,
                timeout=None,
            )

    def _loopback(self) -> list[Configuration]:
        """What the image's configuration for this very purpose offers."""
        from bootmenu.parsers.grub.commands import COMMANDS
        from bootmenu.parsers.grub.configurations import read_file
        from bootmenu.parsers.grub.devices import Devices
        from bootmenu.parsers.grub.interpreter import Reading

        files = VolumeFiles.of(self._image)
        for path in LOOPBACK:
            if files.is_file(path):
                reading = Reading(Devices(self._context, self._image), COMMANDS)
                return [read_file(path, reading, self._exported)]
        return []

    def _medium(self) -> list[Configuration]:
        """What it would offer as a medium, by the first format that offers anything."""
        from bootmenu.parsers import systemd_boot
        from bootmenu.parsers.grub import configurations as grub
        from bootmenu.parsers.syslinux import configurations as syslinux

        place = self._image, self._context
        for read_all in (
            partial(grub.read, *place, (), self._exported),
            partial(syslinux.read, *place, ()),
            partial(systemd_boot.read, *place, ()),
        ):
            found = [c for c in read_all() if c.device == self._image.name]
            if any(configuration.entries for configuration in found):
                return found
        return []

    def _outside(self, entry: BootEntry) -> BootEntry:
        """*entry* as one of the volume that the image lies on."""
        inside, outside = self._ids
        return replace(
            entry,
            id=f"{outside}{entry.id.removeprefix(inside)}",
            device=self._volume.name,
            source=f"{self._path}:{entry.source}",
            menu=(self._title, *entry.menu),
            default=False,
            writes=(),
            origins=tuple(
                replace(origin, path=f"{self._path}:{origin.path}")
                if origin.path.startswith("/")
                else origin
                for origin in entry.origins
            ),
        )


def _finding(entry: BootEntry, path: str, volume: Volume) -> BootEntry:
    """*entry* with the parameter by which its system finds the image, or the doubt whether it does.

    Without an initrd nothing looks for an image: that is no system, but a memory test or the like.
    """
    words = dict(word.partition("=")[::2] for word in entry.cmdline.split())
    if entry.kernel is None or not entry.initrds or any(words.get(name) for name in _TOLD):
        return entry
    parameter = _parameter(words, entry.kernel.path, path, volume)
    if not parameter or " " in path:
        why = "its path has a space" if parameter else "no parameter for it is known"
        problem = f"may not find its own files, which are in {volume.name}:{path}: {why}"
        return replace(entry, problems=(*entry.problems, problem))
    end = _END.search(entry.cmdline)
    at = end.start() if end else len(entry.cmdline)
    parts = (entry.cmdline[:at].rstrip(), parameter, entry.cmdline[at:].lstrip())
    return replace(entry, cmdline=" ".join(part for part in parts if part))


def _parameter(words: dict[str, str], kernel: str, path: str, volume: Volume) -> str:
    """How the system that *words* of its cmdline tell is told of its image; "" if not known."""
    if words.get("boot") == "live" or "/nix/store/" in words.get("init", ""):
        return f"findiso={path}"
    if words.get("boot") == "casper" or kernel.startswith("/casper/"):
        return f"iso-scan/filename={path}"
    if not words.keys().isdisjoint({"archisobasedir", "archisolabel", "misobasedir", "misolabel"}):
        return f"img_dev={_device(volume)} img_loop={path}"
    if words.get("root", "").startswith("live:") or "rd.live.image" in words:
        return f"iso-scan/filename={path}"
    if "inst.stage2" in words:
        return f"iso-scan/filename={path}"
    if "cdroot" in words:
        return f"isoboot={path}"
    if _LINUXRC.fullmatch(kernel):
        return f"install=hd:{path}"
    return ""


def _device(volume: Volume) -> str:
    """The device of *volume*, as udev names it in the system that starts."""
    if volume.uuid:
        return f"/dev/disk/by-uuid/{volume.uuid}"
    if volume.partuuid:
        return f"/dev/disk/by-partuuid/{volume.partuuid}"
    return f"/dev/{volume.name}"
