"""What booting an entry saves: the state machines of real configurations, over several boots."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import Arch, BootEntry, Configuration, Platform, Save, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.grub.environment import SIGNATURE, change_block, parse_block
from bootmenu.parsers.listing import render_entry
from bootmenu.parsers.scan import scan

GOLDEN = Path(__file__).parents[1] / "golden"
ENVIRONMENT = "boot/grub/grubenv"
KERNEL = {"/boot/vmlinuz": "kernel"}


class System:
    """A disk that is booted again and again; *root* is its copy."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self) -> Configuration:
        volume = Volume("vda2", str(self.root), uuid="0b9ba5a0-9d5a-4b6f-8d3c-3c1a6fd2f0a1")
        found = scan(volume, Context(Arch.ARM64, Platform.EFI, (volume,)))
        return next(c for c in found if c.format == "grub")

    @property
    def default(self) -> BootEntry:
        return next(entry for entry in self.read().entries if entry.default)

    def entry(self, title: str) -> BootEntry:
        return next(entry for entry in self.read().entries if entry.title == title)

    def boot(self, title: str = "") -> BootEntry:
        """Boot the entry of that title, else the default; what is saved is saved."""
        entry = self.entry(title) if title else self.default
        for write in entry.writes:
            assert isinstance(write, Save)
            path = self.root / write.file.path.lstrip("/")
            path.write_bytes(change_block(path.read_bytes(), write.values))
        return entry

    def grub(self, tool: str, *arguments: str) -> None:
        """Run grub-reboot or grub-set-default on it."""
        boot = f"--boot-directory={self.root / 'boot'}"
        subprocess.run([tool, boot, *arguments], check=True, capture_output=True)

    def editenv(self, *arguments: str) -> str:
        command: list[str | Path] = ["grub-editenv", self.root / ENVIRONMENT, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def saving(tmp_path: Path) -> System:
    """Debian with GRUB_DEFAULT=saved and GRUB_SAVEDEFAULT=true, by grub-mkconfig."""
    shutil.copytree(GOLDEN / "debian-bookworm-saved/tree", tmp_path / "disk")
    return System(tmp_path / "disk")


def a_system(root: Path, script: str, **variables: str) -> System:
    """A system with *script* as its grub.cfg, and an environment block that holds *variables*."""
    empty = SIGNATURE.ljust(1024, b"#")
    block = change_block(empty, variables.items())
    make_tree(root, {**KERNEL, ENVIRONMENT: block, "boot/grub/grub.cfg": script})
    return System(root)


def test_a_one_shot_entry_boots_once_then_the_saved_one(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "debian-reboot/tree", tmp_path / "disk")
    system = System(tmp_path / "disk")
    once = system.boot()
    assert once.title == "Debian GNU/Linux, with Linux 6.1.0-9-amd64"
    assert system.editenv("list") == "saved_entry=0\nnext_entry=\n"
    assert system.boot().title == system.boot().title == "Debian GNU/Linux"
    system.editenv("set", "saved_entry=1>0")
    assert system.default.title == "Debian GNU/Linux, with Linux 6.1.0-37-amd64"


def test_the_block_is_then_the_one_that_grub_editenv_would_have_made(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "debian-reboot/tree", tmp_path / "disk")
    system = System(tmp_path / "disk")
    before = (system.root / ENVIRONMENT).read_bytes()
    system.boot()
    ours = (system.root / ENVIRONMENT).read_bytes()
    (system.root / ENVIRONMENT).write_bytes(before)
    system.editenv("set", "next_entry=")
    assert (system.root / ENVIRONMENT).read_bytes() == ours


def test_the_choice_is_the_default_of_the_next_boot(saving: System) -> None:
    assert saving.default.title == "Debian GNU/Linux, with Linux 6.12.9-arm64"
    saving.boot("Debian GNU/Linux")
    assert saving.boot().title == "Debian GNU/Linux"
    saving.boot("Debian GNU/Linux, with Linux 6.12.27-arm64")
    assert saving.boot().title == "Debian GNU/Linux, with Linux 6.12.27-arm64"


def test_a_recovery_entry_does_not_become_the_default(saving: System) -> None:
    before = saving.default.title
    saving.boot("Debian GNU/Linux, with Linux 6.12.9-arm64 (recovery mode)")
    assert saving.default.title == before


def test_a_one_shot_choice_is_not_remembered(saving: System) -> None:
    saving.grub("grub-set-default", "nonsense")
    saving.grub("grub-reboot", "0")
    assert saving.boot().title == "Debian GNU/Linux"
    assert "saved_entry=nonsense" in saving.editenv("list")


def test_reading_the_list_writes_nothing(saving: System) -> None:
    before = (saving.root / ENVIRONMENT).read_bytes()
    status = (saving.root / ENVIRONMENT).stat()
    assert saving.default.writes
    assert (saving.root / ENVIRONMENT).read_bytes() == before
    assert (saving.root / ENVIRONMENT).stat().st_mtime_ns == status.st_mtime_ns


def test_the_entry_before_a_one_shot_boot_of_old_comes_back(tmp_path: Path) -> None:
    script = """
load_env
if [ "${prev_saved_entry}" ]; then
  set saved_entry="${prev_saved_entry}"
  save_env saved_entry
  set prev_saved_entry=
  save_env prev_saved_entry
  set boot_once=true
fi
set default="${saved_entry}"
menuentry a { linux /boot/vmlinuz }
menuentry b { linux /boot/vmlinuz }
"""
    system = a_system(tmp_path, script, saved_entry="1", prev_saved_entry="a")
    system.boot()
    assert system.editenv("list") == "saved_entry=a\nprev_saved_entry=\n"


def test_ubuntu_notes_that_a_boot_is_under_way(tmp_path: Path) -> None:
    script = """
if [ -s $prefix/grubenv ]; then set have_grubenv=true; load_env; fi
function recordfail {
  set recordfail=1
  if [ -n "${have_grubenv}" ]; then if [ -z "${boot_once}" ]; then save_env recordfail; fi; fi
}
if [ "${recordfail}" = 1 ]; then set timeout=30; else set timeout=0; fi
menuentry Ubuntu { recordfail; linux /boot/vmlinuz }
"""
    system = a_system(tmp_path, script)
    assert system.read().timeout == 0
    system.boot("Ubuntu")
    assert system.editenv("list") == "recordfail=1\n"
    assert system.read().timeout == 30


FEDORA = """
load_env
if [ -n "${boot_counter}" -a "${boot_success}" = "0" ]; then
  if [ "${boot_counter}" = "0" -o "${boot_counter}" = "-1" ]; then
    set default=1
    set boot_counter=-1
  else
    decrement boot_counter
  fi
  save_env boot_counter
fi
if [ "${boot_success}" = "1" ] ; then
  set boot_indeterminate=0
elif [ "${boot_indeterminate}" = "1" ]; then
  set boot_indeterminate=2
fi
set boot_success=0
save_env boot_success boot_indeterminate
menuentry new { linux /boot/vmlinuz }
menuentry old { linux /boot/vmlinuz }
"""


def test_fedora_counts_boots_and_falls_back(tmp_path: Path) -> None:
    system = a_system(tmp_path, FEDORA, boot_counter="2", boot_success="0", boot_indeterminate="1")
    assert [system.boot().title for _ in range(5)] == ["new", "new", "old", "old", "old"]
    assert parse_block((tmp_path / ENVIRONMENT).read_bytes()) == {
        "boot_counter": "-1",
        "boot_success": "0",
        "boot_indeterminate": "2",
    }


def test_a_variable_without_a_value_is_removed(tmp_path: Path) -> None:
    system = a_system(tmp_path, "menuentry a { save_env x; linux /boot/vmlinuz }", x="1", y="2")
    system.boot()
    assert system.editenv("list") == "y=2\n"


def test_what_was_saved_is_what_is_loaded_afterwards(tmp_path: Path) -> None:
    script = """
x=new; save_env x; x=; load_env
menuentry "$x" { linux /boot/vmlinuz }
menuentry other { x=other; save_env x; linux /boot/vmlinuz }
menuentry last { load_env; linux /boot/vmlinuz x=$x }
"""
    system = a_system(tmp_path, script, x="old")
    assert [e.title for e in system.read().entries] == ["new", "other", "last"]
    assert system.entry("last").cmdline == "x=new", "the other entry was not chosen"
    (write,) = system.entry("other").writes
    assert isinstance(write, Save)
    assert write.values == (("x", "new"), ("x", "other"))


def test_a_link_is_followed_to_the_block_itself(tmp_path: Path) -> None:
    system = a_system(tmp_path, "x=1\nsave_env x\nmenuentry a { linux /boot/vmlinuz }")
    (tmp_path / ENVIRONMENT).rename(tmp_path / "env")
    (tmp_path / ENVIRONMENT).symlink_to("/env")
    (write,) = system.entry("a").writes
    assert (write.file.volume, write.file.path) == ("vda2", "/env")


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (None, "no such file"),
        (b"something else", "not a GRUB environment block"),
        (SIGNATURE + b"#######", "too small"),
    ],
)
def test_what_cannot_be_saved_is_said_and_costs_no_entry(
    scan_tree: Scan, block: bytes | None, reason: str
) -> None:
    script = "menuentry a { x=value; save_env x; linux /boot/vmlinuz }"
    files: dict[str, str | bytes] = {"/boot/grub/grub.cfg": script, **KERNEL}
    if block is not None:
        files["/boot/grub/grubenv"] = block
    (entry,) = scan_tree(files)[0].entries
    assert entry.resolved
    assert entry.writes == ()
    assert reason in entry.problems[0]


