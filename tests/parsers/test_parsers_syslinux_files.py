"""The syslinux family: where configurations are, how they lead to each other, and hostile ones."""

import time

import pytest
from parsers_trees import Scan

from bootmenu.model import Configuration

ONE = "label one\nlinux /k\nappend 1\n"
TWO = "label two\nlinux /k\nappend 2\n"


def family(found: list[Configuration]) -> list[Configuration]:
    return [c for c in found if c.format in {"syslinux", "extlinux"}]


def shown(configuration: Configuration) -> list[str]:
    return [">".join((*entry.menu, entry.title)) for entry in configuration.entries]


def problems(configuration: Configuration) -> str:
    return "\n".join(str(problem) for problem in configuration.problems)


@pytest.mark.parametrize(
    ("path", "format_", "kernel"),
    [
        ("/boot/extlinux/extlinux.conf", "extlinux", "/boot/extlinux/k"),
        ("/extlinux/extlinux.conf", "extlinux", "/extlinux/k"),
        ("/extlinux.conf", "extlinux", "/k"),
        ("/boot/syslinux/syslinux.cfg", "syslinux", "/boot/syslinux/k"),
        ("/syslinux/syslinux.cfg", "syslinux", "/syslinux/k"),
        ("/syslinux.cfg", "syslinux", "/k"),
        ("/boot/isolinux/isolinux.cfg", "syslinux", "/boot/isolinux/k"),
        ("/isolinux/isolinux.cfg", "syslinux", "/isolinux/k"),
        ("/isolinux.cfg", "syslinux", "/k"),
        ("/EFI/BOOT/syslinux.cfg", "syslinux", "/EFI/BOOT/k"),
        ("/boot/x86_64/loader/isolinux.cfg", "syslinux", "/boot/x86_64/loader/k"),
        ("/pxelinux.cfg/default", "syslinux", "/k"),
    ],
)
def test_where_it_is_found(path: str, format_: str, kernel: str, scan_tree: Scan) -> None:
    (found,) = family(scan_tree({path: "label x\nlinux k\n"}))
    (entry,) = found.entries
    assert entry.kernel
    assert (found.format, entry.source, entry.kernel.path) == (format_, path, kernel)


@pytest.mark.parametrize("fstype", ["vfat", ""])
def test_case_does_not_matter_on_fat(fstype: str, scan_tree: Scan) -> None:
    files = {
        "/SYSLINUX/SYSLINUX.CFG": "INCLUDE More.Cfg",
        "/SYSLINUX/MORE.CFG": "label x\nlinux \\Boot\\Linux",
        "/BOOT/LINUX": "k",
    }
    (found,) = family(scan_tree(files, fstype=fstype))
    (entry,) = found.entries
    assert (entry.source, str(entry.kernel)) == ("/SYSLINUX/SYSLINUX.CFG", "vda2:/Boot/Linux")
    assert (entry.problems == ()) == (fstype == "vfat")


def test_files_elsewhere(scan_tree: Scan) -> None:
    text = "label x\nlinux http://host/k\ninitrd 192.0.2.1::boot/i\nlabel y\nlinux (hd0,1)/k\n"
    (found,) = family(scan_tree({"/pxelinux.cfg/default": text}))
    x, y = found.entries
    assert [str(r) for r in x.resources] == ["http://host/k", "server 192.0.2.1:/boot/i"]
    assert [str(r) for r in y.resources] == ["(hd0,1):/k"]
    assert not x.resolved


def test_same_entries_of_several_loaders_are_offered_once(scan_tree: Scan) -> None:
    found = family(
        scan_tree(
            {
                "/k": "kernel",
                "/isolinux/isolinux.cfg": f"{ONE}label local\nlocalboot 0\n{TWO}",
                "/syslinux/syslinux.cfg": f"default two\n{TWO}label local\nlocalboot 0\n{ONE}",
                "/boot/grub/grub.cfg": "menuentry one { linux /k 1 }",
            }
        )
    )
    assert [(c.path, shown(c), c.default) for c in found] == [
        ("/syslinux/syslinux.cfg", ["two", "local"], "AB-12:syslinux:two"),
    ]


