"""The syslinux family: labels, menus, defaults, other configurations, files."""

import pytest
from parsers_trees import Scan, device_tree

from bootmenu.model import BootEntry, Configuration


def one(found: list[Configuration]) -> Configuration:
    (configuration,) = [c for c in found if c.format in {"syslinux", "extlinux"}]
    return configuration


def default_title(configuration: Configuration) -> str | None:
    titles = [entry.title for entry in configuration.entries if entry.default]
    return titles[0] if titles else None


def shown(configuration: Configuration) -> list[str]:
    return [">".join((*entry.menu, entry.title)) for entry in configuration.entries]


def test_label_with_all_that_belongs_to_it(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/boot/extlinux/extlinux.conf": "TIMEOUT 35\r\nDefault a b\r\nmenu title x\r\n"
            "label a b\r\n\tMENU LABEL Linux ^One\r\n  linux ../Image\r\n\tinitrd /i1,i2\r\n"
            " fdt /dtbs/board.dtb\n fdtoverlays /o/1.dtbo  2.dtbo\n"
            "APPEND root=/dev/vda2  ro=\xe4  \n"
        }
    )
    configuration = one(found)
    (entry,) = configuration.entries
    assert (entry.title, entry.cmdline) == ("Linux One", "root=/dev/vda2  ro=\xe4")
    assert [str(r) for r in entry.resources] == [
        *("vda2:/boot/Image", "vda2:/dtbs/board.dtb", "vda2:/i1", "vda2:/boot/extlinux/i2"),
        *("vda2:/o/1.dtbo", "vda2:/boot/extlinux/2.dtbo"),
    ]
    assert (entry.id, entry.format) == ("AB-12:extlinux:a b", "extlinux")
    assert (configuration.default, configuration.timeout) == (entry.id, 3.5)
    assert {o.field: o.line for o in entry.origins} == {
        **{"title": 5, "kernel": 6, "initrd": 7, "dtb": 8, "overlays": 9, "cmdline": 10}
    }


def read(scan_tree: Scan, text: str, path: str = "/syslinux/syslinux.cfg") -> Configuration:
    return one(scan_tree({path: text}))


def uboot(scan_tree: Scan, text: str) -> Configuration:
    return read(scan_tree, text, "/extlinux/extlinux.conf")


def entry_of(scan_tree: Scan, label: str, before: str = "") -> BootEntry:
    return read(scan_tree, f"{before}\nlabel x\n{label}\n").entries[0]


@pytest.mark.parametrize(
    ("label", "before", "kernel", "cmdline"),
    [
        ("kernel k\nappend a", "append g", "/syslinux/k", "a"),
        ("kernel k", "append g  h", "/syslinux/k", "g  h"),
        ("kernel k\nappend -", "append g", "/syslinux/k", ""),
        ("kernel k", "", "/syslinux/k", ""),
        ("kernel k o=1 p\nappend a", "", "/syslinux/k", "o=1 p a"),
        ("append a", "", "/syslinux/x", "a"),  # the label's name is the kernel's
        ("linux /k.c32", "", "/k.c32", ""),
        ("kernel ::boot//./k", "", "/boot/k", ""),
        ("kernel ../../../k", "", "/k", ""),
        ("com32 linux.c32\nappend -dhcpinfo /k initrd=/i a", "", "/k", "initrd=/i a"),
        ("kernel linux.c32 /k\nappend a", "", "/k", "a"),
        ("kernel k\nappend 'a' \\b ${c}", "", "/syslinux/k", "'a' \\b ${c}"),
    ],
)
def test_kernel_and_cmdline(
    label: str, before: str, kernel: str, cmdline: str, scan_tree: Scan
) -> None:
    entry = entry_of(scan_tree, label, before)
    assert entry.kernel
    assert (entry.kernel.path, entry.cmdline) == (kernel, cmdline)


@pytest.mark.parametrize(
    ("label", "initrds"),
    [
        ("append initrd=/a,b,,/c root=x", "/a /syslinux/b /c"),
        ("initrd /a,/b ignored", "/a /b"),
        ("initrd /a\ninitrd /b", "/b"),
        ("append initrd=/a\ninitrd /b", "/a"),  # the first initrd= on syslinux's cmdline
        ("append rdinitrd=/a", ""),
        ("append -", ""),
    ],
)
def test_initrds(label: str, initrds: str, scan_tree: Scan) -> None:
    entry = entry_of(scan_tree, f"linux /k\n{label}")
    assert " ".join(r.path for r in entry.initrds) == initrds


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("localboot 0x80", "boots the local disk, whose systems have entries of their own"),
        ("com32 chain.c32\nappend hd0 0", "starts chain.c32, which is no Linux"),
        ("com32 reboot", "starts reboot.c32, which is no Linux"),
        ("kernel mboot.c32\nappend xen.gz --- k", "multiboot (mboot.c32) is not supported"),
        ("kernel /boot/memdisk\nappend iso", "starts a disk image through the BIOS (memdisk)"),
        ("kernel pxelinux.0", "starts pxelinux.0, which is no Linux"),
        ("boot /bootsect", "starts /bootsect, which is no Linux"),
        ("kernel whichsys.c32\nappend -pxe- a", "starts whichsys.c32, which is no Linux"),
    ],
)
def test_what_is_no_linux_is_listed_with_the_reason(
    label: str, reason: str, scan_tree: Scan
) -> None:
    entry = entry_of(scan_tree, label)
    assert (entry.kernel, entry.initrds, entry.cmdline) == (None, (), "")
    assert entry.problems[0].startswith(f"/syslinux/syslinux.cfg:2: {reason}")


