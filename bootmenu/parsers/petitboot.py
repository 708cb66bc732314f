"""Petitboot's own configuration, ``petitboot.conf``.

Specification: what Petitboot's native parser takes. An option begins with ``name=`` and has
``image=``, ``initrd=``, ``dtb=``, ``args=`` and ``description=``; ``default=`` names an option.
What stands before the first ``name=`` holds for every option that does not say it itself. Several
``args=`` of one option are joined, of the other keys the last one counts. Files are paths on the
same volume, ``device:path`` or URLs.

Not shown: ``description=``. There is no timeout in this format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Origin, Problem, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.locations import locate
from bootmenu.parsers.pairs import MAX_ENTRIES, MAX_PROBLEMS, Pair, Source, pairs, sources

PATHS = tuple(
    variant
    for path in ("/boot/petitboot.conf", "/boot/petitboot.cnf", "/petitboot.conf", "/petitboot.cnf")
    for variant in (path, path.upper())
)
_KNOWN = {"image", "initrd", "dtb", "args", "description"}
_FIELDS = {"title": "name", "kernel": "image", "initrd": "initrd", "dtb": "dtb", "cmdline": "args"}


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What each petitboot.conf on *volume* offers."""
    return [
        _configuration(source, volume, context) for source in sources(VolumeFiles.of(volume), PATHS)
    ]


@dataclass(slots=True)
class _Option:
    """The values of one section and the lines that they stand on."""

    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def take(self, pair: Pair) -> None:
        before = self.values.get(pair.name) if pair.name == "args" else None
        self.values[pair.name] = f"{before} {pair.value}" if before else pair.value
        self.lines.setdefault(pair.name, pair.line)


def _configuration(source: Source, volume: Volume, context: Context) -> Configuration:
    problems = [Problem(source.error, volume.name, source.path)] if source.error else []
    common = _Option()
    options: list[_Option] = []
    default = ""
    for pair in pairs(source.text):
        if pair.name == "default":
            default = pair.value
        elif pair.name == "name":
            options.append(_Option())
            options[-1].take(pair)
        elif pair.name in _KNOWN:
            (options[-1] if options else common).take(pair)
        else:
            what = f"unknown name '{pair.name}'" if pair.name else "a line without '='"
            problems.append(Problem(what, volume.name, source.path, pair.line))
    entries = []
    for option in options[:MAX_ENTRIES]:
        if "image" in option.values or "image" in common.values:
            entries.append(_entry(option, common, source.path, volume, context))
        else:
            what = f"'{option.values['name']}' names no image"
            problems.append(Problem(what, volume.name, source.path, option.lines["name"]))
    chosen = next((e for e in entries if default and e.title == default), None)
    return Configuration(
        device=volume.name,
        format=Format.PETITBOOT,
        path=source.path,
        entries=tuple(replace(e, default=e is chosen) for e in entries),
        default=chosen.id if chosen else None,
        problems=tuple(problems[:MAX_PROBLEMS]),
    )


def _entry(
    option: _Option, common: _Option, path: str, volume: Volume, context: Context
) -> BootEntry:
    values = {**common.values, **option.values}
    lines = {**common.lines, **option.lines}

    def resource(key: str) -> Resource | None:
        return locate(values[key], context, volume) if values.get(key) else None

    initrd = resource("initrd")
    return BootEntry(
        id=f"{context.key(volume)}:petitboot:{values['name']}",
        title=values["name"],
        device=volume.name,
        format=Format.PETITBOOT,
        source=path,
        kernel=resource("image"),
        initrds=(initrd,) if initrd else (),
        dtb=resource("dtb"),
        cmdline=values.get("args", ""),
        origins=tuple(
            Origin(name, path, lines[key]) for name, key in _FIELDS.items() if key in lines
        ),
    )
