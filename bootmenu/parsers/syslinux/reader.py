"""One configuration with all that it leads to, as its loader would offer it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from bootmenu.model import Arch, BootEntry, Configuration, Format
from bootmenu.parsers.context import Context
from bootmenu.parsers.syslinux.command import Again, Chain, Commands
from bootmenu.parsers.syslinux.entries import Entries, format_of, title_of
from bootmenu.parsers.syslinux.parser import Parser
from bootmenu.parsers.syslinux.script import Label, Menu, Reading, Script, Statement

MAX_CHAIN = 8
"""Configurations that lead to each other."""


@dataclass(slots=True, eq=False)
class Slot:
    """A place in the menu *menu*: an entry, or another configuration called *title*."""

    menu: tuple[str, ...]
    title: str
    found: BootEntry | Chain
    label: Label | None = None


@dataclass(slots=True)
class Offer:
    """The entries of a configuration in their order; *default* is one of them."""

    entries: list[BootEntry] = field(default_factory=list)
    default: BootEntry | None = None
    timeout: float | None = None


class Reader:
    """Reads the configurations of one volume; *offered* are the entries of other formats."""

    def __init__(self, reading: Reading, context: Context, offered: Iterable[BootEntry]) -> None:
        self._reading = reading
        self._context = context
        self._seen = {_key(entry) for entry in offered}
        self._read: set[str] = set()  # configurations, without what they include
        self._source = ""

    def read(self, source: str) -> Configuration:
        """The configuration *source*, without the entries that those before it offer."""
        self._source = source
        self._reading.problems = []
        directory = source.rpartition("/")[0] or "/"
        if directory.endswith("/pxelinux.cfg"):  # PXELINUX works where it lies itself
            directory = directory.removesuffix("pxelinux.cfg")
        offer = self._offer(Chain((source,), directory))
        counts: dict[str, int] = {}
        entries = []
        default = None
        for entry in offer.entries:
            count = counts[entry.id] = counts.get(entry.id, 0) + 1
            named = replace(
                entry,
                id=entry.id if count == 1 else f"{entry.id}#{count}",
                default=entry is offer.default,
            )
            default = named.id if named.default else default
            entries.append(named)
        return Configuration(
            device=self._reading.volume.name,
            format=format_of(source),
            path=source,
            entries=tuple(entries),
            default=default,
            timeout=offer.timeout,
            problems=tuple(self._reading.problems),
        )

    def _offer(self, chain: Chain, depth: int = 0) -> Offer:
        """What the configurations of *chain* offer together."""
        self._read.update(map(self._real, chain.paths))
        script = Parser(self._reading, chain.directory).parse(chain.paths)
        uboot = self._is_uboot(script)
        commands = Commands(
            script,
            self._reading.files,
            chain.directory,
            typed=not uboot,
            optical=self._is_optical(),
        )
        first = script.ui or script.default
        started = commands.of_text(first.text) if first else None
        itself = isinstance(started, Chain) and started.menu and started.paths == chain.paths
        shown = chain.menu or uboot or script.ui is not None or isinstance(started, Again) or itself
        at_once = not (chain.menu or uboot) and (script.ui is not None or not script.prompt)
        if at_once and isinstance(started, Chain) and self._is_new(started, depth):
            return self._offer(started, depth + 1)
        page = Page(
            script,
            commands,
            Entries(self._reading, self._context, self._source, chain.directory, uboot=uboot),
            self._reading,
        )
        default = page.uboot_default() if uboot else page.default(shown=shown)
        # U-Boot has a prompt where any MENU is.
        waits = script.menus if uboot else shown or script.prompt
        return self._expand(page.slots, default, page.timeout(shown=shown, waits=waits), depth)

    def _expand(
        self, slots: list[Slot], default: Slot | None, timeout: float | None, depth: int
    ) -> Offer:
        """The entries in *slots*, and of the configurations that stand there."""
        offer = Offer(timeout=timeout)
        before = set(self._seen)
        self._seen.update(_key(slot.found) for slot in slots if isinstance(slot.found, BootEntry))
        for slot in slots:
            if isinstance(slot.found, Chain):
                inner = Offer()
                if self._is_new(slot.found, depth):
                    inner = self._offer(slot.found, depth + 1)
                around = (*slot.menu, slot.title)
                moved = [replace(entry, menu=(*around, *entry.menu)) for entry in inner.entries]
                if slot is default and inner.default:
                    offer.default = moved[inner.entries.index(inner.default)]
                offer.entries += moved
            elif _key(slot.found) not in before:
                offer.entries.append(slot.found)
                offer.default = slot.found if slot is default else offer.default
        return offer

    def _is_new(self, chain: Chain, depth: int) -> bool:
        """Whether *chain* leads to something that has not been read, and notes what is missing."""
        missing = [path for path in chain.paths if not self._reading.files.is_file(path)]
        for path in missing:
            self._reading.note(f"no such file: {path}", self._source)
        if depth == MAX_CHAIN:
            self._reading.note(f"more than {MAX_CHAIN} configurations in a row", chain.paths[0])
            return False
        return any(self._real(p) not in self._read for p in chain.paths if p not in missing)

    def _real(self, path: str) -> str:
        files = self._reading.files
        return files.path_of(path) if files.exists(path) else path

    def _is_optical(self) -> bool:
        source = self._source.lower()
        return self._reading.volume.fstype == "iso9660" or "/isolinux" in source

    def _is_uboot(self, script: Script) -> bool:
        if format_of(self._source) is not Format.EXTLINUX:
            return False
        # EXTLINUX itself would start nothing without DEFAULT and UI.
        unled = script.default is None and script.ui is None
        return script.trees or unled or self._context.arch is not Arch.X86_64


class Page:
    """What *script* shows: its slots, which of them is the default, and when it starts."""

    def __init__(
        self, script: Script, commands: Commands, entries: Entries, reading: Reading
    ) -> None:
        self._script = script
        self._commands = commands
        self._entries = entries
        self._reading = reading
        self.slots = list(self._walk(script.root, ()))
        self._by_label = {id(slot.label): slot for slot in self.slots}

    def _walk(self, menu: Menu, titles: tuple[str, ...]) -> Iterator[Slot]:
        for item in menu.items:
            if isinstance(item, Menu):
                yield from self._walk(item, (*titles, item.title.replace("^", "")))
            elif not item.idle:
                started = self._commands.of_label(item)
                if isinstance(started, Chain):
                    yield Slot(titles, title_of(item), started, item)
                elif not isinstance(started, Again):
                    entry = self._entries.of_label(item, started, titles)
                    yield Slot(titles, entry.title, entry, item)

    def uboot_default(self) -> Slot | None:
        """The slot that U-Boot starts: of the named label, else the first."""
        script = self._script
        command = script.ontimeout or script.default
        wanted = [label for label in script.labels if label.default][:1]
        if command:
            named = [label for label in script.labels if label.name.text == command.text]
            if not named and not isinstance(self._commands.of_text(command.text), Again):
                self._note_missing(command)
                return next(iter(self.slots), None)
            wanted = named[-1:] or wanted
        slots = (*(self._by_label.get(id(label)) for label in wanted), *self.slots)
        return next((slot for slot in slots if slot), None)

    def default(self, *, shown: bool) -> Slot | None:
        """The slot that syslinux starts, from its menu if that is *shown*."""
        script = self._script
        menu, item = self._start()
        timeout, ontimeout = (
            (menu.timeout, menu.ontimeout) if shown else (script.timeout, script.ontimeout)
        )
        waits = (shown or script.prompt) and max(timeout or 0, script.total or 0) > 0
        if waits and ontimeout and (slot := self._slot_of(ontimeout)):
            return slot
        if not shown:
            return self._slot_of(script.default) if script.default else None
        return self._by_label.get(id(item))

    def timeout(self, *, shown: bool, waits: bool) -> float | None:
        """The seconds until the default starts; negative to wait for ever, None if unsaid.

        *waits* says whether, without a limit, the loader waits for a person.
        """
        script = self._script
        timeout = self._start()[0].timeout if shown else script.timeout
        if shown and script.shift:
            return 0.0
        limits = [tenths for tenths in (timeout, script.total) if tenths and tenths > 0]
        if limits:
            return min(limits) / 10
        if timeout is None and script.total is None:
            return None
        return -1.0 if waits else 0.0

    def _start(self) -> tuple[Menu, Label | Menu | None]:
        """The menu that is shown first, and the item in it that is the default."""
        script = self._script
        menu = script.start or script.root
        if script.ui and script.default:  # without UI, DEFAULT has named the menu itself
            label = self._commands.named(script.default.text)
            if label and label.menu is not None:
                return label.menu, label
        if menu.default is not None:
            return menu, menu.default
        usable = (i for i in menu.items if isinstance(i, Menu) or id(i) in self._by_label)
        return menu, next(usable, None)

    def _slot_of(self, command: Statement) -> Slot | None:
        """The slot of *command*; a new one, at the front, for what no label starts just so."""
        found = self._commands.find_label(command.text)
        if found and not found[1] and (slot := self._by_label.get(id(found[0]))):
            return slot
        started = self._commands.of_text(command.text)
        if started is None:
            self._note_missing(command)
        if started is None or isinstance(started, Again):
            return None
        if isinstance(started, Chain):
            slot = Slot((), command.text, started)
        else:
            entry = self._entries.of_command(command, started)
            for slot in self.slots:
                if isinstance(slot.found, BootEntry) and _starts_the_same(slot.found, entry):
                    return slot
            slot = Slot((), entry.title, entry)
        self.slots.insert(0, slot)
        return slot

    def _note_missing(self, command: Statement) -> None:
        message = f"neither a label nor a file: {command.text}"
        self._reading.note(message, command.path, command.line)


def _starts_the_same(one: BootEntry, other: BootEntry) -> bool:
    return one.kernel is not None and (
        (one.kernel, one.initrds, one.cmdline) == (other.kernel, other.initrds, other.cmdline)
    )


def _key(entry: BootEntry) -> tuple[object, ...]:
    """What makes two entries the same to a person; loaders differ in what they add."""
    words = [w for w in entry.cmdline.split() if not w.startswith(("initrd=", "BOOT_IMAGE="))]
    files = (entry.kernel, entry.initrds, entry.dtb, entry.overlays)
    reasons = [] if entry.kernel else [problem.partition(": ")[2] for problem in entry.problems]
    return (entry.title, files, tuple(words), tuple(reasons))
