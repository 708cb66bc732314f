"""Autoboot: which entry starts by itself, and when.

The countdown begins when the devices have settled, and counts down to the first bootable
default in the menu's order. When a disk that comes before it appears late, the countdown
begins again for that one's default: which system starts does not depend on which disk was
faster. A person or a failed boot ends it for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bootmenu.model import Configuration

TIMEOUT = 10.0
"""Seconds, when neither the kernel's cmdline nor the configuration says."""
OPTION = "bootmenu.timeout"


@dataclass(frozen=True, slots=True)
class Default:
    """An entry that may start by itself, with the seconds that its configuration grants."""

    entry: str
    timeout: float | None = None


def default_of(configurations: Iterable[Configuration]) -> Default | None:
    """The default of the first configuration that has one which can be booted."""
    for configuration in configurations:
        for entry in configuration.entries:
            if entry.id == configuration.default and entry.resolved:
                return Default(entry.id, configuration.timeout)
    return None


def timeout_option(cmdline: str) -> float | None:
    """The seconds that ``bootmenu.timeout=`` in a kernel cmdline asks for; negative waits."""
    seconds = None
    for word in cmdline.split():
        key, _, value = word.partition("=")
        if key == OPTION:
            try:
                seconds = float(int(value))
            except ValueError:
                continue
    return seconds


class Autoboot:
    """The countdown. *timeout* overrules what configurations say; *clock* gives seconds."""

    def __init__(self, *, armed: bool, timeout: float | None, clock: Callable[[], float]) -> None:
        self.armed = armed
        self.timeout: float | None = None
        self._overriding = timeout
        self._clock = clock
        self._entry: str | None = None
        self._end = 0.0

    @property
    def entry(self) -> str | None:
        """The id of the entry that is counted down to, None without a countdown."""
        return self._entry

    @property
    def left(self) -> float | None:
        """Seconds until it starts, None without a countdown."""
        return None if self._entry is None else max(0.0, self._end - self._clock())

    @property
    def due(self) -> bool:
        """Whether the time is up."""
        return self.left == 0.0

    def waits(self, default: Default) -> bool:
        """Whether *default* is configured to wait for a person."""
        return self._seconds(default) < 0

    def update(self, default: Default | None) -> None:
        """Start, keep, move or drop the countdown, now that the devices have settled."""
        if default is None or default.entry != self._entry:
            self._drop()
        if not self.armed or self._entry is not None or default is None or self.waits(default):
            return
        self._entry = default.entry
        self.timeout = self._seconds(default)
        self._end = self._clock() + self.timeout

    def stop(self) -> None:
        """No autoboot any more."""
        self.armed = False
        self._drop()

    def _drop(self) -> None:
        self._entry = self.timeout = None

    def _seconds(self, default: Default) -> float:
        if self._overriding is not None:
            return self._overriding
        return TIMEOUT if default.timeout is None else default.timeout
