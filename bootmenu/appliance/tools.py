"""The programs of the build machine that a build runs, and how one is run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bootmenu.errors import BuildError

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "zstd": "zstd",
    "depmod": "kmod",
    "modprobe": "kmod",
    "dpkg": "dpkg",
    "mke2fs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "sfdisk": "fdisk",
    "mcopy": "mtools",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-riscv64": "qemu-system-misc",
}
"""The Debian package that brings each program."""

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where mke2fs and depmod are, which is not on an ordinary user's PATH."""


def find(program: str) -> str | None:
    """The path of *program*, or None; looks where the system's own tools are, too."""
    return shutil.which(program) or shutil.which(program, path=SYSTEM_FOLDERS)


def require(programs: Iterable[str]) -> None:
    """Raise :class:`BuildError`, naming the packages to install, unless all are there."""
    missing = [program for program in programs if find(program) is None]
    if missing:
        packages = sorted({PACKAGES[program] for program in missing})
        raise BuildError(
            f"missing on this machine: {', '.join(missing)}",
            hint=f"apt-get install {' '.join(packages)}",
        )


def run(
    command: Sequence[str | Path],
    *,
    data: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    hint: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """Run *command* in *folder*, with *data* on its standard input, and return its output.

    Raises :class:`BuildError` with the last lines that it wrote when it fails.
    """
    program = str(command[0])
    path = find(program)
    if path is None:
        require([program])
    done = subprocess.run(
        [path or program, *map(str, command[1:])],
        input=data,
        env=environment,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        what = "; ".join(line.strip() for line in said[-3:]) or f"status {done.returncode}"
        raise BuildError(f"{Path(program).name} failed: {what}", hint=hint)
    return done
