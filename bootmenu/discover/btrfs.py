"""Which subvolume of a btrfs is its default one, asked of the kernel.

The name "default" in the directory of the tree of roots leads to it; from there the back references
lead up to the top level. Specification: <linux/btrfs.h> and <linux/btrfs_tree.h>, and
https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html. Asking takes CAP_SYS_ADMIN.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator

_TREE_SEARCH, _INO_LOOKUP = 0xD0009411, 0xD0009412
_SIZE = 4096  # of the arguments of both
_KEY = struct.Struct("=QQQQQQQIIII32x")
_HEADER = struct.Struct("=QQQII")  # transaction, object, offset, type, length
_DIR_ITEM = struct.Struct("<QBQQHHB")  # location: object, type, offset; transaction; lengths; type
_ROOT_REF = struct.Struct("<QQH")  # directory, sequence, length of the name
_LOOKUP = struct.Struct("=QQ")  # tree, object; the path follows

_ROOT_TREE, _TOP_LEVEL, _ROOT_DIRECTORY, _FIRST_INODE = 1, 5, 6, 256
_DIR_ITEM_KEY, _ROOT_BACKREF_KEY = 84, 144
_MAX = (1 << 64) - 1
_MAX_ITEMS = 16
_MAX_DEPTH = 64  # subvolumes within each other


def default_subvolume(root: str) -> str:
    """The path of the default subvolume, from the top level that is mounted at *root*: ``/@``.

    "/" when it is the top level; "" when that cannot be known: something else is mounted there, or
    the kernel does not say.
    """
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _look_up(directory, 0, _FIRST_INODE)[0] != _TOP_LEVEL:
                return ""
            return _path(directory, _default(directory))
        finally:
            os.close(directory)
    except (OSError, struct.error, LookupError):
        return ""


def is_subvolume(path: str) -> bool:
    """Whether *path* is the root of a subvolume, and not a directory in one. Raises nothing."""
    try:
        return os.stat(path).st_ino == _FIRST_INODE  # noqa: PTH116
    except OSError:
        return False


def _default(directory: int) -> int:
    """The number of the default subvolume; LookupError without one."""
    for _, item in _search(directory, _ROOT_DIRECTORY, _DIR_ITEM_KEY):
        number, _, _, _, _, length, _ = _DIR_ITEM.unpack_from(item)
        if item[_DIR_ITEM.size : _DIR_ITEM.size + length] == b"default":
            return int(number)
    raise LookupError("default")


def _path(directory: int, number: int) -> str:
    """The path of the subvolume *number*; LookupError when nothing leads to it."""
    names: list[str] = []
    for _ in range(_MAX_DEPTH):
        if number == _TOP_LEVEL:
            return "/" + "/".join(reversed(names))
        for parent, item in _search(directory, number, _ROOT_BACKREF_KEY):
            inode, _, length = _ROOT_REF.unpack_from(item)
            name = os.fsdecode(item[_ROOT_REF.size : _ROOT_REF.size + length])
            names.append(_look_up(directory, parent, inode)[1] + name)
            number = parent
            break
        else:
            break
    raise LookupError(number)


def _search(directory: int, number: int, kind: int) -> Iterator[tuple[int, bytes]]:
    """Offset and content of the items of this *kind* of the object *number*."""
    arguments = bytearray(_SIZE)
    key = (_ROOT_TREE, number, number, 0, _MAX, 0, _MAX, kind, kind, _MAX_ITEMS, 0)
    _KEY.pack_into(arguments, 0, *key)
    fcntl.ioctl(directory, _TREE_SEARCH, arguments)
    at = _KEY.size
    for _ in range(_KEY.unpack_from(arguments)[9]):
        _, _, offset, _, length = _HEADER.unpack_from(arguments, at)
        at += _HEADER.size
        yield offset, bytes(arguments[at : at + length])
        at += length


def _look_up(directory: int, tree: int, inode: int) -> tuple[int, str]:
    """The subvolume *tree* (0 for that of *directory*), and the path of *inode* in it: ``a/b/``."""
    arguments = bytearray(_SIZE)
    _LOOKUP.pack_into(arguments, 0, tree, inode)
    fcntl.ioctl(directory, _INO_LOOKUP, arguments)
    path = bytes(arguments[_LOOKUP.size :]).partition(b"\0")[0]
    return _LOOKUP.unpack_from(arguments)[0], os.fsdecode(path)
