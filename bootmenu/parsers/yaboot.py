r"""``yaboot.conf`` of PowerPC's yaboot, and ``lilo.conf`` of LILO, which has the same syntax.

Specification: the manual pages yaboot.conf(5) and lilo.conf(5). A file is a row of ``name=value``
(blanks around ``=`` allowed, values in double quotes with ``\`` as escape) and of flags. What
stands before the first ``image=`` holds for every image that does not say it itself. Without
``default=`` the first image is the default. Timeouts are in tenths of a second; LILO waits only
with ``prompt``, and for ever when it then has no ``timeout``.

The cmdline is what the loader would make: yaboot's ``root= ro rw ramdisk= ramdisk_size=
video=ofonly`` and then ``append``; LILO's ``ro rw root= ramdisk=``, ``append`` and ``addappend``,
where ``root`` stays a name instead of becoming a device number, and its own ``BOOT_IMAGE=`` is
left out. ``literal=`` replaces it all. In yaboot.conf ``device=`` and ``partition=``, or
``hd:3,/path`` and ``3,/path``, say on which partition the files lie. Firmware calls disks by its
own names, so that the disk is taken for the one that the configuration lies on, unless it is
named as Linux does. Paths in lilo.conf are those of the running system, so that its fstab counts.

``image[32bit]`` is hidden: no machine that this program runs on is one. ``other=`` of LILO is
listed without a kernel. Not supported: passwords, ``vga=``, messages, floppies and raw sectors
(``range=``), and yaboot's installer settings (``boot= macos= bsd= magicboot=`` and the like),
which are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Origin, Problem, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.locations import absolute, find_volume
from bootmenu.parsers.pairs import MAX_ENTRIES, MAX_PROBLEMS, Source, sources
from bootmenu.parsers.systems import mounted

_YABOOT = (
    "/yaboot.conf", "/yaboot.cnf", "/etc/yaboot.conf", "/etc/yaboot.cnf", "/boot/yaboot.conf",
    "/boot/etc/yaboot.conf", "/suseboot/yaboot.cnf", "/ppc/yaboot.conf", "/ppc/ppc64/yaboot.conf",
    "/ppc/chrp/yaboot.conf", "/install/yaboot.conf",
)  # fmt: skip
LILO = "/etc/lilo.conf"
PATHS = (*(variant for path in _YABOOT for variant in (path, path.upper())), LILO)

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\v\f]+|\#[^\n]*)
    |"(?P<quoted>(?:[^"\\\n]|\\.|\\\n[ \t]*)*)"
    |(?P<equals>=)
    |(?P<word>(?:[^\s=\#"\\]|\\.|\\\n)+)
    |(?P<wrong>[^\n]*)""",
    re.VERBOSE | re.DOTALL,
)
_VALUE = re.compile(r"[ \t]*(?P<word>(?:[^\s\#\"\\]|\\.|\\\n)+)", re.DOTALL)
_ESCAPE = re.compile(r"\\(\n[ \t]*|.)", re.DOTALL)
_KIND = re.compile(r"(?P<kind>image|other)(?:\[(?P<bits>32bit|64bit)\])?", re.IGNORECASE)
_FILE = re.compile(r"(?P<partition>\d*)(?:,(?P<path>.*))?", re.DOTALL)
_PARTITION = re.compile(r"(?P<disk>.*\dp|.*\D)(?P<number>\d+)")


