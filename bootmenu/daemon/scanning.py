"""The parsers, run with the facts of this machine or of another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bootmenu.errors import UsageError
from bootmenu.model import Arch, Configuration, Machine, Platform, Volume


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
    from bootmenu.discover.machine import read_machine, restore

    if not capture:
        from bootmenu import kexec

        facts = read_machine()
        return replace(facts, kexec=replace(facts.kexec, methods=kexec.available()))
    try:
        return restore(Path(capture).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "not text"
        hint = "bootmenu machine capture writes such a file"
        raise UsageError(f"cannot read {capture}: {reason}", hint=hint) from error


def scan(facts: Machine, volume: Volume, volumes: Sequence[Volume]) -> list[Configuration]:
    """What *volume* offers to the machine of *facts*, *volumes* being all that are here."""
    from bootmenu.parsers.context import Context
    from bootmenu.parsers.scan import scan

    return scan(volume, Context(facts.arch, facts.platform, tuple(volumes), facts.compatible))


def scan_all(facts: Machine, volumes: Sequence[Volume]) -> list[Configuration]:
    """What all *volumes* offer, in their order."""
    from bootmenu.parsers.offered import without_offered

    return without_offered([c for volume in volumes for c in scan(facts, volume, volumes)])
