"""U-Boot's scripts: the shell as U-Boot 2023.01 runs it, and what Armbian and others start."""

import subprocess
import time
from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import Arch, BootEntry, Configuration, Platform, Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

BOOT = "load mmc 0 ${kernel_addr_r} Image; booti ${kernel_addr_r} - ${fdt_addr_r}\n"


def run(scan_tree: Scan, script: str, files: dict[str, str] | None = None) -> Configuration:
    found = scan_tree({"/boot.cmd": script, "/Image": "kernel", **(files or {})})
    return next(c for c in found if c.format == "uboot")


def entry(scan_tree: Scan, script: str, files: dict[str, str] | None = None) -> BootEntry:
    (only,) = run(scan_tree, script + "\n" + BOOT, files).entries
    return only


@pytest.mark.parametrize(
    ("script", "bootargs"),
    [  # each as U-Boot 2023.01 answers at its prompt
        ('setenv y "a  b"; setenv bootargs ${y} c', "a b c"),
        ('setenv y "a  b"; setenv bootargs "${y}" c', "a  b c"),
        ('setenv y "a  b"; setenv bootargs x${y}z', "xa bz"),
        ("setenv bootargs '${y}' \\${y}", "${y} ${y}"),
        ("setenv bootargs \"a 'b' \\x\"", "a b \\x"),
        ("setenv y 'x \"y\" z'; setenv bootargs ${y}", "x y z"),
        ('setenv y \'x "y" z\'; setenv bootargs "${y}"', 'x "y" z'),
        ("setenv bootargs ${nope:-dflt} x${nope}y", "dflt xy"),
        ("setenv bootargs a#b # comment", "a#b"),
        ('setenv bootargs root=x ${nope} "quo ted" end', "root=x quo ted end"),
        ("loc=5; setenv bootargs $loc ${loc}", "5 5"),
        ("setexpr v 10 + 5; setenv bootargs $v", "15"),
        ("setenv q 'setenv bootargs one; setenv bootargs ${bootargs} two'; run q", "one two"),
        ("setenv bootargs no; setenv bootargs; setenv bootargs ${bootargs} yes", "yes"),
        ("false && setenv bootargs a || setenv bootargs b; setenv bootargs ${bootargs} c", "c"),
        ("true || setenv bootargs a && setenv bootargs b; setenv bootargs ${bootargs} c", "c"),
        ("false || setenv bootargs a", "a"),
        ('for x in "a b" c; do setenv bootargs ${bootargs}$x; done', "abc"),
        ("i=0; while test $i -lt 3; do setexpr i $i + 1; done; setenv bootargs $i", "3"),
        ("if false; then setenv bootargs a; elif true; then setenv bootargs b; fi", "b"),
        ("if ! false; then setenv bootargs a; else setenv bootargs b; fi", "b"),
    ],
)
def test_shell_expands_and_decides_as_uboot_does(
    script: str, bootargs: str, scan_tree: Scan
) -> None:
    assert entry(scan_tree, script).cmdline == bootargs


@pytest.mark.parametrize(
    ("condition", "holds"),
    [  # each as U-Boot 2023.01 answers at its prompt
        ("test -n ${xx}", False),
        ("test -z ${xx}", False),
        ('test -z "${xx}"', True),
        ("test ${xx} = y", True),
        ('test "${xx}" = ""', True),
        ('test ! -n "${xx}"', True),
        ("test foo", False),
        ("test a b c", True),
        ("test 10 -gt 9", True),
        ("test 0x10 -eq 16", True),
        ("test a = a -a b = c", False),
        ("test a = a -o b = c", True),
        ("itest 10 == 16", False),
        ("itest.s a == a", True),
        ("itest ${foo} -gt 0", False),
        ("test a = b || test c = c", True),
        ("test a = a && test c = d", False),
        ("test -e mmc 0:1 /Image", True),
        ("test -e mmc 0 /nosuch", False),
        ("nosuchcommand", False),
    ],
)
def test_conditions_hold_as_in_uboot(condition: str, holds: bool, scan_tree: Scan) -> None:
    script = f"if {condition}; then setenv bootargs yes; else setenv bootargs no; fi"
    assert entry(scan_tree, script).cmdline == ("yes" if holds else "no")


def test_files_come_from_the_addresses_they_were_loaded_to(scan_tree: Scan) -> None:
    script = """
load mmc 0 ${ramdisk_addr_r} uInitrd
setenv initrd ${ramdisk_addr_r}:${filesize}
load mmc 0:1 ${kernel_addr_r} /Image && load mmc 0 ${fdt_addr_r} a.dtb
fdt addr ${fdt_addr_r}
load mmc 0 0x9000000 x.dtbo && fdt apply 9000000
load mmc 0 0x9000000 gone.dtbo && fdt apply 9000000
booti ${kernel_addr_r} ${initrd} ${fdt_addr_r}
setenv bootargs never
"""
    files = {"/uInitrd": "i", "/a.dtb": "d", "/x.dtbo": "o"}
    (found,) = run(scan_tree, script, files).entries
    assert found.kernel == Resource("/Image", "vda2")
    assert found.initrds == (Resource("/uInitrd", "vda2"),)
    assert found.dtb == Resource("/a.dtb", "vda2")
    assert found.overlays == (Resource("/x.dtbo", "vda2"),)
    assert found.cmdline == ""
    assert {o.field: str(o) for o in found.origins}["dtb"] == "/boot.cmd:4"


