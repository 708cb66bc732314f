"""Filesystems, made readable without changing a byte of them.

A read-only mount is not enough: ext4, xfs, btrfs and f2fs replay their journal even then.
The options below forbid it, see Documentation/filesystems/ of Linux and mount(2). A type that
is not in the table is refused, since nobody knows what its driver would write.

btrfs is mounted by its top level, whatever its default subvolume is: all systems and snapshots
are below it. Where the running system has mounted a subvolume only, ours is a mount beside that;
Linux takes the options that change how it is replayed from the first one.

Everything here blocks for as long as the disk does; callers give each device a thread.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bootmenu.discover.btrfs import default_subvolume, is_subvolume
from bootmenu.discover.writes import writable
from bootmenu.errors import VolumeError
from bootmenu.model import BlockDevice, Volume

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_FLAGS = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_MS_REMOUNT = 0x20
_MS_REC, _MS_SLAVE = 0x4000, 0x80000
_MNT_DETACH = 2
_CLONE_NEWNS = 0x20000
_BLKROSET = 0x125D

_FILESYSTEMS = {
    # type as blkid names it: (driver, options)
    "ext2": ("ext2", ""),
    "ext3": ("ext4", "noload"),
    "ext4": ("ext4", "noload"),
    "xfs": ("xfs", "norecovery,nouuid"),
    "btrfs": ("btrfs", "rescue=nologreplay,subvolid=5"),
    "f2fs": ("f2fs", "norecovery"),
    "vfat": ("vfat", "utf8"),
    "exfat": ("exfat", ""),
    "ntfs": ("ntfs3", ""),
    "iso9660": ("iso9660", ""),
    "udf": ("udf", ""),
    "squashfs": ("squashfs", ""),
    "erofs": ("erofs", ""),
}

_DAMAGED = "check it with fsck.{fstype} from another system"
_NOT_PERMITTED = ("mounting is not permitted here", "run bootmenu as root, outside of a container")
_REASONS = {
    errno.ENODEV: ("this kernel has no driver for {fstype}", "use a kernel that has one"),
    errno.EINVAL: ("damaged, or not {fstype} at all", _DAMAGED),
    errno.EUCLEAN: ("the filesystem is damaged", _DAMAGED),
    errno.EBUSY: ("in use by something else", "unmount it there first"),
    errno.EIO: (
        "the disk reports read errors",
        "look at the kernel log (dmesg), and at the cable",
    ),
    errno.ENXIO: ("the device is gone", ""),
    errno.ENOENT: ("the device is gone", ""),
    errno.ENOMEDIUM: ("no medium", ""),
    errno.EPERM: _NOT_PERMITTED,
    errno.EACCES: _NOT_PERMITTED,
}


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A line of /proc/self/mountinfo; see proc(5)."""

    device: str  # major:minor, of no use with btrfs
    path: str
    fstype: str
    source: str
    root: str = "/"  # what of the filesystem is mounted there: a subvolume of btrfs, or all of it


def mount_points(text: str) -> list[MountPoint]:
    """The mounts in *text*, /proc/self/mountinfo's content: whole filesystems, all of btrfs."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        mount, filesystem = left.split(), right.split()
        if len(mount) < 5 or len(filesystem) < 2:
            continue
        if mount[3] == "/" or filesystem[0] == "btrfs":
            root, path, source = (_unescaped(field) for field in (*mount[3:5], filesystem[1]))
            found.append(MountPoint(mount[2], path, filesystem[0], source, root))
    return found


def _mount_points() -> list[MountPoint]:
    with suppress(OSError):
        return mount_points(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    return []


def mounted_at(device: BlockDevice, *, besides: str = "") -> MountPoint | None:
    """Where this machine has mounted *device* already, or None; not below *besides*.

    All of it where that is mounted, else the first subvolume.
    """
    number = _number(device.node)
    subvolumes = []
    for point in _mount_points():
        if besides and point.path.startswith(f"{besides}/"):
            continue
        own = _number(point.source) if point.fstype == "btrfs" else point.device
        if point.source != device.node and (not number or own != number):
            continue
        if point.root == "/":
            return point
        if is_subvolume(point.path):
            subvolumes.append(point)
    return subvolumes[0] if subvolumes else None


def _number(node: str) -> str:
    """The device number of *node*, ``8:1``; "" when it is no device that is here."""
    with suppress(OSError):
        status = os.stat(node)  # noqa: PTH116
        if stat.S_ISBLK(status.st_mode):
            return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return ""


def root_is_initramfs() -> bool:
    """Whether this system runs from the memory that it was loaded into: it is nobody's disk."""
    roots = [point for point in _mount_points() if point.path == "/"]
    return bool(roots) and roots[-1].fstype in {"rootfs", "ramfs", "tmpfs"}


