"""What is there: block devices, and the volumes on them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """What udev reports of one block device that carries a filesystem (or may do so)."""

    name: str  # kernel name: vda1
    node: str  # /dev/vda1
    size: int = 0
    fstype: str = ""
    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""
    disk: str = ""  # the whole disk's kernel name, "" for a disk itself
    model: str = ""  # what is printed on the disk: vendor and model
    bus: str = ""  # virtio, nvme, usb, mmc, ...
    removable: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A filesystem that can be read, under the directory *root*, and its identity."""

    name: str  # kernel name, or what --root NAME= says
    root: str  # directory under which its files are
    uuid: str = ""
    label: str = ""
    fstype: str = ""
    partuuid: str = ""
    partlabel: str = ""
    subvolume: str = ""  # path of btrfs's default subvolume, "/" for all of it, "" if not known

    @property
    def title(self) -> str:
        """What a person knows it by: the label when it has one, then the name."""
        return f"{self.label} ({self.name})" if self.label else self.name
