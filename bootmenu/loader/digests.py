"""The sources of a plan read to their end, and what they add up to.

A plan itself reads heads only. This finds what is damaged further on, before a load would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from bootmenu.files import pieces_of
from bootmenu.model import ARCHIVE_ALIGNMENT, LoadPlan, Source

Progress = Callable[[int, int], None]
"""Told of the bytes that were read, and of all."""


def digested(plan: LoadPlan, progress: Progress) -> LoadPlan:
    """*plan* with the SHA-256 of what each source gives, as a load takes it.

    Raises ImageError where a source is damaged, VolumeError where it cannot be read.
    """
    done, total = 0, sum(one.bufsz for one in plan.segments)
    total += sum(one.size for one in plan.files)

    def summed(sources: Iterable[Source]) -> str:
        nonlocal done
        digest, size = hashlib.sha256(), 0
        for source in sources:
            gap = bytes(-size % ARCHIVE_ALIGNMENT)
            digest.update(gap)
            size += len(gap)
            for piece in [source] if isinstance(source, bytes | memoryview) else pieces_of(source):
                digest.update(piece)
                size += len(piece)
                done += len(piece)
                progress(done, total)
        return digest.hexdigest()

    return replace(
        plan,
        segments=tuple(replace(one, digest=summed([one.source])) for one in plan.segments),
        files=tuple(replace(one, digest=summed(one.sources)) for one in plan.files),
    )
