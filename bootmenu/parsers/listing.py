"""``bootmenu list`` and ``bootmenu show``: what was found, for programs and for people.

The JSON is ``bootmenu.list/1``: a file on a volume that is not there has ``"device": null``,
and its entry ``"resolved": false``; the timeout is in seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bootmenu.errors import UsageError
from bootmenu.escape import printable
from bootmenu.files import volume_named
from bootmenu.model import BootEntry, Configuration, Rename, Resource, Save, Volume
from bootmenu.parsers.scan import clean

SCHEMA = "bootmenu.list/1"

_ROOT_KEY = re.compile(r",(name|uuid|label|partuuid|partlabel)=")
_FAT_UUID = re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}", re.IGNORECASE)


def parse_root_arguments(texts: Sequence[str]) -> tuple[Volume, ...]:
    """The volumes that ``--root`` names, each by a name of its own.

    Directories of the same name, as ``a/root`` and ``b/root``, are told apart by a number.
    Raises :class:`UsageError` when two are given the same name, or as :func:`parse_root_argument`.
    """
    volumes: dict[str, Volume] = {}
    for text in texts:
        volume = parse_root_argument(text)
        if volume.name in volumes and ",name=" in text:
            raise UsageError(f"two volumes are called {volume.name}", hint="name= tells them apart")
        names = (volume.name, *(f"{volume.name}{number}" for number in range(2, len(texts) + 2)))
        name = next(name for name in names if name not in volumes)
        volumes[name] = replace(volume, name=name)
    return tuple(volumes.values())


def parse_root_argument(text: str) -> Volume:
    """The volume that ``--root PATH[,name=..][,uuid=..][,label=..][,partuuid=..][,partlabel=..]``
    describes; it is called by its directory's name unless it says otherwise.

    A UUID like ``67E3-17ED`` is that of a FAT filesystem, whose names are compared without case.

    Raises :class:`UsageError` when PATH is no directory or a key comes twice.
    """
    path, *rest = _ROOT_KEY.split(text)
    keys, values = rest[::2], rest[1::2]
    if len(set(keys)) < len(keys):
        raise UsageError(f"a key comes twice: --root {text}")
    if not Path(path).is_dir():
        raise UsageError(
            f"not a directory: {path}",
            hint="--root takes PATH[,name=..][,uuid=..][,label=..][,partuuid=..][,partlabel=..]",
        )
    root = Path(path).resolve()
    identity = dict(zip(keys, values, strict=True))
    if _FAT_UUID.fullmatch(identity.get("uuid", "")):
        identity["fstype"] = "vfat"
    return Volume(**{"name": root.name or "root", "root": str(root), **identity})


def choose_default(configurations: Sequence[Configuration]) -> Configuration | None:
    """The configuration whose default entry is the machine's: the first that has one."""
    return next((c for c in configurations if c.default is not None), None)


def render_json(volumes: Sequence[Volume], configurations: Sequence[Configuration]) -> str:
    """The list as a JSON text that ends with a newline."""
    chosen = choose_default(configurations)
    document = {
        "schema": SCHEMA,
        "devices": [
            {"name": v.name, "uuid": v.uuid, "label": v.label, "fstype": v.fstype, "root": v.root}
            for v in (*volumes, *_images(volumes, configurations))
        ],
        "default": chosen.default if chosen else None,
        "timeout": _seconds(chosen.timeout) if chosen else None,
        "entries": [_entry(entry) for c in configurations for entry in c.entries],
    }
    return _dump(document)


def _images(volumes: Sequence[Volume], found: Sequence[Configuration]) -> list[Volume]:
    """The ISO images on *volumes* that entries need files of."""
    names = {
        resource.volume: None
        for configuration in found
        for entry in configuration.entries
        for resource in entry.resources
        if resource.volume is not None and ":/" in resource.volume
    }
    known = {volume.name for volume in volumes}
    images = (volume_named(name, volumes) for name in names if name not in known)
    return [image for image in images if image is not None]


def render_text(volumes: Sequence[Volume], configurations: Sequence[Configuration]) -> str:
    """The list as a table: grouped by volume, then by submenu, ``*`` before the default."""
    chosen = choose_default(configurations)
    default = chosen.default if chosen else None
    lines: list[str] = []
    for volume in volumes:
        own = [c for c in configurations if c.device == volume.name]
        if not any(c.entries for c in own):
            continue
        lines.append(clean(volume.title))
        menu: tuple[str, ...] = ()
        for entry in (entry for c in own for entry in c.entries):
            lines += _headings(menu, entry.menu)
            menu = entry.menu
            lines += _text(entry, mark="*" if entry.id == default else " ")
        lines.append("")
    if not lines:
        lines = ["Nothing that could be started was found.", ""]
    if chosen and chosen.timeout is not None:
        lines += [_countdown(chosen.timeout), ""]
    if problems := render_problems(configurations):
        lines += ["Problems", *(f"  {problem}" for problem in problems), ""]
    return "\n".join(lines[:-1]) + "\n"


