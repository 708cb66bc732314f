"""What the Raspberry Pi's firmware would load from a volume."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Origin, Problem, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.raspberrypi.boards import Board, board_for
from bootmenu.parsers.raspberrypi.config import Reader, Setting
from bootmenu.parsers.raspberrypi.files import FirmwareFiles
from bootmenu.parsers.systems import system_of_cmdline

FOLDERS = ("", "/boot/firmware", "/boot")
MAX_SIZE = 256 << 10  # bytes of a text file
MAX_OVERLAYS = 64

_FIRMWARE = re.compile(r"start4?(?:cd|db|x)?\.elf|bootcode\.bin|bcm27\d\d[\w.-]*\.dtb", re.I)
_LOADER = re.compile(r"(?:.*/)?(?:u-?boot[^/]*|[^/]*\.(?:efi|fd))", re.IGNORECASE)
_BLUETOOTH_AWAY = {"disable-bt", "miniuart-bt", "pi3-disable-bt", "pi3-miniuart-bt"}
_SERIAL = re.compile(r"(?<![^\s=])serial0(?=[,\s]|$)")


@dataclass(slots=True)
class _Overlay:
    """A ``dtoverlay`` and the parameters that follow it; without a name the base tree's."""

    name: str = ""
    parameters: list[str] = field(default_factory=list)
    at: tuple[str, int] = ("", 0)


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What the firmware would start from *volume*."""
    files = VolumeFiles.of(volume)
    for folder in FOLDERS:
        if _is_boot_folder(files, folder):
            return list(_configurations(volume, files, folder, context))
    return []


def _is_boot_folder(files: VolumeFiles, folder: str) -> bool:
    """Whether the firmware's files are in *folder*; others have a config.txt, too."""
    try:
        names = files.listdir(folder or "/")
    except VolumeError:
        return False
    lower = {name.lower() for name in names}
    if "config.txt" in lower and ({"cmdline.txt", "overlays"} & lower):
        return True
    return any(_FIRMWARE.fullmatch(name) for name in names)


