"""`blscfg`: which entries, in which order, and what becomes of variables in them."""

from __future__ import annotations

import pytest
from parsers_trees import Scan

from bootmenu.model import BootEntry

CFG = "/boot/grub2/grub.cfg"


def menu(scan_tree: Scan, script: str, **snippets: str) -> list[BootEntry]:
    """The entries of *script*, where the names of *snippets* are those of files."""
    entries = {f"/loader/entries/{name}.conf": text for name, text in snippets.items()}
    found = scan_tree({CFG: script, "/k": "kernel", "/i": "initrd", **entries})
    return [entry for c in found if c.format == "grub" for entry in c.entries]


def test_packages_are_compared_by_name_version_and_release(scan_tree: Scan) -> None:
    names = [
        "b-1.0-1",
        "a-6.10.3-200.fc40.x86_64",
        "a-6.9.7-200.fc40.x86_64",
        "a-6.9.7-100.fc40.x86_64",
        "a-6.9.7~rc1-300.fc40.x86_64",
        "a-0-rescue",
    ]
    snippets = {name: f"title {name}\nlinux /k" for name in sorted(names)}
    assert [e.title for e in menu(scan_tree, "blscfg", **snippets)] == names


@pytest.mark.parametrize(
    ("options", "cmdline"),
    [
        ("root=x ro $tuned", "root=x ro a=1 b"),
        ("$kernelopts", "root=y quiet"),
        ("$kernelopts $tuned extra", "root=y quiet a=1 b extra"),
        ("root=x $none rest", "root=x rest"),
        ("$none", "default one"),
        ("ro$none/x", "ro/x"),
        ("root=x 3", "root=x 3"),
        ("root=x $tuned 3", "root=x a=1 b"),  # as blscfg does: one character is lost
    ],
)
def test_variables_of_the_options(options: str, cmdline: str, scan_tree: Scan) -> None:
    script = "kernelopts='root=y quiet'\ntuned='a=1 b'\ndefault_kernelopts='default one'\nblscfg\n"
    script += "tuned=late"
    (entry,) = menu(scan_tree, script, one=f"title One\nlinux /k\noptions {options}")
    assert entry.cmdline == cmdline


def test_first_values_count_and_a_line_without_value_ends_the_file(scan_tree: Scan) -> None:
    text = "linux /k\nlinux /no\n# title no\ninitrd /i\ninitrd /i $more\noptions a b\noptions c d\n"
    (entry,) = menu(scan_tree, "blscfg\nmore=/extra", one=text + "grub_arg\ntitle Never")
    assert (entry.title, entry.cmdline) == ("/k", "a b")
    assert [r.path for r in entry.resources] == ["/k", "/i", "/i", "/extra"]


def test_early_initrd_lies_beside_the_others(scan_tree: Scan) -> None:
    script = 'early_initrd="ucode.img /abs.img"\nblscfg'
    (entry,) = menu(scan_tree, script, one="linux /k\ninitrd /d/i")
    assert [r.path for r in entry.initrds] == ["/d/ucode.img", "/abs.img", "/d/i"]


@pytest.mark.parametrize(
    ("call", "titles"),
    [
        ("blscfg", ["c", "b", "a"]),
        ("blscfg default", ["b"]),
        ("blscfg non-default", ["c", "a"]),
        ("submenu x { blscfg non-default; }; blscfg default", ["c", "a", "b"]),
        ("blscfg a", ["a"]),
        ("blscfg a.conf", ["a"]),
        ("blscfg /other", ["o"]),
        ("blscfg ($root)/other", ["o"]),
        ("blscfg /other/o.conf", ["o"]),
        ("blscfg --path /other", ["o"]),
        ("blscfg -d", ["b"]),
        ("blscfg --show-non-default", ["c", "a"]),
        ("blscfg -e c.conf", ["c"]),
        ("blsdir=/other; blscfg", ["o"]),
        ("blsdir=/nowhere; blscfg", ["c", "b", "a"]),
    ],
)
def test_entries_that_are_asked_for(call: str, titles: list[str], scan_tree: Scan) -> None:
    snippets = {name: f"title {name}\nlinux /k" for name in "abc"}
    entries = {f"/loader/entries/{name}.conf": text for name, text in snippets.items()}
    entries["/other/o.conf"] = "title o\nlinux /k"
    found = scan_tree({CFG: f"default=b\nexport default\n{call}\n", "/k": "kernel", **entries})
    assert [e.title for c in found if c.format == "grub" for e in c.entries] == titles
