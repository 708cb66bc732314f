"""How much work the files of one volume may make.

Bounds of single files do not add up to a bound of a volume that is full of them. So whoever reads
a volume says what it may cost, in seconds of the processor: a slow disk or a busy machine takes
nothing away. When they are used up, every further look at a file fails.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Limit(threading.local):
    end = math.inf  # of the thread's processor time


_limit = _Limit()


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Within the block, what this thread does may take *seconds* of the processor."""
    before = _limit.end
    _limit.end = min(before, time.thread_time() + seconds)
    try:
        yield
    finally:
        _limit.end = before


def exhausted() -> bool:
    """Whether this thread has used up what it had."""
    return time.thread_time() > _limit.end
