"""What a parser may know besides its own volume: the other volumes, and the platform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootmenu.files import VolumeFiles, volume_named
from bootmenu.model import Arch, Platform, Volume


@dataclass(frozen=True, slots=True)
class Context:
    """The facts that a boot configuration may ask for.

    *compatible* is the running device tree's, empty on a machine without one. When several
    volumes answer to the same name, as clones of a disk do, each search prefers its *home*: the
    volume whose configuration asks.
    """

    arch: Arch
    platform: Platform = Platform.NONE
    volumes: tuple[Volume, ...] = ()
    compatible: tuple[str, ...] = ()

    def by_name(self, name: str) -> Volume | None:
        """The volume with this kernel name, or the ISO image on one: ``vda1:/debian.iso``."""
        return volume_named(name, self.volumes)

    def by_uuid(self, uuid: str, home: Volume | None = None) -> Volume | None:
        """The volume whose filesystem has this UUID; case does not matter."""
        return self._first((v for v in self.volumes if _same(v.uuid, uuid)), home)

    def by_label(self, label: str, home: Volume | None = None) -> Volume | None:
        """The volume whose filesystem has exactly this label."""
        return self._first((v for v in self.volumes if label and v.label == label), home)

    def by_partuuid(self, partuuid: str, home: Volume | None = None) -> Volume | None:
        """The volume on the partition with this UUID; case does not matter."""
        return self._first((v for v in self.volumes if _same(v.partuuid, partuuid)), home)

    def by_partlabel(self, partlabel: str, home: Volume | None = None) -> Volume | None:
        """The volume on the partition with exactly this name."""
        matching = (v for v in self.volumes if partlabel and v.partlabel == partlabel)
        return self._first(matching, home)

    def by_file(self, path: str, home: Volume | None = None) -> Volume | None:
        """The volume that has something at *path*."""
        return self._first((v for v in self.volumes if VolumeFiles.of(v).exists(path)), home)

    def key(self, volume: Volume) -> str:
        """What the ids of *volume*'s entries start with: its UUID where only it has that."""
        twins = [v for v in self.volumes if v.name != volume.name and _same(v.uuid, volume.uuid)]
        return volume.uuid if volume.uuid and not twins else volume.name

    @staticmethod
    def _first(matching: Iterator[Volume], home: Volume | None) -> Volume | None:
        found = list(matching)
        if home is not None and home in found:
            return home
        return found[0] if found else None


def _same(one: str, other: str) -> bool:
    return bool(one) and one.casefold() == other.casefold()
