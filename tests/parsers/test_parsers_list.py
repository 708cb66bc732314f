"""`bootmenu list` and `show`: the JSON, the table, `--root`; and kernels without configuration."""

import json
from pathlib import Path

import pytest
from parsers_trees import Scan, device_tree, make_tree

from bootmenu.errors import UsageError
from bootmenu.model import Arch, Volume
from bootmenu.parsers import listing
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

MENU = """
set default="Sub>Inner"
timeout=3
menuentry "Outer" { linux /boot/vmlinuz a }
submenu "Sub" { menuentry "Inner" { search -l GONE -s; linux /k b; initrd /i; } }
frobnicate
"""


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume("vda2", str(tmp_path / "vda2"), uuid="AB-12", label="ROOT", fstype="ext4")


def test_json_has_exactly_the_keys_of_its_schema(scan_tree: Scan, volume: Volume) -> None:
    found = scan_tree({"/boot/grub/grub.cfg": MENU, "/boot/vmlinuz": "k", "/boot/Image": "k"})
    document = json.loads(listing.render_json([volume], found))
    assert document["schema"] == "bootmenu.list/1"
    assert document["devices"] == [
        {"name": "vda2", "uuid": "AB-12", "label": "ROOT", "fstype": "ext4", "root": volume.root}
    ]
    assert (document["default"], document["timeout"]) == ("AB-12:grub:Sub>Inner", 3)
    assert [entry["title"] for entry in document["entries"]] == [
        "Outer", "Inner", "Kernel /boot/Image",
    ]  # fmt: skip
    assert document["entries"][1] == {
        "id": "AB-12:grub:Sub>Inner",
        "title": "Inner",
        "menu": ["Sub"],
        "device": "vda2",
        "source": {"format": "grub", "path": "/boot/grub/grub.cfg"},
        "kernel": {"device": None, "path": "/k"},
        "initrd": [{"device": None, "path": "/i"}],
        "dtb": None,
        "overlays": [],
        "cmdline": "b",
        "default": True,
        "resolved": False,
        "problems": [f"/{file} is on LABEL=GONE, which is not here" for file in "ki"],
    }


def test_table_shows_volume_submenu_default_and_problems(scan_tree: Scan, volume: Volume) -> None:
    found = scan_tree({"/boot/grub/grub.cfg": MENU, "/boot/vmlinuz": "k"})
    assert listing.render_text([volume], found).split("\n") == [
        "ROOT (vda2)",
        "    Outer",
        "      AB-12:grub:Outer",
        "    Sub",
        "  *   Inner",
        "        AB-12:grub:Sub>Inner",
        "        ! /k is on LABEL=GONE, which is not here",
        "",
        "* is the default, after 3 s.",
        "",
        "Problems",
        "  vda2:/boot/grub/grub.cfg:6: unknown command 'frobnicate'",
        "",
    ]
    assert listing.render_text([volume], []) == "Nothing that could be started was found.\n"


def test_show_says_where_every_field_came_from(scan_tree: Scan) -> None:
    entry = scan_tree({"/boot/grub/grub.cfg": MENU})[0].entries[1]
    text = listing.render_entry(entry, False)
    for line in (
        "kernel   LABEL=GONE:/k\n           from /boot/grub/grub.cfg:5",
        "cmdline  b\n           from /boot/grub/grub.cfg:5",
        "menu     Sub",
        "default  yes",
    ):
        assert f"{line}\n" in text
    shown = json.loads(listing.render_entry(entry, True))
    assert shown["origins"]["initrd"] == "/boot/grub/grub.cfg:5"
    assert shown["id"] == entry.id


def test_first_volume_with_a_default_decides(scan_tree: Scan) -> None:
    bare = scan_tree({"/boot/Image": "k"})
    menu = scan_tree({"/boot/grub/grub.cfg": MENU})
    assert listing.choose_default(bare) is None
    assert listing.choose_default([*bare, *menu]) == menu[0]