def test_every_field_says_where_it_was_read(scan_tree: Scan) -> None:
    files = {
        "/syslinux.cfg": "include common\nlabel k\nlabel m\nlinux /k\nappend -\ninitrd /i\n",
        "/common": "\nappend initrd=/i a\n",
    }
    k, m = one(scan_tree(files)).entries
    assert {o.field: str(o) for o in k.origins} == {
        **{"title": "/syslinux.cfg:2", "kernel": "/syslinux.cfg:2"},
        **{"initrd": "/common:2", "cmdline": "/common:2"},
    }
    assert {o.field: str(o) for o in m.origins} == {
        **{"title": "/syslinux.cfg:3", "kernel": "/syslinux.cfg:4", "initrd": "/syslinux.cfg:6"},
    }


def test_menus_in_menus(scan_tree: Scan) -> None:
    found = read(
        scan_tree,
        "ui menu.c32\nmenu title Top\nlabel a\nmenu begin tag\n menu title ^Advanced\n"
        " label b\n menu begin\n  menu label M^ore\n  menu title Ignored\n  label c\n menu end\n"
        " label back\n  menu exit\n label off\n  menu disable\nmenu end\nmenu separator\n"
        "label secret\n menu hide\nmenu begin plain\nlabel d\nmenu end\ntext help\nlabel no\n"
        "endtext\nlabel e\n menu indent 2\n menu passwd x\n",
    )
    assert shown(found) == ["a", "Advanced>b", "Advanced>More>c", "plain>d", "e"]


@pytest.mark.parametrize(
    ("text", "default", "timeout"),
    [
        # In a menu: with UI, DEFAULT before MENU DEFAULT; else the first entry.
        ("ui menu.c32\ndefault b\ntimeout 50\n{labels}", "b", 5),
        ("ui menu.c32\ndefault b args\n{labels}menu default\n", "b", None),
        ("ui menu.c32\n{labels}menu default\ntimeout 0", "c", -1),
        ("default menu.c32\n{labels}timeout 0", "a", -1),
        ("default menu.c32 syslinux.cfg\n{labels}timeout 0", "a", -1),
        ("default vesamenu.c32\n{labels}menu default\nmenu title x", "c", None),
        ("default menu\n{labels}label menu\nkernel menu.c32\ntimeout 1", "a", 0.1),
        ("ui menu.c32\ndefault nope\n{labels}", "a", None),
        ("ui menu.c32\ndefault b\nontimeout c\ntimeout 9\n{labels}", "c", 0.9),
        ("ui menu.c32\ndefault b\nontimeout c\n{labels}", "b", None),
        ("ui menu.c32\nmenu title t\ntimeout 0\n{labels}", "a", -1),
        ("ui menu.c32\ntimeout 0\ntotaltimeout 9000\n{labels}", "a", 900),
        ("ui menu.c32\nmenu shiftkey\ntimeout 50\n{labels}", "a", 0),
        ("ui menu.c32\n{labels}menu begin\nmenu start\nlabel d\nmenu end", "d", None),
        ("ui menu.c32\ndefault d\n{labels}menu begin\nlabel d\nmenu end", "d", None),
        ("ui menu.c32\nmenu begin\nmenu default\nlabel d\nmenu end\n{labels}", None, None),
        # Without one, what DEFAULT types.
        ("default b\ntimeout 50\nprompt 1\n{labels}", "b", 5),
        ("default b\nprompt 0\ntimeout 0\n{labels}menu default", "b", 0),
        ("default b\nprompt 1\ntimeout 0\n{labels}menu default", "b", -1),
        ("default b\nprompt 1\ntimeout 70\nontimeout c\n{labels}", "c", 7),
        ("default b\nontimeout c\n{labels}", "b", None),
        ("default nope\n{labels}", None, None),
        ("{labels}menu default\n", None, None),
        ("timeout 5 seconds\ndefault b\n{labels}", "b", 0.5),
        ("timeout x\ndefault b\n{labels}", "b", 0),
    ],
)
def test_default_and_timeout(
    text: str, default: str | None, timeout: float | None, scan_tree: Scan
) -> None:
    labels = "label a\nlinux /k\nappend a\nlabel b\nlinux /k\nlabel c\nlinux /k\nappend c\n"
    found = read(scan_tree, text.format(labels=labels))
    assert default_title(found) == default
    assert found.default == (None if default is None else f"AB-12:syslinux:{default}")
    assert found.timeout == timeout