def _configurations(
    volume: Volume, files: VolumeFiles, folder: str, context: Context
) -> Iterator[Configuration]:
    board = board_for(context.compatible)
    for name in ("config.txt", "tryboot.txt"):
        path = f"{folder}/{name}"
        if name == "tryboot.txt" and not files.is_file(path):
            continue
        reader = Reader(
            board,
            lambda text: files.read_text(f"{folder}{text}", MAX_SIZE),
            tryboot=name == "tryboot.txt",
        )
        settings: list[Setting] = []
        problems = []
        if files.is_file(path):
            try:
                settings = list(reader.settings(f"/{name}"))
            except VolumeError as error:
                problems.append(Problem(error.message, volume.name, path))
        problems += [Problem(m, volume.name, folder + p, line) for m, p, line in reader.problems]
        values = {setting.name: setting.value for setting in settings}
        chosen = FirmwareFiles(files, folder, board, context.compatible, values)
        entry = None
        if not _LOADER.fullmatch(values.get("kernel", "")):
            build = _Builder(volume, files, folder, context, board, settings, chosen, problems)
            entry = build.entry(path)
        if entry is None and not problems:
            continue
        yield Configuration(
            device=volume.name,
            format=Format.RASPBERRYPI,
            path=path,
            entries=(entry,) if entry else (),
            default=entry.id if entry and entry.default else None,
            problems=tuple(problems),
        )


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the entry of one configuration; what it leaves out goes to *problems*."""

    volume: Volume
    files: VolumeFiles
    folder: str
    context: Context
    board: Board | None
    settings: list[Setting]
    chosen: FirmwareFiles
    problems: list[Problem]

    def entry(self, path: str) -> BootEntry | None:
        """The entry; None when there are only the firmware's own files, and no kernel."""
        values = {setting.name: setting.value for setting in self.settings}
        kernel = self.chosen.kernel()
        if not self.chosen.is_file(kernel) and ("kernel" not in values or "armstub" in values):
            return None
        overlays = self._overlays()
        cmdline, cmdline_path = self._cmdline(values, [overlay.name for overlay in overlays])
        origins = {"cmdline": Origin("cmdline", cmdline_path, 1)} if cmdline_path else {}
        keys = {"kernel": "kernel", "initramfs": "initrd", "ramfsfile": "initrd"}
        for setting in self.settings:
            if name := {**keys, "device_tree": "dtb", "dtoverlay": "overlays"}.get(setting.name):
                origins[name] = Origin(name, self.folder + setting.path, setting.line)
        tryboot = path.endswith("tryboot.txt")
        title = system_of_cmdline(cmdline, self.volume, self.context) or f"Raspberry Pi, {path}"
        return BootEntry(
            id=f"{self.context.key(self.volume)}:raspberrypi:{path}",
            title=f"{title} (tryboot)" if tryboot else title,
            device=self.volume.name,
            format=Format.RASPBERRYPI,
            source=path,
            kernel=self._resource(kernel),
            initrds=tuple(self._resource(initrd) for initrd in self._initrds(values)),
            dtb=self._tree(overlays),
            overlays=tuple(self._overlay_files(overlays)),
            cmdline=cmdline,
            default=not tryboot,
            problems=self._unfit(kernel),
            origins=tuple(origins.values()),
        )

    def _resource(self, path: str, parameters: Sequence[str] = ()) -> Resource:
        return Resource(path, self.volume.name, parameters=tuple(parameters))

    def _unfit(self, kernel: str) -> tuple[str, ...]:
        name = kernel.rpartition("/")[2]
        if name in {"kernel.img", "kernel7.img", "kernel7l.img"}:
            return (f"{name} is a 32-bit kernel",)
        return ()

    def _initrds(self, values: dict[str, str]) -> list[str]:
        text = values.get("initramfs", "").split(" ")[0] or values.get("ramfsfile", "")
        if text:
            return [self.chosen.path(name) for name in text.split(",")[:32] if name]
        if values.get("auto_initramfs") == "1" and (path := self.chosen.initramfs()):
            return [path]
        return []

    def _overlays(self) -> list[_Overlay]:
        """The base tree's parameters, and then each overlay with its own."""
        base = _Overlay()
        done = [base]
        last = base
        for setting in self.settings:
            if len(done) > MAX_OVERLAYS:
                break
            if setting.name in {"dtoverlay", "device_tree_overlay"}:
                name, _, rest = re.sub(r"[,:]", ",", setting.value, count=1).partition(",")
                last = base
                if name:
                    last = _Overlay(name, at=(self.folder + setting.path, setting.line))
                    done.append(last)
                last.parameters += _parameters(rest)
            elif setting.name in {"dtparam", "device_tree_param"}:
                for parameter in _parameters(setting.value):
                    known = last is base or self.chosen.knows(last.name, parameter)
                    (last if known else base).parameters.append(parameter)
        return done

    def _tree(self, overlays: Sequence[_Overlay]) -> Resource | None:
        path = self.chosen.tree()
        parameters = overlays[0].parameters
        if path is not None:
            return self._resource(path, parameters)
        if parameters:
            what = f"no device tree for dtparam={','.join(parameters)}"
            self.problems.append(Problem(what, self.volume.name, f"{self.folder}/config.txt"))
        return None

    def _overlay_files(self, overlays: Sequence[_Overlay]) -> Iterator[Resource]:
        for overlay in overlays[1:]:
            path = self.chosen.overlay(overlay.name)
            if path is not None:
                yield self._resource(path, overlay.parameters)
                continue
            what = f"no overlay '{overlay.name}' for this board, it is left out"
            self.problems.append(Problem(what, self.volume.name, *overlay.at))

    def _cmdline(self, values: dict[str, str], overlays: Sequence[str]) -> tuple[str, str]:
        """The cmdline, and the file that it is from, "" without one."""
        path = self.chosen.path(values.get("cmdline") or "cmdline.txt")
        if not self.chosen.is_file(path):
            return "", ""
        try:
            text = self.files.read_text(path, MAX_SIZE)
        except VolumeError as error:
            self.problems.append(Problem(error.message, self.volume.name, path))
            return "", ""
        line = text.lstrip().partition("\n")[0].strip()
        if self.board is None:
            return line, path
        away = self.board.radio and not _BLUETOOTH_AWAY & set(overlays)
        return _SERIAL.sub("ttyS0" if away else self.board.uart, line), path


def _parameters(text: str) -> list[str]:
    """``NAME=VALUE`` each; a name alone means that it is true."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    return [word if "=" in word else f"{word}=true" for word in words[:64]]
