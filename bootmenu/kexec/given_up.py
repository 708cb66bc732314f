"""What may wait for a disk that hangs, in a thread that can be left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from bootmenu.errors import CancelledError

LOOK = 0.2
"""Seconds between two looks whether a load that waits for a disk was given up."""

Result = TypeVar("Result")


def unless_cancelled(function: Callable[[], Result], cancel: threading.Event | None) -> Result:
    """What *function* returns or raises in a thread of its own, until *cancel* is set.

    Then CancelledError is raised, and nobody takes what *function* returns if its disk answers
    after all: it lets go of what it has, and raises as well.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="kexec-reader", daemon=True).start()
    while not wait([future], timeout=LOOK).done:
        if cancel is not None and cancel.is_set():
            raise CancelledError
    return future.result()
