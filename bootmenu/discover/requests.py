"""Disks that leave a request unanswered on which the jump would wait, without an end.

On arm64 and riscv64 Linux switches off every processor but the first one before it jumps, and
waits for what is under way in a disk's queue that loses its last processor: machine_shutdown of
arch/*/kernel, blk_mq_hctx_notify_offline of block/blk-mq.c. On x86_64 it only stops them. NVMe's
driver takes its requests back before that. Interface: Documentation/block/stat.rst.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE = 10.0
"""Seconds in which a disk that is well answers."""
_LOOK = 0.1  # seconds
_COMPLETED = (0, 4, 11, 15)  # reads, writes, discards and, since Linux 5.5, flushes


def unanswered(
    seconds: float = PATIENCE, *, machine: str = "", root: Path = Path("/sys")
) -> list[str]:
    """The disks for which the jump would wait: those that complete nothing for *seconds*.

    Returns at once where there is none that could be one. *machine* is what uname(2) says, and
    *root* where sysfs is mounted.
    """
    online = _text(root / "devices/system/cpu/online").strip()
    if (machine or os.uname().machine) == "x86_64" or online == "0":
        return []
    end = time.monotonic() + seconds
    waiting = dict(_waiting(root))
    while waiting and time.monotonic() < end:
        time.sleep(_LOOK)
        now = dict(_waiting(root))
        waiting = {name: done for name, done in waiting.items() if now.get(name) == done}
    return sorted(waiting)


def _waiting(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The disks with requests under way, and how many of each kind each has completed."""
    for disk in (root / "block").glob("*"):
        # What Linux 6.12 says of them in stat, whose other fields are right, may be 0.
        under_way = any(number != "0" for number in _text(disk / "inflight").split())
        queues = (_text(path) for path in disk.glob("mq/*/cpu_list"))
        lost = any("0" not in re.findall(r"\d+", processors) for processors in queues)
        if under_way and lost and not disk.name.startswith("nvme"):
            numbers = _text(disk / "stat").split()  # none of one that was unplugged just now
            if numbers:
                yield disk.name, [numbers[at] for at in _COMPLETED if at < len(numbers)]


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
