"""What GRUB's commands do: the same scripts run under GRUB itself, or give what it would offer."""

import time
from pathlib import Path

import pytest
from parsers_grub_peer import emulate, interpret
from parsers_trees import Scan, make_tree

from bootmenu.files import VolumeFiles
from bootmenu.model import Arch, BootEntry, Configuration, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.grub import interpreter, parser
from bootmenu.parsers.scan import scan

SCRIPTS = {
    "regexp": r"""
        regexp "(.*)/(.*)" aa/bb; echo $?; regexp x; echo $?; regexp "x" ab; echo $?
        regexp --set 1:v --set=2:w "(.*)/(.*)" aa/bb; echo $? $v $w
        regexp -s v "^(a+)" aaab; echo $? $v; regexp -s v "^a+" aaab; echo $? "[$v]"
        regexp -s 1:v "b(c)?" ab; echo $? "[$v]"; regexp -s 9:v "a" a; echo $? "[$v]"
        regexp -s a:v "(b)" abc; echo $?
        for e in '(' ')' 'a{' 'a{2,1}' 'a{,2}' '[a' '[[:foo:]]' 'a\' '*a' '()' 'a|'; do
            regexp $e 'a|'; echo $?
        done
        regexp -s 0:m 'ab|abcd' xabcdx; echo $m
        regexp -s 0:m -s 1:g '(a|ab)(c|bcd)(d*)' abcd; echo $m $g
        regexp -s 0:m '[[:digit:]]{2,3}' a12345; echo $m; regexp -s 0:m '[^]x]+' 'x]ab'; echo $m
        regexp -s 1:m '(ab)*c' ababc; echo $m; regexp '^$' ''; echo $?; regexp '\<b' 'a b'; echo $?
        regexp -s 1:d -s 3:t '^\(?(hd[0-9]+)(,(gpt|msdos)[0-9]+)?\)?$' '(hd0,gpt12)'; echo $d $t
        """,
    "wildcards": r"""
        echo /etc/pass?d; echo /etc/h?stname; echo (host)/etc/passw?; echo "/etc/pass*"
        echo '/etc/pass*'; echo \/etc/pass\*; x="/etc/hostn*"; echo $x "$x"; echo /nonexist/*
        echo /etc/hostn*/x; echo (h*)/etc/hostname; echo /e*/hostname; echo [h]ost a*b
        for f in /etc/hostn*; do echo "<$f>"; done; [ -e /etc/hostn* ]; echo $?
        echo /etc/host*"name"; echo /etc/hostname*x; y='/etc/hostn\*'; echo $y "$y"
        echo /etc/hostna*/; echo /et*/ /et*/apt/; echo //etc/hostn* /etc//hostn*
        function f { echo $# "$@"; }
        f /etc/hostn* b*c
        """.replace("        function f", "\nfunction f"),
    "options": """
        search --set x --file /etc/passwd; echo "$? $x"; search --file --set /etc/passwd; echo $root
        search -sf /etc/passwd; echo $root; search --set; echo $?; probe --nosuch (host); echo $?
        search -fs y /etc/passwd; echo "$? $y"; probe; echo $?; probe (host); echo $?
        menuentry --frob x { true; }; echo $?; menuentry -x { true; }; echo $?
        menuentry; echo $?; menuentry x; echo $?
        menuentry --source="echo hi" t; echo $?; menuentry --source="echo hi" t { true; }; echo $?
        """,
    "numbers": """
        [ v08 -pgt v7 ]; echo $?; [ v10 -pgt v1 ]; echo $?; [ v19 -plt v110 ]; echo $?
        [ 010 -eq 8 ]; echo $?; [ +5 -eq 5 ]; echo $?; [ 08 -eq 8 ]; echo $?; [ 0X10 -eq 16 ]
        echo $?; [ vmlinuz-6.9 -plt vmlinuz-6.10 ]; echo $?; [ a9 -pgt b10 ]; echo $?
        [ -5 -lt 3 ]; echo $?; [ 99999999999999999999 -eq 0 ]; echo $?; [ " 7" -eq 7 ]; echo $?
        """,
    "times and files": """
        [ /etc/passwd -nt /nope ]; echo $?; [ /nope -ot /etc/passwd ]; echo $?
        [ /nope -nt /etc/passwd ]; echo $?; [ /nope -ot /nope ]; echo $?; [ -e "" ]; echo $?
        [ -d / ]; echo $?; [ -d /etc/ ]; echo $?; [ -f /etc/passwd/ ]; echo $?
        """,
    "errors": """
        for i in 1; do break x; echo $?; done; for i in 1; do break 0; echo $?; done; !; echo $?
        setparams; echo $?; unset; echo $?; export; echo $?; set x; echo $?; source /nope; echo $?
        eval false; echo $?; eval; echo $?; save_env; echo $?; extract_entries_source /nope; echo $?
        """,
    "root without parentheses": "root='(a)'; echo $root; set root=(b); echo $root; x='(c)'",
    "comments in a continued line": "echo a \\\n# comment }\n b\necho c \\\n  # comment\necho d",
    "comments in quotes": "echo 'a\n# quote's\nb'\necho \"c\n#\"\nd\"",
    "tr": "tr --set=q ab cd aabb; echo $q; tr -U --set q ab; echo $q; tr -D --set=q AB; echo $q",
    "unset and export": """
        export z; echo "[$z]"; z=5; unset z; echo "[$z]"
        function f { unset a; a=$1; echo $a; }
        f x; f y
        """.replace("        function f", "\nfunction f"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_grub_prints_the_same(name: str) -> None:
    assert emulate([SCRIPTS[name]]) == [interpret(SCRIPTS[name])]


def grub(scan_tree: Scan, script: str, **more: object) -> Configuration:
    """The GRUB configuration of a volume with *script* as its grub.cfg."""
    files = {"/boot/grub/grub.cfg": script, "/boot/vmlinuz": "kernel", "/boot/initrd": "initrd"}
    return next(c for c in scan_tree(files, **more) if c.format == "grub")


def default(configuration: Configuration) -> BootEntry:
    (entry,) = (e for e in configuration.entries if e.default)
    assert entry.id == configuration.default
    return entry


def test_submenu_has_a_default_of_its_own(scan_tree: Scan) -> None:
    script = """
        set default="Sub{rest}"
        menuentry First {{ linux /boot/vmlinuz }}
        submenu Sub {{
          menuentry p {{ linux /boot/vmlinuz $default }}
          menuentry q {{ linux /boot/vmlinuz $default }}
          {own}
        }}
    """
    for rest, own, title in (
        ("", "", "p"),
        (">1", "", "q"),
        (">q", "", "q"),
        ("", "set default=1", "q"),
        (">0", "set default=1", "q"),  # what the submenu says comes later
        (">5", "", "p"),
    ):
        assert default(grub(scan_tree, script.format(rest=rest, own=own))).title == title
    assert {e.cmdline for e in grub(scan_tree, script.format(rest=">1", own="")).entries} == {""}


def test_kernel_that_is_missing_falls_back(scan_tree: Scan) -> None:
    script = """
        set default=0
        set fallback="{} 0x2"
        menuentry Gone {{ linux /boot/vmlinuz-gone }}
        menuentry Gone2 {{ linux /boot/vmlinuz-gone }}
        menuentry There {{ linux /boot/vmlinuz }}
    """
    assert default(grub(scan_tree, script.format("1"))).title == "There"
    assert default(grub(scan_tree, script.format("x"))).title == "Gone"


def test_hidden_entry_is_shown_only_as_the_default(scan_tree: Scan) -> None:
    script = """
        menuentry Shown { linux /boot/vmlinuz }
        hiddenentry Rescue --hotkey=r { linux /boot/vmlinuz rescue }
        menuentry Last { linux /boot/vmlinuz last }
    """
    assert [e.title for e in grub(scan_tree, script).entries] == ["Shown", "Last"]
    shown = grub(scan_tree, f"set default=1\n{script}")
    assert default(shown).title == "Rescue"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("0x10", 16), ("7s", 7), ("-1", -1), ("", None), ("x", None), ("9" * 30, None)],
)
def test_timeout_is_read_as_grub_reads_it(text: str, seconds: int, scan_tree: Scan) -> None:
    script = f"menuentry A {{ linux /boot/vmlinuz }}\nset timeout={text}"
    assert grub(scan_tree, script).timeout == seconds


