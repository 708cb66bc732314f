"""Write ``requirements-image.lock`` anew: ``python -m bootmenu.appliance.lock``.

The newest versions that pyproject.toml allows, with the hash of each one's wheel.
"""

from __future__ import annotations

import hashlib
import tempfile
from importlib.metadata import requires
from pathlib import Path

from bootmenu.appliance.python import LOCK, download

HEADER = """\
# The Python packages of the appliance's image, for Debian's Python.
# Written by: python -m bootmenu.appliance.lock
"""


def write_lock() -> None:
    """Resolve the dependencies; cffi's backend is a package of Debian's."""
    wanted: list[str | Path] = [
        line
        for line in requires("bootmenu") or ()
        if "extra ==" not in line and not line.startswith("cffi")
    ]
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        for wheel in download(Path(temporary), wanted):
            name, version = wheel.name.split("-")[:2]
            name = name.replace("_", "-").lower()
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name}=={version} \\\n    --hash=sha256:{digest}")
    LOCK.write_text(HEADER + "\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    write_lock()
