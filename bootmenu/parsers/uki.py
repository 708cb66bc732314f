"""Boot Loader Specification, type 2: unified kernel images, ``/EFI/Linux/*.efi``.

Specification: UAPI.1; UAPI.5,
https://uapi-group.org/specifications/specs/unified_kernel_image/; systemd-boot(7), systemd-stub(7).
An image is its own entry, or several: one for each ``.profile``. The title, sort key and version
come from ``.osrel``; the kernel, initrd and cmdline are its sections ``.linux``, ``.ucode`` and
``.initrd``, ``.cmdline``. The tree is the first ``.dtbauto`` for this machine, by the first name of
its ``compatible``, else ``.dtb``. Addons, ``/loader/addons/*.addon.efi`` and then
``*.efi.extra.d/*.addon.efi``, each in the order of their names, append to the cmdline and the
initrds; their tree takes the place of the image's, and their microcode comes first. An addon for
another ``.uname`` is left out; a beginning of it is enough. Images for other architectures are
hidden, and files called ``auto-*``.

Only the header and the small sections are read, wherever in a large file they lie.

Not supported: ``.hwids`` (a tree chosen by the firmware's SMBIOS strings); signatures; and what
systemd-stub packs into an initrd of its own: credentials, system extensions, ``.pcrsig``,
``.osrel``. An image without ``.osrel``, which systemd-boot hides, is called by its file's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bootmenu.errors import ParseError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.images import pe
from bootmenu.images.uki import Part, UnifiedImage, parse
from bootmenu.model import BootEntry, Format, Origin, Resource, Volume
from bootmenu.parsers.candidates import Candidate
from bootmenu.parsers.context import Context
from bootmenu.parsers.counting import FileName, counted
from bootmenu.parsers.loader_conf import key_values
from bootmenu.parsers.trees import root_compatible

MAX_IMAGES = 500  # of one directory
MAX_ADDONS = 100
MAX_TREES = 1000  # of one image
MAX_TEXT = 64 << 10  # bytes of a section that is read
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one profile of an image starts."""

    kernel: Resource
    initrds: tuple[Resource, ...]
    dtb: Resource | None
    cmdline: str
    problems: tuple[str, ...] = ()


class Image:
    """The image at *path* of *volume*, with those of its *parts* that are small enough to read."""

    def __init__(
        self, volume: Volume, files: VolumeFiles, context: Context, path: str, parts: UnifiedImage
    ) -> None:
        self.path = path
        self.parts = parts
        self._volume = volume
        self._files = files
        self._context = context
        self._texts: dict[int, str] = {}
        self._trees: dict[int, bool] = {}
        self._opened: dict[str, Image] = {}
        self._addon_paths: list[str] | None = None

    @property
    def foreign(self) -> bool:
        """Whether it is for another architecture."""
        return self.parts.machine != self._context.arch

    def text(self, section: str, profile: int = 0) -> str | None:
        """The content of a section up to its first NUL; None without one. Raises VolumeError."""
        part = self.parts.find(section, profile)
        if part is None:
            return None
        if part.offset not in self._texts:
            content = self._files.read_at(self.path, part.offset, min(part.size, MAX_TEXT))
            text = content.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            self._texts[part.offset] = text
        return self._texts[part.offset]

    def resource(self, part: Part) -> Resource:
        """The file's *part*."""
        return Resource(self.path, self._volume.name, section=part.name)

    def found(self, section: str, profile: int = 0) -> tuple[Resource, ...]:
        """The part that *section* means, as one resource or none."""
        part = self.parts.find(section, profile)
        return (self.resource(part),) if part is not None else ()

    def tree(self, profile: int = 0) -> Resource | None:
        """The device tree that it brings for this machine."""
        for part in self.parts.all(".dtbauto", profile):
            if len(self._trees) < MAX_TREES and self._is_for_machine(part):
                return self.resource(part)
        return next(iter(self.found(".dtb", profile)), None)

    def load(
        self, profile: int, prefix: str, options: str = "", extra: Sequence[str] = ()
    ) -> Loaded:
        """What starting its *profile* means, addons included.

        *prefix* is the directory that the boot loader sees as the root, *options* replace the
        image's own cmdline, *extra* are the paths of more addons. Raises VolumeError, and
        ParseError for a profile that it does not have.
        """
        kernel = self.found(".linux", profile)
        if not kernel or profile >= self.parts.profiles:
            raise ParseError(f"no profile {profile} with a kernel in it", path=self.path)
        cmdline = options or _cmdline(self.text(".cmdline", profile) or "")
        dtb = self.tree(profile)
        first: tuple[Resource, ...] = ()
        last: tuple[Resource, ...] = ()
        problems = []
        for path in (*self._addons(prefix), *extra):
            try:
                addon = self._open(path)
                added = _cmdline(addon.text(".cmdline") or "")
                takes = self._takes(addon, profile)
            except (ParseError, VolumeError) as error:
                problems.append(f"{path}: {error.message}")
                continue
            if not takes:
                continue
            if len(cmdline) + len(added) > MAX_TEXT:
                problems.append(f"{path}: makes the cmdline too long, and is left out")
                continue
            cmdline = " ".join(filter(None, (cmdline, added)))
            dtb = addon.tree() or dtb
            first = addon.found(".ucode") + first  # the kernel takes the first microcode
            last += addon.found(".initrd")
        own = self.found(".ucode", profile) + self.found(".initrd", profile)
        return Loaded(kernel[0], first + own + last, dtb, cmdline, tuple(problems))

    def _takes(self, addon: Image, profile: int) -> bool:
        if addon.foreign or addon.parts.find(".linux"):
            return False
        mine, its, part = (
            self.text(".uname", profile),
            addon.text(".uname"),
            addon.parts.find(".uname"),
        )
        if mine is None or its is None or part is None:
            return True
        # As much is compared as the addon has; a NUL at its end stands for the end of both.
        return mine == its if len(its) < part.size else mine.startswith(its)

    def _open(self, path: str) -> Image:
        if path not in self._opened:
            self._opened[path] = open_image(self._volume, self._files, self._context, path)
        return self._opened[path]

    def _addons(self, prefix: str) -> list[str]:
        if self._addon_paths is None:
            directory, _, name = self.path.rpartition("/")
            stem = len(FileName.of(name).id) - len(".efi")  # without the counters
            own = f"{directory}/{name[:stem]}{name[-4:]}.extra.d"
            folders = (f"{prefix}/loader/addons", own)
            self._addon_paths = [path for folder in folders for path in self._addons_in(folder)]
        return self._addon_paths

    def _addons_in(self, directory: str) -> list[str]:
        try:
            names = self._files.listdir(directory) if self._files.is_dir(directory) else []
        except VolumeError:
            return []
        shown = [name for name in names if name.lower().endswith(".addon.efi") and name.isascii()]
        return [f"{directory}/{name}" for name in shown if name[0] != "."][:MAX_ADDONS]

    def _is_for_machine(self, part: Part) -> bool:
        # Of both trees the first name, the board's own, must be the same.
        names = self._context.compatible[:1]
        if part.offset not in self._trees:
            wanted = [name.encode("utf-8", "replace") for name in names]
            found = root_compatible(self._files, self.path, wanted, part.offset)
            self._trees[part.offset] = bool(wanted) and found[:1] == wanted
        return self._trees[part.offset]


