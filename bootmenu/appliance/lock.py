"""Write ``requirements-image.lock`` anew: ``python -m bootmenu.appliance.lock``.

The newest versions that pyproject.toml allows, with the hash of each one's wheel.
"""

from __future__ import annotations

import hashlib
import tempfile
from importlib.metadata import requires
from pathlib import Path

from bootmenu.appliance.python import LOCK, download
from bootmenu.model import Arch

HEADER = """\
# The Python packages of the appliance's image, for Debian's Python.
# Written by: python -m bootmenu.appliance.lock
"""


def write_lock() -> None:
    """Resolve the dependencies for every architecture that images are built for."""
    wanted = [line for line in requires("bootmenu") or () if "extra ==" not in line]
    hashes: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for arch in (Arch.ARM64,):
            for wheel in download(arch, Path(temporary, arch), [*wanted]):
                name, version = wheel.name.split("-")[:2]
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                hashes.setdefault(f"{name.replace('_', '-').lower()}=={version}", set()).add(digest)
    lines = []
    for requirement, digests in sorted(hashes.items()):
        lines.append(
            " \\\n".join([requirement, *(f"    --hash=sha256:{d}" for d in sorted(digests))])
        )
    LOCK.write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    write_lock()
