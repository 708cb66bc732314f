"""Files named by device and path, as the loaders outside of GRUB write them: ``sda2:/vmlinux``.

The device may be a kernel name (``sda2``, ``/dev/sda2``), ``UUID=``, ``LABEL=``, ``PARTUUID=``,
``PARTLABEL=`` or a link of udev's (``/dev/disk/by-uuid/…``), in parentheses or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bootmenu.model import Resource, Volume
from bootmenu.parsers.context import Context

_LOCATION = re.compile(r"(?:\((?P<closed>[^()]+)\):?|(?P<device>/dev/[^:]+|[^:/]+):)(?P<path>.*)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def find_volume(device: str, context: Context, home: Volume) -> Volume | None:
    """The volume that *device* names, None when it is not here; *home* is whose text asks."""
    searches: dict[str, Callable[[str, Volume], Volume | None]] = {
        "uuid": context.by_uuid,
        "label": context.by_label,
        "partuuid": context.by_partuuid,
        "partlabel": context.by_partlabel,
    }
    name = device.removeprefix("/dev/")
    kind, separator, value = name.removeprefix("disk/by-").partition(
        "/" if name.startswith("disk/by-") else "="
    )
    if separator and (search := searches.get(kind.lower())):
        return search(value.strip("\"'"), home)
    return context.by_name(name)


def locate(text: str, context: Context, home: Volume, directory: str = "/") -> Resource:
    """The file that *text* means; a bare path lies on *home*, a relative one in *directory*."""
    if _URL.match(text):
        return Resource(url=text)
    if matched := _LOCATION.fullmatch(text):
        device = matched["closed"] or matched["device"]
        path = "/" + matched["path"].lstrip("/")
        volume = find_volume(device, context, home)
        return Resource(path, volume.name) if volume else Resource(path, wants=device)
    return Resource(absolute(text, directory), home.name)


def absolute(path: str, directory: str = "/") -> str:
    """*path* from the root of its volume, a relative one being in *directory*."""
    if path.startswith("/"):
        return "/" + path.lstrip("/")
    return f"{directory.rstrip('/')}/{path}"