def open_image(volume: Volume, files: VolumeFiles, context: Context, path: str) -> Image:
    """The image at *path*. Raises VolumeError, and ParseError when it is no PE file."""
    head = files.read_head(path, _HEAD)
    if (end := pe.table_end(head)) > len(head):
        head = files.read_head(path, min(end, pe.MAX_HEADER))
    parts = parse(head)
    if parts is None:
        raise ParseError("not a PE file", path=path)
    return Image(volume, files, context, path, parts)


def candidates(
    volume: Volume, files: VolumeFiles, context: Context, prefix: str, path: str
) -> list[Candidate]:
    """The entries that the image at *path* is, one for each profile.

    There are none when it is for another architecture. Raises VolumeError, and ParseError when
    it is no unified kernel image.
    """
    image = open_image(volume, files, context, path)
    if image.foreign:
        return []
    if image.parts.find(".linux") is None:
        raise ParseError("no unified kernel image: it has no section .linux", path=path)
    return [_candidate(volume, context, prefix, image, n) for n in range(image.parts.profiles)]


def _candidate(
    volume: Volume, context: Context, prefix: str, image: Image, profile: int
) -> Candidate:
    name = FileName.of(image.path.rpartition("/")[2])
    system = _values(image.text(".osrel", profile))
    about = _values(image.text(".profile", profile))
    profile_id = about.get("ID", "")
    title = _first(system, "PRETTY_NAME", "IMAGE_ID", "NAME", "ID")
    addition = about.get("TITLE")
    if addition is None and profile:
        addition = profile_id or f"Profile #{profile + 1}"
    loaded = image.load(profile, prefix)
    stored = image.path.rpartition("/")[2]
    id_ = f"{stored[: len(name.id) - 4]}{stored[-4:]}"
    fields = {"title": ".osrel", "kernel": ".linux", "initrd": ".initrd", "cmdline": ".cmdline"}
    candidate = Candidate(
        BootEntry(
            id=f"{context.key(volume)}:uki:{id_}",
            title=f"{title or name.id} ({addition})" if addition else title or name.id,
            device=volume.name,
            format=Format.UKI,
            source=image.path,
            kernel=loaded.kernel,
            initrds=loaded.initrds,
            dtb=loaded.dtb,
            cmdline=loaded.cmdline,
            problems=loaded.problems,
            origins=tuple(
                Origin(field, image.path)
                for field, section in fields.items()
                if image.parts.find(section, profile)
            ),
            writes=counted(Resource(image.path, volume.name)),
        ),
        name,
        sort_key=_first(system, "IMAGE_ID", "ID"),
        version=_first(system, "IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID"),
        profile=profile,
        profile_id=profile_id,
    )
    suffix = candidate.id[len(name.id) :]
    return replace(candidate, entry=replace(candidate.entry, id=candidate.entry.id + suffix))


def _values(text: str | None) -> dict[str, str]:
    return {key: value for _, key, value in key_values(text or "", "=")}


def _first(values: dict[str, str], *keys: str) -> str | None:
    return next((values[key] for key in keys if key in values), None)


def _cmdline(text: str) -> str:
    """*text* on one line: control characters are spaces, and none are at its ends."""
    spaces = dict.fromkeys((*range(32), 127), " ")
    return text.translate(spaces).strip(" ")
