"""btrfs: the systems in subvolumes, and the snapshots of them.

A volume is seen from wherever it was mounted. Seen from its top level, each subvolume is a
directory: ``@`` (Ubuntu, openSUSE, Arch), ``@rootfs`` (Debian), ``root`` (Fedora), any name. A
directory at the top that has an ``/etc/fstab`` or an ``os-release`` is a system, unless the top
level is one itself. GRUB's paths begin at the top level, so GRUB's reader looks for configurations
in :func:`systems`; those of openSUSE's GRUB begin at the default subvolume, where it looks as well
(:mod:`bootmenu.parsers.grub.devices`). Kernels that no configuration offers are found here.

Snapshots become entries of a submenu ("Snapshots", the latest :data:`MAX_SNAPSHOTS`): the latest
kernel that is in the snapshot's own ``/boot``, with the cmdline of the default entry, in which
``rootflags=subvol=`` names the snapshot. Known are snapper's (``…/.snapshots/N/snapshot`` with an
``info.xml``, http://snapper.io) and Timeshift's (``/timeshift-btrfs/snapshots/DATE/@`` with an
``info.json``). Not offered: snapshots whose ``/boot`` is another volume, since nothing says that
the kernel there fits their modules.

Which subvolume is the default one is not in any file. Where a volume does not know, as a directory
does not, it is taken to be the latest of openSUSE's snapshots that snapper made to be booted: the
first one, or the writable copy of a rollback; else the system whose GRUB needs it to be that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Resource, Volume
from bootmenu.parsers.context import Context

MAX_SYSTEMS = 16
MAX_SNAPSHOTS = 30
_MAX_INFO = 64 << 10
_MAX_SCRIPT = 1 << 20
_MAX_TOP = 256  # names at the top level that are looked at
_SYSTEM = ("etc/fstab", "etc/os-release", "usr/lib/os-release")
_SNAPPER = ("/@/.snapshots", "/@snapshots", "/@.snapshots", "/.snapshots", "/root/.snapshots")
_TIMESHIFT = "/timeshift-btrfs/snapshots"
_BOOTED = re.compile(r"first root filesystem|writable copy of #\d+")
_SUBVOLUME = re.compile(r"(?<!\S)rootflags=(?P<before>(?:[^\s,]+,)*?)subvol=(?P<path>[^\s,]*)")


def systems(volume: Volume, files: VolumeFiles) -> list[str]:
    """The subvolumes of *volume* that hold systems: ``/@``; the default one too, if it is known."""
    if volume.fstype not in {"", "btrfs"}:
        return []
    found = _below(files)
    default = default_subvolume(volume, files)
    if default and default not in found and files.is_dir(default):
        found.append(default)
    return found


def default_subvolume(volume: Volume, files: VolumeFiles) -> str:
    """The path of the default subvolume of *volume*, "" for the volume itself."""
    if volume.fstype not in {"", "btrfs"}:
        return ""
    if volume.subvolume:
        return volume.subvolume.rstrip("/")
    if _is_system(files, ""):
        return ""
    relative = (path for path in _below(files) if _has_relative(files, path))
    return _booted(_snapshots(files)) or next(relative, "")


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What the subvolumes of *volume* offer that *found*, its configurations so far, do not."""
    if volume.fstype not in {"", "btrfs"}:
        return []
    files = VolumeFiles.of(volume)
    added: list[Configuration] = []
    for path in systems(volume, files):
        added += _system(volume, path, context, (*found, *added))
    base = _base((*found, *added), volume)
    snapshots = sorted(_snapshots(files), key=lambda s: s.date, reverse=True)
    booted = default_subvolume(volume, files)
    if not booted and not volume.subvolume:  # seen from inside the system, which is one of them
        booted = _booted(snapshots)
    entries = [
        entry
        for snapshot in snapshots[:MAX_SNAPSHOTS]
        if snapshot.path != booted
        for entry in _entry(snapshot, volume, base, context)
    ]
    if entries:
        path = entries[0].source
        added.append(Configuration(volume.name, Format.BARE, path, entries=tuple(entries)))
    return added


