"""x86_64, with a BIOS and with UEFI: what the first kernel knew of the machine, the next knows."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from vm_machine import StartVm
from vm_picture import Picture
from vm_steps import HELD, await_menu, booted, choose, enter, open_shell, run

from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.image import debian_kernel, default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node, Tree
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

PAIR = Disk(
    Filesystem.VFAT,
    label="PAIR",
    uuid="B007-8664",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c086",
    size=64,
)
ENTRY = """\
title Two initrds
linux /vmlinuz.gz
initrd /initrd.img
initrd /second.img
options console=tty0 console=ttyS0 probe="two  words" quiet
"""
MEMORY = "cd /sys/firmware/memmap; grep -h . */start */end */type | tr '\\n' ' '"
TABLES = "ls /sys/firmware/acpi/tables | tr '\\n' ' '"
RUNTIME = "case $(cat $R/type) in 0x5|0x6|0xb) cat $R/*;; esac"
"""What the firmware's services need; Linux splits what else it keeps where it likes."""
EFI = (
    "cd /sys/firmware/efi; grep -h . fw_vendor config_table | tr '\\n' ' '; "
    f"for R in runtime-map/*; do {RUNTIME}; done | tr '\\n' ' '"
)
FILL = "printf '\\033c\\033[47m\\033[2J' >/dev/tty0; sleep 1"
GREY = (170, 170, 170)
LEVELS = "grep -cw la57 /proc/cpuinfo"
VARIABLES = "insmod /efivarfs.ko; mount -t efivarfs none /mnt; ls /mnt | grep -c BootOrder"
SELF_CHANGES = (
    "while usleep 1; do :; done & I=0; while [ $I -lt 1000 ]; do "
    "echo $((I % 2)) >/proc/sys/kernel/sched_schedstats; I=$((I + 1)); done; kill $!"
)
"""Have Linux change its own code while its other CPU runs it, and wait until it has."""


@pytest.fixture(scope="module")
def pc_disks() -> SampleDisks:
    return SampleDisks(default_cache(), print, Arch.X86_64)


@pytest.fixture(scope="module")
def pair(pc_disks: SampleDisks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk with an entry that has two initrds, and its kernel gzip'd."""
    linux = debian_kernel(Arch.X86_64, default_cache(), print).archive
    ((_, efivarfs),) = Tree.of_tar(linux, lambda path: path.endswith("/efivarfs.ko.xz")).items()
    second = Tree(
        {
            "etc/second": Node.file(b"from the second\n"),
            "efivarfs.ko": Node.file(lzma.decompress(efivarfs.data)),
            "mnt": Node.folder(),
        }
    )
    files = {
        "vmlinuz.gz": Node.file(gzip.compress(pc_disks.kernel, 1)),
        "initrd.img": Node.file(pc_disks.initrd("pair")),
        "second.img": Node.file(second.cpio()),
        "loader/entries/pair.conf": Node.file(ENTRY.encode()),
    }
    image = tmp_path_factory.mktemp("pair") / "pair.img"
    write_disk(PAIR, Tree(files), image)
    return image


@pytest.mark.parametrize("uefi", [False, True], ids=["BIOS", "UEFI and five levels"])
def test_next_kernel_has_both_initrds_and_all_that_the_firmware_said(
    uefi: bool, start_vm: StartVm, pair: Path, pc_disks: SampleDisks, tmp_path: Path
) -> None:
    machine = {"arch": Arch.X86_64, "uefi": uefi, "cpu": "max" if uefi else ""}
    options = ("-vga", "std")
    vm = start_vm(pc_disks.debian, pair, append=f"console=tty0 {HELD}", options=options, **machine)
    await_menu(vm, "Debian GNU/Linux", "Two initrds")
    open_shell(vm)
    facts = (MEMORY, TABLES, EFI, LEVELS) if uefi else (MEMORY, TABLES)
    before = [run(vm, fact) for fact in facts]
    assert not uefi or before[-1] == "2"
    # Only the log tells of it, and a kernel on top of it would lead the next one astray.
    assert ("UEFI table MEMATTR" in run(vm, "bootmenu plan B007-8664:bls:pair.conf")) is uefi
    enter(vm, "exit")
    await_menu(vm, "Two initrds")
    choose(vm, "Two initrds")
    vm.screen.press("enter")

    release, cmdline = booted(vm)
    assert release == pc_disks.release
    assert cmdline == 'console=tty0 console=ttyS0 probe="two  words" quiet'
    assert run(vm, "cat /etc/marker /etc/second") == "marker: pair\nfrom the second"
    assert [run(vm, fact) for fact in facts] == before
    assert run(vm, "nproc") == "2"
    if uefi:
        assert run(vm, VARIABLES) == "1"
    else:
        run(vm, SELF_CHANGES)
    # Nothing but the zero page tells this kernel of the screen, for which it has no driver.
    run(vm, FILL)
    vm.qmp.execute("screendump", filename=str(tmp_path / "screen.ppm"))
    assert Picture.read(tmp_path / "screen.ppm").share(GREY) > 0.9