class Mounts:
    """The filesystems that we have mounted, below *directory*.

    With *protect* the devices themselves are made read-only too, so that not even a faulty
    driver writes: for a machine that is ours alone.
    """

    def __init__(self, directory: str, *, protect: bool = False) -> None:
        self._directory = directory
        self._protect = protect
        self._devices: dict[str, BlockDevice] = {}  # by path, in the order of mounting
        self._count = 0
        self._lock = threading.Lock()
        _clear(directory)

    def open(self, device: BlockDevice) -> Volume:
        """*device* as a volume: read where it is mounted already, else mounted here.

        Raises VolumeError, which says why it cannot be read.
        """
        root = self._root(device)
        return Volume(
            name=device.name,
            root=root,
            uuid=device.uuid,
            label=device.label,
            fstype=device.fstype,
            partuuid=device.partuuid,
            partlabel=device.partlabel,
            subvolume=default_subvolume(root) if device.fstype == "btrfs" else "",
        )

    def device_of(self, volume: Volume) -> BlockDevice | None:
        """The device of a volume that was mounted here, None when it was mounted already."""
        return self._devices.get(volume.root)

    @contextmanager
    def writing(self, volume: Volume) -> Iterator[None]:
        """Let *volume* be written through its filesystem meanwhile.

        Only on vfat: with a journal more would change than what is written. Raises VolumeError.
        """
        device = self.device_of(volume)
        if device is None:
            yield
            return
        if device.fstype != "vfat":
            raise VolumeError(f"names are changed on vfat only, it is {device.fstype}")
        driver, options = _FILESYSTEMS[device.fstype]
        try:
            with writable(device.node):
                _mount(device.node, volume.root, driver, _MS_REMOUNT | _FLAGS, options)
                try:
                    yield
                finally:
                    flags = _MS_REMOUNT | _MS_RDONLY | _FLAGS
                    _mount(device.node, volume.root, driver, flags, options)
        except OSError as error:
            raise _refusal(error, device.fstype) from error

    def close(self, volume: Volume) -> None:
        """Unmount *volume* if it was mounted here, at once or as soon as nobody uses it."""
        with self._lock:
            ours = self._devices.pop(volume.root, None)
        if ours is not None:
            _unmount(volume.root)

    def close_all(self) -> None:
        """Unmount all that was mounted here, latest first."""
        with self._lock:
            paths = list(reversed(self._devices))
            self._devices.clear()
        for path in paths:
            _unmount(path)

    def _root(self, device: BlockDevice) -> str:
        """The directory under which all of *device* is, as far as we may see it."""
        # A mount of ours may be on its way out, when a device is read once more.
        point = mounted_at(device, besides=self._directory)
        if point is None:
            return self._mount(device, protect=self._protect)
        if point.root != "/" and os.geteuid() == 0:
            # The other subvolumes are seen from the top level, which is mounted beside it. The
            # device itself is in use, and stays as it is.
            with suppress(VolumeError):
                return self._mount(device, protect=False)
        return point.path

    def _mount(self, device: BlockDevice, *, protect: bool) -> str:
        if os.geteuid() != 0:
            hint = "run bootmenu as root, or mount it first"
            raise VolumeError("not mounted, and mounting it takes root", hint=hint)
        if device.fstype not in _FILESYSTEMS:
            raise VolumeError(f"the filesystem {device.fstype} is not supported")
        driver, options = _FILESYSTEMS[device.fstype]
        with self._lock:
            self._count += 1
            # A device that returns while its old mount hangs needs a place of its own.
            path = f"{self._directory}/{device.name}.{self._count}"
        if protect:
            _make_read_only(device.node)
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
            _mount(device.node, path, driver, _MS_RDONLY | _FLAGS, options)
        except OSError as error:
            with suppress(OSError):
                Path(path).rmdir()
            raise _refusal(error, device.fstype) from error
        with self._lock:
            self._devices[path] = device
        return path


def _refusal(error: OSError, fstype: str) -> VolumeError:
    """The choke point: what mount(2) answers, in words."""
    unknown = (f"cannot be mounted: {error.strerror}", "")
    message, hint = _REASONS.get(error.errno or 0, unknown)
    return VolumeError(message.replace("{fstype}", fstype), hint=hint.replace("{fstype}", fstype))


def enter_private_namespace() -> None:
    """Keep this process's mounts to itself: they end with it, however it ends.

    To be called as root, before any thread is started. Raises OSError.
    """
    libc = _libc()
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise _os_error()
    _mount("none", "/", "", _MS_REC | _MS_SLAVE, "")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _os_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _mount(source: str, target: str, driver: str, flags: int, options: str) -> None:
    arguments = (os.fsencode(text) for text in (source, target, driver))
    if _libc().mount(*arguments, ctypes.c_ulong(flags), options.encode()) != 0:
        raise _os_error()


def _unmount(path: str) -> None:
    libc, target = _libc(), os.fsencode(path)
    if libc.umount2(target, 0) != 0:
        # Busy, or its disk has been pulled out: take it out of sight, the kernel does the rest.
        libc.umount2(target, _MNT_DETACH)
    with suppress(OSError):
        Path(path).rmdir()


def _clear(directory: str) -> None:
    """Unmount what a process that was killed has left below *directory*."""
    for point in _mount_points():
        if point.path.startswith(f"{directory}/"):
            _libc().umount2(os.fsencode(point.path), _MNT_DETACH)


def _make_read_only(node: str) -> None:
    with suppress(OSError):  # the mount is read-only by itself; this is the second lock
        descriptor = os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, _BLKROSET, struct.pack("i", 1))
        finally:
            os.close(descriptor)


def _unescaped(field: str) -> str:
    r"""A field of mountinfo, in which blanks are written as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
