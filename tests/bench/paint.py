"""Bytes that the menu sends to an 80x24 VT100: the first paint, and one Down key.

The peer is GRUB's own menu of the same entries (grub-emu), on the same terminal.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pexpect

from tests.bench.figure import Figure

sys.path.append(str(Path(__file__).parents[1] / "ui"))  # the menu on a terminal of the tests

from console import cost

DAEMON = Path(__file__).parents[1] / "ui" / "fake_daemon.py"
QUIET = 1.5  # seconds without output after which a screen is complete
DOWN = "\x1b[B"


def figures() -> Iterator[Figure]:
    """The bytes of both menus."""
    with tempfile.TemporaryDirectory() as temporary:
        ours = _ours(Path(temporary))
        peer = _grub(Path(temporary))
    yield Figure("paint-first", ours[0], "bytes", "grub-emu", peer[0])
    yield Figure("paint-down", ours[1], "bytes", "grub-emu", peer[1])


def _ours(folder: Path) -> tuple[int, int]:
    socket = folder / "socket"
    daemon = pexpect.spawn(sys.executable, [str(DAEMON), str(socket), "--entries", "8"])
    try:
        while not socket.exists():
            daemon.expect([pexpect.TIMEOUT], timeout=0.1)
        found = cost(str(socket))
        return found.first_paint, max(found.down_keys)
    finally:
        daemon.close(force=True)


def _grub(folder: Path) -> tuple[int, int]:
    entries = "".join(f'menuentry "Debian GNU/Linux {n}" {{ true; }}\n' for n in range(8))
    (folder / "grub.cfg").write_text(f"set timeout=-1\n{entries}")
    child: pexpect.spawn[bytes] = pexpect.spawn(
        "grub-emu",
        ["--directory", str(folder)],
        dimensions=(24, 80),
        env={**os.environ, "TERM": "vt100"},
    )
    try:
        first = len(_until_quiet(child))
        child.send(DOWN)
        return first, len(_until_quiet(child))
    finally:
        child.close(force=True)


def _until_quiet(child: pexpect.spawn[bytes]) -> bytes:
    """What comes until nothing has come for QUIET seconds."""
    output = b""
    while True:
        try:
            output += child.read_nonblocking(65536, timeout=QUIET)
        except pexpect.TIMEOUT:
            return output
