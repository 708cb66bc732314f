"""ISO 9660: the volume descriptor and the directories of an image, bounded and lazy.

Specifications: ECMA-119 (ISO 9660); IEEE P1281 and P1282 (the System Use Sharing Protocol and
Rock Ridge); Microsoft's Joliet. Of names, Rock Ridge's are taken where there are any, else
Joliet's, else the plain ones in lower case without their version, as Linux shows them. What is
supported besides: continuation areas, symbolic links, relocated directories, files in several
extents that follow each other. Not supported: interleaved files, files in several places, and
compressed ones (zisofs): they are listed, and say so when they are read.

Nothing is walked here by itself, so no loop of directories is followed; each directory is read
when it is asked for, and is at most 4 MiB.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from bootmenu.errors import VolumeError
from bootmenu.files.slices import open_slice
from bootmenu.model import FileSlice

SECTOR = 2048
MAX_DESCRIPTORS = 64
MAX_DIRECTORY = 4 << 20
"""Bytes that are read of one directory."""
MAX_ENTRIES = 16384
"""Files in one directory."""
MAX_CONTINUATIONS = 16
"""Continuation areas of one file's system use fields."""
MAX_NAME = 1024
MAX_TARGET = 4096

_FIRST_DESCRIPTOR = 16
_PRIMARY, _SUPPLEMENTARY, _END = 1, 2, 255
_JOLIET = frozenset({b"%/@", b"%/C", b"%/E"})
_DIRECTORY, _ASSOCIATED, _MORE = 0x02, 0x04, 0x80
_DAYS = (0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)  # before each month
_ROCK_RIDGE = frozenset({b"ER", b"PX", b"RR"})


class Entry(NamedTuple):
    """What a directory says of a file: *offset* and *size* are bytes of the image."""

    mode: int  # as of stat(2)
    offset: int
    size: int
    changed: int  # seconds since 1970
    target: str = ""  # of a symbolic link
    fault: str = ""  # why its bytes are not in the image as they are