def test_included_configuration_is_none_of_its_own(scan_tree: Scan) -> None:
    files = {
        "/syslinux/syslinux.cfg": "include /isolinux/isolinux.cfg",
        "/isolinux/isolinux.cfg": ONE,
    }
    (found,) = family(scan_tree(files))
    assert (found.path, shown(found)) == ("/syslinux/syslinux.cfg", ["one"])
    assert found.entries[0].origins[0].path == "/isolinux/isolinux.cfg"


def test_label_goes_on_in_an_included_file(scan_tree: Scan) -> None:
    files = {"/syslinux.cfg": f"{ONE}include rest", "/rest": "append 3\ntimeout 10"}
    (found,) = family(scan_tree(files))
    assert [e.cmdline for e in found.entries] == ["3"]


def test_include_with_a_tag_is_a_submenu(scan_tree: Scan) -> None:
    text = f"menu include two.cfg ^More\n{ONE}include /two.cfg Again\n"
    (found,) = family(scan_tree({"/syslinux.cfg": text, "/two.cfg": f"{TWO}"}))
    assert shown(found) == ["More>two", "one", "Again>two"]
    assert [e.id for e in found.entries] == [
        "AB-12:syslinux:two", "AB-12:syslinux:one", "AB-12:syslinux:two#2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "label",
    [
        "config other/o.cfg",
        "config /other/o.cfg\nappend /",
        "kernel menu.c32\nappend other/o.cfg",
        "com32 vesamenu\nappend ~ other/o.cfg",
        "kernel config.c32 other/o.cfg",
        "kernel cmd.c32\nappend config.c32 other/o.cfg",
    ],
)
def test_label_that_leads_to_another_configuration_is_a_submenu(
    label: str, scan_tree: Scan
) -> None:
    files = {
        "/syslinux.cfg": f"ui menu.c32\n{ONE}label m\nmenu label ^Other\n{label}\n{TWO}",
        "/other/o.cfg": f"{ONE}menu begin\nmenu title Deep\nlabel three\nlinux k\nmenu end\n"
        "label back\nkernel vesamenu.c32\nappend /syslinux.cfg\nlabel top\nconfig ../syslinux.cfg\n"
        "label same\nkernel menu.c32\n",
    }
    (found,) = family(scan_tree(files))
    assert shown(found) == ["one", "Other>Deep>three", "two"]
    assert found.entries[1].kernel
    assert found.entries[1].kernel.path == "/k"  # the loader still works in /
    assert not found.problems


def test_working_directory_of_another_configuration(scan_tree: Scan) -> None:
    files = {
        "/syslinux.cfg": "ui menu.c32\nlabel o\nconfig other/o.cfg\nappend other",
        "/other/o.cfg": "label x\nlinux k",
    }
    (found,) = family(scan_tree(files))
    assert [e.kernel and e.kernel.path for e in found.entries] == ["/other/k"]


@pytest.mark.parametrize(
    "start",
    [
        "default menu.c32 o.cfg",
        "ui vesamenu.c32 o.cfg",
        "default o\nlabel o\nconfig o.cfg",
        "default w\nlabel w\ncom32 whichsys.c32\nappend -pxe- p -sys- o -iso- i\n"
        "label o\nconfig o.cfg\nlabel i\nconfig i.cfg",
        "default ifcpu64.c32 o -- p\nlabel o\nconfig o.cfg",
        "default ifcpu.c32 pae -- o -- p\nlabel o\nconfig o.cfg",
    ],
)
def test_configuration_that_only_leads_to_another_is_left_out(start: str, scan_tree: Scan) -> None:
    files = {
        "/syslinux.cfg": f"{start}\nlabel p\nlinux /p\n",
        "/o.cfg": f"ui menu.c32\nmenu title x\ntimeout 20\n{ONE}{TWO}menu default\n",
    }
    (found,) = family(scan_tree(files))
    assert (shown(found), found.default, found.timeout) == (
        ["one", "two"], "AB-12:syslinux:two", 2,
    )  # fmt: skip


