"""Which scripts and settings U-Boot would read on a volume, and what it would start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import BootEntry, Configuration, Format, Origin, Problem, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.systems import system_of_cmdline
from bootmenu.parsers.trees import tree_for
from bootmenu.parsers.uboot.board import MAX_FILE, UNKNOWN, Board
from bootmenu.parsers.uboot.conventions import ARMBIAN, BEAGLE, armbian_environment
from bootmenu.parsers.uboot.formats import imported, script_of

PREFIXES = ("/", "/boot/")
SCRIPTS = ("boot.scr.uimg", "boot.scr")


@dataclass(frozen=True, slots=True)
class _Script:
    """A text to run, the file that it is from, and what a board would add to the environment."""

    path: str
    prefix: str
    text: str
    environment: dict[str, str] = field(default_factory=dict)

    def line(self, path: str, line: int) -> int:
        """*line* of *path*; 0 for a script of ours, whose lines are in no file."""
        return 0 if path == self.path and self.text in {ARMBIAN, BEAGLE} else line


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """What the scripts on *volume* start, each at most one entry."""
    files = VolumeFiles.of(volume)
    return [_configuration(script, volume, files, context) for script in _scripts(files, context)]


def _scripts(files: VolumeFiles, context: Context) -> Iterator[_Script]:
    """The script of each folder that U-Boot looks into; of two that are the same file the first."""
    seen = set()
    for prefix in PREFIXES:
        try:
            script = _script(files, prefix, context)
            if script is None or files.path_of(script.path) in seen:
                continue
            seen.add(files.path_of(script.path))
        except VolumeError:
            continue
        yield script


def _script(files: VolumeFiles, prefix: str, context: Context) -> _Script | None:
    plain = f"{prefix}boot.cmd"
    text = files.read_text(plain, MAX_FILE) if files.is_file(plain) else None
    for name in SCRIPTS:
        if not files.is_file(f"{prefix}{name}"):
            continue
        wrapped = script_of(files.read_bytes(f"{prefix}{name}", MAX_FILE))
        if wrapped is not None:
            return _Script(plain if text == wrapped else f"{prefix}{name}", prefix, wrapped)
    if text is not None:
        return _Script(plain, prefix, text)
    if files.is_file(f"{prefix}armbianEnv.txt"):
        settings = {
            name: value for _, name, value in imported(files.read_text(f"{prefix}armbianEnv.txt"))
        }
        environment = armbian_environment(settings, context.compatible)
        return _Script(f"{prefix}armbianEnv.txt", prefix, ARMBIAN, environment)
    if files.is_file(f"{prefix}uEnv.txt"):
        return _Script(f"{prefix}uEnv.txt", prefix, BEAGLE)
    return None


def _configuration(
    script: _Script, volume: Volume, files: VolumeFiles, context: Context
) -> Configuration:
    digits = volume.name[len(volume.name.rstrip("0123456789")) :]
    partition = f"{int(digits[:4]):x}" if digits else "1"
    board = Board(
        volume,
        context,
        {
            "devtype": "mmc", "devnum": "0", "mmcdev": "0", "mmc_bootdev": "0",
            "distro_bootpart": partition, "bootpart": f"0:{partition}", "mmcpart": partition,
            "prefix": script.prefix, "boot_prefixes": "/ /boot/", "boot_targets": "mmc0",
            "script": script.path.rpartition("/")[2], **script.environment,
        },
        lambda: _fdtfile(files, script.prefix, context),
    )  # fmt: skip
    board.run(script.path, script.text)
    problems = [
        Problem(message, volume.name, path, script.line(path, line))
        for message, (path, line) in board.shell.problems
    ]
    entry = _entry(script, board, volume, context, problems)
    if entry is None and not problems:
        problems.append(Problem("starts no kernel that is here", volume.name, script.path))
    return Configuration(
        device=volume.name,
        format=Format.UBOOT,
        path=script.path,
        entries=(entry,) if entry else (),
        default=entry.id if entry else None,
        problems=tuple(problems),
    )


def _entry(
    script: _Script, board: Board, volume: Volume, context: Context, problems: list[Problem]
) -> BootEntry | None:
    started = board.started
    if started is None:
        return None
    cmdline = board.shell.environment.get("bootargs", "").strip()
    if UNKNOWN in cmdline:
        words = cmdline.split(" ")
        cmdline = " ".join(word for word in words if UNKNOWN not in word)
        for word in (word for word in words if UNKNOWN in word):
            path, line = started.lines["cmdline"]
            what = f"left out of the cmdline, since only the board knows it: {word}"
            what = what.replace(UNKNOWN, "…")
            problems.append(Problem(what, volume.name, path, script.line(path, line)))
    title = system_of_cmdline(cmdline, volume, context)
    return BootEntry(
        id=f"{context.key(volume)}:uboot:{script.path}",
        title=title or f"U-Boot, {script.path}",
        device=volume.name,
        format=Format.UBOOT,
        source=script.path,
        kernel=started.kernel,
        initrds=(started.initrd,) if started.initrd else (),
        dtb=started.dtb,
        overlays=started.overlays,
        cmdline=cmdline,
        default=True,
        origins=tuple(
            Origin(name, path, script.line(path, line))
            for name, (path, line) in started.lines.items()
        ),
    )


def _fdtfile(files: VolumeFiles, prefix: str, context: Context) -> str:
    """The name, within its folder, of the tree that is for this machine; "" when none is."""
    if not context.compatible:
        return ""
    for name in ("dtb", "dtbs"):
        folder = f"{prefix}{name}"
        candidates = [folder]
        if name == "dtbs" and files.is_dir(folder):
            # Below dtbs/ is the kernel's version, which is in the script, or a vendor.
            versions = [v for v in files.listdir(folder)[:50] if v[:1].isdigit()]
            candidates = [f"{folder}/{version}" for version in versions] or candidates
        for candidate in candidates:
            if path := tree_for(files, candidate, context.compatible):
                return path.removeprefix(f"{candidate}/")
    return ""
