"""Whether a filesystem is as its files say, or its journal would still change it.

A volume is mounted without replaying its journal. As long as there is something in the journal,
the place of a file may be the place of another one after the replay; then nothing may be written
there. Of ext4 it is known how far that concerns the file, of xfs it is not.

Layouts: https://docs.kernel.org/filesystems/ext4/super.html, and for xfs the "XFS Algorithms & Data
Structures" of its documentation, chapter "Journaling Log".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from bootmenu.discover.jbd2 import check_untouched
from bootmenu.errors import VolumeError

_EXT_SUPER = 1024  # offset of the superblock, bytes
_EXT_MAGIC = 0xEF53
_EXT_VALID, _EXT_ERROR = 0x1, 0x2
_EXT_RECOVER = 0x4

_XFS_BLOCK = 512  # bytes of the log's own blocks
_XFS_HEADER = 0xFEEDBABE.to_bytes(4, "big")
_XFS_HEADER_SIZE = 32 << 10  # bytes of a record for each block of its header
_XFS_UNMOUNT = 0x20
_XFS_RECORD = 1024  # blocks of the longest record that an unmount writes, and more

_HINT = "start its system once and shut it down, which puts it in order"


def check_settled(device: int, fstype: str, inode: int, parts: Sequence[tuple[int, int]]) -> None:
    """Raise VolumeError unless a file stays what and where it is, even if a journal is replayed.

    The filesystem is that on the open *device*, the file the one of *inode*, which lies in
    *parts*: offsets and lengths. Of types without a journal nothing is known, and nothing raised.
    """
    try:
        if fstype in {"ext2", "ext3", "ext4"}:
            _check_ext(device, inode, parts)
        elif fstype == "xfs":
            _check_xfs(device)
    except (struct.error, IndexError, OverflowError) as error:
        raise VolumeError("its journal is damaged", hint=_HINT) from error


def _check_ext(device: int, inode: int, parts: Sequence[tuple[int, int]]) -> None:
    superblock = _read(device, _EXT_SUPER, 1024)
    magic, state = struct.unpack_from("<HH", superblock, 0x38)
    (incompatible,) = struct.unpack_from("<I", superblock, 0x60)
    if magic != _EXT_MAGIC:
        raise VolumeError("its superblock is not one of ext4")
    if state & _EXT_ERROR or not state & _EXT_VALID:
        raise VolumeError("it has errors, or was not unmounted", hint="check it with fsck")
    if incompatible & _EXT_RECOVER:
        try:
            check_untouched(device, superblock, inode, parts)
        except VolumeError as error:
            raise VolumeError(error.message, hint=_HINT) from error


def _check_xfs(device: int) -> None:
    superblock = _read(device, 0, 512)
    if superblock[:4] != b"XFSB":
        raise VolumeError("its superblock is not one of xfs")
    (block_size,) = struct.unpack_from(">I", superblock, 4)
    (log_start,) = struct.unpack_from(">Q", superblock, 48)
    (group_blocks,) = struct.unpack_from(">I", superblock, 84)
    (log_blocks,) = struct.unpack_from(">I", superblock, 96)
    group_bits = superblock[124]
    if not log_start:
        raise VolumeError("its log is on another device")
    group, block = log_start >> group_bits, log_start & ((1 << group_bits) - 1)
    start = (group * group_blocks + block) * block_size
    log = _XfsLog(device, start, log_blocks * block_size // _XFS_BLOCK)
    if not log.ends_with_unmount():
        raise VolumeError("its log was not replayed yet", hint=_HINT)


class _XfsLog:
    """The log of *size* blocks at *start* (bytes), a ring of records.

    The first word of each block is the number of times that the ring was gone round when it was
    written, behind the magic number in the header of a record.
    """

    def __init__(self, device: int, start: int, size: int) -> None:
        self._device = device
        self._start = start
        self._size = size

    def ends_with_unmount(self) -> bool:
        """Whether the last record is the one that unmounting writes."""
        if self._size < 2:
            return False
        head = self._head()
        back = min(_XFS_RECORD, self._size)
        blocks = [self._block((head - back + index) % self._size) for index in range(back)]
        for index in reversed(range(back)):
            header = blocks[index]
            if header.startswith(_XFS_HEADER):
                break
        else:
            return False
        (version, length) = struct.unpack_from(">II", header, 8)
        (operations,) = struct.unpack_from(">I", header, 40)
        (record_size,) = struct.unpack_from(">I", header, 320)
        headers = max(1, -(-record_size // _XFS_HEADER_SIZE)) if version & 2 else 1
        end = index + headers + -(-length // _XFS_BLOCK)
        if end != back or operations != 1 or index + headers >= back:
            return False
        flags = blocks[index + headers][9]  # of the only operation, see xlog_op_header
        return bool(flags & _XFS_UNMOUNT)

    def _head(self) -> int:
        """The block that the next record would begin at."""
        oldest = self._cycle(self._size - 1)
        if self._cycle(0) == oldest:
            return 0
        written, old = 0, self._size - 1
        while old - written > 1:
            middle = (written + old) // 2
            if self._cycle(middle) == oldest:
                old = middle
            else:
                written = middle
        return old

    def _cycle(self, number: int) -> bytes:
        block = self._block(number)
        return block[4:8] if block.startswith(_XFS_HEADER) else block[:4]

    def _block(self, number: int) -> bytes:
        return _read(self._device, self._start + number * _XFS_BLOCK, _XFS_BLOCK)


def _read(device: int, offset: int, size: int) -> bytes:
    content = os.pread(device, size, offset)
    if len(content) < size:
        raise VolumeError("it is shorter than its superblock says")
    return content
