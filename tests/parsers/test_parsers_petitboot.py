"""petitboot.conf: sections, what holds for all of them, files by device and path."""

from pathlib import Path

from parsers_trees import Scan

from bootmenu.model import BootEntry, Resource, Volume


def entries(scan_tree: Scan, text: str, **options: object) -> list[BootEntry]:
    found = scan_tree({"/petitboot.conf": text, "/k": "kernel"}, **options)
    return [e for c in found if c.format == "petitboot" for e in c.entries]


def test_values_before_the_first_name_hold_unless_an_option_has_its_own(scan_tree: Scan) -> None:
    text = "args=quiet\ninitrd=/i\nname=A\nimage=/k\nname=B\nimage=/k\nargs=single\n"
    one, two = entries(scan_tree, text)
    assert [(e.title, e.cmdline) for e in (one, two)] == [("A", "quiet"), ("B", "single")]
    assert one.initrds == two.initrds == (Resource("/i", "vda2"),)
    assert {str(o) for o in two.origins} == {f"/petitboot.conf:{line}" for line in (5, 6, 2, 7)}


def test_default_may_stand_anywhere_and_is_matched_by_name(scan_tree: Scan) -> None:
    text = "name=A\nimage=/k\nname=\"B b\"\nimage=/k\ndefault = 'B b'\n"
    assert [e.default for e in entries(scan_tree, text)] == [False, True]
    assert not any(e.default for e in entries(scan_tree, text.replace("'B b'", "C")))


def test_files_are_found_by_label_uuid_and_kernel_name(scan_tree: Scan, tmp_path: Path) -> None:
    other = Volume("sdb1", str(tmp_path), uuid="CD-34", label="USB")
    for device in ("sdb1", "/dev/sdb1", "UUID=cd-34", "uuid=CD-34", "LABEL=USB",
                   "/dev/disk/by-uuid/CD-34", "/dev/disk/by-label/USB"):  # fmt: skip
        text = f"name=A\nimage={device}:/k\ninitrd=LABEL=GONE:i"
        (entry,) = entries(scan_tree, text, others=(other,))
        assert entry.kernel == Resource("/k", "sdb1"), device
        assert entry.initrds == (Resource("/i", wants="LABEL=GONE"),)
        assert "LABEL=GONE, which is not here" in entry.problems[-1]


def test_same_file_by_two_names_is_one_configuration(scan_tree: Scan) -> None:
    assert len(entries(scan_tree, "name=A\nimage=/k", fstype="vfat")) == 1


def test_option_without_image_and_huge_file_are_problems(scan_tree: Scan) -> None:
    found = scan_tree(
        {"/petitboot.conf": "name=A\nargs=x\n", "/boot/petitboot.conf": "a" * 300_000}
    )
    assert [str(p).split(": ", 1) for c in found for p in c.problems] == [
        ["vda2:/boot/petitboot.conf", "larger than 65536 bytes: /boot/petitboot.conf"],
        ["vda2:/petitboot.conf:1", "'A' names no image"],
    ]