@dataclass(frozen=True, slots=True)
class _Snapshot:
    path: str  # of the subvolume, from the top level
    date: str
    description: str

    @property
    def title(self) -> str:
        return " ".join(part for part in (self.date, self.description) if part) or self.path


def _is_system(files: VolumeFiles, path: str) -> bool:
    return any(files.is_file(f"{path}/{name}") for name in _SYSTEM)


def _below(files: VolumeFiles) -> list[str]:
    """The systems at the top level, which is none itself."""
    if _is_system(files, ""):
        return []
    names = (f"/{name}" for name in _names(files, "/")[:_MAX_TOP])
    return [path for path in names if _is_system(files, path)][:MAX_SYSTEMS]


def _has_relative(files: VolumeFiles, path: str) -> bool:
    """Whether GRUB's configuration in the system *path* begins its paths at that subvolume."""
    script = _text(files, f"{path}/boot/grub2/grub.cfg", _MAX_SCRIPT)
    return "btrfs_relative_path" in script


def _booted(snapshots: Iterable[_Snapshot]) -> str:
    """The path of the latest of *snapshots* that was made to be booted, "" without one."""
    latest = sorted(snapshots, key=lambda s: s.date, reverse=True)
    return next((s.path for s in latest if _BOOTED.fullmatch(s.description)), "")


def _system(
    volume: Volume, path: str, context: Context, found: Sequence[Configuration]
) -> list[Configuration]:
    """What the system in the subvolume *path* offers, beyond *found*."""
    from bootmenu.parsers import bare

    configurations = _installed(bare.read(*_inner(volume, path, context), ()))
    files = VolumeFiles.of(volume)
    offered = {_kernel(entry, volume, files) for c in found for entry in c.entries}
    placed = [_placed(configuration, path, volume) for configuration in configurations]
    fresh = [
        replace(c, entries=tuple(e for e in c.entries if _kernel(e, volume, files) not in offered))
        for c in placed
    ]
    return [c for c in fresh if c.entries or c.problems]


def _installed(found: Sequence[Configuration]) -> list[Configuration]:
    """*found* without kernels as their package brings them, whose /boot is another volume."""
    kept = [
        replace(
            c, entries=tuple(e for e in c.entries if not e.source.startswith("/usr/lib/modules/"))
        )
        for c in found
    ]
    return [c for c in kept if c.entries]


def _inner(volume: Volume, path: str, context: Context) -> tuple[Volume, Context]:
    """The subvolume *path* as the volume that it is for the system in it."""
    inner = replace(volume, root=VolumeFiles.of(volume).resolve(path), subvolume="/")
    volumes = tuple(inner if v.name == volume.name else v for v in context.volumes)
    return inner, replace(context, volumes=volumes)


def _kernel(entry: BootEntry, volume: Volume, files: VolumeFiles) -> str:
    """The path of *entry*'s kernel among the *files* of *volume*, links followed; "" elsewhere."""
    if entry.kernel is None or entry.kernel.volume != volume.name:
        return ""
    try:
        return files.path_of(entry.kernel.path)
    except VolumeError:
        return ""


def _placed(configuration: Configuration, path: str, volume: Volume) -> Configuration:
    """*configuration* of the subvolume *path*, with the paths of the volume's top level."""

    def resource(inside: Resource) -> Resource:
        own = inside.volume == volume.name and not inside.url
        return replace(inside, path=path + inside.path) if own else inside

    def entry(inside: BootEntry) -> BootEntry:
        return replace(
            inside,
            id=f"{inside.id}@{path}",
            source=path + inside.source,
            kernel=resource(inside.kernel) if inside.kernel else None,
            initrds=tuple(resource(initrd) for initrd in inside.initrds),
            dtb=resource(inside.dtb) if inside.dtb else None,
            overlays=tuple(resource(overlay) for overlay in inside.overlays),
            origins=tuple(replace(o, path=path + o.path) for o in inside.origins),
        )

    default = configuration.default
    return replace(
        configuration,
        path=path + configuration.path,
        entries=tuple(entry(inside) for inside in configuration.entries),
        default=f"{default}@{path}" if default is not None else None,
        problems=tuple(replace(p, path=path + p.path) for p in configuration.problems),
    )


