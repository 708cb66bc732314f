"""GRUB's names of devices, and the volumes that they mean here.

GRUB writes ``(hd0,gpt2)/boot/vmlinuz``. Which disk ``hd0`` was is the firmware's secret. It is
taken for the disk of the volume whose configuration is read, as it is when a machine boots from
there; the other disks follow in the order of the volumes. The partition is the number in the
volume's name, ``gpt`` or ``msdos`` by the kind of its part-UUID, else by the platform. A script
that asks for ``$root`` or searches sees such names. If a file is not where its drive is thought to
be, the volume is the script's own if that has the file, else the only one that has it; drives
that the script has from here are not guessed at.

What ``search`` does not find is called by what was looked for, ``UUID=…``: an entry that needs it
waits for that volume. For GRUB the variable would keep its value then; so it does here for a label
or a file, as long as the files that are asked for lie there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Platform, Resource, Volume
from bootmenu.parsers import subvolumes
from bootmenu.parsers.context import Context

_DRIVE = re.compile(r"(?P<disk>(?:hd|cd|fd)\d*)(?:,(?:[a-z]*)(?P<part>\d+))?(?:,.*)?")
_PARTITION = re.compile(
    r"(?P<disk>(?:nvme\d+n|mmcblk|loop|nbd|md)\d+)p(?P<number>\d+)|(?P<letters>\D*?)(?P<tail>\d+)"
)
_WHOLE = re.compile(r"(?:nvme\d+n|mmcblk|loop|nbd|md|sr|dm-|zram|ram)\d+")
_MSDOS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{2}", re.IGNORECASE)


class Devices:
    """What a configuration on *home* means by its names of devices."""

    def __init__(self, context: Context, home: Volume) -> None:
        self.context = context
        self.home = home
        self._files: dict[str, VolumeFiles] = {}
        self.loops: dict[str, str] = {}  # volumes of ISO images, by what ``loopback`` calls them
        self._told: set[str] = set()  # names of drives that the script has from here
        self.relative: Callable[[], bool] = lambda: False  # paths begin at the default subvolume
        self._defaults: dict[str, str] = {}  # default subvolumes, by volume
        self.before: dict[str, str] = {}  # devices that were not found, and what was set before

    def find(self, device: str) -> Volume | None:
        """The volume that *device* (without parentheses) is, None when it is not here."""
        if not device:  # the script has lost its $root: GRUB would find no file at all
            return self.home
        if device in self.loops:
            return self.context.by_name(self.loops[device])
        kind, _, value = device.partition("=")
        context = self._with_loops() if self.loops else self.context
        searches: dict[str, Callable[[str, Volume], Volume | None]] = {
            "UUID": context.by_uuid,
            "LABEL": context.by_label,
            "PARTUUID": context.by_partuuid,
            "PARTLABEL": context.by_partlabel,
            "FILE": context.by_file,
        }
        if kind in searches:
            return searches[kind](value, self.home)
        if device in self._by_name:
            return self._by_name[device]
        for name in (device, device.rpartition("/")[2], device.replace("/", "", 1)):
            if named := self.context.by_name(name):
                return named
        if drive := _DRIVE.fullmatch(device):
            return self._drives.get((drive["disk"], int(drive["part"] or 0)))
        return self.context.by_uuid(device, self.home) or self.context.by_partuuid(
            device, self.home
        )

    def _with_loops(self) -> Context:
        """The context with the ISO images that ``loopback`` has opened, last as in GRUB."""
        images = (self.context.by_name(name) for name in self.loops.values())
        opened = tuple(image for image in images if image is not None)
        return replace(self.context, volumes=(*self.context.volumes, *opened))

    def name_of(self, volume: Volume) -> str:
        """What GRUB calls *volume*: ``hd0,gpt2``."""
        for device, name in self.loops.items():
            if name == volume.name:
                return device
        name = next((n for n, v in self._by_name.items() if v.name == volume.name), volume.name)
        self._told.add(name)
        return name

    def names(self) -> list[str]:
        """The names of all devices, in order: disks before their partitions."""
        disks = {name.partition(",")[0] for name in self._by_name if "," in name}
        self._told |= {*self._by_name, *disks}
        return sorted({*self._by_name, *disks})

    def split(self, path: str, root: str) -> tuple[str, str]:
        """The device and the rest of *path*, which lies on *root* unless it says otherwise."""
        if path.startswith("("):
            device, closed, rest = path[1:].partition(")")
            if closed:
                return device or root, "/" + rest.lstrip("/")
        return root, "/" + path.lstrip("/")

    def resource(self, path: str, root: str) -> Resource:
        """The file that *path* means."""
        device, rest = self.split(path, root)
        protocol, _, server = device.partition(",")
        if protocol in {"http", "https", "tftp"} and server:
            return Resource(url=f"{protocol}://{server}{rest}")
        volume = self.find(device)
        if self._is_guess(device) and not (volume and self._has(volume, rest)):
            volume = self._holder(rest) or volume
        elif volume is None and device.startswith(("LABEL=", "FILE=")):
            former = self._former(device)
            volume = former if former and self._has(former, rest) else None
        if volume is None:
            wants = self.loops.get(device) or (device if "=" in device else f"({device})")
            return Resource(path=rest, wants=wants)
        return Resource(path=self._placed(volume, rest), volume=volume.name)

    def volume_of(self, resource: Resource) -> Volume:
        """The volume of *resource*; raises :class:`VolumeError` when it is not here."""
        volume = self.context.by_name(resource.volume) if resource.volume is not None else None
        if volume is None:
            where = resource.wants or str(resource)
            raise VolumeError(f"{resource.path or 'file'} is on {where}, which is not here")
        return volume

    def read(self, path: str, root: str, limit: int) -> bytes:
        """The content of the file *path*; raises :class:`VolumeError`."""
        resource = self.resource(path, root)
        return self.files_of(self.volume_of(resource)).read_bytes(resource.path, limit)

    def is_file(self, resource: Resource) -> bool:
        """Whether *resource* is here, and a regular file."""
        volume = self.context.by_name(resource.volume) if resource.volume is not None else None
        return volume is not None and self.files_of(volume).is_file(resource.path)

    def files(self, path: str, root: str) -> tuple[VolumeFiles, str] | None:
        """The files among which *path* is, and its path there; None when it is not here."""
        device, rest = self.split(path, root)
        # Whether a file is on one drive or another is what scripts ask, so nothing is guessed.
        if self._is_guess(device) and self._is_numbered(device):
            volume = self.find(device)
            return (self.files_of(volume), self._placed(volume, rest)) if volume else None
        resource = self.resource(path, root)
        try:
            return self.files_of(self.volume_of(resource)), resource.path
        except VolumeError:
            return None

    def _is_guess(self, device: str) -> bool:
        """Whether *device* is a drive of which only the script's author knew what it is."""
        return device not in self._told and _DRIVE.fullmatch(device) is not None

    def _is_numbered(self, device: str) -> bool:
        """Whether the partitions of the disk of *device* are here, or it is a volume itself."""
        disk = device.partition(",")[0]
        return self.find(device) is not None or any(d == disk and p for d, p in self._drives)

    def _former(self, device: str) -> Volume | None:
        """The volume that was set before the searches for labels and files that found nothing."""
        for _ in self.before:
            if not device.startswith(("LABEL=", "FILE=")):
                break
            device = self.before.get(device, "")
        return self.find(device)

    def files_of(self, volume: Volume) -> VolumeFiles:
        """The files of *volume*; the names of a directory that were read once are kept."""
        if volume.name not in self._files:
            self._files[volume.name] = VolumeFiles.of(volume)
        return self._files[volume.name]

    def default_subvolume(self, volume: Volume) -> str:
        """The path of btrfs's default subvolume on *volume*, "" for the volume itself."""
        if volume.name not in self._defaults:
            files = self.files_of(volume)
            self._defaults[volume.name] = subvolumes.default_subvolume(volume, files)
        return self._defaults[volume.name]

    def _placed(self, volume: Volume, path: str) -> str:
        """Where *path* of the script is on *volume*."""
        return self.default_subvolume(volume) + path if self.relative() else path

    def _has(self, volume: Volume, path: str) -> bool:
        return self.files_of(volume).exists(self._placed(volume, path))

    def _holder(self, path: str) -> Volume | None:
        """The volume that is meant when a drive is not: the own one, or the only one."""
        if path == "/":
            return None
        if self._has(self.home, path):
            return self.home
        holders = [volume for volume in self.context.volumes if self._has(volume, path)]
        return holders[0] if len(holders) == 1 else None

    @cached_property
    def _drives(self) -> dict[tuple[str, int], Volume]:
        """The volumes by their disk, ``hd0``, and partition, 0 for the whole disk."""
        drives: dict[tuple[str, int], Volume] = {}
        disks: dict[str, str] = {}
        for volume in (self.home, *self.context.volumes):
            if volume.name.startswith("dm-"):
                continue
            disk, part = _place(volume.name)
            kind = "cd" if disk.startswith("sr") else "hd"
            number = sum(name.startswith(kind) for name in disks.values())
            drives.setdefault((disks.setdefault(disk, f"{kind}{number}"), part), volume)
        return drives

    @cached_property
    def _by_name(self) -> dict[str, Volume]:
        """By GRUB's names; by the own ones without a firmware that counts drives."""
        if self.context.platform is Platform.NONE:
            return {volume.name: volume for volume in self._drives.values()}
        pc = self.context.platform is Platform.PC
        names = {}
        for (disk, part), volume in self._drives.items():
            msdos = _MSDOS.fullmatch(volume.partuuid) or (pc and not volume.partuuid)
            label = "msdos" if msdos else "gpt"
            names[f"{disk},{label}{part}" if part else disk] = volume
        return names


def _place(name: str) -> tuple[str, int]:
    """The disk of the volume *name*, and its partition's number, 0 for none."""
    found = None if _WHOLE.fullmatch(name) else _PARTITION.fullmatch(name[:64])
    if found is None:
        return name, 0
    return found["disk"] or found["letters"], int(found["number"] or found["tail"])
