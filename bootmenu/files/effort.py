"""How much work the files of one volume may make.

Bounds of single files do not add up to a bound of a volume that is full of them. So whoever reads
a volume says what it may cost, in seconds of the processor: a slow disk or a busy machine takes
nothing away. When they are used up, every further look at a file fails.

A virtual machine that was stopped for a while has these seconds charged to what ran just then. That
shows as a leap of the clock, so that whoever says what a volume may cost can read it once more.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LEAP = 1.0
"""Seconds of the processor between two looks at the clock that no work explains."""


@dataclass
class Effort:
    """What may be done, and what has become of it."""

    end: float = math.inf  # of the thread's processor time
    cut_short: bool = False  # something was given up for its time
    leapt: bool = False  # the clock has


class _Current(threading.local):
    def __init__(self) -> None:
        self.effort = Effort()
        self.looked = time.thread_time()


_current = _Current()


@contextmanager
def limited(seconds: float) -> Iterator[Effort]:
    """Within the block, what this thread does may take *seconds* of the processor."""
    around = _current.effort
    _current.looked = time.thread_time()
    _current.effort = Effort(min(around.end, _current.looked + seconds))
    try:
        yield _current.effort
    finally:
        _current.effort = around


def spent() -> float:
    """Seconds of the processor that this thread has used."""
    now = time.thread_time()
    if now - _current.looked > LEAP:
        _current.effort.leapt = True
    _current.looked = now
    return now


def exhausted() -> bool:
    """Whether this thread has used up what it had."""
    over = spent() > _current.effort.end
    if over:
        cut_short()
    return over


def cut_short() -> None:
    """Note that something is given up for the time it takes."""
    _current.effort.cut_short = True
