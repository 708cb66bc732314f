"""The model's nouns as the wire has them, and back.

What comes from a disk may hold anything, while the wire goes to terminals: characters that
steer a terminal and bytes that are no text are shown as �. A field that comes back as it was
shown stands for what the disk said, byte for byte.
"""

from __future__ import annotations

import unicodedata

from bootmenu.daemon import interface as wire
from bootmenu.errors import UsageError
from bootmenu.model import (
    BlockDevice,
    BootEntry,
    BootRequest,
    EditAction,
    Resource,
    TreeEdit,
)

_ACTIONS = {
    wire.EditKind.set: EditAction.SET,
    wire.EditKind.remove: EditAction.REMOVE,
    wire.EditKind.add_node: EditAction.ADD_NODE,
    wire.EditKind.remove_node: EditAction.REMOVE_NODE,
}


def shown(text: str) -> str:
    """*text* without what a terminal would obey or could not encode."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if _unfit(character) else character for character in text)


def _unfit(character: str) -> bool:
    # Cc: control, Cf: invisible, such as the change of direction; Cs: a byte that was no text.
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def size_text(size: int) -> str:
    """*size* bytes, as one reads it on a disk or a memory module."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def device_title(device: BlockDevice) -> str:
    """What a person knows *device* by."""
    label = device.label or device.partlabel
    return shown(f"{label} ({device.name})" if label else device.name)


def wire_device(device: BlockDevice, state: wire.DeviceState, problem: str) -> wire.Device:
    """*device* as the menu shows it."""
    parts = (device.model, device.bus, size_text(device.size) if device.size else "", device.fstype)
    return wire.Device(
        name=device.name,
        title=device_title(device),
        detail=shown(", ".join(part for part in parts if part)),
        state=state,
        problem=shown(problem),
    )


def wire_entry(entry: BootEntry, *, default: bool) -> wire.Entry:
    """*entry* as the menu shows it; *default* is whether the countdown starts it."""
    problems = list(entry.problems)
    if entry.kernel is None:
        problems.insert(0, "it names no kernel")
    return wire.Entry(
        id=entry.id,
        title=shown(entry.title),
        device=entry.device,
        menu=[shown(title) for title in entry.menu],
        kernel=_text(entry.kernel),
        initrds=[_text(resource) for resource in entry.initrds],
        dtb=_text(entry.dtb),
        overlays=[_text(resource) for resource in entry.overlays],
        cmdline=shown(entry.cmdline),
        writes=[shown(str(change)) for change in entry.writes],
        source=shown(f"{entry.format} {entry.device}:{entry.source}"),
        default=default,
        bootable=entry.resolved,
        problems=[shown(problem) for problem in problems],
    )


def boot_request(request: wire.Request, entry: BootEntry | None) -> BootRequest:
    """What *request* asks for, made from *entry* when it names one.

    A path without a volume lies on the entry's own volume, without an entry on the running
    system. Raises UsageError when there is no kernel.
    """
    volume = {"volume": entry.device} if entry is not None else {}
    known = {_text(resource): resource for resource in entry.resources} if entry else {}

    def files(texts: list[str], said: tuple[Resource | None, ...]) -> tuple[Resource, ...]:
        before = tuple(resource for resource in said if resource is not None)
        # Two names that differ in bytes that cannot be shown look the same.
        if texts == [_text(resource) for resource in before]:
            return before
        return tuple(known.get(text) or Resource.parse(text, **volume) for text in texts)

    if not request.kernel:
        raise UsageError("no kernel was named", hint="edit the entry, or choose another one")
    cmdline = request.cmdline
    if entry is not None and cmdline == shown(entry.cmdline):
        cmdline = entry.cmdline
    dtb = files([request.dtb], (entry.dtb if entry else None,)) if request.dtb else ()
    return BootRequest(
        title=entry.title if entry is not None else request.kernel,
        kernel=files([request.kernel], (entry.kernel if entry else None,))[0],
        initrds=files(request.initrds, entry.initrds if entry else ()),
        dtb=next(iter(dtb), None),
        overlays=files(request.overlays, entry.overlays if entry else ()),
        cmdline=cmdline,
        edits=tuple(
            TreeEdit(_ACTIONS[edit.kind], edit.path, edit.property, edit.value)
            for edit in request.edits
        ),
        entry=request.entry,
        writes=entry.writes if entry is not None else (),
    )


def wire_request(entry: wire.Entry) -> wire.Request:
    """The request that boots *entry* as it is."""
    return wire.Request(
        entry=entry.id,
        kernel=entry.kernel,
        initrds=list(entry.initrds),
        dtb=entry.dtb,
        overlays=list(entry.overlays),
        cmdline=entry.cmdline,
        edits=[],
    )


def _text(resource: Resource | None) -> str:
    return shown(str(resource)) if resource is not None else ""
