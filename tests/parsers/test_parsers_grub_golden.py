"""GRUB reads the golden trees' configurations: its entries, files and cmdlines are ours.

Each tree becomes disks, which Debian's ``grub-emu`` searches as a machine's. GRUB prints no menu,
so the commands that make one are functions here, by the same names with a capital, that say what
they are given and run it. What that cannot show: the scope of a submenu (what a script leaves
behind there is unset by name), the default, and Fedora's commands, which Debian's GRUB has not.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bootmenu.model import Arch, BootEntry, Configuration, Format, Platform, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = sorted(
    path.parent.name
    for path in GOLDEN.glob("*/volumes.json")
    if '"format": "grub"' in (path.parent / "expected.json").read_text()
    and not any("blscfg" in cfg.read_text() for cfg in path.parent.rglob("grub.cfg"))
    and "iso9660" not in path.read_text()  # whose names by date no disk of ours can have
    and not any(path.parent.rglob("*.iso"))  # whose menus are read from inside
    and not any(path.parent.glob("*/@/.snapshots"))  # which only SUSE's GRUB looks into
)
RENAMED = {
    **{"menuentry": "Menuentry", "submenu": "Submenu", "devicetree": "Devicetree"},
    **{"linux": "Linux", "linux16": "Linux", "linuxefi": "Linux", "configfile": "source"},
    **{"initrd": "Initrd", "initrd16": "Initrd", "initrdefi": "Initrd", "fwsetup": "Fwsetup"},
    **dict.fromkeys(("chainloader", "halt", "reboot", "exit", "loopback", "cpuid"), "true"),
    **dict.fromkeys(("multiboot", "multiboot2", "module", "module2", "keymap"), "true"),
    **dict.fromkeys(("terminal_input", "terminal_output", "loadfont", "play", "serial"), "true"),
}
COMMAND = re.compile(rf"(^[ \t]*|[{{;][ \t]*|if +)({'|'.join(RENAMED)})(?=[\s;}}])", re.MULTILINE)
NOT_EXPORTED = ("extra", "initrdfail", "vt_handoff")
"""What scripts of the trees set and a submenu must not see."""

DRIVER = """
function Read {
  set id=; set title=; set skip=
  for a in "$@"; do
    if [ "$skip" = --id ]; then set id="$a"; fi
    if [ -n "$skip" ]; then set skip=
    elif [ "$a" = --class -o "$a" = --id -o "$a" = --users -o "$a" = --hotkey ]; then set skip=$a
    elif [ -z "$title" ]; then set title="$a"; fi
    set body="$a"
  done
  regexp --set=1:body '^[{](.*)[}]$' "$body"
}
function Menuentry {
  Read "$@"
  echo "~~E~~$depth~~$title~~"
  set root_before=$root
  set recordfail_before=$recordfail
  set initrdfail_before=$initrdfail
  eval "$body"
  set root=$root_before
  set recordfail=$recordfail_before
  set initrdfail=$initrdfail_before
  unset vt_handoff
}
function Submenu {
  Read "$@"
  echo "~~S~~$depth~~$title~~"
  set depth=x$depth
  @NOT_EXPORTED@
  eval "$body"
  regexp --set=1:depth '^x(.*)$' $depth
}
function Linux {
  echo "~~L~~$root~~$1~~"
  shift
  for a in "$@"; do echo "~~A~~$a~~~~"; done
}
function Initrd {
  for a in "$@"; do echo "~~I~~$root~~$a~~"; done
}
function Devicetree {
  echo "~~D~~$root~~$1~~"
}
function Fwsetup {
  true
}
set grub_platform=@PLATFORM@
set grub_cpu=@CPU@
set root=@DEVICE@
set prefix=(@DEVICE@)@DIRECTORY@
set config_directory=$prefix
export root
source (@DEVICE@)@PATH@
echo "~~T~~$timeout~~~~"
exit
"""


@dataclass
class Shown:
    """What GRUB says of one entry: files as ``volume:/path``, texts without blanks."""

    title: str
    menu: tuple[str, ...]
    kernel: str = ""
    cmdline: list[str] = field(default_factory=list)
    initrds: list[str] = field(default_factory=list)
    dtb: str = ""


def packed(text: str) -> str:
    """*text* without what GRUB's console loses at the end of a line, and without quoting."""
    return re.sub(r'[\s"\\]', "", text)


def named(resource: Resource | None) -> str:
    return packed(str(resource)) if resource else ""


def expected(entry: BootEntry, got: Shown) -> Shown:
    """*entry* as GRUB must say it; a file that lies nowhere it seeks where the last one was."""
    absent = entry.kernel is not None and entry.kernel.volume is None
    return Shown(
        packed(entry.title),
        tuple(packed(title) for title in entry.menu),
        got.kernel if absent else named(entry.kernel),
        [packed(entry.cmdline)],
        got.initrds if absent else [named(initrd) for initrd in entry.initrds],
        named(entry.dtb),
    )


