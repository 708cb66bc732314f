"""The errors a person may meet, each with what happened and what to do.

    BootmenuError
    ├── UsageError            the command line or an edit makes no sense
    ├── ParseError            a boot configuration (file, line) cannot be read
    ├── VolumeError           a volume or a file on it is missing or unreadable
    ├── ImageError            a kernel image is damaged, foreign or unsupported
    ├── TreeError             a device tree, an overlay or an edit of one is invalid
    ├── PlacementError        the images do not fit the memory of this machine
    ├── PreflightError        the load would work, the kernel that it starts would not
    ├── KexecError            the running kernel refused; carries errno
    ├── CancelledError        a person gave the load up; nothing is loaded
    ├── DaemonError           bootmenud cannot be reached or gave up
    └── BuildError            an image of the appliance cannot be built or started

The command line prints ``bootmenu: MESSAGE`` and ``hint: HINT``; the menu shows
both on its error screen. Neither ever shows a traceback.
"""

from __future__ import annotations


class BootmenuError(Exception):
    """Something a person can act on: *message* says what happened, *hint* what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def sentence(self) -> str:
        """Both in one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(BootmenuError):
    """The command line or an edit makes no sense; exit status 2."""


class ParseError(BootmenuError):
    """A boot configuration cannot be read; *path* and *line* (from 1) say where."""

    def __init__(self, message: str, *, path: str = "", line: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line


class VolumeError(BootmenuError):
    """A volume, or a file on it, is missing or cannot be read."""


class ImageError(BootmenuError):
    """A kernel image is damaged, for another machine, or of no supported format."""


class TreeError(BootmenuError):
    """A device tree, an overlay, or an edit of one is invalid."""


class PlacementError(BootmenuError):
    """The images do not fit the memory of this machine."""


class PreflightError(BootmenuError):
    """The load would succeed, and the kernel that it starts would hang."""


class KexecError(BootmenuError):
    """The running kernel refused; *errno* is its number, *log* what it logged meanwhile."""

    def __init__(
        self, message: str, *, errno: int, hint: str = "", log: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.errno = errno
        self.log = log


class CancelledError(BootmenuError):
    """A person gave the load up; nothing is loaded."""

    def __init__(self) -> None:
        super().__init__(
            "the load was cancelled, nothing is loaded", hint="start it again, or another entry"
        )


class DaemonError(BootmenuError):
    """bootmenud cannot be reached, or gave up."""


class BuildError(BootmenuError):
    """An image of the appliance cannot be built or started."""
