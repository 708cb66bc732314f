"""The journal of ext4: whether its replay leaves a file alone.

A system that crashed has left changes in its journal, and its next start is just when a boot menu
has something to save. So what the replay will write is looked at: when neither the file's inode nor
its blocks get another meaning, its content can be changed before the replay as well as after it.

Layout: https://docs.kernel.org/filesystems/ext4/journal.html, and ``inodes``, ``group_descr`` and
``ifork`` beside it. A journal with fast commits, or one mapped by blocks as in ext3, is not read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bootmenu.errors import VolumeError

_MAGIC = 0xC03B3998
_DESCRIPTOR, _COMMIT, _REVOKE = 1, 2, 5
_KINDS = {_DESCRIPTOR, _COMMIT, _REVOKE}
_64BIT, _CSUM_V2, _CSUM_V3, _FAST_COMMIT = 0x2, 0x8, 0x10, 0x20  # of the journal
_ESCAPED, _SAME_UUID, _LAST = 0x1, 0x2, 0x8

_META_BG, _FS_64BIT = 0x10, 0x80  # of the filesystem
_EXTENTS = 0x80000
_EXTENT_MAGIC = 0xF30A
_DIRECT_BLOCKS = 12
_MAX_BLOCKS = 1 << 18
"""Blocks of a journal, as many as in the largest that mke2fs makes: 1 GiB of 4 KiB each."""
_MEANING = (
    slice(0x00, 0x02),  # mode
    slice(0x04, 0x08),  # size
    slice(0x14, 0x18),  # time of deletion
    slice(0x1A, 0x1C),  # links
    slice(0x20, 0x24),  # flags
    slice(0x28, 0x64),  # blocks
    slice(0x6C, 0x70),  # size, upper half
)
"""The parts of an inode that say which file it is and where that lies."""


def check_untouched(
    device: int, superblock: bytes, inode: int, parts: Sequence[tuple[int, int]]
) -> None:
    """Raise VolumeError unless the file of *inode* is the same after the journal's replay.

    *parts* are the offsets and lengths of its content on the open *device*.
    """
    filesystem = _Filesystem(device, superblock)
    place = filesystem.place(inode)
    now = filesystem.inode(inode)
    (flags,) = struct.unpack_from("<I", now, 0x20)
    (depth,) = struct.unpack_from("<H", now, 0x28 + 6)
    size = filesystem.block_size
    if depth if flags & _EXTENTS else sum(length for _, length in parts) > _DIRECT_BLOCKS * size:
        raise VolumeError("its journal was not replayed yet, and it is large")
    own = {block for at, length in parts for block in range(at // size, -(-(at + length) // size))}
    for block, place_in_log, tag_flags in _Journal(filesystem).writes():
        if block in own:
            raise VolumeError("its journal was not replayed yet, and holds its blocks")
        if block == place // size:
            start = place_in_log + place % size
            then = filesystem.read(start, len(now))
            if tag_flags & _ESCAPED or any(now[part] != then[part] for part in _MEANING):
                raise VolumeError("its journal was not replayed yet, and changes it")


class _Filesystem:
    """What the superblock and the group descriptors say."""

    block_size: int  # bytes
    journal_inode: int

    def __init__(self, device: int, superblock: bytes) -> None:
        self._device = device
        (log_size,) = struct.unpack_from("<I", superblock, 0x18)
        (self._group_inodes,) = struct.unpack_from("<I", superblock, 0x28)
        (self._inode_size,) = struct.unpack_from("<H", superblock, 0x58)
        (features,) = struct.unpack_from("<I", superblock, 0x60)
        (self.journal_inode,) = struct.unpack_from("<I", superblock, 0xE0)
        (first_block,) = struct.unpack_from("<I", superblock, 0x14)
        (descriptor_size,) = struct.unpack_from("<H", superblock, 0xFE)
        if log_size > 6 or self._inode_size < 128 or not self._group_inodes or features & _META_BG:
            raise VolumeError("its journal was not replayed yet, and cannot be read")
        self.block_size = 1024 << log_size
        self._wide = bool(features & _FS_64BIT) and descriptor_size >= 64
        self._descriptor_size = descriptor_size if self._wide else 32
        self._descriptors = (first_block + 1) * self.block_size

    def place(self, inode: int) -> int:
        """The offset of *inode* on the device."""
        group, index = divmod(inode - 1, self._group_inodes)
        descriptor = self.read(self._descriptors + group * self._descriptor_size, 64)
        (table,) = struct.unpack_from("<I", descriptor, 0x8)
        if self._wide:
            table |= struct.unpack_from("<I", descriptor, 0x28)[0] << 32
        offset: int = table * self.block_size + index * self._inode_size
        return offset

    def inode(self, inode: int) -> bytes:
        """The first 128 bytes of *inode*."""
        return self.read(self.place(inode), 128)

    def read(self, offset: int, size: int) -> bytes:
        content = os.pread(self._device, size, offset)
        if len(content) < size:
            raise VolumeError("it is shorter than its superblock says")
        return content


@dataclass(frozen=True, slots=True)
class _Run:
    """*length* blocks of a file from *logical* on, on the device from *physical* on."""

    logical: int
    physical: int
    length: int


class _Journal:
    """The journal's file, a ring of transactions behind its own superblock; it is big-endian."""

    def __init__(self, filesystem: _Filesystem) -> None:
        self._filesystem = filesystem
        inode = filesystem.inode(filesystem.journal_inode)
        if not struct.unpack_from("<I", inode, 0x20)[0] & _EXTENTS:
            raise VolumeError("its journal was not replayed yet, and is one of ext3")
        self._runs = list(self._extents(inode[0x28:0x64]))
        header = self._block(0)
        fields = struct.unpack_from(">III4xIIII", header)
        magic, kind, _, self._end, self._first, self._sequence, self._start = fields
        (self._features,) = struct.unpack_from(">I", header, 0x28)
        if magic != _MAGIC or kind not in {3, 4} or self._features & _FAST_COMMIT:
            raise VolumeError("its journal was not replayed yet, and cannot be read")

    def writes(self) -> Iterator[tuple[int, int, int]]:
        """Each write of the replay, and more: block, offset of its content, flags of its tag."""
        at, sequence, seen = self._start, self._sequence, 0
        while self._start:
            header = self._block(at)
            magic, kind, number = struct.unpack_from(">III", header)
            if magic != _MAGIC or number != sequence or kind not in _KINDS:
                return
            at, seen = self._next(at), seen + 1
            for block, flags in self._tags(header) if kind == _DESCRIPTOR else ():
                yield block, self._offset(at), flags
                at, seen = self._next(at), seen + 1
            if kind == _COMMIT:
                sequence = (sequence + 1) & 0xFFFFFFFF
            if seen > _MAX_BLOCKS:
                raise VolumeError("its journal was not replayed yet, and is too long")

    def _tags(self, descriptor: bytes) -> Iterator[tuple[int, int]]:
        """The block and the flags of each tag in a descriptor."""
        wide, third = self._features & _64BIT, self._features & _CSUM_V3
        size = 16 if third else 8 + (4 if wide else 0) + (2 if self._features & _CSUM_V2 else 0)
        tail = 4 if self._features & (_CSUM_V2 | _CSUM_V3) else 0
        position, flags = 12, 0
        while not flags & _LAST and position + size <= len(descriptor) - tail:
            if third:
                block, flags, high = struct.unpack_from(">III", descriptor, position)
            else:
                block, flags = struct.unpack_from(">I2xH", descriptor, position)
                high = struct.unpack_from(">I", descriptor, position + 8)[0] if wide else 0
            yield block | (high << 32 if wide else 0), flags
            position += size + (0 if flags & _SAME_UUID else 16)

    def _next(self, at: int) -> int:
        return at + 1 if at + 1 < self._end else self._first

    def _block(self, number: int) -> bytes:
        return self._filesystem.read(self._offset(number), self._filesystem.block_size)

    def _offset(self, number: int) -> int:
        for run in self._runs:
            if 0 <= number - run.logical < run.length:
                block = run.physical + number - run.logical
                return block * self._filesystem.block_size
        raise VolumeError("its journal was not replayed yet, and is damaged")

    def _extents(self, node: bytes, depth: int = 1) -> Iterator[_Run]:
        """The runs in a node of the extent tree and in those below it."""
        magic, count, _, level = struct.unpack_from("<HHHH", node)
        if magic != _EXTENT_MAGIC or level > depth or 12 + count * 12 > len(node):
            raise VolumeError("its journal was not replayed yet, and is damaged")
        for index in range(count):
            entry = node[12 + index * 12 : 24 + index * 12]
            if level:
                low, high = struct.unpack_from("<IH", entry, 4)
                block = (high << 32 | low) * self._filesystem.block_size
                child = self._filesystem.read(block, self._filesystem.block_size)
                yield from self._extents(child, level - 1)
            else:
                logical, length, high, low = struct.unpack_from("<IHHI", entry)
                yield _Run(logical, high << 32 | low, length)