# --- snapshots ---------------------------------------------------------------------------


def _base(found: Sequence[Configuration], volume: Volume) -> BootEntry | None:
    """The entry that starts the system of which there are snapshots."""
    entries = [e for c in found for e in c.entries if e.kernel and e.kernel.volume == volume.name]
    return next((e for e in entries if e.default), next(iter(entries), None))


def _entry(
    snapshot: _Snapshot, volume: Volume, base: BootEntry | None, context: Context
) -> Iterator[BootEntry]:
    """The latest kernel of *snapshot*, started as *base* is."""
    from bootmenu.parsers import bare

    for configuration in _installed(bare.read(*_inner(volume, snapshot.path, context), ())):
        entry = _placed(configuration, snapshot.path, volume).entries[0]
        cmdline = base.cmdline if base is not None else entry.cmdline
        yield replace(
            entry,
            title=snapshot.title,
            menu=("Snapshots",),
            cmdline=_of_snapshot(cmdline, snapshot.path),
            origins=(),
        )


def _of_snapshot(cmdline: str, path: str) -> str:
    """*cmdline* with the subvolume *path* as the root."""
    known = _SUBVOLUME.search(cmdline)
    if known is None:
        return f"{cmdline} rootflags=subvol={path[1:]}".lstrip()
    path = path if known["path"].startswith("/") else path[1:]
    return cmdline[: known.start("path")] + path + cmdline[known.end("path") :]


def _snapshots(files: VolumeFiles) -> Iterator[_Snapshot]:
    for directory in _SNAPPER:
        numbers = sorted((n for n in _names(files, directory) if n.isdecimal()), key=_number)
        for number in numbers[-4 * MAX_SNAPSHOTS :]:
            path = f"{directory}/{number}/snapshot"
            if files.is_dir(path):
                text = _text(files, f"{directory}/{number}/info.xml")
                yield _Snapshot(path, _element(text, "date"), _element(text, "description"))
    for name in _names(files, _TIMESHIFT)[-4 * MAX_SNAPSHOTS :]:
        path = f"{_TIMESHIFT}/{name}/@"
        if files.is_dir(path):
            yield _timeshift(path, name, _text(files, f"{_TIMESHIFT}/{name}/info.json"))


def _timeshift(path: str, name: str, text: str) -> _Snapshot:
    """Timeshift's snapshot *name*, the time of which is in its description *text* or its name."""
    date = re.sub(r"^(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)$", r"\1 \2:\3:\4", name)
    comment = ""
    try:
        info = json.loads(text)
        comment = str(info.get("comments") or "")
        created = datetime.fromtimestamp(int(info["created"]), UTC).strftime("%Y-%m-%d %H:%M:%S")
        date = date if date != name else created
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OSError,
        OverflowError,
        RecursionError,
    ):
        pass
    return _Snapshot(path, date, comment)


def _element(text: str, name: str) -> str:
    """The text of the first element *name* of an XML document as snapper writes it."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    if found is None:
        return ""
    plain = found[1]
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        plain = plain.replace(entity, character)
    return plain.strip()


def _text(files: VolumeFiles, path: str, limit: int = _MAX_INFO) -> str:
    try:
        return files.read_text(path, limit)
    except VolumeError:
        return ""


def _names(files: VolumeFiles, directory: str) -> list[str]:
    try:
        return files.listdir(directory)
    except VolumeError:
        return []


def _number(name: str) -> tuple[int, str]:
    """Numbers in their order, without reading what has thousands of digits."""
    return len(name.lstrip("0")), name.lstrip("0")
