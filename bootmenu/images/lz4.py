"""Kernels compressed with lz4, in frames or in the older format that the kernel's build uses.

Specifications: LZ4 Frame Format 1.6.2, with its chapter on the legacy frame. The legacy frame
has neither an end mark nor a checksum: that it is cut off shows where a block is not whole.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

from bootmenu.images.damage import broken, cut_off, no_library
from bootmenu.images.recognise import is_skippable

_LIBRARY = "liblz4.so.1"
_WHAT = "lz4-compressed kernel"
_VERSION = 100  # LZ4F_VERSION
_STEP = 128 << 10
_PIECE = 1 << 20
_MAGIC = struct.pack("<I", 0x184D2204)
_LEGACY = struct.pack("<I", 0x184C2102)
_BLOCK = 8 << 20  # of a legacy frame, unpacked
_BOUND = _BLOCK + _BLOCK // 255 + 16  # the most that such a block may take


def decompress(file: BinaryIO, path: str) -> Iterator[bytes]:
    """What *file* holds from where it stands, in pieces of at most 1 MiB.

    Frames follow on one another, whatever else is behind the first is ignored. Raises
    ImageError naming *path* when it is cut off or damaged.
    """
    try:
        ffi, lib = _library()
    except OSError as error:
        raise no_library(path, _WHAT, _LIBRARY, "liblz4-1") from error
    head = file.read(len(_MAGIC))
    while True:
        if head == _LEGACY:
            head = yield from _legacy(ffi, lib, file, path)
        elif head == _MAGIC or is_skippable(head):
            yield from _frames(ffi, lib, file, path, head)
            return
        else:
            return


def _frames(ffi: Any, lib: Any, file: BinaryIO, path: str, packed: bytes) -> Iterator[bytes]:
    holder = ffi.new("void **")
    lib.LZ4F_createDecompressionContext(holder, _VERSION)
    context = ffi.gc(holder[0], lib.LZ4F_freeDecompressionContext)
    target = ffi.new("char[]", _PIECE)
    filled, taken = ffi.new("size_t *"), ffi.new("size_t *")
    ended = False
    while True:
        if not packed or (ended and len(packed) < len(_MAGIC)):
            more = file.read(_STEP)
            packed += more
            if not more and not ended:
                raise cut_off(path, _WHAT, file.tell())
        if ended and not (packed[:4] == _MAGIC or is_skippable(packed)):
            return
        filled[0], taken[0] = _PIECE, len(packed)
        left = lib.LZ4F_decompress(
            context, target, filled, ffi.from_buffer(packed), taken, ffi.NULL
        )
        if lib.LZ4F_isError(left):
            name: Any = ffi.string(lib.LZ4F_getErrorName(left))
            raise broken(path, _WHAT, file.tell(), name.decode("ascii", "replace"))
        packed = packed[taken[0] :]
        ended = left == 0
        if filled[0]:
            yield ffi.buffer(target, filled[0])[:]


def _legacy(ffi: Any, lib: Any, file: BinaryIO, path: str) -> Generator[bytes, None, bytes]:
    """Give the blocks of a legacy frame; the value is what stands behind the last of them."""
    target = ffi.new("char[]", _BLOCK)
    while True:
        head = file.read(4)
        size = int.from_bytes(head, "little")
        if len(head) < 4 or not 0 < size <= _BOUND:
            return head
        packed = file.read(size)
        if len(packed) < size:
            raise cut_off(path, _WHAT, file.tell())
        count = lib.LZ4_decompress_safe(ffi.from_buffer(packed), target, size, _BLOCK)
        if count < 0:
            raise broken(path, _WHAT, file.tell(), "a block is damaged")
        for at in range(0, count, _PIECE):
            yield ffi.buffer(target + at, min(_PIECE, count - at))[:]


@functools.cache
def _library() -> tuple[Any, Any]:
    """Opened once and never closed: what it made outlives a piece of unpacking."""
    from bootmenu.images._abi import ffi

    return ffi, ffi.dlopen(_LIBRARY)
