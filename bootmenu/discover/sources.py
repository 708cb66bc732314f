"""Where volumes come from: this machine's block devices, or directories that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from bootmenu.discover import writes
from bootmenu.discover.devices import DeviceEvent, UdevDevices, identify
from bootmenu.discover.mounts import Mounts, mounted_at
from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import BlockDevice, Volume


class Source(Protocol):
    """Devices and how to read them. What blocks is called from a thread of its own."""

    def watch(self, report: Callable[[DeviceEvent], None]) -> None:
        """Call *report* for all news from now on, in the running event loop."""

    def listing(self) -> list[BlockDevice]:
        """Every device that is here. May block."""

    def busy(self) -> bool:
        """Whether more devices are about to be reported."""

    def roots(self) -> list[BlockDevice]:
        """Every device that a system's root may lie on; none where that cannot be told.

        May block.
        """

    def identify(self, device: BlockDevice) -> BlockDevice | None:
        """*device* with its filesystem; None when it has none after all. May block.

        Raises VolumeError when that cannot be found out.
        """

    def open(self, device: BlockDevice) -> Volume:
        """Make *device* readable; raises VolumeError. May block."""

    def overwrite(self, volume: Volume, path: str, content: bytes) -> None:
        """Write *content* over the file *path*, which has the same size, and over nothing else.

        Raises VolumeError. May block.
        """

    def rename(self, volume: Volume, path: str, name: str) -> None:
        """Call the file *path* *name*, in the same folder. Raises VolumeError. May block."""

    def close(self, volume: Volume) -> None:
        """Let go of *volume*. May block."""

    def close_all(self) -> None:
        """Let go of all volumes. May block."""

    def stop(self) -> None:
        """No more news."""


class BlockDevices:
    """The block devices of this machine; see :class:`Source`."""

    def __init__(self, directory: str, *, protect: bool = False) -> None:
        """Mount below *directory*; *protect* as for :class:`Mounts`."""
        self._devices = UdevDevices()
        self._mounts = Mounts(directory, protect=protect)
        self.watch = self._devices.watch
        self.listing = self._devices.listing
        self.busy = self._devices.busy
        self.roots = self._devices.roots
        self.stop = self._devices.close
        self.open = self._mounts.open
        self.close = self._mounts.close
        self.close_all = self._mounts.close_all

    def identify(self, device: BlockDevice) -> BlockDevice | None:
        """*device* with its filesystem; asks blkid where udev does not know it."""
        if device.fstype:
            return device
        try:
            return identify(device)
        except VolumeError:
            # What is mounted has a filesystem, even if nobody may look at the device.
            point = mounted_at(device)
            if point is None:
                raise
            return replace(device, fstype=point.fstype)

    def overwrite(self, volume: Volume, path: str, content: bytes) -> None:
        """Write *content* over the file *path*; see :mod:`bootmenu.discover.writes`."""
        file = VolumeFiles.of(volume).resolve(path)
        device = self._mounts.device_of(volume)
        if device is None:
            writes.overwrite(file, content)
        else:
            writes.overwrite_blocks(file, device, content)

    def rename(self, volume: Volume, path: str, name: str) -> None:
        """Call the file *path* *name*; see :mod:`bootmenu.discover.writes`."""
        with self._mounts.writing(volume):
            writes.rename(VolumeFiles.of(volume).resolve(path), name)


class Directories:
    """Directories instead of devices, which are here from the start and stay."""

    def __init__(self, volumes: Iterable[Volume]) -> None:
        self._volumes = {volume.name: volume for volume in volumes}

    def watch(self, report: Callable[[DeviceEvent], None]) -> None:
        """There will be no news."""

    def listing(self) -> list[BlockDevice]:
        """A device for each directory."""
        return [
            BlockDevice(
                name=volume.name,
                node=volume.root,
                fstype=volume.fstype or "directory",
                uuid=volume.uuid,
                label=volume.label,
                partuuid=volume.partuuid,
                partlabel=volume.partlabel,
            )
            for volume in self._volumes.values()
        ]

    def busy(self) -> bool:
        """Never."""
        return False

    def roots(self) -> list[BlockDevice]:
        """None: the directories may be of any machine's disks."""
        return []

    def identify(self, device: BlockDevice) -> BlockDevice | None:
        """*device* itself."""
        return device

    def open(self, device: BlockDevice) -> Volume:
        """The volume that *device* stands for."""
        return self._volumes[device.name]

    def overwrite(self, volume: Volume, path: str, content: bytes) -> None:
        """Write *content* over the file *path*, as any program would."""
        writes.overwrite(VolumeFiles.of(volume).resolve(path), content)

    def rename(self, volume: Volume, path: str, name: str) -> None:
        """Call the file *path* *name*, as any program would."""
        writes.rename(VolumeFiles.of(volume).resolve(path), name)

    def close(self, volume: Volume) -> None:
        """Nothing was opened."""

    def close_all(self) -> None:
        """Nothing was opened."""

    def stop(self) -> None:
        """There was no news."""
