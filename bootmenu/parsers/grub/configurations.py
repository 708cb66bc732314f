"""Which scripts GRUB would run on a volume, and what is on the menu then."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Arch, BootEntry, Configuration, Format, Platform, Volume
from bootmenu.parsers import subvolumes
from bootmenu.parsers.context import Context
from bootmenu.parsers.grub.commands import COMMANDS
from bootmenu.parsers.grub.devices import Devices
from bootmenu.parsers.grub.interpreter import Interpreter, Reading
from bootmenu.parsers.grub.menu import MenuReader, find_default, find_fallback, mark_default
from bootmenu.parsers.grub.numbers import leading_number
from bootmenu.parsers.grub.sources import MAX_SCRIPT
from bootmenu.parsers.grub.state import ExhaustedError, Leave, Scope

MAX_VENDORS = 256
"""Vendors' directories on an ESP."""
MAX_SECONDS = 1 << 31

_DIRECTORIES = ("/boot/grub", "/boot/grub2", "/grub", "/grub2", "/@/boot/grub", "/@/boot/grub2")
_OPEN_FIRMWARE = "powerpc-ieee1275"
"""The directory beside a core image of Open Firmware; some systems keep a configuration there."""
_RELATIVE = "btrfs_relative_path"
_ESPS = ("/", "/boot/efi", "/efi", "/boot")
"""Where the ESP's root may be on a volume, its own or the one that it is mounted on."""
_FEATURES = (
    "200_final", "all_video_module", "chainloader_bpb", "default_font_path", "menuentry_id",
    "menuentry_options", "nativedisk_cmd", "ntldr", "platform_search_hint", "timeout_style",
)  # fmt: skip
_PLATFORM_CPUS = {Platform.PC: "i386", Platform.IEEE1275: "powerpc"}
_CPUS = {Arch.ARM64: "arm64", Arch.X86_64: "x86_64", Arch.RISCV64: "riscv64"}


class _Collector:
    """Python's search for cycles, which is one for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses = 0
        self._enabled = False  # before the first of them

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without it: a large menu has many parts and no cycles.

        Looking through all of them again and again took half of the time of 3,000 entries.
        """
        with self._lock:
            if not self._pauses:
                self._enabled = gc.isenabled()
                gc.disable()
            self._pauses += 1
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if self._enabled and not self._pauses:
                    gc.enable()


_collector = _Collector()


@_collector.paused()
def read(
    volume: Volume,
    context: Context,
    found: Sequence[Configuration],
    exported: Mapping[str, str] = MappingProxyType({}),
) -> list[Configuration]:
    """The GRUB configurations on *volume*; *exported* as for :func:`read_file`.

    One that only hands over to another, as those on an ESP do, is no configuration of its own.
    """
    own = locate(volume)
    if not own:
        return []
    others = [other for other in context.volumes if other.name != volume.name]
    everywhere = {(other.name, path) for other in others for path in locate(other)}
    everywhere |= {(volume.name, path) for path in own}
    configurations: list[Configuration] = []
    for path in own:
        reading = Reading(Devices(context, volume), COMMANDS)
        reading.elsewhere = everywhere - {(volume.name, path)}
        configuration = read_file(path, reading, exported)
        offers = _offer(configuration)
        if offers and any(offers == _offer(other) for other in configurations):
            continue
        if offers or configuration.problems:
            configurations.append(configuration)
    return configurations


def _offer(configuration: Configuration) -> list[object]:
    """What a person would choose among; media have the same menu for every firmware."""
    return [(e.title, e.menu, e.kernel, e.initrds, e.dtb, e.cmdline) for e in configuration.entries]


def locate(volume: Volume) -> list[str]:
    """The paths of the configurations on *volume*, links followed, each once."""
    files = VolumeFiles.of(volume)
    directories = list(_DIRECTORIES)
    directories += [f"{name}/{_OPEN_FIRMWARE}" for name in _DIRECTORIES]
    for root in _ESPS:
        for name in _names(files, root):
            if name.casefold() == "efi":
                esp = f"{root.rstrip('/')}/{name}"
                directories += [esp, *(f"{esp}/{v}" for v in _names(files, esp)[:MAX_VENDORS])]
    for system in subvolumes.systems(volume, files):
        directories += [f"{system}/boot/grub", f"{system}/boot/grub2"]
    directories.append("/")
    paths = []
    for directory in directories:
        path = f"{directory.rstrip('/')}/grub.cfg"
        if files.is_not_directory(path):
            paths.append(files.path_of(path))
    return list(dict.fromkeys(paths))


