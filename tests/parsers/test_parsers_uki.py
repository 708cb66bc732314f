"""Unified kernel images: their titles, sections, profiles, trees and addons; and damaged ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from parsers_images import make_image
from parsers_trees import Scan, device_tree

from bootmenu.model import BootEntry, Configuration

KERNEL = (".linux", b"kernel")
SYSTEM = (".osrel", b'ID=os\nPRETTY_NAME="The OS"\nVERSION_ID=1\n')


def read(found: list[Configuration]) -> list[BootEntry]:
    return [entry for c in found for entry in c.entries if c.format in {"uki", "bls"}]


def one(scan_tree: Scan, *sections: tuple[str, bytes], **options: object) -> BootEntry:
    image = make_image([KERNEL, *sections])
    (entry,) = read(scan_tree({"/EFI/Linux/a.efi": image}, **options))
    return entry


def parts(entry: BootEntry) -> list[str]:
    return [str(resource).removeprefix("vda2:/EFI/Linux/") for resource in entry.resources]


def test_sections_are_the_files_of_the_entry(scan_tree: Scan) -> None:
    entry = one(
        scan_tree,
        (".initrd", b"i"),
        (".ucode", b"u"),
        SYSTEM,
        (".dtb", b"d"),
        (".cmdline", b" root=/dev/sda1\tquiet\nb=\xff \n\0rest"),
        (".initrd", b"second"),
    )
    assert (entry.id, entry.format, entry.title) == ("AB-12:uki:a.efi", "uki", "The OS")
    assert parts(entry) == ["a.efi#.linux", "a.efi#.dtb", "a.efi#.ucode", "a.efi#.initrd"]
    assert entry.cmdline == "root=/dev/sda1 quiet b=\udcff"
    assert entry.source == "/EFI/Linux/a.efi"
    assert {origin.field for origin in entry.origins} == {"title", "kernel", "initrd", "cmdline"}
    assert not entry.problems


@pytest.mark.parametrize(
    ("release", "title"),
    [
        ("NAME=Name\nID=id\nIMAGE_ID=image\nPRETTY_NAME='Pretty'", "Pretty"),
        ("NAME=Name\nID=id\nIMAGE_ID=image", "image"),
        ("NAME=Name\nID=id\nPRETTY_NAME=", "Name"),
        ("# NAME=Name\n\n ID = no\nID==id", "id"),
        ("nothing", "a.efi"),
    ],
)
def test_title_is_the_best_name_of_the_system(release: str, title: str, scan_tree: Scan) -> None:
    assert one(scan_tree, (".osrel", release.encode())).title == title


def test_image_of_nothing_but_a_kernel_is_called_by_its_file(scan_tree: Scan) -> None:
    entry = one(scan_tree)
    assert (entry.title, entry.cmdline, entry.initrds) == ("a.efi", "", ())


def test_profiles_are_entries_and_replace_what_they_bring(scan_tree: Scan) -> None:
    image = make_image(
        [
            *(KERNEL, SYSTEM, (".cmdline", b"base"), (".initrd", b"i")),
            *((".profile", b"ID=main"), (".cmdline", b"main")),
            *((".profile", b"TITLE=Rescue\nID=rescue"), (".initrd", b"j")),
            *((".profile", b"ID=bare"), (".initrd", b""), (".linux", b"other")),
            *((".profile", b"\n"), (".osrel", b"ID=os\nNAME=Other")),
        ]
    )
    main, rescue, bare, other = read(scan_tree({"/EFI/Linux/a+3.efi": image}))
    ids = ["AB-12:uki:a.efi", *(f"AB-12:uki:a.efi@{name}" for name in ("rescue", "bare", "3"))]
    assert [e.id for e in (main, rescue, bare, other)] == ids
    titles = ["The OS", "The OS (rescue)", "The OS (bare)", "Other (Profile #4)"]
    titles[1] = "The OS (Rescue)"
    assert [e.title for e in (main, rescue, bare, other)] == titles
    assert [e.cmdline for e in (main, rescue, bare, other)] == ["main", "base", "base", "base"]
    assert parts(main) == ["a+3.efi#.linux", "a+3.efi#.initrd"]
    assert parts(rescue) == ["a+3.efi#.linux", "a+3.efi#.initrd@1"]
    assert parts(bare) == ["a+3.efi#.linux@2"]  # an empty section hides the initrd


def board(name: str) -> bytes:
    return device_tree(f"acme,{name}", "acme,soc")


@pytest.mark.parametrize(
    ("compatible", "tree"),
    [
        (("acme,two", "acme,soc"), "a.efi#.dtbauto:1"),
        (("acme,one",), "a.efi#.dtbauto"),
        (("acme,soc",), "a.efi#.dtb"),  # only the first name of both is compared
        (("acme,three", "acme,two"), "a.efi#.dtb"),
        ((), "a.efi#.dtb"),
    ],
)
def test_tree_is_the_one_for_the_machine(
    compatible: tuple[str, ...], tree: str, scan_tree: Scan
) -> None:
    sections = [(".dtbauto", board(name)) for name in ("one", "two")]
    entry = one(scan_tree, *sections, (".dtb", b"d"), compatible=compatible)
    assert parts(entry) == ["a.efi#.linux", tree]


def addon(*sections: tuple[str, bytes], machine: str = "arm64") -> bytes:
    return make_image(sections, machine=machine)


def test_addons_are_added_in_the_order_of_their_names(scan_tree: Scan) -> None:
    extra = "/EFI/Linux/a.efi.extra.d"  # without the image's counter
    files = {
        "/EFI/Linux/a+2-1.efi": make_image(
            [KERNEL, (".initrd", b"i"), (".ucode", b"u"), (".dtb", b"d"), (".cmdline", b"own"),
             (".uname", b"6.1.2")]
        ),
        f"{extra}/b.addon.efi": addon((".cmdline", b"b\n"), (".initrd", b"x"), (".ucode", b"v")),
        f"{extra}/B.ADDON.EFI": addon((".cmdline", b"B"), (".ucode", b"w"), (".uname", b"6.1.2\0")),
        f"{extra}/c.addon.efi": addon((".cmdline", b"no"), (".uname", b"6.2")),
        f"{extra}/c2.addon.efi": addon((".cmdline", b"no"), (".uname", b"6.1\0")),
        f"{extra}/c3.addon.efi": addon((".cmdline", b"c3"), (".uname", b"6.1")),
        f"{extra}/d.addon.efi": addon((".cmdline", b"no"), machine="x86_64"),
        f"{extra}/e.addon.efi": addon((".cmdline", b"no"), KERNEL),
        f"{extra}/f.efi": addon((".cmdline", b"no")),
        f"{extra}/ä.addon.efi": addon((".cmdline", b"no")),
        f"{extra}/z.addon.efi": b"MZ",
        "/loader/addons/all.addon.efi": addon((".cmdline", b"all"), (".dtb", b"new")),
    }  # fmt: skip
    (entry,) = read(scan_tree(files))
    assert entry.cmdline == "own all B b c3"
    assert [str(r).rpartition("/")[2] for r in entry.initrds] == [
        *("b.addon.efi#.ucode", "B.ADDON.EFI#.ucode"),
        *("a+2-1.efi#.ucode", "a+2-1.efi#.initrd", "b.addon.efi#.initrd"),
    ]
    assert str(entry.dtb) == "vda2:/loader/addons/all.addon.efi#.dtb"
    assert entry.problems == (f"{extra}/z.addon.efi: not a PE file",)


def test_both_types_are_one_list(scan_tree: Scan) -> None:
    def release(version: str) -> Sequence[tuple[str, bytes]]:
        return [KERNEL, (".osrel", f"ID=os\nNAME=OS\nVERSION_ID={version}".encode())]

    entry = "title OS\nlinux /Image\nsort-key os\nversion 2\n"
    found = scan_tree(
        {
            "/Image": "kernel",
            "/loader/entries/a.conf": entry,
            "/EFI/Linux/os_3.efi": make_image(release("3")),
            "/EFI/Linux/os_1+2.efi": make_image(release("1")),
            "/EFI/Linux/os_9+0-3.efi": make_image(release("9")),
            "/EFI/Linux/foreign.efi": make_image(release("4"), machine="x86_64"),
            "/EFI/Linux/auto-no.efi": make_image(release("4")),
            "/EFI/Linux/no.txt": make_image(release("4")),
            "/loader/loader.conf": "default OS_1.EFI\ntimeout 1",
        }
    )
    assert [e.title for e in read(found)] == ["OS (3)", "OS (2)", "OS (1)", "OS (9)"]
    assert found[0].default == "AB-12:uki:os_1.efi"
    assert found[0].timeout == 1


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"MZ",
        b"text",
        b"MZ".ljust(0x3C, b"\0") + b"\xff\xff\xff\xff",
        make_image([KERNEL])[:300],
        make_image([(".text", b"x")]),
    ],
)
def test_file_that_is_no_image_costs_only_itself(image: bytes, scan_tree: Scan) -> None:
    found = scan_tree({"/EFI/Linux/a.efi": image, "/EFI/Linux/b.efi": make_image([KERNEL])})
    assert [e.id for e in read(found)] == ["AB-12:uki:b.efi"]
    (problem,) = found[0].problems
    assert problem.path == "/EFI/Linux/a.efi"


def test_image_that_lies_about_its_sections_is_bounded(scan_tree: Scan) -> None:
    sections = [KERNEL, *[(".profile", b"ID=x")] * 3000, (".osrel", b"NAME=" + b"x" * 100_000)]
    huge = make_image(sections, sizes={1: 0xF0000000})
    entries = read(scan_tree({f"/EFI/Linux/{n}.efi": huge for n in range(3)}))
    assert len(entries) == 3 * 256
    assert all(len(entry.title) <= 200 for entry in entries)
