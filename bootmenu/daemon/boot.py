"""From a request to the next kernel: find the files, plan, check, load, let go, jump.

The loader and the system calls run in threads, so that the menus stay alive meanwhile.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bootmenu.daemon.consoles import say_last
from bootmenu.daemon.convert import shown
from bootmenu.daemon.threads import in_thread
from bootmenu.errors import DaemonError, KexecError, VolumeError
from bootmenu.files import VolumeFiles, whole
from bootmenu.model import (
    LOCAL,
    BlockDevice,
    BootRequest,
    FileSlice,
    LoadPlan,
    Machine,
    Method,
    Resource,
    Volume,
)

Progress = Callable[[str, int, int], None]
"""Told of a step, the bytes done and the bytes in all, from any thread."""

PAINT = 0.3
"""Seconds in which the menus paint that the jump comes, before their consoles are drained."""
UNMOUNT = 5.0
"""Seconds that unmounting may take before the jump: a disk that hangs does not hold it up."""


def locate(resource: Resource, volumes: Sequence[Volume]) -> FileSlice:
    """Where the bytes of *resource* lie on this system, named as a person knows them.

    A volume is found by its name or by any part of its identity. Raises VolumeError, and
    ImageError for a part of a unified kernel image that is not there.
    """
    if resource.url:
        hint = "copy it to a disk of this machine first"
        raise VolumeError(f"files cannot be fetched over the network: {resource}", hint=hint)
    if resource.volume == LOCAL:
        return _section(resource, whole(resource.path))
    wanted = resource.volume or resource.wants
    volume = _volume(wanted, volumes)
    if volume is None:
        hint = "plug it in, or choose another file"
        raise VolumeError(f"{wanted or 'the device'} is not here, it holds {resource}", hint=hint)
    try:
        found = VolumeFiles.of(volume).slice(resource.path)
    except VolumeError as error:
        raise VolumeError(f"{volume.title}: {error.message}", hint=error.hint) from error
    return _section(resource, replace(found, name=f"{volume.name}:{resource.path}"))


def _volume(wanted: str, volumes: Sequence[Volume]) -> Volume | None:
    """The volume that may be called *wanted*, or the ISO image on one: ``vda1:/debian.iso``."""
    found = next((volume for volume in volumes if wanted and wanted in _identity(volume)), None)
    owner, colon, path = wanted.partition(":/")
    if found is not None or not colon:
        return found
    outer = _volume(owner, volumes)
    if outer is None:
        return None
    from bootmenu.files.iso import iso_volume

    try:
        return iso_volume(outer, f"/{path}")
    except VolumeError as error:
        raise VolumeError(f"{outer.name}:/{path}: {error.message}", hint=error.hint) from error


def _section(resource: Resource, file: FileSlice) -> FileSlice:
    """The part of *file* that *resource* asks for."""
    if not resource.section.startswith("."):  # none, or a configuration of a FIT image
        return file
    from bootmenu.images.uki import section_slice

    return section_slice(file, resource.section)


def _identity(volume: Volume) -> set[str]:
    """What the volume may be called: by its name, or as fstab(5) and our parsers write it."""
    parts = {
        "UUID": volume.uuid,
        "LABEL": volume.label,
        "PARTUUID": volume.partuuid,
        "PARTLABEL": volume.partlabel,
    }
    named = {f"{kind}={value}" for kind, value in parts.items() if value}
    return {volume.name, *filter(None, parts.values())} | named


def parameters_of(request: BootRequest) -> list[tuple[str, ...]]:
    """The parameters of the DTB, then those of each overlay."""
    own = request.dtb.parameters if request.dtb else ()
    return [own, *(overlay.parameters for overlay in request.overlays)]


def configuration_of(request: BootRequest) -> str:
    """The configuration that the kernel is of, where that is a FIT image."""
    section = request.kernel.section
    return "" if section.startswith(".") else section


async def plan(
    request: BootRequest,
    volumes: Sequence[Volume],
    machine: Callable[[], Machine],
    roots: Callable[[], Sequence[BlockDevice]],
    *,
    panic: bool = False,
    method: Method = Method.AUTO,
) -> LoadPlan:
    """The plan of *request*, with *panic* as a crash kernel.

    *roots* are the devices that its root may lie on. Raises BootmenuError.
    """

    def planned() -> LoadPlan:
        from bootmenu.loader.plan import prepare
        from bootmenu.loader.preflight.root import examine_root

        def file(resource: Resource) -> FileSlice:
            return locate(resource, volumes)

        made = prepare(
            kernel=file(request.kernel),
            initrds=[file(resource) for resource in request.initrds],
            dtb=file(request.dtb) if request.dtb else None,
            overlays=[file(resource) for resource in request.overlays],
            parameters=parameters_of(request),
            cmdline=request.cmdline,
            edits=request.edits,
            machine=machine(),
            configuration=configuration_of(request),
            panic=panic,
            method=method,
        )
        return made.with_findings(examine_root(made.cmdline, roots()))

    return await in_thread(planned)


def render(plan: LoadPlan, machine: Machine, *, json: bool, width: int = 80) -> str:
    """*plan* explained, as JSON or as text of *width* columns."""
    from bootmenu.loader.render import render_json, render_text

    if json:
        return render_json(plan, machine)
    return render_text(plan, machine, width)


async def check(plan: LoadPlan) -> None:
    """Raise PreflightError when *plan* would fail or its kernel would hang."""

    def examine() -> None:
        from bootmenu.loader.preflight import examination

        examination.check(plan)

    await in_thread(examine)


async def load(plan: LoadPlan, progress: Progress, cancel: threading.Event) -> LoadPlan:
    """Load *plan* and give it back with digests, unless *cancel* is set meanwhile.

    Raises BootmenuError: nothing is loaded then.
    """

    def hand_over_segments() -> LoadPlan:
        from bootmenu.kexec import call

        return call.load(plan, progress, cancel)

    return await in_thread(hand_over_segments)


async def file_call_may_do(
    refusal: KexecError, machine: Callable[[], Machine], *, panic: bool
) -> bool:
    """Whether kexec_file_load is worth a try after the *refusal* of the classic call."""

    def ask() -> bool:
        from bootmenu.loader.method import file_call_may_do

        return file_call_may_do(refusal, machine(), panic=panic)

    return await in_thread(ask)


async def unload(*, panic: bool = False) -> None:
    """Forget what is loaded, with *panic* the crash kernel. Raises BootmenuError."""

    def forget() -> None:
        from bootmenu.kexec import call

        if call.loaded(panic=panic):
            call.unload(panic=panic)

    await in_thread(forget)


async def is_loaded() -> bool:
    """Whether a kernel is loaded."""

    def look() -> bool:
        from bootmenu.kexec import call

        return call.loaded()

    return await in_thread(look)


async def jump(lines: Sequence[str], close_volumes: Callable[[float], Awaitable[None]]) -> None:
    """Leave a machine that is ours alone: returns only by raising BootmenuError.

    *lines* are the last that its consoles show. A disk on which Linux would wait for ever is
    said, as a DaemonError.
    """

    def last() -> None:
        from bootmenu.discover.requests import unanswered
        from bootmenu.kexec import call

        if disks := ", ".join(unanswered()):
            hint = "unplug what does not answer, or wait until Linux gives it up; then try again"
            raise DaemonError(f"no answer from {disks}, the jump would wait for ever", hint=hint)
        say_last("\r\n".join(shown(line) for line in lines))
        call.execute()

    await asyncio.sleep(PAINT)
    await close_volumes(UNMOUNT)
    await in_thread(last)


def check_hand_over() -> None:
    """Whether this machine, which runs other things, can be shut down on the way.

    Raises DaemonError where there is nothing that could.
    """
    if not Path("/run/systemd/system").is_dir():
        raise DaemonError(
            "this machine is in use, and nothing here knows how to shut it down",
            hint="use bootmenu load, shut down what runs here, then kexec -e",
        )


async def hand_over() -> None:
    """Leave a machine that runs other things: its own shutdown comes before the jump.

    Raises DaemonError when it refuses.
    """

    def shut_down() -> None:
        try:
            subprocess.run(["systemctl", "kexec"], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = (getattr(error, "stderr", "") or str(error)).strip()
            raise DaemonError(f"systemctl kexec failed: {reason}") from error

    await in_thread(shut_down)
