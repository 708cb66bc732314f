"""Which of a system's device trees is this machine's."""

from pathlib import Path

import pytest
from parsers_trees import device_tree, make_tree

from bootmenu.files import VolumeFiles
from bootmenu.parsers.trees import tree_for

EVK = ("acme,evk-b", "acme,evk", "acme,soc")


@pytest.mark.parametrize(
    ("compatible", "path"),
    [
        (EVK, "/dtbs/acme/evk-b.dtb"),
        (("acme,evk-c", "acme,evk", "acme,soc"), "/dtbs/acme/evk.dtb"),
        (("acme,evk", "acme,soc"), "/dtbs/acme/evk.dtb"),
        (("acme,other", "acme,soc"), None),
        (("acme,soc",), "/dtbs/soc.dtb"),
        (("acme,revised", "acme,chip"), "/dtbs/acme/revised-1.dtb"),
        (("nobody,none",), None),
        ((), None),
    ],
)
def test_tree_of_the_most_specific_name(
    tmp_path: Path, compatible: tuple[str, ...], path: str | None
) -> None:
    make_tree(
        tmp_path,
        {
            "/dtbs/soc.dtb": device_tree("acme,soc"),
            "/dtbs/README": "acme,soc",
            "/dtbs/acme/evk-b.dtb": device_tree(*EVK),
            "/dtbs/acme/evk-b-long-variant.dtb": device_tree(*EVK),
            "/dtbs/acme/evk.dtb": device_tree("acme,evk", "acme,soc"),
            "/dtbs/acme/evk-audio.dtb": device_tree("acme,evk", "acme,soc"),
            "/dtbs/acme/revised-1.dtb": device_tree("acme,revised-1", "acme,revised", "acme,chip"),
        },
    )
    assert tree_for(VolumeFiles(str(tmp_path)), "/dtbs/", compatible) == path


def test_a_board_named_elsewhere_than_in_compatible_does_not_count(tmp_path: Path) -> None:
    make_tree(tmp_path, {"/a.dtb": device_tree("acme,other", model="acme,evk-b")})
    assert tree_for(VolumeFiles(str(tmp_path)), "/", EVK) is None


def test_damaged_trees_are_passed_over(tmp_path: Path) -> None:
    good = device_tree(*EVK)
    damaged = {f"/a{size:03}.dtb": good[:size] for size in range(0, len(good), 3)}
    changed = {f"/b{at:03}.dtb": good[:at] + b"\xff" * 4 + good[at + 4 :] for at in range(60)}
    make_tree(tmp_path, {**damaged, **changed, "/the-good-one.dtb": good})
    files = VolumeFiles(str(tmp_path))
    assert tree_for(files, "/", EVK)
    assert tree_for(files, "/a000.dtb", EVK) is None
