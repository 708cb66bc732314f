"""What the tests of the parsers share: trees of files, and one volume to read them from."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import Arch, Configuration, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan


@pytest.fixture
def scan_tree(tmp_path: Path) -> Scan:
    """Scan a volume, vda2, that holds the given files."""

    def scan_files(
        files: Mapping[str, str | bytes],
        *,
        others: tuple[Volume, ...] = (),
        platform: Platform = Platform.EFI,
        fstype: str = "ext4",
        compatible: tuple[str, ...] = (),
        subvolume: str = "",
    ) -> list[Configuration]:
        root = tmp_path / "vda2"
        root.mkdir(exist_ok=True)
        make_tree(root, files)
        volume = Volume(
            "vda2", str(root), uuid="AB-12", label="ROOT", fstype=fstype, subvolume=subvolume
        )
        context = Context(Arch.ARM64, platform, (volume, *others), compatible)
        return scan(volume, context)

    return scan_files