def test_kernel_that_another_one_replaces_when_it_is_missing(scan_tree: Scan) -> None:
    script = """menuentry A {
        if linux /boot/new; then initrd /boot/new.img; else linux /boot/vmlinuz; fi
    }"""
    (entry,) = grub(scan_tree, script).entries
    assert [str(r) for r in entry.resources] == ["vda2:/boot/vmlinuz"]


def test_kernel_that_is_chainloaded_is_a_kernel(scan_tree: Scan) -> None:
    image = b"MZ" + bytes(0x36) + b"ARM\x64" + bytes(64)
    files = {
        "/boot/grub/grub.cfg": """
            menuentry Kernel { chainloader /boot/Image root=/dev/vda1 quiet }
            menuentry Windows { chainloader /EFI/Microsoft/Boot/bootmgfw.efi }
            menuentry Sector { chainloader +1 }
            menuentry Xen { multiboot2 /boot/xen.gz; module2 /boot/Image }
            menuentry Legacy { legacy_configfile /boot/menu.lst }
        """,
        "/boot/Image": image,
    }
    kernel, *others = scan_tree(files)[0].entries
    assert (str(kernel.kernel), kernel.cmdline) == ("vda2:/boot/Image", "root=/dev/vda1 quiet")
    assert [e.kernel for e in others] == [None] * 4
    assert [e.problems[0] for e in others] == [
        "starts 'chainloader /EFI/Microsoft/Boot/bootmgfw.efi', which is no Linux",
        "starts 'chainloader +1', which is no Linux",
        "starts 'multiboot2 /boot/xen.gz', which is no Linux",
        "/boot/grub/grub.cfg:6: legacy_configfile: /boot/menu.lst is no script of GRUB's, "
        "and not read",
    ]


