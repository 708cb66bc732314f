"""The parsers, run with the facts of this machine or of another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bootmenu.errors import UsageError, VolumeError
from bootmenu.files import open_slice, whole
from bootmenu.model import Arch, Configuration, Machine, Platform, Volume

MAX_CAPTURE = 8 << 20
"""Bytes of a captured machine: a tree of 2 MiB as text, 8,192 processors, a map of memory."""


def machine_reader(
    *, capture: str = "", arch: Arch | None = None, platform: Platform | None = None
) -> Callable[[], Machine]:
    """A function that reads the facts anew at each call.

    They are those in the file *capture*, else this machine's; *arch* and *platform* overrule
    them. It raises BootmenuError.
    """

    def read() -> Machine:
        facts = _facts(capture)
        other = arch is not None and arch is not facts.arch
        # Nothing is known of the firmware of another kind of machine; most have UEFI.
        firmware = platform or (Platform.EFI if other else facts.platform)
        return replace(facts, arch=arch or facts.arch, platform=firmware)

    return read


def _facts(capture: str) -> Machine:
    if not capture:
        from bootmenu.discover.machine import read_machine
        from bootmenu.kexec.available import available

        facts = read_machine()
        return replace(facts, kexec=replace(facts.kexec, methods=available()))
    from bootmenu.discover.capture import restore

    return restore(_text(capture))


def _text(capture: str) -> str:
    """What the file *capture* says, which may come from anybody. Raises UsageError."""
    hint = "bootmenu machine capture writes such a file"
    try:
        file = whole(capture)
        if file.size > MAX_CAPTURE:
            raise UsageError(f"{capture}: too large for a capture", hint=hint)
        with open_slice(file) as opened:
            data = opened.read()
        return data.decode("utf-8")
    except VolumeError as error:
        raise UsageError(error.message, hint=hint) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{capture}: not text", hint=hint) from error


def scan(facts: Machine, volume: Volume, volumes: Sequence[Volume]) -> list[Configuration]:
    """What *volume* offers to the machine of *facts*, *volumes* being all that are here."""
    from bootmenu.parsers.context import Context
    from bootmenu.parsers.scan import scan

    return scan(volume, Context(facts.arch, facts.platform, tuple(volumes), facts.compatible))


def scan_all(facts: Machine, volumes: Sequence[Volume]) -> list[Configuration]:
    """What all *volumes* offer, in their order."""
    from bootmenu.parsers.offered import without_offered

    return without_offered([c for volume in volumes for c in scan(facts, volume, volumes)])