def test_on_an_iso_image_nothing_is_saved_as_in_grub(scan_tree: Scan) -> None:
    script = "x=1\nif save_env x; then y=saved; fi\nmenuentry a { linux /boot/vmlinuz $y }"
    files = {"/boot/grub/grub.cfg": script, "/boot/grub/grubenv": SIGNATURE.ljust(1024, b"#")}
    found = scan_tree({**files, **KERNEL}, fstype="iso9660")[0]
    assert (found.entries[0].writes, found.entries[0].cmdline) == ((), "")
    assert "nothing can be saved on iso9660" in found.problems[0].message


def test_a_script_that_saves_for_ever_is_stopped(scan_tree: Scan) -> None:
    script = "while true; do save_env x; done\nmenuentry a { linux /boot/vmlinuz }"
    files = {"/boot/grub/grub.cfg": script, "/boot/grub/grubenv": SIGNATURE.ljust(1024, b"#")}
    found = scan_tree({**files, **KERNEL})[0]
    assert any("saved" in problem.message for problem in found.problems)


def test_a_huge_block_of_empty_lines_is_soon_read_and_changed(scan_tree: Scan) -> None:
    names = " ".join(f"x{number}" for number in range(60))
    script = "\n".join(
        f"menuentry {n} {{ x{n}=1; save_env {names}; load_env; linux /boot/vmlinuz }}"
        for n in range(10)
    )
    block = (SIGNATURE + b"\n" * 60_000 + b"x59=1\n").ljust(64 << 10, b"#")
    files = {"/boot/grub/grub.cfg": script, "/boot/grub/grubenv": block}
    start = time.thread_time()
    found = scan_tree({**files, **KERNEL})[0]
    assert time.thread_time() - start < 5
    assert len(found.entries) == 10


def test_show_names_what_will_be_written(saving: System) -> None:
    entry = saving.entry("Debian GNU/Linux")
    text = render_entry(entry, as_json=False)
    name = "gnulinux-simple-0b9ba5a0-9d5a-4b6f-8d3c-3c1a6fd2f0a1"
    assert (
        f"writes   vda2:/boot/grub/grubenv: saved_entry={name}\n"
        "           from /boot/grub/grub.cfg:41\n"
    ) in text
    assert json.loads(render_entry(entry, as_json=True))["writes"] == [
        {
            "file": {"device": "vda2", "path": "/boot/grub/grubenv"},
            "variables": [["saved_entry", name]],
        }
    ]