@pytest.mark.parametrize(
    ("platform", "partuuid", "expected"),
    [
        (Platform.EFI, "", "hd0,gpt2 efi efidisk gpt"),
        (Platform.EFI, "1234abcd-02", "hd0,msdos2 efi efidisk msdos"),
        (Platform.PC, "", "hd0,msdos2 pc biosdisk msdos"),
        (Platform.PC, "0bd8a7f5-9b4e-4d0a-8a4e-1f2b3c4d5e6f", "hd0,gpt2 pc biosdisk gpt"),
        (Platform.IEEE1275, "", "hd0,gpt2 ieee1275 ofdisk gpt"),
        (Platform.NONE, "", "vda2 none none none"),
    ],
)
def test_drives_are_called_as_the_firmware_calls_them(
    platform: Platform, partuuid: str, expected: str, tmp_path: Path
) -> None:
    script = """
        probe --set=d --driver $root; probe --set=p --partmap ($root)
        probe -s f -f $root; probe --set=u -u $root; probe -s l -l $root
        menuentry A { linux ($root)/boot/vmlinuz $root $grub_platform $d $p $f $u $l $prefix }
    """
    make_tree(tmp_path, {"/boot/grub/grub.cfg": script, "/boot/vmlinuz": "k"})
    volume = Volume("vda2", str(tmp_path), "AB-12", "ROOT", "ext4", partuuid)
    (entry,) = scan(volume, Context(Arch.X86_64, platform, (volume,)))[0].entries
    device = expected.partition(" ")[0]
    assert entry.cmdline == f"{expected} ext2 AB-12 ROOT ({device})/boot/grub"
    assert entry.resolved


def test_processor_is_the_platforms(scan_tree: Scan) -> None:
    script = "menuentry A { linux /boot/vmlinuz $grub_cpu }"
    for platform, cpu in (
        (Platform.PC, "i386"),
        (Platform.IEEE1275, "powerpc"),
        (Platform.EFI, ""),
    ):
        cmdline = grub(scan_tree, script, platform=platform).entries[0].cmdline
        assert cmdline == (cpu or "arm64")