class Image:
    """The ISO 9660 filesystem in *file*; raises VolumeError when there is none.

    *label* is the primary descriptor's volume id, *uuid* its date of modification as blkid(8)
    writes it, *ignore_case* whether its names have no case of their own.
    """

    def __init__(self, file: FileSlice) -> None:
        self._file = file
        self._skip = 0
        self._rock_ridge = False
        with open_slice(file) as opened:
            primary, joliet = _descriptors(opened)
            self._block = _word(primary, 128) & 0xFFFF
            if self._block not in {512, 1024, 2048}:
                raise VolumeError(f"damaged, its blocks have {self._block} bytes")
            self.root = self._record(primary[156:190])
            self._look_for_rock_ridge(opened)
        self._joliet = bool(joliet) and not self._rock_ridge
        if self._joliet:
            self.root = self._record(joliet[156:190])
        self.ignore_case = not self._rock_ridge
        self.label = _text(primary[40:72])
        if not self.label and joliet:
            self.label = joliet[40:72].decode("utf-16-be", "replace").strip(" \0")
        self.uuid = _date(primary[830:846]) or _date(primary[813:829])

    def directory(self, entry: Entry) -> dict[str, Entry]:
        """What is in the directory *entry*; the first of several files of the same name."""
        found: dict[str, Entry] = {}
        if entry.offset >= self._file.size:
            raise VolumeError("cut off, a directory lies behind its end")
        with open_slice(self._file) as opened:
            opened.seek(entry.offset)
            data = opened.read(min(entry.size, MAX_DIRECTORY))
            before: Entry | None = None  # the extents so far of a file that has more
            for record in _records(data):
                flags = record[25]
                name, described = self._described(record, opened)
                if before is not None:
                    described = _joined(before, described)
                before = described if flags & _MORE else None
                if before is None and name and not flags & _ASSOCIATED:
                    found.setdefault(name, described)
                if len(found) >= MAX_ENTRIES:
                    break
        return found

    def _look_for_rock_ridge(self, opened: BinaryIO) -> None:
        """Whether the root's own record says that names and modes are in system use fields."""
        opened.seek(self.root.offset)
        itself = next(_records(opened.read(min(self.root.size, SECTOR))), b"")
        area = _system_use(itself)
        start = area.find(b"SP\x07\x01\xbe\xef")
        if start not in {0, 14}:  # behind the attributes of a CD-ROM XA
            return
        signatures = {signature for signature, _ in self._fields(area[start:], opened)}
        self._skip = area[start + 6]
        self._rock_ridge = not signatures.isdisjoint(_ROCK_RIDGE)

    def _record(self, record: bytes) -> Entry:
        """What the fixed part of a directory record says."""
        offset = (_word(record, 2) + record[1]) * self._block
        mode = stat.S_IFDIR if record[25] & _DIRECTORY else stat.S_IFREG
        fault = "is interleaved with other files" if record[26] and mode == stat.S_IFREG else ""
        return Entry(mode, offset, _word(record, 10), _seconds(record[18:25]), fault=fault)

    def _described(self, record: bytes, opened: BinaryIO) -> tuple[str, Entry]:
        """The name and the description of a file; no name for what is not to be seen."""
        raw = record[33 : 33 + record[32]]
        entry = self._record(record)
        if raw in {b"\0", b"\1"}:  # the directory itself, and the one above
            return "", entry
        if self._joliet:
            return _valid(raw.decode("utf-16-be", "replace").partition(";")[0]), entry
        plain = raw.decode("utf-8", "surrogateescape").partition(";")[0].rstrip(".").lower()
        if not self._rock_ridge:
            return _valid(plain), entry
        name, entry = self._rock_ridged(record, entry, opened)
        return _valid(name if name is not None else plain), entry

    def _rock_ridged(
        self, record: bytes, entry: Entry, opened: BinaryIO
    ) -> tuple[str | None, Entry]:
        """The name, None for the plain one, and what system use fields say beyond *entry*."""
        name, link = b"", b""
        target: list[bytes] = []
        for signature, data in self._fields(_system_use(record)[self._skip :], opened):
            if signature == b"NM" and data and not data[0] & 6:
                name = (name + data[1:])[:MAX_NAME]
            elif signature == b"SL" and data:
                target.append(data[1:])
            elif signature == b"RE":
                return "", entry  # it is where CL says
            elif signature == b"CL" and len(data) >= 4:
                link = data[:4]
            elif signature == b"ZF" and data[:2].lower() == b"pz":
                entry = entry._replace(fault="is compressed (zisofs), which cannot be read here")
            elif signature == b"PX" and len(data) >= 4:
                entry = entry._replace(mode=_mode(entry.mode, _word(data, 0)))
        if link:
            entry = self._relocated(_word(link, 0) * self._block, opened)
        elif target:
            entry = entry._replace(mode=stat.S_IFLNK, target=_target(target))
        return (name.decode("utf-8", "surrogateescape") if name else None), entry

    def _relocated(self, offset: int, opened: BinaryIO) -> Entry:
        """The directory at *offset*, which says its size itself."""
        opened.seek(offset)
        itself = next(_records(opened.read(SECTOR)), b"")
        if not itself:
            return Entry(stat.S_IFDIR, offset, 0, 0)
        return self._record(itself)._replace(mode=stat.S_IFDIR, offset=offset)

    def _fields(self, area: bytes, opened: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
        """The system use fields in *area* and where it is continued: signatures and data."""
        for _ in range(MAX_CONTINUATIONS):
            following = b""
            at = 0
            while at + 4 <= len(area):
                signature, length = area[at : at + 2], area[at + 2]
                if length < 4 or at + length > len(area) or signature == b"ST":
                    break
                data = area[at + 4 : at + length]
                if signature == b"CE" and len(data) >= 24:
                    following = data
                else:
                    yield signature, data
                at += length
            if not following:
                return
            opened.seek(_word(following, 0) * self._block + _word(following, 8))
            area = opened.read(min(_word(following, 16), SECTOR))


def _descriptors(opened: BinaryIO) -> tuple[bytes, bytes]:
    """The primary descriptor, and Joliet's or nothing."""
    primary = joliet = b""
    opened.seek(_FIRST_DESCRIPTOR * SECTOR)
    for _ in range(MAX_DESCRIPTORS):
        found = opened.read(SECTOR)
        if len(found) < SECTOR or found[1:6] != b"CD001" or found[0] == _END:
            break
        if found[0] == _PRIMARY:
            primary = primary or found
        elif found[0] == _SUPPLEMENTARY and found[88:91] in _JOLIET:
            joliet = joliet or found
    if not primary:
        raise VolumeError("not an ISO 9660 image", hint="was it downloaded completely?")
    return primary, joliet


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a directory; none of them goes over a sector's end."""
    at = 0
    while at + 34 <= len(data):
        length = data[at]
        if length < 34 or at % SECTOR + length > SECTOR or 33 + data[at + 32] > length:
            at += SECTOR - at % SECTOR
            continue
        yield data[at : at + length]
        at += length


def _system_use(record: bytes) -> bytes:
    """What follows the name, which is padded to an even place."""
    end = 33 + record[32] if record else 0
    return record[end + end % 2 :]


def _joined(before: Entry, entry: Entry) -> Entry:
    """A file's extents so far and the next one, as one where they follow each other."""
    fault = before.fault or entry.fault
    if before.offset + before.size != entry.offset:
        fault = "lies in several places of the image"
    return entry._replace(offset=before.offset, size=before.size + entry.size, fault=fault)


def _mode(mode: int, said: int) -> int:
    """*said*, except where it contradicts *mode* about what is a directory."""
    return mode if stat.S_ISDIR(mode) != stat.S_ISDIR(said) else said & 0xFFFF


def _target(pieces: list[bytes]) -> str:
    """Where a symbolic link leads; *pieces* are the component records of its fields."""
    parts: list[bytes] = []
    joined = False
    for data in pieces:
        at = 0
        while at + 2 <= len(data):
            flags, content = data[at], data[at + 2 : at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
            special = {2: b".", 4: b"..", 8: b""}.get(flags & 0xE)  # 8 is the root
            text = content if special is None else special
            if joined:
                parts[-1] += text
            else:
                parts.append(text)
            joined = bool(flags & 1)
    return b"/".join(parts)[:MAX_TARGET].decode("utf-8", "surrogateescape") or "/"


def _valid(name: str) -> str:
    """*name*, or nothing where no path could name it."""
    return "" if name in {".", ".."} or "/" in name or "\0" in name else name


def _word(data: bytes, at: int) -> int:
    """The little-endian half of a number of 32 bits that is there in both orders."""
    return int(struct.unpack_from("<I", data, at)[0])


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogateescape").rstrip(" \0")


def _seconds(date: bytes) -> int:
    """A record's date (years since 1900, …, quarters of an hour east), in seconds since 1970."""
    year, month, day, hour, minute, second, zone = date
    days = (year - 70) * 365 + (year - 69) // 4 + _DAYS[month % 13] + day - 1
    days += year % 4 == 0 and month > 2
    east = zone - 256 if zone > 127 else zone
    return ((days * 24 + hour) * 60 + minute - 15 * east) * 60 + second


def _date(field: bytes) -> str:
    """The digits of a date as ``2026-02-14-10-20-30-00``, "" where they say none."""
    digits = field.decode("ascii", "replace")
    if not digits.isdecimal() or not int(digits):
        return ""
    return "-".join((digits[:4], *(digits[at : at + 2] for at in range(4, 16, 2))))
