"""Seconds from power-on, without firmware, to the menu on a serial line.

The peer is the same kernel with the sample disk's initrd, which is busybox alone, until
that has said what was booted: what no menu can be faster than. The least of several runs
counts, since everything else that the machine does only adds to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figure import Figure
from tests.bench.machines import (
    HELD,
    MARK,
    Machine,
    disks,
    image,
    powered_on,
    say,
)

ROUNDS = 3
MEMORY, LITTLE_MEMORY = 1024, 384  # MiB


def figures() -> Iterator[Figure]:
    """Until the first menu is painted, and until an entry can be chosen."""
    plain, painted, selectable = [], [], []
    with TemporaryDirectory() as folder:
        initrd = Path(folder, "initrd")
        initrd.write_bytes(disks().initrd("bench"))
        for number in range(ROUNDS):
            plain.append(_plain(initrd))
            first, entry = _menu(MEMORY)
            painted.append(first)
            selectable.append(entry)
            say(f"start {number + 1}: {plain[-1]:.1f} s plain, {first:.1f} s, {entry:.1f} s")
    peer = "the same kernel to busybox"
    yield Figure("startup-painted", min(painted), "s", peer, min(plain))
    yield Figure("startup-selectable", min(selectable), "s", peer, min(plain))
    yield Figure("startup-selectable-384M", _menu(LITTLE_MEMORY)[1], "s", peer, min(plain))


def _plain(initrd: Path) -> float:
    machine = Machine(image().kernel, initrd, drives=_drives(), memory=MEMORY)
    with powered_on(machine) as (vm, seconds):
        vm.screen.wait_for("booted ")
        return seconds()


def _menu(memory: int) -> tuple[float, float]:
    machine = Machine(
        image().kernel,
        image().initramfs,
        drives=_drives(),
        append=f"quiet {HELD}",
        memory=memory,
    )
    with powered_on(machine) as (vm, seconds):
        vm.screen.wait_for("bootmenu ")
        painted = seconds()
        vm.screen.wait_for(MARK)
        return painted, seconds()


def _drives() -> tuple[Path, ...]:
    return disks().debian, disks().esp
