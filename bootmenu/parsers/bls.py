r"""Boot Loader Specification, type 1: ``/loader/entries/*.conf``.

Specification: UAPI.1, https://uapi-group.org/specifications/specs/boot_loader_specification/, and
what systemd-boot does: the last of several values counts, but ``options``, ``initrd``, ``extra``
and ``devicetree-overlay`` accumulate; quotes around a value are taken off; ``\`` separates the
parts of a path as ``/`` does. Of ``linux``, ``efi``, ``uki`` and ``uki-url`` the last one is
started. Unknown keys are passed over, and ``grub_*``, which are GRUB's.

The program that ``efi`` names is looked at: a kernel with an EFI stub is a kernel, a unified
kernel image is taken apart (:mod:`bootmenu.parsers.uki`), other programs are listed without a
kernel. An entry without ``initrd`` has those that ``initrd=`` in its options names, as the stub
takes them. Entries for other architectures are hidden, and files called ``auto-*``. An entry whose
files are missing is shown with the problem; systemd-boot hides it.

Not supported: of ``extra`` only ``*.addon.efi`` is used, credentials and system extensions are
not handed over; ``uki-url`` is not fetched, so what is inside is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from bootmenu.errors import ParseError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Arch, BootEntry, Format, Origin, Resource, Volume
from bootmenu.parsers.candidates import Candidate
from bootmenu.parsers.context import Context
from bootmenu.parsers.counting import FileName, counted
from bootmenu.parsers.loader_conf import key_values

MAX_ENTRIES = 1000
MAX_SIZE = 64 << 10  # bytes of one file
MAX_LINES = 500  # of one file that say something
MAX_INITRDS = 100  # of one entry

ARCHITECTURES = {
    Arch.ARM64: {"aa64", "arm64", "aarch64"},
    Arch.X86_64: {"x64", "x86-64", "x86_64", "amd64"},
    Arch.RISCV64: {"riscv64"},
}
STARTED = ("linux", "efi", "uki", "uki-url")
"""The keys that name what an entry starts."""

Lines = Callable[[str], Iterator[tuple[int, str, str]]]
"""Takes a text apart: the number, the key and the value of each line."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One ``.conf`` file: the values of its keys in their order, each with its line."""

    path: str
    values: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    def all(self, key: str) -> list[str]:
        """Every value of a key that may be repeated."""
        return [value for value, _ in self.values.get(key, ())]

    def first(self, key: str) -> str | None:
        """The first value of a key, which is the one that GRUB takes."""
        return self.values[key][0][0] if key in self.values else None

    def last(self, key: str) -> str | None:
        """The last value of a key, which is the one that systemd-boot takes."""
        return self.values[key][-1][0] if key in self.values else None

    def line(self, key: str, which: int = 0) -> int:
        """The line of a key's first value, or of that at index *which*; 0 without one."""
        return self.values[key][which][1] if key in self.values else 0


def files_of(volume: Volume) -> VolumeFiles:
    """The files of *volume*: an ESP's names have no case, even if its filesystem is not known."""
    return VolumeFiles.of(volume) if volume.fstype else VolumeFiles(volume.root, ignore_case=True)


def as_stored(volume: Volume, files: VolumeFiles, path: str) -> str:
    """*path*, or what it is called where only its case differs and others would not find it."""
    if volume.fstype or VolumeFiles.of(volume).exists(path):
        return path
    try:
        return files.path_of(path)
    except VolumeError:
        return path


def read_snippets(
    files: VolumeFiles, directory: str, lines: Lines = key_values
) -> tuple[list[Snippet], list[ParseError]]:
    """The files in *directory*, in no special order, and an error for each unreadable one."""
    snippets = []
    errors = []
    names = [name for name in files.listdir(directory) if name.lower().endswith(".conf")]
    if len(names) > MAX_ENTRIES:
        errors.append(ParseError(f"more than {MAX_ENTRIES} entries", path=directory))
    for name in names[:MAX_ENTRIES]:
        path = f"{directory.rstrip('/')}/{name}"
        try:
            snippets.append(parse_snippet(path, files.read_text(path, MAX_SIZE), lines))
        except VolumeError as error:
            errors.append(ParseError(error.message, path=path))
    return snippets, errors


def parse_snippet(path: str, text: str, lines: Lines = key_values) -> Snippet:
    """The keys in *text*, the content of the file *path*."""
    snippet = Snippet(path)
    for number, key, value in islice(lines(text), MAX_LINES):
        snippet.values.setdefault(key, []).append((value, number))
    return snippet


def candidate(
    snippet: Snippet, volume: Volume, files: VolumeFiles, context: Context, prefix: str
) -> Candidate | None:
    """What *snippet* offers: None when it is for another architecture, or the loader's own.

    *prefix* is the directory that the boot loader sees as the root of its volume, ``""`` for
    the volume's own. Raises ParseError when it names nothing to start.
    """
    architecture = snippet.last("architecture")
    if architecture and architecture.lower() not in ARCHITECTURES[context.arch]:
        return None
    lines = {key: snippet.line(key, -1) for key in STARTED if key in snippet.values}
    if not lines:
        raise ParseError("names nothing to start", path=snippet.path)
    key = max(lines, key=lambda key: lines[key])
    name = FileName.of(snippet.name)
    title = snippet.last("title")
    program = _Program(snippet, volume, files, context, prefix)
    program.start(key)
    if program.own_loader:
        return None
    stored = f"{snippet.name[: len(name.id) - 5]}{snippet.name[-5:]}"  # without the counters
    fields = {"title": "title", "initrd": "initrd", "dtb": "devicetree", "cmdline": "options"}
    origins = [("kernel", key, -1), ("overlays", "devicetree-overlay", 0)]
    origins += [(field, name, 0 if name in _REPEATED else -1) for field, name in fields.items()]
    entry = BootEntry(
        id=f"{context.key(volume)}:bls:{stored}",
        title=title or name.id,
        device=volume.name,
        format=Format.BLS,
        source=snippet.path,
        kernel=program.kernel,
        initrds=tuple(program.initrds[:MAX_INITRDS]),
        dtb=program.dtb,
        overlays=tuple(
            program.resource(path)
            for path in " ".join(snippet.all("devicetree-overlay")).split()[:MAX_INITRDS]
        ),
        cmdline=program.cmdline,
        problems=tuple(program.problems),
        origins=tuple(
            Origin(field, snippet.path, snippet.line(key, which))
            for field, key, which in origins
            if key in snippet.values
        ),
        writes=counted(Resource(snippet.path, volume.name)),
    )
    return Candidate(
        entry,
        name,
        sort_key=snippet.last("sort-key"),
        machine_id=snippet.last("machine-id"),
        version=snippet.last("version"),
        program=program.other,
    )


