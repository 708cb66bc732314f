"""What a grub.cfg offers: menus, defaults, devices, and the files that its entries need."""

import gc
import re
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.errors import ParseError
from bootmenu.model import Arch, BootEntry, Configuration, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.grub import configurations
from bootmenu.parsers.grub.environment import parse_block
from bootmenu.parsers.scan import scan

KERNEL = {"/boot/vmlinuz": "kernel", "/boot/initrd": "initrd"}


def grub(scan_tree: Scan, script: str, **more: object) -> Configuration:
    """The GRUB configuration of a volume with *script* as its grub.cfg."""
    found = scan_tree({"/boot/grub/grub.cfg": script, **KERNEL}, **more)
    return next(c for c in found if c.format == "grub")


def entries(scan_tree: Scan, script: str) -> dict[str, BootEntry]:
    return {entry.title: entry for entry in grub(scan_tree, script).entries}


DEFAULTS = """
set default="{default}"
set timeout=0
x=early
y=early
export y
function f {{ echo "f=early $chosen"; exit; }}
menuentry "First" --id 2 {{ echo "$chosen x=$x y=$y 1=$1 #=$#"; exit; }}
menuentry "a > b" p q {{ echo "$chosen x=$x 2=$2 #=$#"; exit; }}
submenu "Sub > menu" --id sub {{
  menuentry "x>y" {{ echo "$chosen x=$x y=$y z=$z"; exit; }}
  menuentry --class c "Inner" --unrestricted {{ echo "$chosen x=$x y=$y z=$z"; exit; }}
  submenu "Deep" {{ menuentry "End" {{ f; }}; }}
  z=late
}}
menuentry "Last" {{ f; }}
menuentry "Twin" --id First {{ echo "$chosen x=$x"; exit; }}
menuentry "2nd" $option 'id of 2nd' {{ echo "$chosen x=$x"; exit; }}
x=late
y=late
function f {{ echo "f=late $chosen"; exit; }}
"""


