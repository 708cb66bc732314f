"""A tree of files held in memory, and the archive that the kernel unpacks it from.

The archive is the "new ASCII" cpio format, see the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst. Owner is always root, times
are fixed and names are sorted, so that the same tree gives the same bytes.
"""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bootmenu.errors import BuildError

TIME = 0
"""Modification time of everything in an archive, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Node:
    """A file, a directory or a symbolic link; *data* is the contents or the target."""

    mode: int  # type and permission bits, as in st_mode
    data: bytes = b""

    @classmethod
    def file(cls, data: bytes, permissions: int = 0o644) -> Node:
        """An ordinary file."""
        return cls(stat.S_IFREG | permissions, data)

    @classmethod
    def link(cls, target: str) -> Node:
        """A symbolic link."""
        return cls(stat.S_IFLNK | 0o777, target.encode())

    @classmethod
    def folder(cls, permissions: int = 0o755) -> Node:
        """A directory."""
        return cls(stat.S_IFDIR | permissions)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)


class Tree(dict[str, Node]):
    """Nodes by path; paths are relative to the root, without a leading slash."""

    @classmethod
    def of_tar(cls, archive: Path, keep: Callable[[str], bool] = lambda _: True) -> Tree:
        """The files and links of the tar *archive* whose path *keep* accepts.

        Directories come from the paths of what they hold. Device nodes are left out.
        """
        tree = cls()
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    path = posixpath.normpath(member.name).lstrip("/")
                    if not keep(path):
                        continue
                    if member.issym():
                        tree[path] = Node.link(member.linkname)
                    elif member.isreg() or member.islnk():
                        contents = tar.extractfile(member)
                        data = contents.read() if contents is not None else b""
                        tree[path] = Node.file(data, member.mode & 0o777)
        except (tarfile.TarError, OSError, KeyError) as error:
            raise BuildError(
                f"cannot read {archive}: {error}", hint=f"remove {archive} and build again"
            ) from error
        return tree

    @classmethod
    def of_folder(cls, folder: Path) -> Tree:
        """The files and links under *folder*; only the execute bit of modes is kept."""
        tree = cls()
        for root, _, names in os.walk(folder):
            for name in names:
                path = Path(root, name)
                relative = path.relative_to(folder).as_posix()
                if path.is_symlink():
                    tree[relative] = Node.link(str(path.readlink()))
                else:
                    executable = path.stat().st_mode & stat.S_IXUSR
                    tree[relative] = Node.file(path.read_bytes(), 0o755 if executable else 0o644)
        return tree

    def write(self, folder: Path) -> None:
        """Write files and links below *folder*, which shall be a new one."""
        for path, node in self.items():
            target = folder / path
            if node.is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if node.is_link:
                target.symlink_to(node.data.decode())
            else:
                target.write_bytes(node.data)
                target.chmod(stat.S_IMODE(node.mode))

    def resolve(self, path: str) -> list[str]:
        """*path* and what its symbolic links lead to; empty when nothing is there."""
        chain: list[str] = []
        while path in self and path not in chain:
            chain.append(path)
            node = self[path]
            if not node.is_link:
                return chain
            target = node.data.decode()
            path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target))[1:]
        return []

    @property
    def size(self) -> int:
        """Bytes that it takes in memory once unpacked: whole pages of 4 KiB."""
        return sum(-(-len(node.data) // 4096) * 4096 for node in self.values())

    def cpio(self) -> bytes:
        """The archive of it, with the directories that lead to each file."""
        nodes = dict(self)
        for path in self:
            while path := posixpath.dirname(path):
                nodes.setdefault(path, Node.folder())
        records = [_record(number, path, nodes[path]) for number, path in _numbered(nodes)]
        records.append(_record(0, "TRAILER!!!", Node(0)))
        archive = b"".join(records)
        return archive + bytes(-len(archive) % 512)


def _numbered(nodes: dict[str, Node]) -> Iterator[tuple[int, str]]:
    # A directory sorts before what it holds, as the kernel needs it.
    return enumerate(sorted(nodes), start=1)


def _record(number: int, path: str, node: Node) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if node.is_folder else 1
    fields = (number, node.mode, 0, 0, links, TIME, len(node.data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + name
    return head + bytes(-len(head) % 4) + node.data + bytes(-len(node.data) % 4)