@pytest.mark.parametrize(
    ("path", "volume"),
    [
        ("(hd1,gpt1)/there", "vdb1"),
        ("(hd0,gpt1)/vmlinuz", "vda1"),
        ("(hd0,gpt1)/boot/vmlinuz", "vda2"),  # the own volume has it, whatever the numbers
        ("(hd4,msdos7)/boot/vmlinuz", "vda2"),
        ("(hd4,msdos7)/there", "vdb1"),  # only one has it
        ("(hd4,msdos7)/vmlinuz", None),  # two have it
        ("(hd4)/nowhere", None),
        ("(CAFE-01)/vmlinuz", "vdb1"),
        ("(lvm/vg-root)/x", "vg-root"),
        ("(md/0)/x", "md0"),
        ("(vda1)/vmlinuz", "vda1"),
    ],
)
def test_drives_numbers_are_a_guess_that_files_confirm(
    path: str, volume: str | None, scan_tree: Scan, tmp_path: Path
) -> None:
    trees = {"vda1": ["/vmlinuz"], "vdb1": ["/vmlinuz", "/there"], "vg-root": ["/x"], "md0": []}
    others = []
    for name, files in trees.items():
        (tmp_path / name).mkdir()
        make_tree(tmp_path / name, dict.fromkeys(files, ""))
        others.append(Volume(name, str(tmp_path / name), uuid="CAFE-01" if name == "vdb1" else ""))
    script = f"menuentry A {{ linux {path} }}"
    kernel = grub(scan_tree, script, others=tuple(others)).entries[0].kernel
    assert kernel is not None
    assert kernel.volume == volume


def test_label_that_is_not_here_leaves_the_root_that_has_the_files(scan_tree: Scan) -> None:
    script = """
        search --no-floppy --set=root -l 'Fedora-WS-Live-43'
        search --set=root --file /.disk/marker
        menuentry Live { linux /boot/vmlinuz; initrd /boot/initrd }
        menuentry Gone { linux /images/vmlinuz }
    """
    live, gone = grub(scan_tree, script).entries
    assert live.resolved
    assert not gone.resolved
    assert gone.problems[0].startswith("/images/vmlinuz is on FILE=/.disk/marker")


def test_wildcards_find_kernels(scan_tree: Scan) -> None:
    script = """
        for kernel in /boot/vmlinu?-*; do
          if regexp --set=1:version 'vmlinuz-(.*)' "$kernel"; then
            menuentry "Linux $version" "$kernel" "$version" {
              linux "$2" ro
              initrd /boot/initrd-$3
            }
          fi
        done
        for config in (hd*)/*.none (*,*)/boot/other.cf?; do
          if [ -f "$config" ]; then source $config; fi
        done
    """
    found = scan_tree(
        {
            "/boot/grub/grub.cfg": script,
            "/boot/vmlinuz-6.1": "k",
            "/boot/vmlinuz-6.2": "k",
            "/boot/initrd-6.1": "i",
            "/boot/other.cfg": "menuentry Other { linux /boot/vmlinuz-6.1 }",
        }
    )
    assert [e.title for e in found[0].entries] == ["Linux 6.1", "Linux 6.2", "Other"]
    assert str(found[0].entries[0].initrds[0]) == "vda2:/boot/initrd-6.1"


def test_menu_that_leads_back_is_not_offered_again(scan_tree: Scan) -> None:
    script = """
        menuentry A { linux /boot/vmlinuz }
        menuentry Back { configfile /boot/grub/grub.cfg }
    """
    first, back = grub(scan_tree, script).entries
    assert first.title == "A"
    assert "hands over to vda2:/boot/grub/grub.cfg" in back.problems[0]