@dataclass(slots=True)
class _Section:
    """The values of one section and their lines; a flag's value is empty."""

    kind: str = ""
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Item:
    """An image's settings, the common ones below them."""

    own: _Section
    common: _Section
    path: str

    def get(self, *names: str) -> str:
        """The value of the first of *names* that is set, "" without one."""
        return next((v[n] for n in names for v in self._levels if n in v), "")

    def has(self, name: str) -> bool:
        """Whether a flag is set."""
        return any(name in values for values in self._levels)

    def line(self, name: str) -> int:
        """The line of *name*, 0 without one."""
        return self.own.lines.get(name) or self.common.lines.get(name, 0)

    @property
    def label(self) -> str:
        """What it is called: the file's name unless it says otherwise."""
        return self.own.values.get("label") or re.split(r"[/\\,:]", self.own.values["image"])[-1]

    @property
    def _levels(self) -> tuple[dict[str, str], ...]:
        return self.own.values, self.common.values


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What yaboot.conf and lilo.conf on *volume* offer."""
    return [
        configuration
        for source in sources(VolumeFiles.of(volume), PATHS)
        if (configuration := _configuration(source, volume, context)) is not None
    ]


def _configuration(source: Source, volume: Volume, context: Context) -> Configuration | None:
    problems = [Problem(source.error, volume.name, source.path)] if source.error else []
    common = _Section()
    sections: list[_Section] = []
    hidden = False
    for line, name, value in _settings(source.text):
        matched = _KIND.fullmatch(name)
        if matched and value is not None:
            hidden = (matched["bits"] or "").lower() == "32bit"
            section = _Section(matched["kind"].lower(), {"image": value}, {"image": line})
            if not hidden:
                sections.append(section)
        elif not name:
            problems.append(Problem(f"cannot be read: {value}", volume.name, source.path, line))
        elif not hidden:
            section = sections[-1] if sections else common
            section.values[name.lower()] = value or ""
            section.lines.setdefault(name.lower(), line)
    items = [_Item(section, common, source.path) for section in sections[:MAX_ENTRIES]]
    lilo = source.path == LILO
    entries = [_entry(item, volume, context, lilo=lilo) for item in items]
    chosen = _default(common.values.get("default", ""), items, entries)
    return Configuration(
        device=volume.name,
        format=Format.YABOOT,
        path=source.path,
        entries=tuple(replace(e, default=e is chosen) for e in entries),
        default=chosen.id if chosen else None,
        timeout=_timeout(common, lilo=lilo),
        problems=tuple(problems[:MAX_PROBLEMS]),
    )


def _settings(text: str) -> Iterator[tuple[int, str, str | None]]:
    """The line, name and value of each setting; None for a flag's, no name for what is wrong."""
    at = 0
    line = 1
    name: tuple[int, str] | None = None
    while at < len(text):
        matched = _TOKEN.match(text, at)
        if matched is None or matched.end() == at:
            break
        start, at = line, matched.end()
        value: str | None = None
        if matched["equals"] and name is not None:
            # A value may hold "=" itself, which a name cannot.
            if unquoted := _VALUE.match(text, at):
                value = unquoted["word"]
            else:
                blank = re.compile(r"\s*").match(text, at)
                quoted = _TOKEN.match(text, blank.end() if blank else at)
                value = (quoted["quoted"] or "") if quoted else ""
                unquoted = quoted
            at = unquoted.end() if unquoted else at
            yield name[0], name[1], _ESCAPE.sub(_unescaped, value)
            name = None
        elif matched["word"] or matched["quoted"] is not None:
            if name is not None:
                yield *name, None
            word = matched["word"] if matched["word"] else matched["quoted"]
            name = (start, _ESCAPE.sub(_unescaped, word))
        elif matched["wrong"] or matched["equals"]:
            yield start, "", matched[0][:60]
        line += text.count("\n", matched.start(), at)
    if name is not None:
        yield *name, None


def _unescaped(matched: re.Match[str]) -> str:
    return " " if matched[1].startswith("\n") else matched[1]


def _entry(item: _Item, volume: Volume, context: Context, *, lilo: bool) -> BootEntry:
    own = item.own
    at = f"{item.path}:{own.lines['image']}"
    kernel: Resource | None = None
    initrd = item.get("initrd") if own.kind == "image" else ""
    problems = []
    if own.kind == "other":
        problems.append(f"starts the boot sector of {own.values['image']}, not a kernel ({at})")
    elif lilo and ("range" in own.values or own.values["image"].startswith("/dev/")):
        problems.append(f"starts sectors of {own.values['image']}, not a file ({at})")
    else:
        kernel = _resource(own.values["image"], item, volume, context, lilo=lilo)
    origins = [
        Origin(name, item.path, item.line(key))
        for name, key in (("title", "label"), ("kernel", "image"), ("initrd", "initrd"))
        if item.line(key)
    ]
    cmdline = ""
    if own.kind == "image":
        cmdline = _lilo_cmdline(item) if lilo else _yaboot_cmdline(item)
        keys = ("literal", "append", "root", "image")
        origins.append(
            Origin("cmdline", item.path, next(item.line(k) for k in keys if item.line(k)))
        )
    return BootEntry(
        id=f"{context.key(volume)}:{'lilo' if lilo else 'yaboot'}:{item.label}",
        title=item.label,
        device=volume.name,
        format=Format.YABOOT,
        source=item.path,
        kernel=kernel,
        initrds=(_resource(initrd, item, volume, context, lilo=lilo),) if initrd else (),
        cmdline=cmdline,
        problems=tuple(problems),
        origins=tuple(origins),
    )