def test_root_argument(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    volume = listing.parse_root_argument(
        f"{folder},uuid=1,2,label=x=y,name=sda1,partuuid=,partlabel=p"
    )
    assert volume == Volume("sda1", str(folder), uuid="1,2", label="x=y", partlabel="p")
    assert listing.parse_root_argument(str(folder)).name == "a,b"
    for wrong in (f"{folder}/missing", f"{folder},uuid=1,uuid=2", f"{folder},color=red"):
        with pytest.raises(UsageError):
            listing.parse_root_argument(wrong)


def test_root_with_a_fat_uuid_has_names_without_case(tmp_path: Path) -> None:
    make_tree(tmp_path, {"/efi/boot/GRUB.CFG": "menuentry A { linux /vmlinuz; }", "/VMLINUZ": "k"})
    volume = listing.parse_root_argument(f"{tmp_path},uuid=67e3-17ED")
    (menu,) = scan(volume, Context(Arch.ARM64, volumes=(volume,)))
    assert [entry.problems for entry in menu.entries] == [()]
    assert listing.parse_root_argument(f"{tmp_path},uuid=67e3-17EDA").fstype == ""


def test_two_roots_are_told_apart(tmp_path: Path) -> None:
    roots = [tmp_path / "a" / "root", tmp_path / "b" / "root"]
    for root in roots:
        root.mkdir(parents=True)
    names = [v.name for v in listing.parse_root_arguments([str(root) for root in roots])]
    assert names == ["root", "root2"]
    with pytest.raises(UsageError, match="two volumes are called x"):
        listing.parse_root_arguments([f"{root},name=x" for root in roots])


def test_context_finds_volumes_by_all_their_names(tmp_path: Path) -> None:
    make_tree(tmp_path, {"file": ""})
    one = Volume("a1", str(tmp_path), uuid="aB", label="L", partuuid="Pu", partlabel="Pl")
    two = Volume("a2", str(tmp_path / "none"), uuid="AB")
    context = Context(Arch.ARM64, volumes=(one, two))
    assert context.by_uuid("Ab") == one
    assert context.by_uuid("Ab", home=two) == two
    assert (context.by_label("L"), context.by_label("l"), context.by_label("")) == (one, None, None)
    assert (context.by_partuuid("pU"), context.by_partuuid("")) == (one, None)
    assert (context.by_partlabel("Pl"), context.by_file("/file")) == (one, one)
    assert (context.by_name("a2"), context.by_file("/nope")) == (two, None)


def test_format_that_fails_costs_the_others_nothing(
    scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("bootmenu.parsers.grub.configurations.read", fail)
    found = scan_tree({"/loader/entries/a.conf": "linux /k"})
    assert found[0].problems[0].message == "RecursionError: too deep"
    assert found[1].entries[0].format == "bls"


def test_equal_ids_are_told_apart(scan_tree: Scan) -> None:
    script = "menuentry A { linux /k }\n" * 3
    found = scan_tree({"/boot/grub/grub.cfg": script})
    assert [e.id for e in found[0].entries] == ["AB-12:grub:A", "AB-12:grub:A#2", "AB-12:grub:A#3"]
    assert found[0].default == "AB-12:grub:A"


def test_ids_differ_between_two_configurations_of_a_volume(scan_tree: Scan) -> None:
    one, other = ("menuentry A { linux /k 1 }", "menuentry A { linux /k 2 }")
    found = scan_tree({"/boot/grub/grub.cfg": one, "/boot/grub2/grub.cfg": other})
    assert [c.default for c in found] == ["AB-12:grub:A", "AB-12:grub:A#2"]


def test_ids_stay_when_another_volume_arrives(tmp_path: Path) -> None:
    make_tree(tmp_path, {"/boot/Image": "k"})
    volume = Volume("sda1", str(tmp_path), uuid="1")
    alone = scan(volume, Context(Arch.ARM64, volumes=(volume,)))
    other = Volume("sdb1", str(tmp_path), uuid="2")
    both = scan(volume, Context(Arch.ARM64, volumes=(other, volume)))
    assert alone == both


@pytest.mark.parametrize(
    ("kernel", "initrd"),
    [
        ("/boot/vmlinuz-6.1.0-18-arm64", "/boot/initrd.img-6.1.0-18-arm64"),
        ("/boot/vmlinuz-6.8.5-301.fc40.aarch64", "/boot/initramfs-6.8.5-301.fc40.aarch64.img"),
        ("/boot/vmlinuz-linux", "/boot/initramfs-linux.img"),
        ("/vmlinuz-lts", "/initramfs-lts"),
        ("/boot/Image-6.4.0-default", "/boot/initrd-6.4.0-default"),
        ("/boot/Image.gz", "/boot/initramfs.cpio.zst"),
        ("/Image", "/initrd.gz"),
        ("/boot/vmlinuz-6.1.0-18-arm64", ""),
    ],
)
def test_bare_kernel_gets_the_initrd_of_its_version(
    kernel: str, initrd: str, scan_tree: Scan
) -> None:
    files = {
        kernel: "kernel",
        "/boot/initrd.img-5.0": "x",
        "/boot/initramfs-linux-fallback.img": "x",
    }
    found = scan_tree({**files, **({initrd: "initrd"} if initrd else {})})
    (entry,) = found[0].entries
    assert [str(r) for r in entry.resources] == [f"vda2:{p}" for p in (kernel, initrd) if p]


def test_kernel_that_a_configuration_offers_is_not_bare(scan_tree: Scan, tmp_path: Path) -> None:
    make_tree(tmp_path / "vda2", {"/boot/vmlinuz-1": "k", "/boot/vmlinuz-2": "k"})
    (tmp_path / "vda2" / "vmlinuz").symlink_to("boot/vmlinuz-1")
    found = scan_tree({"/boot/grub/grub.cfg": "menuentry A { linux /vmlinuz }"})
    assert [e.kernel.path for c in found for e in c.entries if e.kernel] == [
        "/vmlinuz", "/boot/vmlinuz-2",
    ]  # fmt: skip


def test_bare_kernel_gets_the_tree_that_an_installer_chose(scan_tree: Scan) -> None:
    files = {"/boot/vmlinuz-1": "k", "/boot/dtb-1": "chosen", "/boot/dtbs/1/x.dtb": "a\0"}
    assert str(scan_tree(files)[0].entries[0].dtb) == "vda2:/boot/dtb-1"
    (found,) = scan_tree({"/boot/vmlinuz-2": "k", "/boot/dtbs/2/x.dtb": device_tree("acme,x")})
    assert [str(e.dtb) for e in found.entries] == ["None", "vda2:/boot/dtb-1"]
    (found,) = scan_tree({}, compatible=("acme,x",))
    assert str(found.entries[0].dtb) == "vda2:/boot/dtbs/2/x.dtb"
