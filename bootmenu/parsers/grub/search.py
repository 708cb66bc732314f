"""GRUB's ``search`` and ``probe``: from a volume's name to a device, and back.

A hint never decides: it names a drive by the firmware's number, and the script's own volume goes
first instead. What is not here is remembered by what was looked for, see
:mod:`bootmenu.parsers.grub.devices`, and the search is false, as it is in GRUB. Beside GRUB's own
kinds there are those of Fedora's and CoreOS's: a partition's UUID or name. Those that name a disk
are not supported.
"""

from __future__ import annotations

from collections.abc import Callable

from bootmenu.errors import ParseError, VolumeError
from bootmenu.model import Platform
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.options import FLAG, Option, parse_options
from bootmenu.parsers.grub.state import FILE_NOT_FOUND, Call

_HINTS = ("hint-arc", "hint-baremetal", "hint-bios", "hint-efi", "hint-ieee1275")
_KINDS = {
    "label": "LABEL",
    "fs-uuid": "UUID",
    "file": "FILE",
    "part-uuid": "PARTUUID",
    "part-label": "PARTLABEL",
}
"""The kinds of a search, the one that counts first, and how a device is called by them."""
_SEARCH = {
    **dict.fromkeys(_HINTS, Option(valued=True)),
    "file": Option("f"),
    "label": Option("l"),
    "fs-uuid": Option("u"),
    "part-uuid": FLAG,
    "part-label": FLAG,
    "set": Option("s", valued=True, optional=True),
    "no-floppy": Option("n"),
    "hint": Option("h", valued=True),
    "efidisk-only": FLAG,
    "cryptodisk-only": FLAG,
}
_PROBE = {
    "set": Option("s", valued=True),
    "driver": Option("d"),
    "partmap": Option("p"),
    "fs": Option("f"),
    "fs-uuid": Option("u"),
    "label": Option("l"),
    "part-uuid": FLAG,
    "part-label": FLAG,
}
_FILESYSTEMS = {
    "ext3": "ext2", "ext4": "ext2", "vfat": "fat", "msdos": "fat", "ntfs3": "ntfs",
    "squashfs": "squash4",
}  # fmt: skip
_DRIVERS = {Platform.EFI: "efidisk", Platform.PC: "biosdisk", Platform.IEEE1275: "ofdisk"}


def search(run: Interpreter, call: Call) -> int:
    """``search --fs-uuid --set=root X hint…`` and its like."""
    options = parse_options(call.arguments, _SEARCH, dashes=True)
    # What a newer GRUB, or a distribution's, knows is no name: --root-dev-only
    names = [name for name in options.names if not name.startswith("--")]
    variable = (options.get("set") or "root") if "set" in options else ""
    if not names and options.get("set"):  # --set took the name
        names, variable = [options.get("set")], "root"
    kind = next((kind for option, kind in _KINDS.items() if option in options), "")
    if not names or not kind:
        raise ParseError("for what?")
    return _search(run, kind, names[0], variable)


def probe(run: Interpreter, call: Call) -> int:
    """``probe --set=x --fs-uuid DEVICE``: what a volume is called."""
    options = parse_options(call.arguments, _PROBE)
    if not options.names:
        raise ParseError("which device?")
    name = options.names[0]
    device = name[1:-1] if name.startswith("(") and name.endswith(")") else name
    volume = run.reading.devices.find(device)
    if volume is None:
        raise VolumeError(f"({device}) is not here")
    partition = run.reading.devices.name_of(volume).partition(",")[2].rstrip("0123456789")
    values = {
        "driver": _DRIVERS.get(run.reading.devices.context.platform, "none"),
        "partmap": partition or "none",
        "part-uuid": volume.partuuid or "none",
        "part-label": volume.partlabel or "none",
        "fs": _FILESYSTEMS.get(volume.fstype, volume.fstype),
        "fs-uuid": volume.uuid,
        "label": volume.label,
    }
    value = next((values[option] for option in values if option in options), None)
    if value is None:
        raise ParseError("what of it?")
    if "set" in options:
        run.set(options.get("set"), value)
    else:
        run.reading.echo(value)
    return 0


def gptprio(run: Interpreter, call: Call) -> int:
    """``gptprio.next -d DEVICE -u UUID``: the system partition whose turn it is on CoreOS.

    Priorities stand in the partition table, which is not read: the first of the two is taken.
    """
    known = {"set-device": Option("d", valued=True), "set-uuid": Option("u", valued=True)}
    options = parse_options(call.arguments, known)
    devices = run.reading.devices
    for label in ("USR-A", "USR-B"):
        if volume := devices.find(f"PARTLABEL={label}"):
            run.note(f"whose turn it is is not known: {label} is taken", call.line)
            run.set(options.get("set-device"), devices.name_of(volume))
            run.set(options.get("set-uuid"), volume.partuuid)
            return 0
    raise VolumeError("neither USR-A nor USR-B is here")


def _embedded(kind: str) -> Callable[[Interpreter, Call], int]:
    """The commands ``search.fs_uuid X root hint…``, one for each *kind*."""

    def search_kind(run: Interpreter, call: Call) -> int:
        if not call.arguments:
            raise ParseError("for what?")
        return _search(run, kind, *[*call.arguments, ""][:2])

    return search_kind


COMMANDS = {
    **dict.fromkeys(("search.fs_uuid", "search_fs_uuid"), _embedded("UUID")),
    **dict.fromkeys(("search.fs_label", "search_fs_label", "search_label"), _embedded("LABEL")),
    **dict.fromkeys(("search.file", "search.fs_file", "search_fs_file"), _embedded("FILE")),
    **dict.fromkeys(("search.part_uuid", "search_part_uuid"), _embedded("PARTUUID")),
    **dict.fromkeys(("search.part_label", "search_part_label"), _embedded("PARTLABEL")),
    "search": search,
    "probe": probe,
    "gptprio.next": gptprio,
}


def _search(run: Interpreter, kind: str, value: str, variable: str) -> int:
    devices = run.reading.devices
    device = f"{kind}={value}"
    volume = devices.find(device)
    found = devices.name_of(volume) if volume else device
    if not variable:
        run.reading.echo(f" {found}" if volume else "")
    else:
        if volume is None:
            devices.before.setdefault(device, run.get(variable))
        # Scripts ask whether another variable was set by a search that may well find nothing.
        if volume or variable == "root" or kind in {"UUID", "PARTUUID"}:
            run.set(variable, found)
    return 0 if volume else FILE_NOT_FOUND