def make_disk(volume: Volume, image: Path, work: Path) -> None:
    """A disk at *image* with the files of *volume*, its commands renamed."""
    tree = work / "tree"
    shutil.copytree(volume.root, tree)
    for path in tree.rglob("*.cfg"):
        text = COMMAND.sub(lambda m: m[1] + RENAMED[m[2]], path.read_text())
        path.write_text(text)
    image.touch()
    if volume.fstype == "vfat":
        subprocess.run(["truncate", "-s", "4M", image], check=True)
        number = volume.uuid.replace("-", "")
        subprocess.run(["mkfs.vfat", "-i", number, image], check=True, capture_output=True)
        subprocess.run(["mcopy", "-s", "-i", image, *tree.iterdir(), "::"], check=True)
    else:  # GRUB does not ask of what kind the others are
        uuid = ["-U", volume.uuid] if volume.uuid else []
        command: list[str | Path] = ["mke2fs", "-q", "-t", "ext2", *uuid, "-d", tree, image, "8M"]
        subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)


def make_driver(configuration: Configuration, drive: str, arch: Arch, platform: Platform) -> str:
    """What makes GRUB run *configuration*, which lies on *drive*."""
    facts = {
        "NOT_EXPORTED": "; ".join(f"unset {name}" for name in NOT_EXPORTED),
        "PLATFORM": platform.value,
        "CPU": "i386" if platform is Platform.PC else arch.value,
        "DEVICE": drive,
        "DIRECTORY": configuration.path.rpartition("/")[0],
        "PATH": configuration.path,
    }
    return re.sub(r"@([A-Z_]+)@", lambda match: facts[match[1]], DRIVER)


def run_grub(driver: str, work: Path) -> Iterator[tuple[str, str, str]]:
    """What GRUB prints: records of a letter and two values, without blanks."""
    (work / "grub.cfg").write_text(driver)
    done = subprocess.run(
        ["grub-emu", "-d", work, "-r", "host", "-m", work / "device.map"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"TERM": "dumb", "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    text = re.sub(r"\x1b\[[0-9]*m|\s", "", done.stdout.decode())
    yield from re.findall(r"~~([A-Z])~~(.*?)~~(.*?)~~", text)


def shown(records: Iterator[tuple[str, str, str]], names: dict[str, str]) -> list[Shown]:
    """The entries of which the *records* tell, then one whose title is the timeout."""

    def file(root: str, path: str) -> str:
        inside = re.fullmatch(r"\((.*?)\)(.*)", path)
        device, rest = inside.groups() if inside else (root, path)
        return f"{names[device]}:/{rest.lstrip('/')}" if device in names else ""

    entries: list[Shown] = []
    menu: list[str] = []
    for letter, one, other in records:
        if letter in "ES":
            del menu[len(one) :]
        if letter == "S":
            menu.append(packed(other))
        elif letter == "E":
            entries.append(Shown(packed(other), tuple(menu), cmdline=[""]))
        elif letter == "L":
            entries[-1].kernel, entries[-1].cmdline = packed(file(one, other)), [""]
        elif letter == "A":
            entries[-1].cmdline[0] += packed(one)
        elif letter == "I":
            entries[-1].initrds.append(packed(file(one, other)))
        elif letter == "D":
            entries[-1].dtb = packed(file(one, other))
        elif letter == "T":
            entries.append(Shown(one, ()))
    return entries


def timeout_of(configuration: Configuration) -> str:
    return "" if configuration.timeout is None else f"{configuration.timeout:g}"


@pytest.mark.parametrize("name", NAMES)
def test_grub_shows_the_golden_trees_entries(name: str, tmp_path: Path) -> None:
    system = json.loads((GOLDEN / name / "volumes.json").read_text())
    volumes = tuple(
        Volume(**{**volume, "root": str(GOLDEN / name / volume["root"])})
        for volume in system["volumes"]
    )
    arch, platform = Arch(system.get("arch", Arch.ARM64)), Platform(system["platform"])
    context = Context(arch, platform, volumes, tuple(system.get("compatible", ())))
    drives = {volume.name: f"hd{number}" for number, volume in enumerate(volumes)}
    names = {drive: name for name, drive in drives.items()}
    for volume in volumes:
        make_disk(volume, tmp_path / f"{volume.name}.img", tmp_path)
    lines = [f"({drive}) {tmp_path}/{name}.img\n" for name, drive in drives.items()]
    (tmp_path / "device.map").write_text("".join(lines))
    found = [configuration for volume in volumes for configuration in scan(volume, context)]
    for configuration in found:
        if configuration.format is not Format.GRUB:
            continue
        driver = make_driver(configuration, drives[configuration.device], arch, platform)
        *entries, end = shown(run_grub(driver, tmp_path), names)
        assert len(entries) == len(configuration.entries)
        for entry, got in zip(configuration.entries, entries, strict=True):
            assert got == expected(entry, got)
        assert end.title == timeout_of(configuration)
