"""kexec_load, unload and the jump. Nothing is decided here: a plan is handed over as it is.

The system calls run without Python's lock, so a thread can load while menus stay alive.
Interface: kexec_load(2), reboot(2).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import mmap
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bootmenu.errors import KexecError, VolumeError
from bootmenu.kexec.causes import execute_error, load_error
from bootmenu.kexec.log import KernelLog
from bootmenu.kexec.numbers import CALLS, REBOOT_KEXEC, REBOOT_MAGIC1, REBOOT_MAGIC2, Calls
from bootmenu.model import Arch, FileSlice, LoadPlan, Segment, Stream

Progress = Callable[[str, int, int], None]

_LOADED = ("/sys/kernel/kexec/loaded", "/sys/kernel/kexec_loaded")
_CHUNK = 4 << 20
_MADV_POPULATE_READ = 22  # Linux 5.14
_LET_GO_SECONDS = 0.005


def load(plan: LoadPlan, progress: Progress | None = None) -> None:
    """Load *plan*; *progress* is told of the bytes read.

    Files are mapped and handed over where they lie, without a copy in this process. Raises
    KexecError when the kernel refuses (nothing is loaded then), VolumeError when a file
    cannot be read.
    """
    ffi, _ = _libc()
    with ExitStack() as open_files, KernelLog() as log:
        total = sum(segment.bufsz for segment in plan.segments)
        done = 0
        buffers, mappings = [], []
        for segment in plan.segments:
            buffer = open_files.enter_context(_bytes_of(segment))
            if buffer.mapping is not None:
                mappings.append(buffer.mapping)
            done = _read_ahead(segment, buffer, done, total, progress)
            buffers.append(open_files.enter_context(ffi.from_buffer(buffer.view)))
        table = ffi.new("struct kexec_segment[]", len(plan.segments))
        for row, segment, address in zip(table, plan.segments, buffers, strict=True):
            row.buf = address
            row.bufsz = segment.bufsz
            row.mem = ffi.cast("void *", segment.mem)
            row.memsz = segment.memsz
        if progress is not None:
            progress("handing it to the kernel", total, total)
        with _passing_through(mappings):
            number = _kexec_load(plan.entry, table, len(plan.segments), plan.arch)
        if number:
            error = load_error(number, log.lines())
            with contextlib.suppress(KexecError):
                unload(plan.arch)
            raise error


def unload(arch: Arch | None = None) -> None:
    """Forget what is loaded, if anything is. Raises KexecError when the kernel refuses."""
    ffi, _ = _libc()
    with KernelLog() as log:
        number = _kexec_load(0, ffi.NULL, 0, arch)
        if number:
            raise load_error(number, log.lines())


def loaded() -> bool:
    """Whether a kernel is loaded."""
    for path in _LOADED:
        with contextlib.suppress(OSError):
            return Path(path).read_text().strip() == "1"
    return False


def execute() -> None:
    """Write out what is unwritten and jump into the loaded kernel.

    Returns only by raising KexecError. Unmounting and telling the consoles is the caller's.
    """
    ffi, libc = _libc()
    os.sync()
    with KernelLog() as log:
        libc.syscall(
            _calls().reboot,
            ffi.cast("int", REBOOT_MAGIC1),
            ffi.cast("int", REBOOT_MAGIC2),
            ffi.cast("unsigned int", REBOOT_KEXEC),
            ffi.NULL,
        )
        raise execute_error(ffi.errno, log.lines())


def _kexec_load(entry: int, table: Any, count: int, arch: Arch | None) -> int:
    """The system call; 0 or its errno. Whose kernel is loaded decides the flag."""
    ffi, libc = _libc()
    calls = _calls()
    status = libc.syscall(
        calls.kexec_load,
        ffi.cast("unsigned long", entry),
        ffi.cast("unsigned long", count),
        table,
        ffi.cast("unsigned long", (CALLS[arch] if arch else calls).arch_flag),
    )
    return int(ffi.errno) if status else 0


@functools.cache
def _libc() -> tuple[Any, Any]:
    from bootmenu.kexec._abi import ffi

    return ffi, ffi.dlopen(None)


def _calls() -> Calls:
    """The numbers of the machine that this runs on."""
    machine = os.uname().machine
    arch = Arch.of_machine(machine)
    if arch is None:
        raise KexecError(
            f"kexec is not known on {machine}",
            errno=0,
            hint=f"bootmenu starts kernels on {', '.join(CALLS)}",
        )
    return CALLS[arch]


class _Buffer(NamedTuple):
    """A segment's bytes; *mapping* is the mapped part of the file that they lie in, if they do."""

    view: memoryview
    mapping: mmap.mmap | None = None


