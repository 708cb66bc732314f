"""A kernel compressed with zstd (RFC 8878), by libzstd.

The kernel's own build system writes frames that do not say how long they are, with a window
of up to 128 MiB.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, BinaryIO

from bootmenu.images.damage import broken, cut_off, no_library
from bootmenu.images.recognise import SKIPPABLE

_LIBRARY = "libzstd.so.1"
_WHAT = "zstd-compressed kernel"
_WINDOW_LOG_MAX = 100  # ZSTD_d_windowLogMax
_WINDOW_LOG = 27
_PIECE = 1 << 20
_STEP = 128 << 10
_MAGIC = b"\x28\xb5\x2f\xfd"


def decompress(file: BinaryIO, path: str) -> Iterator[bytes]:
    """What *file* holds from where it stands, in pieces of at most 1 MiB.

    Frames follow on one another, whatever else is behind the first is ignored. Raises
    ImageError naming *path* when it is cut off or damaged.
    """
    try:
        ffi, lib = _library()
    except OSError as error:
        raise no_library(path, _WHAT, _LIBRARY, "libzstd1") from error
    context = ffi.gc(lib.ZSTD_createDCtx(), lib.ZSTD_freeDCtx)
    lib.ZSTD_DCtx_setParameter(context, _WINDOW_LOG_MAX, _WINDOW_LOG)
    target = ffi.new("char[]", _PIECE)
    output: Any = ffi.new("ZSTD_outBuffer *")
    given: Any = ffi.new("ZSTD_inBuffer *")
    output.dst, output.size = target, _PIECE
    packed = b""
    ended = more = False
    while True:
        if given.pos == given.size and not more:
            packed = file.read(_STEP)
            given.src, given.size, given.pos = ffi.from_buffer(packed), len(packed), 0
            if not packed and not ended:
                raise cut_off(path, _WHAT, file.tell())
        rest = packed[given.pos : given.pos + len(_MAGIC)]
        if ended and not _begins_frame(rest):
            return
        output.pos = 0
        left = lib.ZSTD_decompressStream(context, output, given)
        if lib.ZSTD_isError(left):
            name: Any = ffi.string(lib.ZSTD_getErrorName(left))
            raise broken(path, _WHAT, file.tell(), name.decode("ascii", "replace"))
        ended = left == 0
        more = output.pos == _PIECE  # it may hold back what had no room
        if output.pos:
            yield ffi.buffer(target, output.pos)[:]


def _begins_frame(head: bytes) -> bool:
    """Whether a frame may begin with *head*, which has up to four bytes."""
    if not head:
        return False
    return _MAGIC.startswith(head) or (head[0] >> 4 == 5 and SKIPPABLE.startswith(head[1:]))


@functools.cache
def _library() -> tuple[Any, Any]:
    """Opened once and never closed: what it made outlives a piece of unpacking."""
    from bootmenu.images._abi import ffi

    return ffi, ffi.dlopen(_LIBRARY)
