"""Disks that lie: whatever stands on them, the list comes soon and the rest of it is whole."""

import os
import random
import tempfile
import time
from pathlib import Path

import pytest
from parsers_images import make_image
from parsers_trees import Scan, make_tree

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles, exhausted, limited
from bootmenu.model import Arch, Configuration, Volume
from bootmenu.parsers import listing
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

GOOD = "\nmenuentry Good { linux /boot/vmlinuz }\n"

SCRIPTS = {
    "endless while": "while true; do true; done",
    "endless while in an entry": "menuentry Bad { while true; do true; done }",
    "endless until in a function": "function f { until false; do x=$x; done; }\nf",
    "endless recursion": "function f { f; }\nf",
    "two functions that call each other": "function f { g; }\nfunction g { f; }\nf",
    "file that sources itself": "source /boot/grub/grub.cfg",
    "menu that is its own submenu": "menuentry Bad { configfile /boot/grub/loop.cfg }",
    "value that doubles": "x=aaaaaaaa\nwhile true; do x=$x$x; done",
    "arguments that double": "x='a a a a'\nwhile true; do x=\"$x $x\"; f $x; done",
    "evaluated evaluation": 'x=\'eval "$x"\'\neval "$x"',
    "nested ifs": "if true; then " * 500 + "true" + "; fi" * 500,
    "nested blocks": "a {" * 5000,
    "nested parentheses": "[ " + "( " * 3000 + "a ]",
    "nested submenus": "submenu a {" * 40 + " true " + "; }" * 40,
    "many entries": "for i in 1 2 3 4 5 6 7 8 9 0; do " * 4
    + "menuentry a { linux /boot/vmlinuz; }"
    + "; done" * 4,
    "open quote": "echo 'never closed",
    "binary": bytes(range(256)).decode("utf-8", "surrogateescape") * 100,
    "nuls": "menuentry \0\0 { linux /\0; }",
    "search for a strange file": "search --file --set=root /\0\ud800" + "../" * 2000,
    "long word": "a" * 900_000,
    "long line of words": "a " * 400_000,
    "many signs": "{" * 100_000 + "\n" + "fi;" * 100_000,
    "many lines that are wrong": "fi\n" * 20_000,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_hostile_script_costs_no_more_than_itself(name: str, scan_tree: Scan) -> None:
    script = SCRIPTS[name].encode(
        "utf-8", "replace" if "\ud800" in SCRIPTS[name] else "surrogateescape"
    )
    started = time.thread_time()
    found = scan_tree(
        {
            "/boot/grub/grub.cfg": GOOD.encode() + script,
            "/boot/grub/loop.cfg": "menuentry Again { configfile /boot/grub/loop.cfg }",
            "/boot/vmlinuz": "kernel",
        }
    )
    assert time.thread_time() - started < 12
    assert found[0].entries[0].title == "Good"
    assert found[0].entries[0].kernel is not None
    assert len(found[0].entries) <= 5000
    assert_presentable(found)


def assert_presentable(found: list[Configuration]) -> None:
    volume = Volume("vda2", "/")
    text = listing.render_text([volume], found) + listing.render_json([volume], found)
    text += "".join(listing.render_entry(e, False) for c in found for e in c.entries)
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode("utf-8")


def test_endless_entry_is_the_only_one_that_suffers(scan_tree: Scan) -> None:
    bad = "menuentry Bad { while true; do true; done }\n"
    found = scan_tree({"/boot/grub/grub.cfg": bad + GOOD, "/boot/vmlinuz": "k"})
    first, second = found[0].entries
    assert "runs for ever" in first.problems[0]
    assert second.title == "Good"
    assert not second.problems


def test_huge_configuration_is_a_problem_and_not_read(scan_tree: Scan) -> None:
    found = scan_tree(
        {"/boot/grub/grub.cfg": "a" * 5_000_000, "/loader/entries/a.conf": "linux /x"}
    )
    assert "larger than" in found[0].problems[0].message
    assert found[1].entries[0].title == "a.conf"


def test_special_files_and_links_are_no_configurations(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    make_tree(root, {"/loader/entries/good.conf": "linux /Image", "/Image": "kernel"})
    (tmp_path / "grub.cfg").write_text(GOOD)
    (root / "boot").mkdir()
    (root / "boot" / "grub").symlink_to("../..")  # outside
    (root / "grub").mkdir()
    os.mkfifo(root / "grub" / "grub.cfg")
    os.mkfifo(root / "loader" / "entries" / "fifo.conf")
    (root / "loader" / "entries" / "loop.conf").symlink_to("loop.conf")
    (root / "boot" / "vmlinuz-1").symlink_to("/dev/zero")
    os.mkfifo(root / "boot" / "Image")
    volume = Volume("vda2", str(root))
    found = scan(volume, Context(Arch.ARM64, volumes=(volume,)))
    assert [e.title for c in found for e in c.entries] == ["good.conf"]
    assert [p.path for p in found[0].problems] == ["/grub/grub.cfg"]
    assert len(found[1].problems) == 2


def test_configurations_that_are_fifos_are_problems(tmp_path: Path) -> None:
    paths = ["/grub/grub.cfg", "/loader/loader.conf", "/extlinux/extlinux.conf", "/petitboot.conf"]
    make_tree(tmp_path, {"/vmlinuz-1": "kernel"})
    for path in paths:
        (tmp_path / path[1:]).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / path[1:])
    volume = Volume("vda2", str(tmp_path))
    found = scan(volume, Context(Arch.ARM64, volumes=(volume,)))
    told = [f"not a regular file: {path}" for path in paths]
    assert [p.message for c in found for p in c.problems] == told
    assert [e.title for c in found for e in c.entries] == ["Kernel 1"]


@pytest.mark.parametrize("name", ["grub.cfg", "more.cfg"])
def test_file_that_sources_itself_is_a_problem_and_goes_on(name: str, scan_tree: Scan) -> None:
    own = "source /boot/grub/{}\nmenuentry '{}' {{ linux /vmlinuz; }}\n"
    files = {"/boot/grub/more.cfg": own.format("more.cfg", "More"), "/vmlinuz": "kernel"}
    (menu,) = scan_tree({**files, "/boot/grub/grub.cfg": own.format(name, "Good")})
    assert menu.entries[-1].title == "Good"
    (problem,) = menu.problems
    assert (
        str(problem) == f"vda2:/boot/grub/{name}:1: source: /boot/grub/{name} is being read already"
    )


def test_damaged_configuration_never_confuses_the_parser(scan_tree: Scan) -> None:
    tree = Path(__file__).parents[1] / "golden" / "debian-trixie" / "tree" / "boot" / "grub"
    whole = (tree / "grub.cfg").read_bytes()
    chance = random.Random(2)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            start = chance.randrange(len(damaged))
            damaged[start : start + chance.randint(0, 40)] = bytes(
                chance.choice(b"{}\"'$\\;\n #()[]\0\xff") for _ in range(chance.randint(0, 4))
            )
        found = scan_tree({"/boot/grub/grub.cfg": bytes(damaged)})
        assert all("Error" not in str(p) for c in found for p in c.problems)
        assert_presentable(found)


def test_caseless_volume_with_many_names_is_read_in_time(scan_tree: Scan) -> None:
    files: dict[str, str | bytes] = {f"/{number}": "" for number in range(3000)}
    for number in range(100):
        initrds = "".join(f"initrd /x{number}-{n}\n" for n in range(100))
        files[f"/loader/entries/{number}.conf"] = f"linux /k{number}\n{initrds}"
    started = time.thread_time()
    found = scan_tree(files, fstype="vfat")
    assert time.thread_time() - started < 10
    assert len(found[0].entries) == 100


def test_hostile_loader_entries(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/loader/entries/esc.conf": "title \x1b]0;owned\x07\u202eevil\nlinux /../../secret\n",
            "/loader/entries/binary.conf": bytes(range(256)),
            "/loader/entries/huge.conf": "title x\n" * 100_000,
            "/loader/entries/many.conf": "linux /k\n" + "initrd /i\n" * 2000,
            "/loader/entries/a+99999999999999999999-1.conf": "linux /k",
            "/loader/loader.conf": "default " + "*a" * 5000 + "\ntimeout 99999999999999\n",
        }
    )
    assert_presentable(found)
    titles = [e.title for e in found[0].entries]
    assert "\ufffd]0;owned\ufffd\ufffdevil" in titles
    assert found[0].timeout is None


