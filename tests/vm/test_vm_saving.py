"""What entries save outlives the boot; nothing else on their disks changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, choose, selected

from bootmenu.appliance.disk import START
from bootmenu.appliance.samples import DEBIAN, SampleDisks
from bootmenu.parsers.grub.environment import SIGNATURE, change_block, parse_block

pytestmark = pytest.mark.vm

SIZE = 1024
EMPTY = SIGNATURE.ljust(SIZE, b"#")
ON_ESP = """menuentry "Saved on the ESP" {
  saved_entry="$chosen"
  save_env saved_entry
  linux /Image.gz console=ttyAMA0
  initrd /initrd.img
}
"""


def test_what_each_boot_saves_is_on_the_disks_and_all_else_as_it_was(
    start_vm: StartVm, disks: SampleDisks, tmp_path: Path
) -> None:
    debian, esp = tmp_path / "debian.img", tmp_path / "esp.img"
    shutil.copyfile(disks.debian, debian)
    shutil.copyfile(disks.esp, esp)
    once = f"gnulinux-{disks.release}-recovery-{DEBIAN.uuid}"
    place = _set_environment(debian, next_entry=f"gnulinux-advanced-{DEBIAN.uuid}>{once}")
    _mtools(esp, "mren", "::/loader/entries/debian-1.conf", "::/loader/entries/debian-1+3.conf")
    _add_grub(esp, tmp_path / "EFI")
    before, files = debian.read_bytes(), _files(esp, tmp_path / "before")

    vm = start_vm(debian, esp, append=HELD)
    await_menu(vm, "Debian from the ESP")
    vm.screen.wait_for(lambda screen: selected(screen).endswith("(recovery mode)"))
    vm.screen.press("enter")
    _check_start(vm, "single")

    _reset(vm)
    await_menu(vm, "Debian from the ESP")
    vm.screen.wait_for(lambda screen: selected(screen).endswith("Debian GNU/Linux"))
    choose(vm, "Saved on the ESP")
    vm.screen.press("enter")
    vm.screen.expect(r"Starting Saved on the ESP\.\.\.")  # all is written by then

    _reset(vm)
    await_menu(vm, "Debian from the ESP")
    choose(vm, "Debian from the ESP")
    vm.screen.press("enter")
    _check_start(vm, "quiet")
    vm.qmp.execute("human-monitor-command", command_line="commit all")
    vm.stop()

    after = debian.read_bytes()
    assert parse_block(after[place : place + SIZE]) == {"next_entry": ""}
    assert after[:place] == before[:place]
    assert after[place + SIZE :] == before[place + SIZE :]

    files["loader/entries/debian-1+2-1.conf"] = files.pop("loader/entries/debian-1+3.conf")
    saved = [("saved_entry", "Saved on the ESP")]
    files["EFI/debian/grubenv"] = change_block(EMPTY, saved)
    assert _files(esp, tmp_path / "after") == files
    partition = tmp_path / "partition"
    partition.write_bytes(esp.read_bytes()[START:])
    subprocess.run(["fsck.vfat", "-n", partition], check=True)


def _reset(vm: Vm) -> None:
    """Switch the machine off and on; what is on its screen is not the next menu's."""
    vm.screen.feed(b"\x1bc")
    vm.qmp.execute("system_reset")


def _check_start(vm: Vm, option: str) -> None:
    _, cmdline = booted(vm)
    assert option in cmdline.split()
    assert "not saved" not in vm.screen.transcript
    assert "not counted" not in vm.screen.transcript


def _set_environment(image: Path, **values: str) -> int:
    """Set variables in the only environment block on *image*; where it lies."""
    content = image.read_bytes()
    assert content.count(SIGNATURE) == 1
    place = content.find(SIGNATURE)
    block = change_block(content[place : place + SIZE], values.items())
    with image.open("r+b") as file:
        file.seek(place)
        file.write(block)
    return place


def _add_grub(image: Path, folder: Path) -> None:
    """Put a configuration of GRUB that saves into the ESP in *image*."""
    (folder / "debian").mkdir(parents=True)
    (folder / "debian/grub.cfg").write_text(ON_ESP)
    (folder / "debian/grubenv").write_bytes(EMPTY)
    _mtools(image, "mcopy", "-s", str(folder), "::/")


def _files(image: Path, folder: Path) -> dict[str, bytes]:
    """The files on the ESP in *image*, by their paths."""
    folder.mkdir()
    _mtools(image, "mcopy", "-s", "::/", str(folder))
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def _mtools(image: Path, command: str, *arguments: str) -> None:
    """Run one of mtools on the partition of *image*."""
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
    place = f"{image}@@{START}"
    subprocess.run([command, "-i", place, *arguments], check=True, env=environment)
