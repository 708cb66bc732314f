"""U-Boot's FIT: a device tree whose nodes are kernels, ramdisks, trees and combinations of them.

Specification: https://fitspec.osfw.foundation/ (Flattened Image Tree 0.9). The data of an image
stands in the tree, or behind it. Hashes are checked, signatures are not: what may be started is
not this program's to decide.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from bootmenu.devicetree.flat import HEADER, scan
from bootmenu.errors import ImageError, TreeError
from bootmenu.files import open_slice
from bootmenu.images.damage import DAMAGED
from bootmenu.images.packed import Checksum
from bootmenu.images.recognise import Kind
from bootmenu.model import FileSlice

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NODES = 4096
MAX_TEXT = 64 << 10
MAX_COPY = 256 << 20
COMPRESSIONS = {
    "gzip": Kind.GZIP,
    "bzip2": Kind.BZIP2,
    "lzma": Kind.LZMA,
    "lz4": Kind.LZ4,
    "zstd": Kind.ZSTD,
}
ALGORITHMS = ("crc32", "md5", "sha1", "sha256", "sha384", "sha512")

_IMAGES, _CONFIGURATIONS = "/images", "/configurations"


class Image(NamedTuple):
    """A node of /images; *compression* as it is written there, ``none`` without any."""

    name: str
    type: str
    arch: str
    compression: str
    data: FileSlice
    checksums: tuple[Checksum, ...]


class Configuration(NamedTuple):
    """A node of /configurations: names of images, and the boards that it is for."""

    name: str
    kernel: str
    ramdisk: str
    trees: tuple[str, ...]  # a device tree, then overlays
    compatible: tuple[str, ...]


class Fit:
    """The images and configurations of one file, none of whose data was read."""

    def __init__(self, file: FileSlice) -> None:
        """Raise ImageError when it is damaged, VolumeError when it cannot be read."""
        self.file = file
        self._nodes: dict[str, dict[str, bytes]] = {}
        self._data: dict[str, FileSlice] = {}
        try:
            with _mapped(file) as data:
                self._end = -(-HEADER.unpack_from(data)[1] // 4) * 4
                self._scan(data)
        except TreeError as error:
            raise ImageError(f"{file}: {error.message}", hint=error.hint) from error

    def _scan(self, data: mmap.mmap) -> None:
        for node, name, start, end in scan(data):
            values = self._nodes.setdefault(node, {})
            if len(self._nodes) > MAX_NODES or len(values) > MAX_NODES:
                raise self._damaged("it has too many nodes")
            if name == "data" and node.startswith(f"{_IMAGES}/"):
                self._data.setdefault(node, self.file.part(start, end - start))
            elif end - start <= MAX_TEXT:
                values.setdefault(name, data[start:end])

    @property
    def images(self) -> list[Image]:
        """All of them."""
        return [self.image(name) for name in self._children(_IMAGES)]

    @property
    def compatible(self) -> tuple[str, ...]:
        """The board that a plain device tree describes."""
        return self._texts("/", "compatible")

    @property
    def default(self) -> str:
        """The name of the default configuration, "" where there is none."""
        return self._text(_CONFIGURATIONS, "default")

    @property
    def configurations(self) -> list[Configuration]:
        """All of them."""
        return [self._configuration(name) for name in self._children(_CONFIGURATIONS)]

    def image(self, name: str) -> Image:
        """The image *name*. Raises ImageError when it is not there, or not all there."""
        node = f"{_IMAGES}/{name}"
        if node not in self._nodes:
            raise self._damaged(f"it has no image {name!r}")
        return Image(
            name,
            self._text(node, "type"),
            self._text(node, "arch"),
            self._text(node, "compression") or "none",
            self._place(node),
            tuple(self._checksums(node)),
        )

    def choose(self, name: str = "", compatible: Sequence[str] = ()) -> Configuration:
        """The configuration *name*, else that for a machine *compatible*, else the default.

        Raises ImageError when there is none to take.
        """
        found = self._startable(name)
        if name:
            named = [one for one in found if one.name == name]
            if not named:
                known = ", ".join(one.name for one in found[:8]) or "none at all"
                raise ImageError(
                    f"{self.file}: it has no configuration {name}", hint=f"it has {known}"
                )
            return named[0]
        boards = [(one, self._boards(one)) for one in found] if compatible else []
        for board in compatible:  # the most specific comes first
            for one, its in boards:
                if board in its:
                    return one
        default = [one for one in found if one.name == self.default]
        if not default and len(found) != 1:
            raise ImageError(
                f"{self.file}: none of its {len(found)} configurations is for this machine, "
                "and none is the default",
                hint="name one: FILE#NAME; bootmenu inspect FILE lists them",
            )
        return (default or found)[0]

    def _startable(self, named: str) -> list[Configuration]:
        """The configurations that bring a kernel; others only load what these need besides."""
        found = self.configurations
        without = [one.name for one in found if not one.kernel]
        if named in without or len(without) == len(found) > 0:
            raise ImageError(
                f"{self.file}: the configuration {named or without[0]} has no kernel",
                hint="choose another one; bootmenu inspect FILE lists them",
            )
        return [one for one in found if one.kernel]

    def _boards(self, one: Configuration) -> tuple[str, ...]:
        """The boards that *one* is for: where it names none, that of its tree.

        A tree that is compressed, or damaged, is for none.
        """
        if one.compatible or not one.trees:
            return one.compatible
        try:
            tree = self.image(one.trees[0])
        except ImageError:
            return ()
        return boards_of(tree.data) if tree.compression == "none" else ()

    def _configuration(self, name: str) -> Configuration:
        node = f"{_CONFIGURATIONS}/{name}"
        return Configuration(
            name,
            self._text(node, "kernel"),
            self._text(node, "ramdisk"),
            self._texts(node, "fdt"),
            self._texts(node, "compatible"),
        )

    def _place(self, node: str) -> FileSlice:
        if node in self._data:
            return self._data[node]
        size = self._number(node, "data-size")
        if "data-position" in self._nodes[node]:
            start = self._number(node, "data-position")
        else:
            start = self._end + self._number(node, "data-offset")
        if start + size > self.file.size:
            raise ImageError(
                f"{self.file}: truncated, the data of {node} ends at byte {start + size:,} "
                f"and the file has {self.file.size:,}",
                hint=DAMAGED,
            )
        return self.file.part(start, size)

    def _checksums(self, node: str) -> Iterator[Checksum]:
        for child in self._children(node):
            if child.split("@")[0].split("-")[0] != "hash":
                continue
            algorithm = self._text(f"{node}/{child}", "algo")
            value = self._nodes[f"{node}/{child}"].get("value", b"")
            if algorithm in ALGORITHMS:
                yield Checksum(algorithm, value)

    def _children(self, node: str) -> list[str]:
        start = f"{node}/"
        return [
            path[len(start) :]
            for path in self._nodes
            if path.startswith(start) and "/" not in path[len(start) :]
        ]

    def _text(self, node: str, name: str) -> str:
        texts = self._texts(node, name)
        return texts[0] if texts else ""

    def _texts(self, node: str, name: str) -> tuple[str, ...]:
        return _split(self._nodes.get(node, {}).get(name, b""))

    def _number(self, node: str, name: str) -> int:
        value = self._nodes[node].get(name, b"")
        if len(value) != 4:
            raise self._damaged(f"{node} does not say where its data lies ({name})")
        return int.from_bytes(value, "big")

    def _damaged(self, why: str) -> ImageError:
        return ImageError(f"{self.file}: damaged, or no FIT image: {why}", hint=DAMAGED)


def boards_of(tree: FileSlice) -> tuple[str, ...]:
    """The boards that a device tree is for, its own first; none where it is damaged.

    Raises VolumeError when it cannot be read.
    """
    with suppress(ImageError, TreeError), _mapped(tree) as data:
        for node, name, start, end in scan(data):
            if node != "/":  # its properties stand before its nodes
                break
            if name == "compatible":
                return _split(data[start:end])
    return ()


def _split(texts: bytes) -> tuple[str, ...]:
    return tuple(text.decode("utf-8", "replace") for text in texts.split(b"\0")[:-1])


@contextmanager
def _mapped(file: FileSlice) -> Iterator[mmap.mmap]:
    """*file* mapped, from its first byte on."""
    with open_slice(file) as opened:
        if file.size < HEADER.size:
            raise ImageError(f"{file}: truncated, its header is incomplete", hint=DAMAGED)
        if file.offset % mmap.ALLOCATIONGRANULARITY == 0:
            with mmap.mmap(
                opened.fileno(), file.size, prot=mmap.PROT_READ, offset=file.offset
            ) as mapped:
                yield mapped
            return
        # Inside of another file and on no page of it: the tree is copied, small as it is
        # unless the data stands in it.
        size = min(file.size, HEADER.unpack(opened.read(HEADER.size))[1])
        if size > MAX_COPY:
            raise ImageError(
                f"{file}: a FIT image of {size >> 20} MiB inside of another file",
                hint="copy it to a file of its own",
            )
        opened.seek(0)
        with mmap.mmap(-1, max(size, HEADER.size)) as copy:
            copy.write(opened.read(size))
            yield copy
