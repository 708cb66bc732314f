"""Load, unload and the jump. Nothing is decided here: a plan is handed over as it is.

The system calls run without Python's lock, so a thread can load while menus stay alive.
Interface: kexec_load(2), reboot(2); the other call is in :mod:`bootmenu.kexec.file`.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bootmenu.errors import BootmenuError, KexecError
from bootmenu.kexec.causes import execute_error, load_error
from bootmenu.kexec.log import KernelLog
from bootmenu.kexec.numbers import CALLS, ON_CRASH, REBOOT_KEXEC, REBOOT_MAGIC1, REBOOT_MAGIC2
from bootmenu.kexec.streaming import Progress, Streams
from bootmenu.kexec.system import calls, libc
from bootmenu.kexec.userfault import Userfault
from bootmenu.model import Arch, LoadPlan, Method

SYNC = 10.0
"""Seconds in which writing gets on before the jump, unless a disk hangs: Linux waits for each,
were it only read."""

_LOADED = ("/sys/kernel/kexec/loaded", "/sys/kernel/kexec_loaded")
_MEMORY = "/proc/meminfo"
_CRASH_LOADED = ("/sys/kernel/kexec/crash_loaded", "/sys/kernel/kexec_crash_loaded")


def load(
    plan: LoadPlan, progress: Progress | None = None, cancel: threading.Event | None = None
) -> LoadPlan:
    """Load *plan* and give it back with the digests of its segments.

    *progress* is told of the bytes handed over; *cancel*, once it is set, ends the load. The
    bytes of files and streams are fetched while the kernel takes them; where it has no
    userfaultfd, files are mapped. Raises KexecError when the kernel refuses, VolumeError or
    ImageError when a source cannot be read or is damaged, CancelledError: nothing is loaded then.
    """
    if loaded(panic=plan.panic):
        # The kernel would keep it until the new one is complete: memory for both.
        _forget(plan)
    if plan.method is Method.FILE:
        from bootmenu.kexec.file import load_files

        try:
            return load_files(plan, progress, cancel)
        except BootmenuError:
            _forget(plan)
            raise
    try:
        return _load_segments(plan, progress, cancel)
    except OSError as error:  # what is fetched has no room, not even for a moment
        raise load_error(error.errno or errno.ENOMEM) from error


def _load_segments(
    plan: LoadPlan, progress: Progress | None, cancel: threading.Event | None
) -> LoadPlan:
    ffi, library = libc()
    with KernelLog() as log:
        try:
            userfault = Userfault(calls().userfaultfd, library, ffi)
        except OSError:
            from bootmenu.kexec.mapped import Mapped

            with Mapped(plan.segments, ffi, progress=progress, cancel=cancel) as mapped:
                number = _load_from(plan, mapped.buffers)
                digests = mapped.digests
        else:
            with (
                userfault,
                Streams(plan.segments, userfault, ffi, progress=progress, cancel=cancel) as streams,
            ):
                number = _load_from(plan, streams.buffers)
            digests = streams.digests()
            if streams.error is not None:
                _forget(plan)
                raise streams.error
        if number:
            error = load_error(number, log.lines())
            _forget(plan)
            raise error
    return replace(
        plan,
        segments=tuple(
            replace(segment, digest=digests.get(at, "")) for at, segment in enumerate(plan.segments)
        ),
    )


def _load_from(plan: LoadPlan, buffers: Mapping[int, Any]) -> int:
    """Load *plan* with the bytes of its segments at *buffers*, those in memory aside."""
    ffi, _ = libc()
    with ExitStack() as held:
        table = ffi.new("struct kexec_segment[]", len(plan.segments))
        for number, (row, segment) in enumerate(zip(table, plan.segments, strict=True)):
            if isinstance(segment.source, bytes | memoryview):
                row.buf = held.enter_context(ffi.from_buffer(segment.source))
            elif number in buffers:
                row.buf = buffers[number]
            row.bufsz = segment.bufsz
            row.mem = ffi.cast("void *", segment.mem)
            row.memsz = segment.memsz
        return _kexec_load(plan.entry, table, len(plan.segments), plan.arch, plan.panic)


def _forget(plan: LoadPlan) -> None:
    """After a failed load nothing is left loaded, not even what was before."""
    if plan.method is Method.FILE:  # the other call would be refused, and count
        from bootmenu.kexec.file import forget

        forget(panic=plan.panic)
        return
    with contextlib.suppress(KexecError):
        unload(plan.arch, panic=plan.panic)


def unload(arch: Arch | None = None, *, panic: bool = False) -> None:
    """Forget what is loaded, if anything is; with *panic* the crash kernel.

    Where the classic call is missing or forbidden, the other one forgets as well. Raises
    KexecError when the kernel refuses.
    """
    ffi, _ = libc()
    with KernelLog() as log:
        number = _kexec_load(0, ffi.NULL, 0, arch, panic)
        if number in (errno.ENOSYS, errno.EPERM, errno.EACCES):
            from bootmenu.kexec.file import forget

            number = forget(panic=panic) and number
        if number:
            raise load_error(number, log.lines())


def loaded(*, panic: bool = False) -> bool:
    """Whether a kernel is loaded; with *panic* whether a crash kernel is."""
    for path in _CRASH_LOADED if panic else _LOADED:
        with contextlib.suppress(OSError):
            return Path(path).read_text().strip() == "1"
    return False


def execute() -> None:
    """Write out what is unwritten and jump into the loaded kernel.

    Waits for as long as every :data:`SYNC` seconds less is left to be written: not for a disk that
    hangs. Returns only by raising KexecError. Unmounting and telling the consoles is the caller's.
    """
    ffi, library = libc()
    _write_out()
    with KernelLog() as log:
        library.syscall(
            calls().reboot,
            ffi.cast("int", REBOOT_MAGIC1),
            ffi.cast("int", REBOOT_MAGIC2),
            ffi.cast("unsigned int", REBOOT_KEXEC),
            ffi.NULL,
        )
        raise execute_error(ffi.errno, log.lines())


def _write_out() -> None:
    writing = threading.Thread(target=os.sync, daemon=True)
    writing.start()
    before, left = math.inf, _unwritten()
    while writing.is_alive() and left < before:
        writing.join(SYNC)
        before, left = left, _unwritten()


def _unwritten() -> int:
    """What is not on its disk yet, in KiB; see proc_meminfo(5)."""
    lines = Path(_MEMORY).read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Dirty:", "Writeback:")))


def _kexec_load(entry: int, table: Any, count: int, arch: Arch | None, panic: bool) -> int:
    """The system call; 0 or its errno. Whose kernel is loaded decides the flags, and for when."""
    ffi, library = libc()
    numbers = calls()
    flags = (CALLS[arch] if arch else numbers).arch_flag | (ON_CRASH if panic else 0)
    status = library.syscall(
        numbers.kexec_load,
        ffi.cast("unsigned long", entry),
        ffi.cast("unsigned long", count),
        table,
        ffi.cast("unsigned long", flags),
    )
    return int(ffi.errno) if status else 0
