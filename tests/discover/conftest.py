"""Disks on loop devices."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from discover_images import MAKERS, MIB, mounting, run


@pytest.fixture
def attach() -> Iterator[Callable[[Path], str]]:
    """Turns an image into a block device; gives its node."""
    nodes = []

    def attached(image: Path) -> str:
        node = run("losetup", "--find", "--show", image)
        nodes.append(node)
        run("blockdev", "--setrw", node)  # it is as its last user, whoever that was, has left it
        return node

    yield attached
    for node in nodes:
        run("losetup", "--detach", node)


@pytest.fixture
def unclean(tmp_path: Path, attach: Callable[[Path], str]) -> Callable[[str], Path]:
    """Makes an image whose system was switched off while it wrote: its journal is not empty."""

    def make(fstype: str) -> Path:
        running, image, mounted = (tmp_path / name for name in ("running", "image", "mounted"))
        with running.open("wb") as file:
            file.truncate((320 if fstype == "xfs" else 128) * MIB)
        run(*MAKERS[fstype], running)
        node = attach(running)
        with mounting(node, mounted):
            (mounted / "boot").mkdir()
            (mounted / "boot" / "Image").write_text("a kernel\n")
        with mounting(node, mounted):
            for number in range(50):
                (mounted / f"file{number}").write_text("only in the journal yet\n")
            run("sync", "-f", mounted)
            run("cp", "--sparse=always", running, image)
        return image

    return make