def test_at_a_prompt_all_labels_can_be_typed(scan_tree: Scan) -> None:
    files = {
        "/syslinux.cfg": f"prompt 1\ntimeout 50\ndefault o\nlabel o\nconfig o.cfg\n{ONE}",
        "/o.cfg": f"default two\n{TWO}",
    }
    (found,) = family(scan_tree(files))
    assert (shown(found), found.default) == (["o>two", "one"], "AB-12:syslinux:two")


def test_what_is_missing_is_told_with_its_line(scan_tree: Scan) -> None:
    text = f"include no.cfg\nui menu.c32\n{ONE}label o\nconfig nothing.cfg\n"
    (found,) = family(scan_tree({"/syslinux.cfg": text}))
    assert shown(found) == ["one"]
    assert "vda2:/syslinux.cfg:1: no such file: /no.cfg" in problems(found)
    assert "/nothing.cfg" in problems(found)


def test_loops_end(scan_tree: Scan) -> None:
    files = {
        "/syslinux.cfg": "default a.cfg\nlabel a.cfg\nconfig b.cfg\n",
        "/b.cfg": f"default x\nlabel x\nconfig syslinux.cfg\n{ONE}",
        "/extlinux.conf": f"include extlinux.conf\n{TWO}",
        "/isolinux.cfg": "default w\nlabel w\nkernel whichsys.c32\nappend -sys- w\n",
    }
    found = {c.path: c for c in family(scan_tree(files))}
    assert shown(found["/syslinux.cfg"]) == ["one"]
    assert len(found["/extlinux.conf"].entries) == 17
    assert "more than 16 files within each other" in problems(found["/extlinux.conf"])
    assert found["/isolinux.cfg"].entries[0].problems


@pytest.mark.parametrize(
    "text",
    [
        "include syslinux.cfg\n" * 50 + ONE,
        "menu begin\n" * 20_000 + ONE,
        "".join(f"label {i}\nlinux /k\n" for i in range(20_000)),
        "".join(f"label w{i}\nkernel whichsys.c32\nappend -sys- w{i + 1}\n" for i in range(3000)),
        "".join(f"label c{i}\nconfig c{i}.cfg\n" for i in range(3000)),
        "include no.cfg\n" * 20_000,
        "text help\n" + ONE,
        "ui menu.c32 " + "syslinux.cfg " * 50_000,
        "label x\nlinux /k\nappend " + "initrd=" + "a," * 500_000,
        "label x\nlinux /k\nappend " + "'" * 500_000,
        "label x\nlinux /k\nappend " + "${" * 500_000,
        "label x\nlinux /k\nfdt x\nappend " + "$(\\'" * 200_000,
        "label " + "x " * 400_000,
        "\x00label\x01 x\nlinux \x00\ninitrd \xff\nappend \x1b[2J\n",
        "label x\nlinux " + "../" * 100_000 + "k\n",
        "menu end\n" * 1000 + "menu exit\nmenu hide\nmenu label\nmenu\nlabel\nkernel\nlabel\n",
    ],
    ids=range(16),
)
@pytest.mark.parametrize("path", ["/syslinux.cfg", "/extlinux/extlinux.conf"])
def test_hostile_configurations_are_bounded(text: str, path: str, scan_tree: Scan) -> None:
    begin = time.thread_time()
    found = family(scan_tree({path: text, "/syslinux.cfg": text}))
    assert time.thread_time() - begin < 5
    assert all(len(c.entries) <= 2001 and len(c.problems) <= 100 for c in found)
    assert not any("Error" in problem.message for c in found for problem in c.problems)


def test_many_large_files_are_bounded(scan_tree: Scan) -> None:
    names = [f"{number}.cfg" for number in range(30)]
    files = {f"/{name}": "#" * 1_000_000 for name in names}
    includes = "".join(f"include {name}\n" for name in names)
    (found,) = family(scan_tree({**files, "/syslinux.cfg": f"{ONE}{includes}"}))
    assert shown(found) == ["one"]
    assert "vda2:/syslinux.cfg:20: larger than" in problems(found)