# --- volumes that are full of what is harmless once ---------------------------------------

TREE = b"\xd0\x0d\xfe\xed" + b"vendor,board\0" + bytes(200)
FLOODS: dict[str, dict[str, str | bytes]] = {
    "trees for many kernels": {
        **{f"/boot/vmlinuz-{number}": "" for number in range(100)},
        **{f"/boot/dtbs/{number}.dtb": TREE for number in range(1000)},
    },
    "initrds for many kernels": {
        **{f"/boot/vmlinuz-{number}": "" for number in range(100)},
        **{f"/boot/initrd-{number}-{'-' * 200}": "" for number in range(2000)},
    },
    "kernels whose names are long to compare": {
        f"/boot/vmlinuz-{'1a' * 118}{number}": "" for number in range(3000)
    },
    "wrong lines in every place": dict.fromkeys(
        ("/yaboot.conf", "/etc/yaboot.conf", "/kboot.conf", "/petitboot.conf"), "=\n" * 30000
    ),
    "fstab for every image of lilo.conf": {
        "/etc/lilo.conf": "".join(f"image=/k{n}\nlabel=l{n}\ninitrd=/i\n" for n in range(1000)),
        "/etc/fstab": "a /m\n" * 13_000,
    },
    "lines that say nothing": {
        f"/loader/entries/{number}.conf": "linux /k\n" + "a b\n" * 16_000 for number in range(300)
    },
    "append for every label": {
        "/syslinux/syslinux.cfg": "APPEND " + "x " * 300_000 + "\n" + "LABEL l\nKERNEL k a\n" * 2500
    },
    "environment read again and again": {
        "/boot.cmd": "load mmc 0 1 e\nwhile true; do env import -t 1; done",
        "/e": "a=b\n" * 250_000,
    },
    "variable run again and again": {
        "/boot.cmd": f"setenv a '{'true;' * 3000}'\nwhile true; do run a; done"
    },
    "word of many parts": {"/boot.cmd": "echo " + "\\a" * 400_000},
    "overlays that are large": {
        "/config.txt": "".join(f"dtoverlay={n}\ndtparam=a\n" for n in range(3000)),
        "/cmdline.txt": "",
        "/kernel8.img": "",
        **{f"/overlays/{n}.dtbo": TREE + bytes(1 << 20) for n in range(30)},
    },
    "values in every entry": {
        "/boot/grub/grub.cfg": f"x={'a' * 60_000}\n"
        + "for i in 1 2 3 4 5 6 7 8 9 0; do " * 3
        + 'menuentry "$i$x" { linux /k $x $x $x $x; }'
        + "; done" * 3
    },
    "profiles with addons": {
        **{
            f"/EFI/Linux/{number}.efi": make_image(
                [(".linux", b"k"), (".cmdline", b"x" * 60_000)] + [(".profile", b"ID=a")] * 256
            )
            for number in range(8)
        },
        **{
            f"/loader/addons/{number}.addon.efi": make_image([(".cmdline", b"y" * 60_000)])
            for number in range(100)
        },
    },
}