_REPEATED = frozenset({"options", "initrd"})


class _Program:
    """What an entry starts, and with what, while it is found out."""

    def __init__(
        self, snippet: Snippet, volume: Volume, files: VolumeFiles, context: Context, prefix: str
    ) -> None:
        self._snippet = snippet
        self._volume = volume
        self._files = files
        self._context = context
        self._prefix = prefix
        self.kernel: Resource | None = None
        self.initrds = [self.resource(path) for path in snippet.all("initrd")[:MAX_INITRDS]]
        tree = snippet.last("devicetree")
        self.dtb = self.resource(tree) if tree else None
        self.cmdline = " ".join(snippet.all("options"))
        self.problems: list[str] = []
        self.own_loader = False
        self.other: Resource | None = None  # what is started, if it is no kernel

    def resource(self, path: str) -> Resource:
        """The file that the configuration calls *path*."""
        path = "/" + "/".join(filter(None, path.replace("\\", "/").split("/")))
        path = as_stored(self._volume, self._files, path)
        # The volume may be one that is mounted elsewhere in the system, which lies here as a
        # whole; or installers wrote what GRUB would see from its own /boot.
        if self._prefix and not self._files.exists(path):
            moved = as_stored(self._volume, self._files, f"{self._prefix}{path}")
            path = moved if self._prefix != "/boot" or self._files.exists(moved) else path
        return Resource(path=path, volume=self._volume.name)

    def start(self, key: str) -> None:
        """Find out about the program that *key* names."""
        value = self._snippet.last(key) or ""
        if key == "uki-url":
            self._start_url(value)
            return
        file = self.resource(value)
        # Few entries name a unified image by linux, and each look takes time.
        kind = _kind(self._files, file.path) if key != "linux" or _is_program(value) else ""
        if kind == "unified":
            self._start_unified(file)
        elif key == "uki":
            self.kernel = Resource(file.path, file.volume, section=".linux")
            self.problems += [f"not a unified kernel image: {file}"] if kind else []
        elif key == "linux" or kind == "kernel":
            self.kernel = file
            self.initrds = self.initrds or self._initrds_of_options()
        elif is_systemd_boot(file.path):
            self.own_loader = True
        else:
            self.other = file
            self.problems.append(f"starts {file}, which is not a Linux kernel")

    def _initrds_of_options(self) -> list[Resource]:
        words = (word.partition("initrd=") for word in self.cmdline.split())
        paths = (path for before, _, path in words if path and not before)
        return [self.resource(path) for path in islice(paths, MAX_INITRDS)]

    def _start_unified(self, file: Resource) -> None:
        from bootmenu.parsers.uki import open_image

        number = self._snippet.last("profile") or "0"
        profile = int(number) if number.isdecimal() and len(number) < 4 else 0
        addons = [p for p in self._snippet.all("extra") if p.lower().endswith(".addon.efi")]
        image = open_image(self._volume, self._files, self._context, file.path)
        extra = [self.resource(path).path for path in addons[:MAX_INITRDS]]
        loaded = image.load(profile, self._prefix, self.cmdline, extra)
        self.kernel = loaded.kernel
        self.initrds = [*loaded.initrds, *self.initrds]
        self.dtb = self.dtb or loaded.dtb
        self.cmdline = loaded.cmdline
        self.problems += loaded.problems

    def _start_url(self, url: str) -> None:
        if "://" in url:
            self.kernel = Resource(url=url, section=".linux")
            self.problems.append(f"the initrd inside {url} is not known before it is fetched")
        else:
            self.problems.append(f"{url} is beside what a network boot started from")


def _kind(files: VolumeFiles, path: str) -> str:
    """What the file is: kernel, unified or other; nothing when it cannot be read."""
    from bootmenu.images import uki
    from bootmenu.images.pe import MAX_HEADER
    from bootmenu.images.recognise import HEAD, Kind, recognise

    try:
        kind = recognise(files.read_head(path, HEAD)).kind
        if kind in {Kind.UKI, Kind.PE}:
            image = uki.parse(files.read_head(path, MAX_HEADER))
            return "unified" if image is not None and image.find(".linux") else "other"
    except VolumeError:
        return ""
    kernels = {Kind.ARM64, Kind.BZIMAGE, Kind.RISCV, Kind.ARM32, Kind.ZBOOT}
    return "kernel" if kind in kernels else "other"


def _is_program(path: str) -> bool:
    return path.lower().endswith(".efi")


def is_systemd_boot(path: str) -> bool:
    """Whether *path* is where bootctl installs the loader itself."""
    return path.lower().startswith("/efi/systemd/systemd-boot")