def _names(files: VolumeFiles, directory: str) -> list[str]:
    try:
        return files.listdir(directory)
    except VolumeError:
        return []


def read_file(
    path: str, reading: Reading, exported: Mapping[str, str] = MappingProxyType({})
) -> Configuration:
    """The configuration at *path* of the volume whose *reading* it is.

    *exported* are variables of whoever starts it, beside those that GRUB itself sets.
    """
    home, context = reading.devices.home, reading.devices.context
    try:
        script = VolumeFiles.of(home).read_text(path, MAX_SCRIPT)
    except VolumeError as error:
        script = ""
        reading.add_problem(error.message, path)
    scope = _initial(path, reading, script)
    scope.values.update(exported)
    scope.exported.update(exported)
    run = Interpreter(reading, scope, path)
    reading.open_menus.append((home.name, path))
    reading.open_files.append((home.name, path))
    try:
        run.run_file(script, path)
    except Leave:
        pass
    except ExhaustedError as error:
        reading.add_problem(error.message, path)
    reading.open_files.clear()
    for name in ("config_file", "config_directory"):  # they last as long as the file is read
        run.unset(name)
    reader = MenuReader(reading, path, context.key(home))
    reading.begin_menu()
    choices = reader.choices(run)
    default = find_default(choices, run.get("default"))
    devices = reading.devices
    if default is not None and not _works(default, devices):
        fallback = run.get("fallback")
        default = find_fallback(choices, fallback, lambda e: _works(e, devices)) or default
    entries = [entry for choice in choices for entry in choice.entries(default)]
    return Configuration(
        device=home.name,
        format=Format.GRUB,
        path=path,
        entries=tuple(mark_default(entries, default)),
        default=default.id if default else None,
        timeout=_timeout(run.get("timeout")),
        problems=tuple(reading.problems),
    )


def _works(entry: BootEntry, devices: Devices) -> bool:
    """Whether GRUB would find the kernel of *entry*, and not fall back to another one."""
    kernel = entry.kernel
    return kernel is not None and (bool(kernel.url) or devices.is_file(kernel))


def _initial(path: str, reading: Reading, script: str) -> Scope:
    """The variables that GRUB itself sets for *script*, all of them exported."""
    home, context = reading.devices.home, reading.devices.context
    default = reading.devices.default_subvolume(home)
    relative = path.startswith(f"{default}/") and _RELATIVE in script
    if relative:  # its core image has set that too
        path = path.removeprefix(default)
    device = reading.devices.name_of(home)
    directory = f"({device}){path.rpartition('/')[0]}"
    values = {
        "root": device,
        "prefix": directory,
        "cmdpath": _cmdpath(path, reading),
        "config_directory": directory,
        "config_file": f"({device}){path}",
        "grub_cpu": _PLATFORM_CPUS.get(context.platform) or _CPUS[context.arch],
        "grub_platform": context.platform.value,
        **{f"feature_{name}": "y" for name in _FEATURES},
        **({_RELATIVE: "y"} if relative else {}),
    }
    return Scope(values, set(values))


def _cmdpath(path: str, reading: Reading) -> str:
    """Where the firmware has found GRUB: its drive on a PC, its directory on the ESP under EFI."""
    devices = reading.devices
    here = (devices.home.name, path)
    if devices.context.platform is Platform.PC:
        return f"({devices.name_of(devices.home).partition(',')[0]})"
    if devices.context.platform is Platform.EFI and "/efi/" not in path.casefold():
        here = min((e for e in reading.elsewhere if "/efi/" in e[1].casefold()), default=here)
    volume = devices.find(here[0]) or devices.home
    return f"({devices.name_of(volume)}){here[1].rpartition('/')[0]}"


def _timeout(text: str) -> float | None:
    """Seconds; negative to wait for ever, as it is said; None when the script does not say."""
    if text.startswith("-"):
        return -1.0
    found = leading_number(text)
    return float(found[0]) if found and found[0] < MAX_SECONDS else None