@pytest.mark.parametrize("name", FLOODS)
def test_what_is_harmless_once_is_so_a_thousand_times(name: str, tmp_path: Path) -> None:
    make_tree(tmp_path, FLOODS[name])
    volume = Volume("vda2", str(tmp_path))
    context = Context(Arch.ARM64, volumes=(volume,), compatible=("vendor,board", "vendor,chip"))
    started = time.thread_time()
    found = scan(volume, context)
    assert time.thread_time() - started < 12
    shown = listing.render_json([volume], found)
    assert len(shown) < 100 << 20
    assert all(len(configuration.problems) <= 100 for configuration in found)


def test_a_volume_that_takes_too_long_is_left_when_its_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = GOOD + "while true; do x=$x; done\n"
    make_tree(tmp_path, {f"/EFI/{number}/grub.cfg": endless for number in range(200)})
    monkeypatch.setattr("bootmenu.parsers.scan.SECONDS", 1.0)
    volume = Volume("vda2", str(tmp_path), fstype="vfat")
    started = time.thread_time()
    found = scan(volume, Context(Arch.ARM64, volumes=(volume,)))
    assert time.thread_time() - started < 12
    assert found[0].entries[0].title == "Good"
    assert "takes too long to read" in found[-1].problems[0].message
    assert VolumeFiles.of(volume).is_file("/EFI/0/grub.cfg"), "nobody else is kept from its files"


@pytest.mark.parametrize("config", ["", GOOD])
def test_a_machine_that_was_stopped_meanwhile_loses_no_system(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a virtual machine is: its clocks go on, and what ran just then pays for it."""
    stopped = [0.0]

    def stop(files: VolumeFiles, path: str) -> bool:
        stopped[0] = 60.0
        return exists(files, path)

    thread_time, exists = time.thread_time, VolumeFiles.exists
    monkeypatch.setattr(time, "thread_time", lambda: thread_time() + stopped[0])
    monkeypatch.setattr(VolumeFiles, "exists", stop)
    files = {"/boot/vmlinuz": "a kernel", "/efi/menu": "what is looked for"}
    if config:
        files["/boot/grub/grub.cfg"] = f"search --file --set=root /efi/menu\n{config}"
    make_tree(tmp_path, files)
    volume = Volume("vda2", str(tmp_path))
    found = scan(volume, Context(Arch.ARM64, volumes=(volume,)))
    titles = [entry.title for one in found for entry in one.entries]
    assert titles == (["Good"] if config else ["Kernel /boot/vmlinuz"])
    assert not [problem for one in found for problem in one.problems]
    assert stopped[0]


def test_a_limit_ends_with_its_block_and_the_outer_one_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    files = VolumeFiles(str(tmp_path))
    with limited(0):
        with limited(60), pytest.raises(VolumeError, match="too long"):
            files.read_text("/file")
        assert exhausted()
    assert not exhausted()
    assert files.read_text("/file") == "x"


def test_directory_that_may_not_be_read_is_a_problem() -> None:
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        make_tree(root, {"/boot/grub/grub.cfg": GOOD, "/loader/entries/a.conf": "linux /k"})
        volume = Volume("vda2", folder)
        context = Context(Arch.ARM64, volumes=(volume,))
        assert not scan(volume, context)[0].problems  # and what is imported, root may read
        (root / "boot" / "grub").chmod(0)
        user = os.geteuid()
        os.seteuid(nobody if user == 0 else user)
        try:
            found = scan(volume, context)
        finally:
            os.seteuid(user)
        assert str(found[0].problems[0]) == (
            "vda2:/boot/grub: cannot read /boot/grub: Permission denied"
        )
        assert found[1].entries[0].title == "a.conf"
