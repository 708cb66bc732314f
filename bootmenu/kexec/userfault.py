"""Memory whose pages are filled in at the moment at which they are first read.

Interface: userfaultfd(2), ioctl_userfaultfd(2). The kernel reads a segment's buffer from front
to back while it loads; what it has read is let go of again, so that a load of any size needs a
few megabytes of ours.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import select
import struct
from types import TracebackType
from typing import Any

_API = 0xAA
_IOCTL_API = 0xC018AA3F
_IOCTL_REGISTER = 0xC020AA00
_IOCTL_WAKE = 0x8010AA02
_IOCTL_COPY = 0xC028AA03
_MODE_MISSING = 1
_PAGEFAULT = 0x12
_MESSAGE = struct.Struct("<B7xQQ8x")  # event, flags, address
_PROT_NONE = 0


class Region:
    """*size* bytes of memory, in whole pages, that a :class:`Userfault` fills in."""

    def __init__(self, size: int, ffi: Any) -> None:
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.memory = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.buffer = ffi.from_buffer(self.memory)
        self.address = int(ffi.cast("uintptr_t", self.buffer))

    def let_go(self, start: int, size: int) -> None:
        """Give the pages back: reading them again would be another fault."""
        self.memory.madvise(mmap.MADV_DONTNEED, start, size)

    def close(self, ffi: Any) -> None:
        """Unmap it."""
        ffi.release(self.buffer)
        self.memory.close()


class Userfault:
    """The descriptor through which faults are reported and answered."""

    def __init__(self, number: int, libc: Any, ffi: Any) -> None:
        """*number* is that of the system call. Raise OSError where it is not to be had."""
        self._ffi, self._libc = ffi, libc
        descriptor = libc.syscall(number, ffi.cast("int", os.O_CLOEXEC | os.O_NONBLOCK))
        if descriptor < 0:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        self._descriptor = int(descriptor)
        try:
            fcntl.ioctl(self._descriptor, _IOCTL_API, bytearray(struct.pack("<QQQ", _API, 0, 0)))
        except OSError:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Userfault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def watch(self, region: Region) -> None:
        """Have the faults in *region* reported here. Raises OSError."""
        request = struct.pack("<QQQQ", region.address, region.size, _MODE_MISSING, 0)
        fcntl.ioctl(self._descriptor, _IOCTL_REGISTER, bytearray(request))

    def wait(self, stop: int) -> int | None:
        """The address of the next fault; None once the descriptor *stop* can be read."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(stop, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._descriptor in ready:
                try:
                    message = os.read(self._descriptor, _MESSAGE.size)
                except BlockingIOError:
                    continue
                event, _, address = _MESSAGE.unpack(message)
                if event == _PAGEFAULT:
                    return int(address)
            elif stop in ready:
                return None

    def fill(self, address: int, data: memoryview) -> None:
        """Put *data*, whole pages, at *address*, and let who waits for it go on."""
        with self._ffi.from_buffer(data) as source:
            at = int(self._ffi.cast("uintptr_t", source))
            done = 0
            while done < len(data):
                request = bytearray(
                    struct.pack("<QQQQq", address + done, at + done, len(data) - done, 0, 0)
                )
                try:
                    fcntl.ioctl(self._descriptor, _IOCTL_COPY, request)
                except OSError as error:
                    copied = struct.unpack_from("<q", request, 32)[0]
                    if error.errno == errno.EEXIST:
                        self._wake(address, len(data))
                        return
                    if error.errno != errno.EAGAIN:
                        raise
                    done += max(0, copied)
                else:
                    return

    def refuse(self, region: Region) -> None:
        """Let the reader of *region* fail with EFAULT, now and from now on."""
        self._libc.mprotect(
            self._ffi.cast("void *", region.address), region.size, self._ffi.cast("int", _PROT_NONE)
        )
        self._wake(region.address, region.size)

    def _wake(self, address: int, size: int) -> None:
        fcntl.ioctl(self._descriptor, _IOCTL_WAKE, struct.pack("<QQ", address, size))