def _yaboot_cmdline(item: _Item) -> str:
    if "literal" in item.own.values:
        return item.own.values["literal"]
    parts = [
        f"root={item.get('root')}" if item.get("root") else "",
        "ro" if item.has("read-only") else "",
        "rw" if item.has("read-write") else "",
        f"ramdisk={item.get('ramdisk')}" if item.get("ramdisk") else "",
        f"ramdisk_size={item.get('initrd-size')}" if item.get("initrd-size") else "",
        "video=ofonly" if item.has("novideo") else "",
        item.get("append"),
    ]
    return " ".join(part for part in parts if part)


def _lilo_cmdline(item: _Item) -> str:
    if literal := item.get("literal"):
        return literal
    # The image's own flag decides; LILO refuses both in one place.
    flags = [{"read-only", "read-write"} & set(s.values) for s in (item.own, item.common)]
    flag = next((f for f in flags if f), set())
    parts = [
        "ro" if "read-only" in flag else "",
        "rw" if "read-write" in flag else "",
        f"root={item.get('root')}" if item.get("root") else "",
        f"ramdisk={item.get('ramdisk')}" if item.get("ramdisk") else "",
        item.get("append"),
        item.get("addappend"),
    ]
    return " ".join(part for part in parts if part)


def _resource(text: str, item: _Item, home: Volume, context: Context, *, lilo: bool) -> Resource:
    """The file *text*, by the partition that it or the section names."""
    if lilo:
        return mounted(absolute(text), home, context)
    device, colon, rest = text.rpartition(":")
    matched = _FILE.fullmatch(rest)
    if matched and matched["path"] is not None:
        partition, path = matched["partition"], matched["path"]
    else:
        partition, path = "", rest
    path = absolute(path.replace("\\", "/"), item.path.rpartition("/")[0])
    device = device if colon else item.get("device")
    partition = partition or ("" if colon else item.get("partition"))
    named = find_volume(device, context, home) if device else None
    if named and not partition:
        return Resource(path, named.name)
    if not partition:
        # Firmware's name of a disk, whose partition is the one that yaboot was read from.
        known = not device.startswith("/dev/") and "=" not in device
        return Resource(path, home.name) if known else Resource(path, wants=device)
    own = _PARTITION.fullmatch(home.name)
    names = [f"{own['disk']}{partition}"] if own else []
    if device.startswith("/dev/"):
        disk = device.removeprefix("/dev/")
        names = [f"{disk}{partition}", f"{disk}p{partition}"]
    for name in names:
        if context.by_name(name):
            return Resource(path, name)
    # Without a partition's name of its own, the volume may be any: its file tells.
    if not own and VolumeFiles.of(home).is_file(path):
        return Resource(path, home.name)
    return Resource(path, wants=names[0] if names else f"partition {partition}")


def _default(wanted: str, items: Sequence[_Item], entries: Sequence[BootEntry]) -> BootEntry | None:
    if wanted:
        for item, entry in zip(items, entries, strict=True):
            if wanted in {item.label, item.own.values.get("alias")}:
                return entry
    return next(iter(entries), None)


def _timeout(common: _Section, *, lilo: bool) -> float | None:
    """Seconds."""
    values = common.values
    waits = not lilo or "prompt" in values
    tenths = values.get("timeout" if waits else "delay", "")
    if re.fullmatch(r"[0-9]{1,7}", tenths):
        return int(tenths) / 10
    if lilo:
        return -1.0 if waits else 0.0
    return None
