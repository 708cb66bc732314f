"""kexec_file_load: where it is asked for, and where it is all that secure boot leaves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, enter, open_shell, run

from bootmenu.appliance.disk import write_disk
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import DEBIAN, SampleDisks, bls_entry
from bootmenu.appliance.tree import Node, Tree
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

OVMF = Path("/usr/share/OVMF")
SNAKEOIL = "/usr/share/ovmf/PkKek-1-snakeoil"
SECURE_BOOT = (
    *("-global", "driver=cfi.pflash01,property=secure,value=on"),
    *(
        "-drive",
        f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.snakeoil.fd'}",
    ),
    *(
        "-drive",
        f"if=pflash,unit=1,format=raw,snapshot=on,file={OVMF / 'OVMF_VARS_4M.snakeoil.fd'}",
    ),
)
"""UEFI that starts only what is signed with the key of :data:`SNAKEOIL`, which is for tests."""
CMDLINE = "console=ttyS0 probe"


@pytest.fixture
def disks() -> SampleDisks:
    return SampleDisks(default_cache(), print, Arch.X86_64)


def mounted(vm: Vm, disks: SampleDisks) -> tuple[str, str]:
    """Leave the menu for the shell, and mount the disk: its kernel and its initrd."""
    await_menu(vm, "Debian GNU/Linux")
    open_shell(vm)
    run(vm, "mkdir /mnt; modprobe ext4; mount -t ext4 -o ro,noload /dev/vda1 /mnt")
    return f"/mnt/boot/vmlinuz-{disks.release}", f"/mnt/boot/initrd.img-{disks.release}"


def test_the_file_call_boots_a_second_kernel_with_joined_initrds(
    start_vm: StartVm, disks: SampleDisks
) -> None:
    vm = start_vm(disks.debian, append=HELD, arch=Arch.X86_64)
    kernel, initrd = mounted(vm, disks)
    run(vm, "cd /tmp && echo second > second && echo second | cpio -o -H newc > more")
    how = f"--method file --kernel {kernel} --initrd {initrd} --initrd /tmp/more"
    how += f" --append '{CMDLINE}'"
    loaded = json.loads(run(vm, f"bootmenu load --json {how} 2>/dev/null"))
    assert (loaded["method"], loaded["segments"]) == ("file", [])
    sums = run(vm, f"sha256sum {kernel}; cat {initrd} /tmp/more | sha256sum").split()
    assert [file["sha256"] for file in loaded["files"]] == [sums[0], sums[2]]
    logged = run(vm, "dmesg | grep -o 'bootmenud: loaded .*'").splitlines()
    assert [line.split()[2] for line in logged] == ["kernel:", "initrd:"]
    assert [line.split()[-1] for line in logged] == [sums[0], sums[2]]
    is_loaded = "cat /sys/kernel/kexec_loaded"
    assert run(vm, f"{is_loaded}; bootmenu unload; {is_loaded}").split() == ["1", "0"]
    run(vm, f"head -c 9000000 {kernel} > /tmp/cut")
    assert "truncated" in run(vm, "bootmenu load --method file --kernel /tmp/cut 2>&1")
    enter(vm, f"bootmenu boot {how}")
    assert booted(vm) == (disks.release, CMDLINE)
    assert run(vm, "cat /etc/marker /second").split("\n") == ["marker: debian", "second"]


@pytest.fixture
def signed(disks: SampleDisks, tmp_path: Path) -> Path:
    """Debian's kernel, signed anew with the key that the firmware of SECURE_BOOT knows."""
    bare, path, key = tmp_path / "bare", tmp_path / "signed", str(tmp_path / "key")
    bare.write_bytes(disks.kernel)
    for command in (
        ["openssl", "rsa", "-in", f"{SNAKEOIL}.key", "-passin", "pass:snakeoil", "-out", key],
        ["sbattach", "--remove", str(bare)],
        ["sbsign", "--key", key, "--cert", f"{SNAKEOIL}.pem", "--output", str(path), str(bare)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return path


def test_under_secure_boot_a_signed_kernel_starts_and_others_are_refused_in_words(
    start_vm: StartVm, disks: SampleDisks, signed: Path, tmp_path: Path
) -> None:
    cmdline = f"{CMDLINE} menu"
    files = {
        "signed": Node.file(signed.read_bytes()),
        "debian": Node.file(disks.kernel),
        "bare": Node.file((tmp_path / "bare").read_bytes()),
        "initrd": Node.file(disks.initrd("debian")),
        "loader/entries/signed.conf": Node.file(
            bls_entry("Signed", "/signed", "/initrd", cmdline).encode()
        ),
    }
    write_disk(DEBIAN, Tree(files), tmp_path / "disk")
    vm = start_vm(
        tmp_path / "disk",
        append=HELD,
        arch=Arch.X86_64,
        options=(*SECURE_BOOT, "-kernel", str(signed)),
    )
    await_menu(vm, "Signed")
    open_shell(vm)
    assert "Kernel is locked down from EFI Secure Boot" in run(vm, "dmesg")
    run(vm, "mkdir /mnt; modprobe ext4; mount -t ext4 -o ro,noload /dev/vda1 /mnt")
    for name, reason in (
        ("debian", "its signature, if it has one, is not by a key"),
        ("bare", "it is not signed"),
    ):
        said = run(vm, f"bootmenu load --kernel /mnt/{name} 2>&1")
        assert f"the kernel refused to load the file: {reason}" in said
        assert "hint: " in said
        assert "kernel: kexec_file: Enforced kernel signature verification failed" in said
    how = f"--kernel /mnt/signed --initrd /mnt/initrd --append '{CMDLINE}'"
    said = run(vm, f"bootmenu load --method classic {how} 2>&1")
    assert "the running kernel is locked down" in said
    assert "--method file" in said
    assert "method    kexec_file_load" in run(vm, f"bootmenu plan {how}")
    said = run(vm, f"bootmenu load {how} 2>&1")
    assert "warning: the running kernel takes only kernels whose signature it trusts" in said
    is_loaded = "cat /sys/kernel/kexec_loaded"
    assert run(vm, f"{is_loaded}; bootmenu unload; {is_loaded}").split() == ["1", "0"]
    enter(vm, "exit")
    await_menu(vm, "Signed")
    vm.screen.press("enter")
    assert booted(vm) == (disks.release, cmdline)
    assert run(vm, "cat /etc/marker") == "marker: debian"
