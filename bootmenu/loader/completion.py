"""What a request leaves open and the kernel's own file brings along: initrd, tree, cmdline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bootmenu.images.contents import Contents, open_contents
from bootmenu.loader.preflight.findings import note
from bootmenu.model import FileSlice, Finding, Machine


def completed(
    kernel: FileSlice,
    initrds: Sequence[FileSlice],
    dtb: FileSlice | None,
    overlays: Sequence[FileSlice],
    cmdline: str,
    *,
    machine: Machine,
    configuration: str = "",
) -> Contents:
    """Everything that shall run: what was asked for first, then what is in the *kernel* file.

    A tree that was asked for comes with its own *overlays*. Raises as
    :func:`bootmenu.images.contents.open_contents` does.
    """
    found = open_contents(
        kernel, machine.arch, compatible=machine.compatible, configuration=configuration
    )
    asked = dtb is not None or bool(overlays)
    return replace(
        found,
        initrds=tuple(initrds) or found.initrds,
        dtb=dtb if asked else found.dtb,
        overlays=tuple(overlays) if asked else found.overlays,
        cmdline=cmdline or found.cmdline,
    )


def taken(request: Contents, initrds: Sequence[FileSlice], dtb: FileSlice | None) -> list[Finding]:
    """Notes of what *request* has from the kernel's file, as it was not asked for."""
    parts = [str(one) for one in request.initrds if one not in initrds]
    if request.dtb is not None and request.dtb != dtb:
        parts.append(str(request.dtb))
    if not parts:
        return []
    return [
        note(
            f"taken from the kernel's file: {', '.join(parts)}",
            "the entry names none of its own",
            "name an initrd or a DTB to use that instead",
        )
    ]
