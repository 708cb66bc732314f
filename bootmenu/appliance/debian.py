"""Debian packages in, an archive of their files out: mmdebstrap, without running a thing.

The ``extract`` variant only unpacks, so that a foreign architecture needs no emulation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootmenu.appliance.tools import require, run
from bootmenu.errors import BuildError
from bootmenu.model import Arch

SUITE = "trixie"
RELEASE = f"deb http://deb.debian.org/debian {SUITE} main"
"""SUITE alone, without the updates that mmdebstrap would add."""
PYTHON = "3.13"
"""The version of Python in SUITE."""
SITE = "usr/lib/python3/dist-packages"
"""Where it looks for packages."""

NAMES = {Arch.ARM64: "arm64", Arch.X86_64: "amd64", Arch.RISCV64: "riscv64"}
"""What Debian calls each architecture."""

TRIPLETS = {
    Arch.ARM64: "aarch64-linux-gnu",
    Arch.X86_64: "x86_64-linux-gnu",
    Arch.RISCV64: "riscv64-linux-gnu",
}
"""The folder of an architecture's libraries."""


@dataclass(frozen=True, slots=True)
class Packages:
    """Unpacked packages: *archive* is a tar of their files, *versions* their .deb names."""

    archive: Path
    versions: tuple[str, ...]

    @property
    def key(self) -> str:
        """What identifies the contents."""
        return hashlib.sha256("\n".join(self.versions).encode()).hexdigest()


def fetch(
    architecture: str, packages: Sequence[str], cache: Path, report: Callable[[str], None]
) -> Packages:
    """*packages* and all that they depend on, for Debian's *architecture*.

    What was fetched before is taken from *cache*; remove it there to get what is newer.
    Raises :class:`bootmenu.errors.BuildError`.
    """
    wanted = "\n".join([SUITE, architecture, *sorted(packages)])
    name = f"{architecture}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    archive, listing = cache / "debian" / f"{name}.tar", cache / "debian" / f"{name}.packages"
    if not (archive.exists() and listing.exists()):
        require(["mmdebstrap"])
        archive.parent.mkdir(parents=True, exist_ok=True)
        report(f"fetching from Debian {SUITE} ({architecture}): {', '.join(packages)}")
        unfinished = archive.with_suffix(".part.tar")
        command = [
            "mmdebstrap",
            "--variant=extract",
            f"--architectures={architecture}",
            f"--include={','.join(packages)}",
            # On standard error, as the hook may see another root than we do.
            '--extract-hook=ls "$1/var/cache/apt/archives" >&2',
            "--skip=output/dev",
            SUITE,
            str(unfinished),
        ]
        try:
            done = run(command)
        except BuildError:
            # A mirror's lists of updates may be older than their index for hours, mostly those
            # of the less common architectures; the release itself does not change.
            report(f"its updates cannot be read: trying {SUITE} without them")
            hint = "is the network up, and debian-archive-keyring of Debian 12 or newer installed?"
            done = run([*command, RELEASE], hint=hint)
        lines = done.stderr.decode(errors="replace").split()
        listing.write_text("\n".join(sorted(w for w in lines if w.endswith(".deb"))) + "\n")
        unfinished.rename(archive)
    return Packages(archive, tuple(listing.read_text().split()))
