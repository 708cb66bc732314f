"""ISO images on a volume: what each offers, and how its system is told where its files are."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import BootEntry

LIVE = {"/live/vmlinuz": "k", "/live/initrd": "i"}
Write = Callable[..., None]


@pytest.fixture
def write_iso(tmp_path: Path) -> Write:
    """Write an ISO image of the given files to a path on the volume that scan_tree reads."""

    def write(path: str, files: Mapping[str, str], label: str = "LIVE") -> None:
        image, tree = tmp_path / f"vda2{path}", tmp_path / f"tree-{label}"
        make_tree(tree, files)
        image.parent.mkdir(parents=True, exist_ok=True)
        command = ["xorriso", "-as", "mkisofs", "-quiet", "-V", label, "-o"]
        subprocess.run([*command, image, tree], check=True, capture_output=True)

    return write


def entries(scan_tree: Scan, files: Mapping[str, str] | None = None) -> list[BootEntry]:
    return [entry for found in scan_tree(files or {}) for entry in found.entries]


def grub(cmdline: str, kernel: str = "/live/vmlinuz") -> dict[str, str]:
    body = f"linux {kernel} {cmdline}; initrd /live/initrd"
    return {**LIVE, kernel: "k", "/boot/grub/grub.cfg": f"menuentry System {{ {body}; }}"}


def test_loopback_cfg_is_told_the_path_and_its_entries_are_below_the_images_name(
    scan_tree: Scan, write_iso: Write
) -> None:
    script = """
        menuentry "Live $rootuuid" { linux /live/vmlinuz x=${iso_path}; initrd /live/initrd; }
        submenu More { source /boot/grub/more.cfg; }
    """
    more = "menuentry Inner { search --set=root -l DISC; linux /live/vmlinuz ($root); }"
    files = {**LIVE, "/boot/grub/loopback.cfg": script, "/boot/grub/more.cfg": more}
    write_iso("/isos/a.iso", files, "DISC")
    first, inner = entries(scan_tree)
    assert (first.menu, first.title) == (("DISC (a.iso)",), "Live AB-12")
    assert (first.cmdline, first.device) == ("x=/isos/a.iso", "vda2")
    assert [str(resource) for resource in first.resources] == [
        "vda2:/isos/a.iso:/live/vmlinuz",
        "vda2:/isos/a.iso:/live/initrd",
    ]
    assert first.resolved
    assert not first.problems
    assert (inner.menu, inner.problems) == (("DISC (a.iso)", "More"), ())
    assert str(inner.origins[0]) == "/isos/a.iso:/boot/grub/more.cfg:1"


@pytest.mark.parametrize(
    ("cmdline", "kernel", "found"),
    [
        ("boot=live quiet", "/live/vmlinuz", "boot=live quiet findiso=/x.iso"),
        ("boot=live findiso=$iso_path", "/live/vmlinuz", "boot=live findiso=/x.iso"),
        ("--- quiet", "/casper/vmlinuz", "iso-scan/filename=/x.iso --- quiet"),
        (
            "archisobasedir=arch archisolabel=A",
            "/live/vmlinuz",
            "archisobasedir=arch archisolabel=A img_dev=/dev/disk/by-uuid/AB-12 img_loop=/x.iso",
        ),
        (
            "root=live:CDLABEL=F rd.live.image",
            "/images/pxeboot/vmlinuz",
            "root=live:CDLABEL=F rd.live.image iso-scan/filename=/x.iso",
        ),
        (
            "inst.stage2=hd:LABEL=RHEL",
            "/live/vmlinuz",
            "inst.stage2=hd:LABEL=RHEL iso-scan/filename=/x.iso",
        ),
        ("splash=silent", "/boot/x86_64/loader/linux", "splash=silent install=hd:/x.iso"),
        ("init=/nix/store/x/init", "/boot/bzImage", "init=/nix/store/x/init findiso=/x.iso"),
    ],
)
def test_a_menu_for_a_medium_gets_the_parameter_of_its_kind_of_system(
    scan_tree: Scan, write_iso: Write, cmdline: str, kernel: str, found: str
) -> None:
    write_iso("/x.iso", grub(cmdline, kernel))
    (entry,) = entries(scan_tree)
    assert (entry.cmdline, entry.problems) == (found, ())


def test_where_it_is_not_known_how_the_image_is_found_the_entry_says_so(
    scan_tree: Scan, write_iso: Write
) -> None:
    write_iso("/x.iso", grub("vga=788 --- quiet"))
    write_iso("/with space.iso", grub("boot=live"), "SPACE")
    spaced, unknown = entries(scan_tree)
    assert unknown.cmdline == "vga=788 --- quiet"
    assert "may not find its own files" in unknown.problems[0]
    assert "space" in spaced.problems[0]
    assert unknown.resolved


def test_an_image_is_never_the_default_and_never_in_the_way_of_one(
    scan_tree: Scan, write_iso: Write
) -> None:
    script = "set default=0\nset timeout=0\nsavedefault\nmenuentry Live { linux /live/vmlinuz; }"
    write_iso("/boot/a.iso", {**LIVE, "/boot/grub/loopback.cfg": script})
    found = scan_tree({})
    (configuration,) = [c for c in found if c.entries]
    assert (configuration.default, configuration.timeout) == (None, None)
    assert not configuration.entries[0].default
    assert not configuration.entries[0].writes


def test_two_copies_of_an_image_are_two_menus_and_a_link_is_no_copy(
    scan_tree: Scan, write_iso: Write, tmp_path: Path
) -> None:
    write_iso("/a.iso", grub("boot=live"))
    (tmp_path / "vda2/iso").mkdir()
    (tmp_path / "vda2/iso/b.ISO").write_bytes((tmp_path / "vda2/a.iso").read_bytes())
    (tmp_path / "vda2/iso/link.iso").symlink_to("../a.iso")
    one, two = entries(scan_tree)
    assert (one.menu, two.menu) == (("LIVE (a.iso)",), ("LIVE (b.ISO)",))
    assert one.id != two.id
    assert two.cmdline == "boot=live findiso=/iso/b.ISO"


def test_syslinux_menus_of_images_are_offered_where_grub_has_none(
    scan_tree: Scan, write_iso: Write
) -> None:
    text = "label live\n kernel /live/vmlinuz\n append initrd=/live/initrd boot=live\n"
    write_iso("/a.iso", {**LIVE, "/isolinux/isolinux.cfg": text})
    (entry,) = entries(scan_tree)
    assert entry.cmdline.endswith(" findiso=/a.iso")
    assert str(entry.kernel) == "vda2:/a.iso:/live/vmlinuz"


def test_broken_and_foreign_images_cost_no_entry(scan_tree: Scan, write_iso: Write) -> None:
    write_iso("/isos/good.iso", grub("boot=live"))
    write_iso("/isos/windows.iso", {"/README.TXT": "This disc contains a UDF file system"}, "W")
    found = scan_tree({"/isos/bad.iso": "<html>", "/isos/empty.iso": ""})
    assert [entry.title for c in found for entry in c.entries] == ["System"]
    problems = [str(problem) for c in found for problem in c.problems]
    assert problems == [
        "vda2:/isos/bad.iso: not an ISO 9660 image",
        "vda2:/isos/empty.iso: not an ISO 9660 image",
    ]


def test_a_loopback_device_of_grub_is_the_image(scan_tree: Scan, write_iso: Write) -> None:
    write_iso("/other/live.iso", grub("boot=live"), "DISC")
    script = """
        menuentry One {
            loopback disc ($root)/other/live.iso
            if [ -f (disc)/live/vmlinuz ]; then
                search --set=where --label DISC
                probe --set=label --label (disc)
                linux (disc)/live/vmlinuz $where $label
            fi
            loopback -d disc
        }
        menuentry Two { linux (disc)/live/vmlinuz }
        menuentry Three { loopback disc /other/none.iso; linux (disc)/live/vmlinuz; }
    """
    one, two, three = entries(scan_tree, {"/boot/grub/grub.cfg": script})
    assert str(one.kernel) == "vda2:/other/live.iso:/live/vmlinuz"
    assert (one.cmdline, one.problems) == ("disc DISC", ())
    assert not two.resolved, "only one entry is ever chosen"
    assert three.kernel
    assert three.kernel.wants == "vda2:/other/none.iso"
    assert "no such file: /other/none.iso" in three.problems[1]
