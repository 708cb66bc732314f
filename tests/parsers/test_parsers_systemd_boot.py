"""Whose menu an entry is in: the ESP's, an XBOOTLDR's, a GRUB's, a root's with its own /boot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from parsers_images import make_image
from parsers_trees import make_tree

from bootmenu.model import Arch, Configuration, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

ESP = {"/loader/loader.conf": "default b*", "/loader/entries/a.conf": "linux /k", "/k": "kernel"}
BOOT = {"/loader/entries/b.conf": "linux /k", "/k": "kernel"}


def scan_all(
    tmp_path: Path, trees: Mapping[str, Mapping[str, str | bytes]], **uuids: str
) -> dict[str, list[Configuration]]:
    """Scan the volumes of that name, each of which has the given files."""
    volumes = []
    for name, files in trees.items():
        make_tree(tmp_path / name, files)
        volumes.append(Volume(name, str(tmp_path / name), uuid=uuids.get(name, "")))
    context = Context(Arch.ARM64, Platform.EFI, tuple(volumes))
    return {volume.name: scan(volume, context) for volume in volumes}


def ids(found: list[Configuration]) -> list[str]:
    return [entry.id for configuration in found for entry in configuration.entries]


@pytest.mark.parametrize(
    ("esp", "boot"), [("sda1", "sda2"), ("nvme0n1p1", "nvme0n1p3"), ("esp", "boot"), ("sda1", "b")]
)
def test_xbootldr_is_in_the_menu_of_the_esp(esp: str, boot: str, tmp_path: Path) -> None:
    found = scan_all(tmp_path, {boot: BOOT, esp: ESP})
    assert not found[boot]
    (menu,) = found[esp]
    assert [e.id for e in menu.entries] == [f"{boot}:bls:b.conf", f"{esp}:bls:a.conf"]
    assert [e.device for e in menu.entries] == [boot, esp]
    assert str(menu.entries[0].kernel) == f"{boot}:/k"
    assert menu.default == f"{boot}:bls:b.conf"


def test_xbootldr_of_another_disk_has_a_menu_of_its_own(tmp_path: Path) -> None:
    found = scan_all(tmp_path, {"sda1": ESP, "sdb2": BOOT})
    assert (ids(found["sda1"]), ids(found["sdb2"])) == (["sda1:bls:a.conf"], ["sdb2:bls:b.conf"])


def test_xbootldr_beside_several_esps_goes_by_its_disk(tmp_path: Path) -> None:
    found = scan_all(tmp_path, {"usb": ESP, "sda1": ESP, "sda2": BOOT, "boot": BOOT})
    assert ids(found["sda1"]) == ["sda2:bls:b.conf", "sda1:bls:a.conf"]
    assert ids(found["usb"]) == ["usb:bls:a.conf"]
    assert ids(found["boot"]) == ["boot:bls:b.conf"]


def test_esp_of_another_loader_has_no_entries_of_others(tmp_path: Path) -> None:
    esp = {"/EFI/BOOT/BOOTAA64.EFI": "shim", "/EFI/debian/grub.cfg": "true"}
    found = scan_all(tmp_path, {"sda1": esp, "sda2": BOOT})
    assert ids(found["sda2"]) == ["sda2:bls:b.conf"]


def test_root_with_boot_and_esp_inside_has_one_menu(tmp_path: Path) -> None:
    trees = {
        "root": {
            "/efi/loader/loader.conf": "default two.conf",
            "/efi/loader/entries/one.conf": "linux /one/linux\ninitrd /gone",
            "/efi/one/linux": "kernel",
            "/boot/loader/entries/two.conf": "linux /two",
            "/boot/two": "kernel",
        }
    }
    (menu,) = scan_all(tmp_path, trees)["root"]
    assert [e.title for e in menu.entries] == ["two.conf", "one.conf"]
    assert [str(r) for e in menu.entries for r in e.resources] == [
        *("root:/boot/two", "root:/efi/one/linux", "root:/efi/gone"),
    ]
    assert menu.default == "root:bls:two.conf"


def test_case_of_names_does_not_matter_where_the_filesystem_is_unknown(tmp_path: Path) -> None:
    trees: dict[str, dict[str, str | bytes]] = {
        "esp": {
            "/LOADER/LOADER.CONF": "timeout 3",
            "/Loader/entries/A.conf": "linux /No",
            "/LOADER/Entries/a.CONF": "linux /Image\ninitrd /dir/INITRD",
            "/IMAGE": "kernel",
            "/DIR/initrd": "initrd",
            "/efi/LINUX/b.EFI": make_image([(".linux", b"kernel")]),
        }
    }
    (menu,) = scan_all(tmp_path, trees)["esp"]
    assert [str(r) for e in menu.entries for r in e.resources] == [
        *("esp:/efi/LINUX/b.EFI#.linux", "esp:/IMAGE", "esp:/DIR/initrd"),
    ]
    assert not [p for e in menu.entries for p in e.problems]
    assert menu.timeout == 3


def test_program_that_is_missing_is_no_default(tmp_path: Path) -> None:
    entries = {"/loader/entries/z.conf": "efi /gone.efi", "/loader/entries/a.conf": "linux /k"}
    (menu,) = scan_all(tmp_path, {"esp": {**entries, "/k": "kernel"}})["esp"]
    assert ids([menu]) == ["esp:bls:z.conf", "esp:bls:a.conf"]
    assert menu.default == "esp:bls:a.conf"


def test_boot_that_links_to_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "sda2").mkdir()
    (tmp_path / "sda2" / "boot").symlink_to(".")
    assert ids(scan_all(tmp_path, {"sda2": BOOT})["sda2"]) == ["sda2:bls:b.conf"]


@pytest.mark.parametrize("uuid", ["b007", "0123"])
def test_entries_that_a_grub_on_the_esp_has_are_not_offered_twice(
    uuid: str, tmp_path: Path
) -> None:
    script = f"search --fs-uuid --set=root {uuid.upper()}\n  blscfg\n"
    found = scan_all(
        tmp_path, {"sda1": {"/EFI/redhat/grub.cfg": script}, "sda2": BOOT}, sda2="b007"
    )
    assert len(ids(found["sda1"])) == (uuid == "b007")
    assert ids(found["sda2"]) == ([] if uuid == "b007" else ["b007:bls:b.conf"])