@contextmanager
def _bytes_of(segment: Segment) -> Iterator[_Buffer]:
    source = segment.source
    if isinstance(source, bytes | memoryview):
        yield _Buffer(memoryview(source))
        return
    if not isinstance(source, FileSlice):
        yield _Buffer(_unpacked(source))
        return
    try:
        descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if source.offset + source.size > size:
                raise VolumeError(
                    f"{source}: the file became shorter since it was looked at",
                    hint="try again once nothing writes to it",
                )
            start = source.offset - source.offset % mmap.ALLOCATIONGRANULARITY
            end = source.offset + source.size
            mapping = mmap.mmap(descriptor, end - start, prot=mmap.PROT_READ, offset=start)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(str(source), error) from error
    with mapping, memoryview(mapping) as whole, whole[source.offset - start :] as view:
        yield _Buffer(view, mapping)


def _unpacked(source: Stream) -> memoryview:
    """All bytes of *source* in one buffer.

    Pages of an anonymous mapping cost nothing until they are written, and the mapping is
    already the buffer of the final size: nothing is ever moved to grow it.
    """
    buffer = memoryview(mmap.mmap(-1, source.size))
    filled = 0
    for piece in source.pieces():
        buffer[filled : filled + len(piece)] = piece
        filled += len(piece)
    return buffer


def _read_ahead(
    segment: Segment, buffer: _Buffer, done: int, total: int, progress: Progress | None
) -> int:
    """Bring a mapped file into memory, telling how far it is; how much is done then.

    The system call would read it as well, but without a sign of life, and a bad sector
    would only be a bad address.
    """
    source = segment.source
    if not isinstance(source, FileSlice) or buffer.mapping is None:
        return done + segment.bufsz
    end = len(buffer.mapping)
    for at in range(0, end, _CHUNK):
        if progress is not None:
            progress(f"reading the {segment.name}", done + at, total)
        try:
            buffer.mapping.madvise(_MADV_POPULATE_READ, at, min(_CHUNK, end - at))
            buffer.mapping.madvise(mmap.MADV_DONTNEED, at, min(_CHUNK, end - at))
        except OSError as error:
            if error.errno == errno.EINVAL:  # an older kernel: the load itself will read
                break
            raise _unreadable(str(source), error) from error
    return done + segment.bufsz


@contextmanager
def _passing_through(mappings: Sequence[mmap.mmap]) -> Iterator[None]:
    """Let go of the pages of *mappings* again while the kernel reads through them.

    They stay in the page cache, where the kernel can drop them when it runs short of memory;
    mapped, they count as ours and it drops others first.
    """
    done = threading.Event()

    def let_go() -> None:
        while not done.wait(_LET_GO_SECONDS):
            for mapping in mappings:
                mapping.madvise(mmap.MADV_DONTNEED)

    helper = threading.Thread(target=let_go, name="kexec-pages", daemon=True)
    helper.start()
    try:
        yield
    finally:
        done.set()
        helper.join()


def _unreadable(path: str, error: OSError) -> VolumeError:
    why = "I/O error" if error.errno == errno.EFAULT else os.strerror(error.errno or 0)
    return VolumeError(
        f"{path}: cannot be read: {why}", hint="check the disk: dmesg shows what failed"
    )