def render_problems(configurations: Sequence[Configuration]) -> list[str]:
    """What was wrong with the configurations themselves, a line each with volume, file and line."""
    return [clean(str(problem), 500) for c in configurations for problem in c.problems]


def render_entry(entry: BootEntry, as_json: bool) -> str:
    """One entry with every field, and the file and line that each came from."""
    origins = {origin.field: str(origin) for origin in entry.origins}
    if as_json:
        return _dump(
            {**_entry(entry), "writes": [_write(w) for w in entry.writes], "origins": origins}
        )
    rows: list[tuple[str, str, str]] = [
        ("id", entry.id, ""),
        ("title", entry.title, origins.get("title", "")),
        *[("menu", " > ".join(entry.menu), "") for _ in entry.menu[:1]],
        ("source", f"{entry.format.value} {entry.device}:{entry.source}", ""),
        ("kernel", str(entry.kernel or "none"), origins.get("kernel", "")),
        *[("initrd", str(r), origins.get("initrd", "")) for r in entry.initrds],
        *[("dtb", str(r), origins.get("dtb", "")) for r in (entry.dtb,) if r],
        *[("overlay", str(r), origins.get("overlays", "")) for r in entry.overlays],
        ("cmdline", entry.cmdline, origins.get("cmdline", "")),
        ("default", "yes" if entry.default else "no", ""),
        *[("writes", str(write), origins.get("writes", "")) for write in entry.writes],
        *[("problem", problem, "") for problem in entry.problems],
    ]
    lines = []
    for name, value, origin in rows:
        lines.append(f"{name:8} {printable(value)}".rstrip())
        if origin:
            lines.append(f"{'':8}   from {printable(origin)}")
    return "\n".join(lines) + "\n"


def _dump(document: dict[str, Any]) -> str:
    # ASCII only: a cmdline may hold bytes that are not UTF-8, and they survive as \udcXX.
    return json.dumps(document, indent=2) + "\n"


def _seconds(timeout: float | None) -> float | None:
    return int(timeout) if timeout is not None and timeout.is_integer() else timeout


def _resource(resource: Resource | None) -> dict[str, str | None] | None:
    if resource is None:
        return None
    if resource.url:
        return {"url": resource.url}
    shown: dict[str, Any] = {"device": resource.volume, "path": resource.path}
    if resource.section:
        shown["section"] = resource.section
    if resource.parameters:
        shown["parameters"] = list(resource.parameters)
    return shown


def _entry(entry: BootEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "menu": list(entry.menu),
        "device": entry.device,
        "source": {"format": entry.format.value, "path": entry.source},
        "kernel": _resource(entry.kernel),
        "initrd": [_resource(r) for r in entry.initrds],
        "dtb": _resource(entry.dtb),
        "overlays": [_resource(r) for r in entry.overlays],
        "cmdline": entry.cmdline,
        "default": entry.default,
        "resolved": entry.resolved,
        "problems": list(entry.problems),
    }


def _write(write: Save | Rename) -> dict[str, Any]:
    if isinstance(write, Save):
        return {"file": _resource(write.file), "variables": [list(v) for v in write.values]}
    return {"file": _resource(write.file), "name": write.name}


def _headings(before: tuple[str, ...], menu: tuple[str, ...]) -> list[str]:
    """The titles of the submenus that begin between an entry in *before* and one in *menu*."""
    shared = 0
    while menu[: shared + 1] == before[: shared + 1] and shared < len(menu):
        shared += 1
    return [f"    {'  ' * depth}{menu[depth]}" for depth in range(shared, len(menu))]


def _text(entry: BootEntry, mark: str) -> list[str]:
    indent = "  " * len(entry.menu)
    lines = [f"  {mark} {indent}{entry.title}", f"      {indent}{printable(entry.id)}"]
    if entry.problems:
        lines.append(f"      {indent}! {entry.problems[0]}")
    return lines


def _countdown(timeout: float) -> str:
    if timeout < 0:
        return "* is the default; the menu waits for a person."
    return f"* is the default, after {timeout:g} s."
