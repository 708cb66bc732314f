"""yaboot.conf and lilo.conf: syntax, precedence, partitions, the cmdlines that they make."""

import time
from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import Arch, Configuration, Platform, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan


def yaboot(scan_tree: Scan, text: str, path: str = "/etc/yaboot.conf") -> Configuration:
    found = scan_tree({path: text, "/k": "kernel"})
    return next(c for c in found if c.format == "yaboot")


def test_image_overrides_what_holds_for_all(scan_tree: Scan) -> None:
    text = (
        'root=/dev/a\nappend="x y"\nread-only\ninitrd=/i\nimage=/k\nlabel=one\n'
        "image=/k label=two root=/dev/b append=z=1 ramdisk=9 read-write"
    )
    one, two = yaboot(scan_tree, text).entries
    assert one.cmdline == "root=/dev/a ro x y"
    assert two.cmdline == "root=/dev/b ro rw ramdisk=9 z=1"
    assert one.initrds == two.initrds == (Resource("/i", "vda2"),)
    assert {o.field: o.line for o in one.origins} == {
        "title": 6, "kernel": 5, "initrd": 4, "cmdline": 2,
    }  # fmt: skip


def test_quotes_escapes_comments_and_continued_values(scan_tree: Scan) -> None:
    text = (
        '# c\nimage = /k # kernel\n label="a \\"b\\"" # x\nappend="one\\\n   two"\ninitrd = "/i"\n'
    )
    (entry,) = yaboot(scan_tree, text).entries
    assert entry.title == 'a "b"'
    assert entry.cmdline == "one two"
    assert {o.field: o.line for o in entry.origins}["initrd"] == 6


def test_default_is_the_first_image_or_a_label_or_alias(scan_tree: Scan) -> None:
    images = "image=/k\nimage=/k\nlabel=two\nalias=t\n"
    for default, chosen in (("", 0), ("default=two\n", 1), ("default=t\n", 1), ("default=x\n", 0)):
        found = yaboot(scan_tree, f"{default}timeout=25\n{images}")
        assert [e.title for e in found.entries] == ["k", "two"]
        assert [e.default for e in found.entries].index(True) == chosen
        assert found.timeout == 2.5


def test_lilo_waits_only_with_prompt(scan_tree: Scan) -> None:
    for settings, seconds in (
        ("timeout=50", 0),
        ("delay=20", 2),
        ("prompt", -1),
        ("prompt timeout=50", 5),
    ):
        found = yaboot(scan_tree, f"{settings}\nimage=/k", "/etc/lilo.conf")
        assert found.timeout == seconds, settings


def test_lilo_adds_to_the_common_append_and_lets_the_image_decide(scan_tree: Scan) -> None:
    text = 'append=a\nread-only\nimage=/k addappend="b c" root=/dev/x read-write\nother=/dev/sda1\n'
    linux, windows = yaboot(scan_tree, text, "/etc/lilo.conf").entries
    assert linux.cmdline == "rw root=/dev/x a b c"
    assert windows.kernel is None
    assert windows.problems == (
        "starts the boot sector of /dev/sda1, not a kernel (/etc/lilo.conf:4)",
    )


@pytest.mark.parametrize(
    ("settings", "image", "expected"),
    [
        ("", "/k", Resource("/k", "nvme0n1p2")),
        ("", "hd:,\\\\k", Resource("/k", "nvme0n1p2")),
        ("partition=3", "/k", Resource("/k", "nvme0n1p3")),
        ("device=hd: partition=2", "3,/k", Resource("/k", "nvme0n1p3")),
        ("partition=3", "hd:2,/k", Resource("/k", "nvme0n1p2")),
        ("device=/dev/sda partition=1", "/k", Resource("/k", "sda1")),
        ("", "/dev/sda1:/k", Resource("/k", "sda1")),
        ("device=/dev/sdq partition=1", "/k", Resource("/k", wants="sdq1")),
        ("partition=9", "/k", Resource("/k", wants="nvme0n1p9")),
        ("", "relative", Resource("/etc/relative", "nvme0n1p2")),
    ],
)
def test_partitions(tmp_path: Path, settings: str, image: str, expected: Resource) -> None:
    make_tree(tmp_path, {"/etc/yaboot.conf": f"{settings}\nimage={image}\n"})
    home = Volume("nvme0n1p2", str(tmp_path))
    others = (Volume("nvme0n1p3", "/nowhere"), Volume("sda1", "/nowhere"))
    (found,) = scan(home, Context(Arch.ARM64, Platform.IEEE1275, (home, *others)))
    assert found.entries[0].kernel == expected


def test_lilo_finds_kernels_where_fstab_mounts_boot(tmp_path: Path) -> None:
    fstab = "/dev/sda2 / ext4\n/dev/sda1 /boot ext2\nLABEL=GONE /boot/more ext2\n"
    images = "image=/boot/vmlinuz\nimage=/boot/more/k\nimage=/vmlinuz\n"
    make_tree(
        tmp_path / "root", {"/etc/lilo.conf": images, "/etc/fstab": fstab, "/vmlinuz": "kernel"}
    )
    home, boot = Volume("sda2", str(tmp_path / "root")), Volume("sda1", "/nowhere")
    (found,) = scan(home, Context(Arch.X86_64, Platform.PC, (home, boot)))
    assert [e.kernel for e in found.entries] == [
        Resource("/vmlinuz", "sda1"),
        Resource("/k", wants="LABEL=GONE"),
        Resource("/vmlinuz", "sda2"),
    ]


def test_wrong_lines_cost_themselves_and_huge_ones_no_time(scan_tree: Scan) -> None:
    found = yaboot(scan_tree, 'append="never closed\nimage=/k\nlabel=a\n=\n')
    assert [e.title for e in found.entries] == ["a"]
    assert found.problems
    started = time.thread_time()
    for text in ("= " * 100_000, '"' * 200_000, "image=/k\n" * 28_000, "a\\" * 120_000):
        assert len(yaboot(scan_tree, text).entries) <= 500
    assert time.thread_time() - started < 10
