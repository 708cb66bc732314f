"""Trees in, an initramfs of separately compressed parts out.

The kernel unpacks any number of compressed archives that follow each other, see its
Documentation/driver-api/early-userspace/buffer-format.rst. So each part is compressed
only when it has changed, and its share of the whole is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bootmenu.appliance.tools import run
from bootmenu.appliance.tree import Tree

LEVEL = "-19"
"""Of zstd: its window is 8 MiB, which the kernel needs once while it unpacks."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the initramfs takes: files, bytes in memory, bytes packed."""

    name: str
    files: int
    memory: int
    packed: int
    archive: Path


def pack(
    name: str, key: str, tree: Callable[[], Tree], cache: Path, report: Callable[[str], None]
) -> Part:
    """The part *name*, packed from what *tree* returns, unless *cache* has it under *key*."""
    archive = cache / "parts" / f"{name}-{key[:16]}.cpio.zst"
    facts = archive.with_suffix(".json")
    if not (archive.exists() and facts.exists()):
        report(f"packing {name}")
        archive.parent.mkdir(parents=True, exist_ok=True)
        files = tree()
        # With threads zstd writes the same bytes, however many there are.
        packed = run(["zstd", "-q", "-c", "-T0", LEVEL], data=files.cpio()).stdout
        facts.write_text(json.dumps({"files": len(files), "memory": files.size}))
        unfinished = archive.with_suffix(".part")
        unfinished.write_bytes(packed)
        unfinished.rename(archive)
    known = json.loads(facts.read_text())
    return Part(name, known["files"], known["memory"], archive.stat().st_size, archive)


def join(parts: Sequence[Part], output: Path) -> None:
    """Write the initramfs *output* of *parts*."""
    unfinished = output.with_suffix(".part")
    with unfinished.open("wb") as file:
        for part in parts:
            file.write(part.archive.read_bytes())
    unfinished.rename(output)


def describe(parts: Sequence[Part]) -> list[dict[str, object]]:
    """*parts* for the manifest, largest first."""
    largest_first = sorted(parts, key=lambda part: -part.packed)
    facts = [asdict(part) for part in largest_first]
    for fact in facts:
        del fact["archive"]
    return facts
