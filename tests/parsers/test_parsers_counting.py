"""Boot counting in file names: as the specification's and systemd's examples have it."""

import pytest
from parsers_trees import Scan

from bootmenu.model import Rename, Resource
from bootmenu.parsers.counting import counted


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("debian+3.conf", "debian+2-1.conf"),
        ("debian+2-1.conf", "debian+1-2.conf"),
        ("debian+1-2.conf", "debian+0-3.conf"),
        ("debian+4-0.efi", "debian+3-1.efi"),
        ("debian+10.conf", "debian+09-1.conf"),
        ("debian+010-09.conf", "debian+009-10.conf"),
        ("debian+1-9.conf", "debian+0-10.conf"),
        ("a+b+3+2-7.conf", "a+b+3+1-8.conf"),
        ("DEBIAN+3.CONF", "DEBIAN+2-1.CONF"),
        ("x+1-2147483647.efi", "x+0-2147483647.efi"),
    ],
)
def test_each_boot_counts_down_and_up(name: str, following: str) -> None:
    file = Resource(path=f"/loader/entries/{name}", volume="vda1")
    assert counted(file) == (Rename(file, following),)


@pytest.mark.parametrize(
    "name",
    [
        "debian.conf", "debian+0.conf", "debian+0-3.conf", "debian+00-3.efi", "debian+.conf",
        "debian+3-.conf", "debian+3.txt", "debian+-3.conf", "debian+3x.conf",
        "debian+٣.conf", "debian+99999999999999.conf",
    ],
)  # fmt: skip
def test_what_is_not_counted_or_has_no_tries_left_keeps_its_name(name: str) -> None:
    assert counted(Resource(path=f"/loader/entries/{name}", volume="vda1")) == ()


def test_a_counted_entry_says_what_its_boot_renames(scan_tree: Scan) -> None:
    conf = "title x\nlinux /Image\n"
    names = ("good", "new+3-0", "bad+0-3")
    files = {f"/loader/entries/{name}.conf": conf for name in names}
    found = scan_tree({**files, "/Image": "kernel"}, fstype="vfat")
    writes = {e.source: [str(w) for w in e.writes] for c in found for e in c.entries}
    assert writes == {
        "/loader/entries/good.conf": [],
        "/loader/entries/new+3-0.conf": [
            "vda2:/loader/entries/new+3-0.conf: renamed to new+2-1.conf"
        ],
        "/loader/entries/bad+0-3.conf": [],
    }