def test_default_with_arguments_is_an_entry_of_its_own(scan_tree: Scan) -> None:
    found = read(scan_tree, "default a single\nlabel a\nlinux /k\nappend quiet\n")
    assert [(e.title, e.cmdline) for e in found.entries] == [
        ("a single", "quiet single"), ("a", "quiet"),
    ]  # fmt: skip
    assert default_title(found) == "a single"


def test_typed_command_that_a_label_starts_too_is_that_label(scan_tree: Scan) -> None:
    files = {
        "/k": "kernel",
        "/syslinux.cfg": "ui menu.c32\ntimeout 300\nontimeout k initrd=i a\n"
        "label x\nlinux /k\nlabel y\nmenu label Speech\nkernel k\nappend initrd=i a",
    }
    assert default_title(one(scan_tree(files))) == "Speech"


@pytest.mark.parametrize(
    ("text", "entries"),  # as SYSLINUX 6.04 does
    [
        ("default linux root=x", [("linux root=x", "/linux", "root=x")]),
        ("default linux root=x\nappend g", [("linux root=x", "/linux", "root=x")]),
        ("default linux\nimplicit 0", []),
        ("default nothing", []),
    ],
)
def test_kernel_without_a_label(
    text: str, entries: list[tuple[str, str, str]], scan_tree: Scan
) -> None:
    found = one(scan_tree({"/syslinux.cfg": text, "/linux": "kernel"}))
    assert [(e.title, e.kernel and e.kernel.path, e.cmdline) for e in found.entries] == entries
    assert entries or "neither a label nor a file" in str(found.problems[0])


# Seen with U-Boot 2023.01 (qemu_arm64).
@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("{labels}", "a"),
        ("default two words\n{labels}", "two words"),
        ("default nope\n{labels}menu default", "a"),
        ("{labels}menu default", "c"),
        ("{labels}menu default\ndefault b", "b"),
        ("default menu.c32\n{labels}menu default", "c"),
        ("default b\nontimeout c\n{labels}", "c"),
        ("ui menu.c32\ndefault c\n{labels}", "c"),
    ],
)
def test_default_of_uboot(text: str, default: str, scan_tree: Scan) -> None:
    labels = "".join(f"label {name}\nlinux /k\n" for name in ("a", "two words", "b", "c"))
    assert default_title(uboot(scan_tree, text.format(labels=labels))) == default


def test_name_does_not_tell_uboot_what_a_kernel_is(scan_tree: Scan) -> None:
    (entry,) = uboot(scan_tree, "label x\nkernel /uImage.bin\n").entries
    assert str(entry.kernel) == "vda2:/uImage.bin"


def test_append_of_uboot(scan_tree: Scan) -> None:
    text = r"""a='x $y ${z}' b=\"c d\" d=$(foo) e=$bar g="q" h=\\i k=\${arch} m=${  n"""
    (entry,) = uboot(scan_tree, f"label x\nlinux /k\nappend {text}\n").entries
    assert entry.cmdline == r"""a=x $y ${z} b="c d" d= e=$bar g="q" h=\i k=${arch} m="""
    assert "/extlinux/extlinux.conf:3: what U-Boot's variable foo holds is not known" in (
        entry.problems
    )


def test_first_initrd_and_tree_count_for_uboot(scan_tree: Scan) -> None:
    text = "initrd /1\ninitrd /2\nfdt /a.dtb\nfdt /b.dtb\nappend initrd=/3\nkernel /fit#conf-1"
    (entry,) = uboot(scan_tree, f"label x\n{text}\n").entries
    assert [r.path for r in entry.resources] == ["/fit", "/a.dtb", "/1"]
    assert entry.problems[-1].endswith(":1: asks for conf-1 of a FIT image")


@pytest.mark.parametrize(
    ("statement", "dtb"),
    [
        ("fdtdir /dtbs", "/dtbs/acme/one.dtb"),
        ("devicetreedir /dtbs/", "/dtbs/acme/one.dtb"),
        ("fdtdir ../dtbs\ndevicetree /x.dtb", "/x.dtb"),
        ("fdtdir /nothing", None),
        ("fdt -\nfdtdir /dtbs", None),
    ],
)
def test_device_tree_for_this_machine(statement: str, dtb: str | None, scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/extlinux/extlinux.conf": f"label x\nlinux /k\n{statement}\n",
            "/dtbs/acme/one.dtb": device_tree("acme,one", "acme,soc"),
            "/dtbs/acme/two.dtb": device_tree("acme,two", "acme,soc"),
        },
        compatible=("acme,one", "acme,soc"),
    )
    tree = one(found).entries[0].dtb
    assert (tree.path if tree else None) == dtb