def test_tree_that_is_loaded_again_has_no_overlays(scan_tree: Scan) -> None:
    script = (
        "load mmc 0 1000000 a.dtb; fdt addr 1000000; load mmc 0 2000000 x.dtbo; fdt apply 2000000\n"
        "load mmc 0 1000000 a.dtb\nload mmc 0 3000000 Image; booti 3000000 - 1000000\n"
    )
    (found,) = run(scan_tree, script, {"/a.dtb": "d", "/x.dtbo": "o"}).entries
    assert (found.dtb, found.overlays) == (Resource("/a.dtb", "vda2"), ())


def test_environment_files_are_imported(scan_tree: Scan) -> None:
    script = "load mmc 0 ${load_addr} e.txt; env import -t ${load_addr} ${filesize}\n"
    text = "# c\n  rootdev=UUID=a\r\nextra = b\\\\c\nbootargs=root=x\n"
    found = entry(scan_tree, script, {"/e.txt": text})
    assert found.cmdline == "root=x"
    assert {o.field: str(o) for o in found.origins}["cmdline"] == "/e.txt:4"
    script += "setenv bootargs ${rootdev} ${extra}"
    assert entry(scan_tree, script, {"/e.txt": text}).cmdline == "UUID=a b\\c"


def test_script_image_is_what_runs(tmp_path: Path) -> None:
    make_tree(tmp_path, {"/boot/boot.cmd": "setenv bootargs old\n", "/boot/Image": "k"})
    text = tmp_path / "new.cmd"
    text.write_text(f"setenv bootargs new\n{BOOT.replace('Image', '/boot/Image')}")
    command = ["mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", str(text)]
    subprocess.run([*command, str(tmp_path / "boot/boot.scr")], check=True, capture_output=True)
    volume = Volume("mmcblk0p1", str(tmp_path))
    (found, *_) = scan(volume, Context(Arch.ARM64, Platform.NONE, (volume,)))
    assert (found.path, found.entries[0].cmdline) == ("/boot/boot.scr", "new")
    (tmp_path / "boot/boot.cmd").write_bytes(text.read_bytes())
    (found, *_) = scan(volume, Context(Arch.ARM64, Platform.NONE, (volume,)))
    assert found.path == "/boot/boot.cmd"


def test_other_partitions_and_identities(tmp_path: Path) -> None:
    make_tree(
        tmp_path / "one",
        {
            "/boot.cmd": "part uuid mmc ${devnum}:2 p; fsuuid mmc 0:1 f\n"
            "setenv bootargs root=PARTUUID=${p} boot=${f} x=${f}\n"
            "load mmc 0:2 ${kernel_addr_r} /boot/Image; booti ${kernel_addr_r}\n"
        },
    )
    make_tree(tmp_path / "two", {"/boot/Image": "k", "/etc/os-release": "PRETTY_NAME='Some OS'"})
    home = Volume("mmcblk0p1", str(tmp_path / "one"))
    root = Volume("mmcblk0p2", str(tmp_path / "two"), partuuid="ab-02")
    (found, *_) = scan(home, Context(Arch.ARM64, Platform.NONE, (home, root)))
    (only,) = found.entries
    assert only.kernel == Resource("/boot/Image", "mmcblk0p2")
    assert only.cmdline == "root=PARTUUID=ab-02"
    assert only.title == "Some OS"
    assert [p.message for p in found.problems] == [
        "left out of the cmdline, since only the board knows it: boot=…",
        "left out of the cmdline, since only the board knows it: x=…",
    ]


def test_script_that_starts_nothing_says_so(scan_tree: Scan) -> None:
    assert str(run(scan_tree, "echo hello\n").problems[0]).endswith("starts no kernel that is here")
    problem = run(scan_tree, "if true; then\necho\n").problems[0]
    assert "ends before its" in problem.message
    assert "tftpboot" in run(scan_tree, "tftpboot 1 x\n").problems[0].message


def test_endless_and_huge_scripts_are_bounded(scan_tree: Scan) -> None:
    started = time.thread_time()
    scripts = [
        "while true; do true; done",
        "setenv a 'run a'; run a",
        "setenv x aaaaaaaa\nwhile true; do setenv x ${x}${x}; done",
        "setenv x " + "aaaa " * 3000 + "\nwhile true; do test " + "$x " * 50 + "; done",
        "if true; then " * 300,
        "for a in 1 2 3 4 5 6 7 8 9; do " * 30 + "true" + "; done" * 30,
        '"' * 100_000,
        "a " * 200_000,
        "true && " * 50_000,
        "$" * 100_000,
        "setenv x " + "b\\" * 100_000,
        "".join(f"setenv v{n} {n}\n" for n in range(15_000)),
    ]
    for script in scripts:
        run(scan_tree, script)
    assert time.thread_time() - started < 20


def test_what_a_boards_own_script_does_stands_on_no_line(scan_tree: Scan) -> None:
    files = {"/boot/armbianEnv.txt": "rootdev=UUID=1\n", "/boot/Image": "kernel"}
    (found,) = scan_tree(files)
    assert "ubootpart=…" in found.problems[0].message
    assert {origin.line for origin in found.entries[0].origins} == {0}
    assert found.problems[0].line == 0