@pytest.mark.parametrize(
    "default",
    [
        "", "0", "1", "2", "3", "4", "9", "1x", "First", "a >> b", "sub>0", "sub>Inner", "2>1",
        "sub>x>>y", "Sub >> menu>Inner", "sub>9", "nonsense", "sub>Deep>End", "sub>2>0", "4>7",
        "Inner", "-1", "2x",
    ],
)  # fmt: skip
def test_grub_starts_the_same_default(default: str, scan_tree: Scan, tmp_path: Path) -> None:
    script = DEFAULTS.format(default=default)
    (tmp_path / "grub.cfg").write_text(f"{script}\n")
    done = subprocess.run(
        ["grub-emu", "-d", str(tmp_path), "-r", "host"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"TERM": "dumb", "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    printed = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", done.stdout.decode()).rstrip().split("\n")
    # The same script for us, with the line that GRUB printed as the cmdline.
    ours = re.sub(r'echo "([^"]*)"; exit;', r'linux /boot/vmlinuz "\1";', script)
    configuration = grub(scan_tree, ours)
    entry = next(e for e in configuration.entries if e.id == configuration.default)
    assert entry.default
    assert entry.cmdline.strip('"') == printed[-1]


def test_default_by_an_id_that_begins_with_digits(scan_tree: Scan) -> None:
    script = """
        set default=2c9e-6.12
        menuentry A { linux /boot/vmlinuz }
        menuentry B --id 2c9e-6.12 { linux /boot/vmlinuz }
        menuentry C { linux /boot/vmlinuz }
    """
    assert [e.default for e in grub(scan_tree, script).entries] == [False, True, False]


def test_menu_entry_runs_with_the_variables_of_the_end(scan_tree: Scan) -> None:
    script = """
        set opts=early
        menuentry A { linux /boot/vmlinuz $opts; set opts=changed }
        menuentry B { linux /boot/vmlinuz $opts }
        set opts=late
    """
    assert [e.cmdline for e in grub(scan_tree, script).entries] == ["late", "late"]


def test_entries_do_not_see_what_another_one_did(scan_tree: Scan) -> None:
    script = """
        function opts { set opts=$1; }
        menuentry A { eval "function opts { set opts=broken; }"; opts a; linux /k $opts }
        submenu S {
          eval "function opts { set opts=inner; }"
          menuentry B { opts b; linux /k $opts }
        }
        menuentry C { opts c; linux /k $opts $chosen }
    """
    assert [e.cmdline for e in grub(scan_tree, script).entries] == ["broken", "inner", "c C"]


def test_cmdline_is_quoted_as_grub_quotes_it(scan_tree: Scan) -> None:
    script = r"""menuentry A {
        linux /boot/vmlinuz a="b c" 'it'"'"s \"x\" $none "" root=LABEL=a\x20b back\\slash
    }"""
    expected = '"a=b c" it\\\'s \\"x\\"  root=LABEL=a\\x20b back\\\\slash'
    assert grub(scan_tree, script).entries[0].cmdline == expected


def test_bytes_that_are_no_utf8_reach_the_cmdline_and_no_title(scan_tree: Scan) -> None:
    raw = b"menuentry 'T\xff\x1b[2J\xc2\x9b\xe2\x80\xae' { linux /boot/vmlinuz a=\xff\x1b }"
    entry = grub(scan_tree, raw.decode("utf-8", "surrogateescape")).entries[0]
    assert entry.cmdline.encode("utf-8", "surrogateescape") == b"a=\xff\x1b"
    assert entry.title == "T��[2J��"
    assert all(text.isprintable() for text in (entry.title, entry.id))


def test_environment_block_decides_the_default(scan_tree: Scan) -> None:
    block = "# GRUB Environment Block\nsaved_entry=B\nnext=a\\\nb\\\\c\n".ljust(1024, "#")
    script = """
        if [ -s $prefix/grubenv ]; then load_env; fi
        set default="${saved_entry}"
        menuentry A { linux /boot/vmlinuz }
        menuentry B { linux /boot/vmlinuz "$next" }
    """
    found = scan_tree({"/boot/grub/grub.cfg": script, "/boot/grub/grubenv": block, **KERNEL})
    assert [(e.title, e.default) for e in found[0].entries] == [("A", False), ("B", True)]
    assert found[0].entries[1].cmdline == "a\nb\\\\c"


def test_entry_waits_for_the_volume_that_its_search_names(scan_tree: Scan, tmp_path: Path) -> None:
    script = """menuentry A {
        search --no-floppy --fs-uuid --set=root --hint-efi=hd0,gpt2 beef-01
        linux /vmlinuz
        initrd /one ($root)/two
    }"""
    entry = grub(scan_tree, script).entries[0]
    assert not entry.resolved
    assert entry.kernel is not None
    assert (entry.kernel.volume, entry.kernel.wants) == (None, "UUID=beef-01")
    assert entry.problems[0] == "/vmlinuz is on UUID=beef-01, which is not here"
    make_tree(tmp_path / "other", {"/vmlinuz": "k", "/one": "1", "/two": "2"})
    arrived = Volume("sdb1", str(tmp_path / "other"), uuid="BEEF-01")
    entry = grub(scan_tree, script, others=(arrived,)).entries[0]
    assert entry.resolved
    assert not entry.problems
    assert [str(r) for r in entry.resources] == ["sdb1:/vmlinuz", "sdb1:/one", "sdb1:/two"]


@pytest.mark.parametrize(
    ("search", "volume"),
    [
        ("search.fs_uuid BEEF-01 root hd0,gpt9", "sdb1"),
        ("search --set --label DATA", "sdb1"),
        ("search -l DATA -s", "sdb1"),
        ("search --no-floppy --set=root --file /marker", "sdb1"),
        ("search.file /marker root", "sdb1"),
        ("set root='hd0,gpt3'", "vda3"),
        ("set root=hd0,3", "vda3"),
        ("search --fs-uuid --set=other BEEF-01; root=$other", "sdb1"),
        ("probe --set=u --fs-uuid (sdb1); search -u $u --set=root", "sdb1"),
        ("true", "vda2"),
        ("set root=(hd0,msdos3)", "vda3"),
        ("set root=hd1,gpt1", "sdb1"),
        ("set root=hd2,gpt1", None),
        ("set root=lvm/vg-root", None),
    ],
)
def test_devices_are_found(
    search: str, volume: str | None, scan_tree: Scan, tmp_path: Path
) -> None:
    make_tree(tmp_path / "sdb1", {"/marker": ""})
    make_tree(tmp_path / "vda3", {})
    (tmp_path / "vda3").mkdir()
    others = (
        Volume("sdb1", str(tmp_path / "sdb1"), uuid="BEEF-01", label="DATA"),
        Volume("vda3", str(tmp_path / "vda3")),
    )
    script = f"menuentry A {{ {search}; linux /vmlinuz; }}"
    kernel = grub(scan_tree, script, others=others).entries[0].kernel
    assert kernel is not None
    assert kernel.volume == volume


def test_clone_of_a_disk_keeps_to_its_own_files(scan_tree: Scan, tmp_path: Path) -> None:
    make_tree(tmp_path / "clone", {})
    (tmp_path / "clone").mkdir()
    clone = Volume("vdb2", str(tmp_path / "clone"), uuid="AB-12")
    script = "search --fs-uuid --set=root AB-12\nmenuentry A { linux /boot/vmlinuz }"
    root = tmp_path / "vda2"
    make_tree(root, {"/boot/grub/grub.cfg": script, **KERNEL})
    own = Volume("vda2", str(root), uuid="AB-12")
    found = scan(own, Context(Arch.ARM64, volumes=(clone, own)))
    entry = found[0].entries[0]
    assert entry.kernel is not None
    assert entry.kernel.volume == "vda2"
    assert entry.id == "vda2:grub:A"  # two volumes of one UUID: their names tell them apart


def test_what_is_no_linux_is_listed_with_the_reason(scan_tree: Scan) -> None:
    script = """
        menuentry Windows { chainloader /EFI/Microsoft/Boot/bootmgfw.efi }
        menuentry Nothing { true }
    """
    found = entries(scan_tree, script)
    assert found["Windows"].problems == (
        "starts 'chainloader /EFI/Microsoft/Boot/bootmgfw.efi', which is no Linux",
    )
    assert found["Nothing"].problems == ("starts nothing",)


def test_the_firmwares_entry_takes_its_place_where_there_is_efi(scan_tree: Scan) -> None:
    script = """
        set default=1
        menuentry A { linux /a }
        fwsetup --is-supported
        if [ "$?" = 0 ]; then menuentry Firmware { fwsetup }; fi
        menuentry B { linux /b }
    """
    [firmware] = [e for e in grub(scan_tree, script).entries if e.default]
    assert firmware.title == "Firmware"
    assert firmware.problems == ("starts 'fwsetup', which is no Linux",)
    [chosen] = [e for e in grub(scan_tree, script, platform=Platform.PC).entries if e.default]
    assert chosen.title == "B"


def test_sourced_files_belong_to_the_menu(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/boot/grub/grub.cfg": """
                set x=1
                if [ -f ${config_directory}/custom.cfg ]; then
                  source ${config_directory}/custom.cfg
                fi
                menuentry More { configfile $prefix/more.cfg }
            """,
            "/boot/grub/custom.cfg": "menuentry Custom { linux /boot/vmlinuz x=$x; }",
            "/boot/grub/more.cfg": "menuentry Third { linux /boot/vmlinuz x=$x $config_file; }",
            **KERNEL,
        }
    )
    first, second = found[0].entries
    assert (first.title, first.cmdline, first.menu) == ("Custom", "x=1", ())
    assert (second.title, second.menu) == ("Third", ("More",))
    assert second.cmdline == "x="  # $config_file lasts as long as the file is read
    assert {str(o) for o in first.origins if o.field == "kernel"} == {"/boot/grub/custom.cfg:1"}


def test_another_systems_menu_is_not_offered_twice(scan_tree: Scan, tmp_path: Path) -> None:
    script = "menuentry Mine { linux /k }\nmenuentry Yours { configfile (vda2)/boot/grub/grub.cfg }"
    make_tree(tmp_path / "other", {"/boot/grub/grub.cfg": script})
    other = Volume("sdb1", str(tmp_path / "other"))
    script = "menuentry Other { search -l OTHER -s; configfile (sdb1)/boot/grub/grub.cfg; }"
    (entry,) = grub(scan_tree, script, others=(other,)).entries
    (problem,) = entry.problems
    assert "hands over to sdb1:/boot/grub/grub.cfg, whose entries are listed there" in problem


def test_environment_block_reads_what_grub_editenv_writes(tmp_path: Path) -> None:
    block = tmp_path / "grubenv"
    values = {
        "a": "b c",
        "slash": "x\\y\\\\z",
        "lines": "1\n2",
        "hash": "#1#",
        "empty": "",
        "ü": "ß=",
    }
    subprocess.run(["grub-editenv", block, "create"], check=True)
    for name, value in values.items():
        subprocess.run(["grub-editenv", block, "set", f"{name}={value}"], check=True)
    assert parse_block(block.read_bytes()) == values
    with pytest.raises(ParseError):
        parse_block(b"#" * 1024)


def test_tree_of_the_entry_and_the_platform(scan_tree: Scan) -> None:
    script = """menuentry A {
        linux /boot/vmlinuz $grub_platform $grub_cpu
        devicetree /boot/initrd
    }"""
    entry = grub(scan_tree, script, platform=Platform.NONE).entries[0]
    assert entry.cmdline == "none arm64"
    assert str(entry.dtb) == "vda2:/boot/initrd"


def test_unknown_command_is_noted_once_with_its_line(scan_tree: Scan) -> None:
    script = "\nfor i in 1 2 3; do frobnicate; done\nmenuentry A { linux /boot/vmlinuz }\n"
    found = grub(scan_tree, script)
    assert [str(p) for p in found.problems] == [
        "vda2:/boot/grub/grub.cfg:2: unknown command 'frobnicate'"
    ]


def test_waiting_for_ever_is_a_negative_timeout(scan_tree: Scan) -> None:
    menu = "menuentry A { linux /boot/vmlinuz }\n"
    for text, timeout in (
        ("set timeout=-1", -1),
        ("timeout=5", 5),
        ("", None),
        ("timeout=x", None),
    ):
        assert grub(scan_tree, menu + text).timeout == timeout


def test_two_volumes_that_are_read_at_once_leave_the_search_for_cycles_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One reading ends just when another one has seen that the search is off."""
    begun, end = threading.Event(), threading.Event()

    def read() -> None:
        with configurations._collector.paused():
            begun.set()
            end.wait()

    other = threading.Thread(target=read)
    other.start()
    begun.wait()

    def isenabled() -> bool:
        found = gc.isenabled()
        end.set()
        other.join()
        return found

    stand_in = SimpleNamespace(isenabled=isenabled, enable=gc.enable, disable=gc.disable)
    monkeypatch.setattr(configurations, "gc", stand_in)
    with configurations._collector.paused():
        end.set()
    other.join()
    assert gc.isenabled()
