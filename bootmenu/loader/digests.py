"""The sources of a plan read to their end, and what they add up to.

A plan itself reads heads only. This finds what is damaged further on, before a load would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from bootmenu.files import pieces_of
from bootmenu.model import LoadPlan

Progress = Callable[[int, int], None]
"""Told of the bytes that were read, and of all."""


def digested(plan: LoadPlan, progress: Progress) -> LoadPlan:
    """*plan* with the SHA-256 of what each source gives, as a load takes it.

    Raises ImageError where a source is damaged, VolumeError where it cannot be read.
    """
    done, total = 0, sum(segment.bufsz for segment in plan.segments)
    segments = []
    for segment in plan.segments:
        digest = hashlib.sha256()
        source = segment.source
        for piece in [source] if isinstance(source, bytes | memoryview) else pieces_of(source):
            digest.update(piece)
            done += len(piece)
            progress(done, total)
        segments.append(replace(segment, digest=digest.hexdigest()))
    return replace(plan, segments=tuple(segments))
