"""The filesystem that a cmdline's root= names: whether it is on any disk here.

What comes of a name in the initramfs alone, nobody can tell here: volumes that are put
together or unlocked there, the network, ZFS. Source of the forms that the kernel knows itself:
Documentation/admin-guide/kernel-parameters.rst and block/early-lookup.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from bootmenu.loader.preflight.findings import warning
from bootmenu.loader.preflight.words import value_of
from bootmenu.model import BlockDevice, Finding

_KINDS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
_BY = re.compile(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)")
_NAMED = re.compile(r"/dev/((?:[shv]d[a-z]+|xvd[a-z]+|mmcblk\d+|nvme\d+n\d+)(?:p?\d+)?)")
_NAME = "name"
_SHOWN = 3


def examine_root(cmdline: str, devices: Sequence[BlockDevice]) -> tuple[Finding, ...]:
    """A warning when the root= of *cmdline* is on none of *devices*: all that are here."""
    return tuple(_examine(value_of(cmdline, "root") or "", devices))


def _examine(root: str, devices: Sequence[BlockDevice]) -> Iterator[Finding]:
    kind, wanted = _asked(root)
    here = [value for device in devices if (value := _identity(device, kind))]
    if not kind or not devices or wanted.casefold() in {value.casefold() for value in here}:
        return
    if kind == _NAME:  # names of disks resemble each other without meaning anything
        close, prefix = [], "/dev/"
        here = [device.name for device in devices if device.fstype] or here
    else:
        close, prefix = get_close_matches(wanted, here, n=1, cutoff=0.8), f"{kind}="
    names = [f"{prefix}{value}" for value in close or here[:_SHOWN]]
    yield warning(
        f"root={root} is on no disk here",
        f"those here are {', '.join(names)}" if names else f"no disk here has a {kind}",
        "plug that disk in, or change root= in the cmdline"
        + (f": did it mean {names[0]}?" if close else ""),
    )


def _asked(root: str) -> tuple[str, str]:
    """The kind of name that *root* is, and the name; "" where it cannot be told here."""
    kind, equals, value = root.partition("=")
    if equals and kind in _KINDS:
        # PARTUUID=.../PARTNROFF=1 counts on from a partition.
        return ("", "") if "/" in value and kind == "PARTUUID" else (kind, value)
    link = _BY.fullmatch(root)
    if link is not None:
        return link[1].upper(), _unescaped(link[2])
    named = _NAMED.fullmatch(root)
    return (_NAME, named[1]) if named else ("", "")


def _identity(device: BlockDevice, kind: str) -> str:
    return {
        "UUID": device.uuid,
        "LABEL": device.label,
        "PARTUUID": device.partuuid,
        "PARTLABEL": device.partlabel,
        _NAME: device.name,
    }.get(kind, "")


def _unescaped(name: str) -> str:
    r"""The *name* in which udev wrote unusual bytes as ``\x20``."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), name)
