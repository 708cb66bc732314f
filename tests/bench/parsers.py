"""Seconds of processor time until a volume's entries are known, and entries in one of them.

GRUB itself, told to run the same configuration and leave, is the peer where it can: it reads the
menu and runs none of its entries, while ours runs them all to know what they start.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bootmenu.model import Arch, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan
from tests.bench.figure import Figure

GOLDEN = Path(__file__).parents[1] / "golden"
ROUNDS = 5
MANY = (300, 3000)
_ENTRY = re.compile(r"^menuentry '(.*?)'.*?^}\n", re.DOTALL | re.MULTILINE)


def figures() -> Iterator[Figure]:
    """Debian's and Fedora's own configurations, then Debian's with hundreds of entries."""
    for name in ("debian-trixie", "fedora-blscfg"):
        system = json.loads((GOLDEN / name / "volumes.json").read_text())
        volumes = [
            Volume(**{**volume, "root": str(GOLDEN / name / volume["root"])})
            for volume in system["volumes"]
        ]
        seconds, entries = _scanned(volumes)
        yield Figure(f"parsers-{name}", entries / seconds, "entries/s")
        yield Figure(f"parsers-{name}-scan", seconds * 1000, "ms")
    config = (GOLDEN / "debian-trixie/tree/boot/grub/grub.cfg").read_text()
    for count in MANY:
        with TemporaryDirectory() as folder:
            path = Path(folder, "boot/grub/grub.cfg")
            path.parent.mkdir(parents=True)
            path.write_text(_repeated(config, count))
            seconds, _ = _scanned([Volume("vda2", folder)])
            peer = _grub(path, Path(folder))
        yield Figure(f"parsers-{count}", seconds * 1000, "ms", "grub-emu, menu only", peer * 1000)


def _repeated(config: str, count: int) -> str:
    """*config* with *count* copies of its first entry instead of its own."""
    found = _ENTRY.search(config)
    if found is None:
        raise ValueError("no entry to repeat")
    copies = (found.group().replace(found[1], f"{found[1]} {i}", 1) for i in range(count))
    return config[: found.start()] + "".join(copies)


def _scanned(volumes: list[Volume]) -> tuple[float, int]:
    """The least processor time of some scans of all *volumes*, and how many entries they gave."""
    context = Context(Arch.ARM64, Platform.EFI, tuple(volumes))
    taken, entries = [], 0
    for _ in range(ROUNDS):
        started = time.process_time()
        found = [configuration for volume in volumes for configuration in scan(volume, context)]
        taken.append(time.process_time() - started)
        entries = sum(len(configuration.entries) for configuration in found)
    return min(taken), entries


def _grub(path: Path, folder: Path) -> float:
    """The least time that GRUB takes to read the configuration at *path*, its start included."""
    (folder / "grub.cfg").write_text(f"source (host){path}\nexit\n")
    taken = []
    for _ in range(ROUNDS):
        started = time.monotonic()
        subprocess.run(
            ["grub-emu", "-d", str(folder), "-r", "host"],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"TERM": "dumb", "PATH": "/usr/bin:/bin"},
        )
        taken.append(time.monotonic() - started)
    return min(taken)