def test_menu_of_a_configfile_takes_the_place_of_the_one_before(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/boot/grub/grub.cfg": """
                set shared=1; export shared
                set local=1
                set default=0
                menuentry Before { linux /boot/vmlinuz }
                configfile /boot/grub/empty.cfg
                configfile /boot/grub/gone.cfg
                configfile /boot/grub/menu.cfg
                menuentry After { linux /boot/vmlinuz }
            """,
            "/boot/grub/empty.cfg": "set local=2",
            "/boot/grub/menu.cfg": """
                set default=1
                menuentry X { linux /boot/vmlinuz }
                menuentry Y { linux /boot/vmlinuz [$shared] [$local] }
            """,
            "/boot/vmlinuz": "k",
        }
    )
    assert [e.title for e in found[0].entries] == ["X", "Y"]
    assert default(found[0]).cmdline == "[1] []"
    assert [str(p) for p in found[0].problems] == [
        "vda2:/boot/grub/grub.cfg:7: configfile: no such file: /boot/grub/gone.cfg"
    ]


HOSTILE = {
    "expression that could be matched in many ways": "regexp '(a*)*(a*)*(a|aa)+b' '" + "a" * 300,
    "expression that repeats repetitions": "regexp '((((a{9}){9}){9}){9}){9}' 'a",
    "expression with many parentheses": "regexp '" + "(" * 5000 + "' 'a",
    "many expressions": "for i in /x*; do true; done; while true; do regexp -s v '(x|y)*' 'xy",
    "long text": "regexp 'a+b' '" + "a" * 60_000,
    "wildcards in every part": "echo '/*/*/*/*/*/*/*/*' /*/*/*/*/*/*/*/* '",
    "wildcards without an end": "while true; do x=/*/*; echo $x; done; echo '",
    "wildcards that nearly match": "echo /" + "*a" * 2000 + "b '",
    "a variable that counts": "i=0; while true; do increment i; done; echo '",
    "huge numbers": f"[ {'9' * 60_000} -eq 1 ]; set timeout={'9' * 60_000}; shift {'9' * 9000} '",
    "searches": "while true; do search --file --set=root /nope; search -l x -s r; done; echo '",
    "a fallback without an end": "set fallback='" + "1 " * 20_000,
    "a default without an end": "set default='" + ">" * 60_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_commands_are_bounded(name: str, scan_tree: Scan) -> None:
    files: dict[str, str | bytes] = {
        f"/d{n}/{'a' * 200}{m}": "" for n in range(20) for m in range(20)
    }
    script = f"{HOSTILE[name]}'\nmenuentry Good {{ linux /boot/vmlinuz }}\n"
    if "while true" in script:
        script = script.replace("'xy'", "'xy'; done")
    files |= {"/boot/grub/grub.cfg": f"menuentry Good {{ linux /gone }}\n{script}"}
    started = time.thread_time()
    found = scan_tree(files)
    assert time.thread_time() - started < 10
    assert found[0].entries[0].title == "Good"


def test_large_menu_is_read_whole_on_a_slow_machine(
    scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_parse(script: str, *, path: str) -> object:
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass
        return parser.parse(script, path=path)

    monkeypatch.setattr(interpreter, "SECONDS", 0.2)
    monkeypatch.setattr(interpreter, "parse", slow_parse)
    found = grub(scan_tree, "menuentry A { linux /boot/vmlinuz }\n" * 200)
    assert len(found.entries) == 200
    assert not found.problems


def test_script_that_waits_for_a_slow_disk_is_run_to_its_end(
    scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_exists(files: VolumeFiles, path: str) -> bool:
        time.sleep(0.3)
        return exists(files, path)

    exists = VolumeFiles.exists
    monkeypatch.setattr(interpreter, "SECONDS", 0.2)
    monkeypatch.setattr(VolumeFiles, "exists", slow_exists)
    script = "search --file --set=root /boot/vmlinuz\nmenuentry A { linux /boot/vmlinuz }"
    found = grub(scan_tree, script)
    assert [entry.title for entry in found.entries] == ["A"]
    assert not found.problems


def test_scripts_that_never_end_are_bounded_by_their_length(scan_tree: Scan) -> None:
    script = "x=" + "a" * 60_000 + '\nmenuentry A { linux /k }\nwhile true; do eval "y=$x"; done'
    found = grub(scan_tree, script)
    assert [e.title for e in found.entries] == ["A"]
    assert "characters of scripts" in found.problems[0].message


def test_kernel_that_is_gone_is_not_taken_from_another_system(
    scan_tree: Scan, tmp_path: Path
) -> None:
    make_tree(tmp_path / "other", {"/boot/vmlinuz-linux": "k", "/boot/menu.cfg": "x=$x+"})
    other = Volume("vda3", str(tmp_path / "other"), uuid="CAFE-01")
    script = """
        menuentry Own { linux /boot/vmlinuz-linux }
        search --fs-uuid --set=root AB-12
        for menu in (*,*)/boot/menu.cfg; do source $menu; done
        menuentry Found { linux ($root)/boot/vmlinuz-linux $x }
        if [ -f (hd0,gpt1)/boot/vmlinuz ]; then menuentry Elsewhere { true }; fi
    """
    own, found = grub(scan_tree, script, others=(other,)).entries
    for entry in (own, found):
        assert str(entry.kernel) == "vda2:/boot/vmlinuz-linux"
        assert entry.problems == ("no such file: vda2:/boot/vmlinuz-linux",)
    assert found.cmdline == "+"
