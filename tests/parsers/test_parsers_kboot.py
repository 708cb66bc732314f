"""kboot.conf: labels, the values that hold for all of them, the order of the cmdline."""

from parsers_trees import Scan

from bootmenu.model import Configuration, Resource


def kboot(scan_tree: Scan, text: str) -> Configuration:
    found = scan_tree({"/etc/kboot.conf": text, "/k": "kernel"})
    return next(c for c in found if c.format == "kboot")


def test_label_has_kernel_initrd_and_cmdline_with_root_first(scan_tree: Scan) -> None:
    found = kboot(scan_tree, "linux='/k initrd=/i quiet root=/dev/sda1'\ntimeout=10\n")
    (entry,) = found.entries
    assert (entry.title, entry.kernel) == ("linux", Resource("/k", "vda2"))
    assert entry.initrds == (Resource("/i", "vda2"),)
    assert entry.cmdline == "root=/dev/sda1 quiet"
    assert found.timeout == 10


def test_common_values_hold_even_when_they_stand_below(scan_tree: Scan) -> None:
    text = "a='/k'\nb='/k root=/dev/b video=x'\nroot=/dev/a\nvideo=v\ninitrd=/i\ndefault=b\n"
    one, two = kboot(scan_tree, text).entries
    assert (one.cmdline, two.cmdline) == ("root=/dev/a video=v", "root=/dev/b video=x")
    assert one.initrds == two.initrds
    assert (one.default, two.default) == (False, True)


def test_kernel_is_found_behind_settings_and_by_uuid(scan_tree: Scan) -> None:
    text = "a='video=ps3fb:mode:1 /k'\nb='UUID=AB-12:/k x'\nc='(UUID=AB-12)/k'\nd='root=/dev/a'\n"
    *found, nothing = kboot(scan_tree, text).entries
    assert [e.kernel for e in found] == [Resource("/k", "vda2")] * 3
    assert [e.cmdline for e in found] == ["video=ps3fb:mode:1", "x", ""]
    assert nothing.problems == ("names no kernel (/etc/kboot.conf:4)",)
