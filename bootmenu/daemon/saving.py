"""What an entry wants written when it boots, and what could not be.

It is written once the entry is loaded, just before the jump: GRUB's environment block with the
variables that the configuration saves, and the names of entries whose boots are counted. What
cannot be written is said; it never keeps a system from starting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from bootmenu.daemon.threads import in_thread
from bootmenu.discover.sources import Source
from bootmenu.errors import BootmenuError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Rename, Save, Volume

PATIENCE = 10.0
"""Seconds that it may take: a disk that hangs does not hold up the jump."""

_log = logging.getLogger(__name__)


async def write(
    writes: Sequence[Save | Rename], volumes: Sequence[Volume], source: Source
) -> list[str]:
    """Do *writes*, on *volumes* of *source*; what could not be done and why, in words."""
    failures = []
    for wanted in writes:
        waiting = asyncio.ensure_future(in_thread(partial(_failure, wanted, volumes, source)))
        done, _ = await asyncio.wait({waiting}, timeout=PATIENCE)
        failure = waiting.result() if done else f"no answer for {PATIENCE:.0f} seconds"
        if failure:
            what = "not saved" if isinstance(wanted, Save) else "this boot is not counted"
            failures.append(f"{what}: {wanted.file}: {failure}")
    return failures


def _failure(wanted: Save | Rename, volumes: Sequence[Volume], source: Source) -> str:
    """Do what is *wanted*; why that failed, "" when it did not."""
    try:
        _write(wanted, volumes, source)
    except BootmenuError as error:
        return error.sentence
    except Exception as error:  # a mistake of ours is no reason not to start
        _log.exception("writing %s", wanted.file)
        return f"{type(error).__name__}: {error}"
    return ""


def _write(wanted: Save | Rename, volumes: Sequence[Volume], source: Source) -> None:
    volume = next((v for v in volumes if v.name == wanted.file.volume), None)
    if volume is None:
        raise VolumeError("its volume is not here any more")
    if isinstance(wanted, Rename):
        source.rename(volume, wanted.file.path, wanted.name)
        return
    from bootmenu.parsers.grub.environment import MAX_SIZE, change_block

    block = VolumeFiles.of(volume).read_bytes(wanted.file.path, MAX_SIZE)
    source.overwrite(volume, wanted.file.path, change_block(block, wanted.values))
