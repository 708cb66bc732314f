"""kexec_file_load: files are handed over, and where they lie is the kernel's own business.

Interface: kexec_file_load(2). The kernel reads a file as a whole, so that what is a part of
another one, packed or joined is copied into memory first. It refuses a file that is open for
writing, its own copies too (ETXTBSY).
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from bootmenu.errors import CancelledError, VolumeError
from bootmenu.kexec.causes import file_load_error
from bootmenu.kexec.given_up import unless_cancelled
from bootmenu.kexec.log import KernelLog
from bootmenu.kexec.numbers import FILE_NO_INITRAMFS, FILE_ON_CRASH, FILE_UNLOAD
from bootmenu.kexec.sources import opened, read
from bootmenu.kexec.streaming import Progress
from bootmenu.kexec.system import calls, libc
from bootmenu.model import ARCHIVE_ALIGNMENT, FileSlice, HandedFile, LoadPlan, Source

_NO_FILE = -1


def load_files(
    plan: LoadPlan, progress: Progress | None, cancel: threading.Event | None
) -> LoadPlan:
    """Load the files of *plan* and give it back with their digests.

    They are read here first: for the digest, for a sign of life, and to say which byte of which
    file is bad. From then on the load cannot be cancelled. Raises as
    :func:`bootmenu.kexec.call.load` does.
    """
    reader = _Reader(plan, progress, cancel)
    descriptors, files, held = unless_cancelled(reader.read, cancel)
    with held, KernelLog() as log:
        reader.tell("handing it to the kernel")
        number = _kexec_file_load(
            descriptors["kernel"],
            descriptors.get("initrd", _NO_FILE),
            plan.cmdline,
            panic=plan.panic,
        )
        if number:
            raise file_load_error(number, log.lines())
    return replace(plan, files=tuple(files))


def forget(*, panic: bool = False) -> int:
    """Forget what is loaded, with *panic* the crash kernel; 0 or the errno."""
    return _kexec_file_load(_NO_FILE, _NO_FILE, None, panic=panic)


class _Reader:
    """Reads the files of one load."""

    def __init__(
        self, plan: LoadPlan, progress: Progress | None, cancel: threading.Event | None
    ) -> None:
        self._files, self._progress, self._cancel = plan.files, progress, cancel
        self._total = sum(file.size for file in plan.files)
        self._done = 0
        self._sum = hashlib.sha256()

    def read(self) -> tuple[dict[str, int], list[HandedFile], ExitStack]:
        """Their descriptors by name, the files with digests, and what closes the descriptors."""
        with ExitStack() as held:
            descriptors, files = {}, []
            for file in self._files:
                descriptors[file.name] = held.enter_context(self._descriptor(file))
                files.append(replace(file, digest=self._sum.hexdigest()))
            self._check()
            return descriptors, files, held.pop_all()

    def tell(self, step: str) -> None:
        if self._progress is not None:
            self._progress(step, min(self._done, self._total), self._total)

    def _check(self) -> None:
        """Raise CancelledError once the load was given up."""
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError

    @contextmanager
    def _descriptor(self, file: HandedFile) -> Iterator[int]:
        """A descriptor of *file*, every byte of which was read."""
        self._sum = hashlib.sha256()
        if file.copied:
            descriptor = self._copied(file)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            return
        (source,) = file.sources
        if not isinstance(source, FileSlice):
            raise TypeError("what is handed over as it lies must be a file")
        with opened(source) as descriptor:
            if (size := os.fstat(descriptor).st_size) != source.size:
                raise VolumeError(
                    f"{source}: has {size:,} bytes, and had {source.size:,} when it was looked at",
                    hint="try again once nothing writes to it",
                )
            for piece in read(descriptor, source, keep=True):
                self._take(file, piece)
            yield descriptor

    def _copied(self, file: HandedFile) -> int:
        """The descriptor of a file in memory that has what *file* shall have."""
        try:
            written = os.memfd_create(f"bootmenu-{file.name}", os.MFD_CLOEXEC)
            try:
                self._copy(file, written)
                # Opened anew, to be read only.
                return os.open(f"/proc/self/fd/{written}", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                os.close(written)
        except OSError as error:
            raise file_load_error(error.errno or errno.ENOMEM) from error

    def _copy(self, file: HandedFile, written: int) -> None:
        size = 0
        for source in file.sources:
            padding = bytes(-size % ARCHIVE_ALIGNMENT)
            _write(written, padding)
            self._sum.update(padding)
            size += len(padding)
            for piece in _pieces(source):
                self._take(file, piece)
                _write(written, piece)
                size += len(piece)

    def _take(self, file: HandedFile, piece: bytes | memoryview) -> None:
        self._check()
        self._sum.update(piece)
        self._done += len(piece)
        self.tell(f"reading the {file.name}")


def _pieces(source: Source) -> Iterator[bytes | memoryview]:
    if isinstance(source, bytes | memoryview):
        yield source
    elif isinstance(source, FileSlice):
        with opened(source) as descriptor:
            yield from read(descriptor, source, keep=False)
    else:
        yield from source.pieces()


def _write(descriptor: int, piece: bytes | memoryview) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(descriptor, left) :]


def _kexec_file_load(kernel: int, initrd: int, cmdline: str | None, *, panic: bool) -> int:
    """The system call; 0 or its errno. Without a *cmdline* what is loaded is forgotten."""
    ffi, library = libc()
    flags = FILE_NO_INITRAMFS if initrd == _NO_FILE else 0
    if cmdline is None:
        flags, text = FILE_UNLOAD, b""
    else:
        text = cmdline.encode("utf-8", "surrogateescape") + b"\0"  # the NUL is counted
    if panic:
        flags |= FILE_ON_CRASH
    status = library.syscall(
        calls().kexec_file_load,
        ffi.cast("int", kernel),
        ffi.cast("int", initrd),
        ffi.cast("unsigned long", len(text)),
        ffi.from_buffer(text) if text else ffi.NULL,
        ffi.cast("unsigned long", flags),
    )
    return int(ffi.errno) if status else 0
