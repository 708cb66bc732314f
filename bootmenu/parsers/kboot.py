"""``kboot.conf``, of kboot (the PlayStation 3's boot loader, and Petitboot's forerunner).

Specification: kboot's own sample and what Petitboot's parser takes of it. A line
``label='image name=value…'`` is an entry: the first word without ``=`` is the kernel, ``initrd=``
and ``dtb=`` name files, the other words are the cmdline. ``initrd=``, ``root=`` and ``video=``
on lines of their own hold for every entry that does not say them itself; ``default=`` names a
label, ``timeout=`` is in seconds. As with Petitboot, ``root=`` comes first in the cmdline.

Not supported: ``message=`` and the names of kboot's own settings (``boot``, ``delay``, ``append``
and the like), which are passed over. Labels cannot be any of these words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Origin, Problem, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.locations import locate
from bootmenu.parsers.pairs import MAX_ENTRIES, MAX_PROBLEMS, Pair, Source, pairs, sources, strip

PATHS = tuple(
    variant
    for path in ("/kboot.conf", "/kboot.cnf", "/etc/kboot.conf", "/etc/kboot.cnf")
    for variant in (path, path.upper())
)
_COMMON = {"initrd", "root", "video", "dtb"}
_SETTINGS = {"default", "timeout"}
_PASSED_OVER = {"message", "delay", "boot"}


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What each kboot.conf on *volume* offers."""
    return [
        _configuration(source, volume, context) for source in sources(VolumeFiles.of(volume), PATHS)
    ]


def _configuration(source: Source, volume: Volume, context: Context) -> Configuration:
    problems = [Problem(source.error, volume.name, source.path)] if source.error else []
    common: dict[str, Pair] = {}
    settings: dict[str, str] = {}
    labels: list[Pair] = []
    for pair in pairs(source.text):
        if pair.name in _COMMON:
            common[pair.name] = pair
        elif pair.name in _SETTINGS:
            settings[pair.name] = pair.value
        elif pair.name and pair.value:
            if pair.name not in _PASSED_OVER:
                labels.append(pair)
        else:
            what = f"'{pair.name}' starts nothing" if pair.name else "a line without '='"
            problems.append(Problem(what, volume.name, source.path, pair.line))
    # kboot reads its file as a whole: what holds for all entries may stand below them.
    entries = [
        _entry(label, common, source.path, volume, context) for label in labels[:MAX_ENTRIES]
    ]
    wanted = settings.get("default", "")
    chosen = next((e for e in entries if wanted and e.title == wanted), None)
    timeout = settings.get("timeout", "")
    return Configuration(
        device=volume.name,
        format=Format.KBOOT,
        path=source.path,
        entries=tuple(replace(e, default=e is chosen) for e in entries),
        default=chosen.id if chosen else None,
        timeout=float(timeout) if re.fullmatch(r"[0-9]{1,6}", timeout) else None,
        problems=tuple(problems[:MAX_PROBLEMS]),
    )


def _entry(
    label: Pair, common: dict[str, Pair], path: str, volume: Volume, context: Context
) -> BootEntry:
    values = {name: pair.value for name, pair in common.items()}
    lines = {name: pair.line for name, pair in common.items()}
    image = ""
    own: list[str] = []
    words = label.value.split()
    for word in words:
        name, equals, value = word.partition("=")
        if not image and _names_a_file(word):
            image = word
        elif equals and name in {"initrd", "root", "dtb"}:
            values[name], lines[name] = strip(value), label.line
        else:
            own.append(word)
            if name == "video":
                values.pop("video", None)
    cmdline = [f"{name}={values[name]}" for name in ("root", "video") if values.get(name)]

    def resource(name: str) -> Resource | None:
        return locate(values[name], context, volume) if values.get(name) else None

    initrd = resource("initrd")
    origins = [Origin(name, path, label.line) for name in ("title", "kernel", "cmdline")]
    origins += [Origin(name, path, lines[name]) for name in ("initrd", "dtb") if name in lines]
    return BootEntry(
        id=f"{context.key(volume)}:kboot:{label.name}",
        title=label.name,
        device=volume.name,
        format=Format.KBOOT,
        source=path,
        kernel=locate(image, context, volume) if image else None,
        initrds=(initrd,) if initrd else (),
        dtb=resource("dtb"),
        cmdline=" ".join([*cmdline, *own]),
        problems=() if image else (f"names no kernel ({path}:{label.line})",),
        origins=tuple(origins),
    )


def _names_a_file(word: str) -> bool:
    """Whether *word* may be the kernel: a path, perhaps with a device, and not ``name=value``."""
    name, equals, _ = word.partition("=")
    return not equals or "/" in name or name.lower().lstrip("(") in {"uuid", "label", "partuuid"}
