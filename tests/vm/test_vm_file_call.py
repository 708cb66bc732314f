"""kexec_file_load: where it is asked for, where it is all that secure boot leaves, and not there."""

from __future__ import annotations

import json
import subprocess
from functools import cached_property
from pathlib import Path

import pytest
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, choose, open_shell, run

from bootmenu.appliance.disk import write_disk
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import DEBIAN, SampleDisks, grub_cfg
from bootmenu.appliance.tree import Node
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

OVMF = Path("/usr/share/OVMF")
KEYS = Path("/usr/share/ovmf")
SECURE_BOOT = (
    "-drive",
    f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.snakeoil.fd'}",
    "-drive",
    f"if=pflash,unit=1,format=raw,snapshot=on,file={OVMF / 'OVMF_VARS_4M.snakeoil.fd'}",
)
"""UEFI that starts only what is signed with the key of :data:`KEYS`, which is for tests."""
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
    run(vm, "mkdir /tmp/x && cd /tmp/x && echo second > second && echo second | cpio -o -H newc > /tmp/y")
    how = f"--method file --kernel {kernel} --initrd {initrd} --initrd /tmp/y --append '{CMDLINE}'"
    loaded = json.loads(run(vm, f"bootmenu load --json {how}"))
    assert (loaded["method"], loaded["segments"]) == ("file", [])
    sums = run(vm, f"sha256sum {kernel}; (cat {initrd}; cat /tmp/y) | sha256sum").split()
    assert [file["sha256"] for file in loaded["files"]] == [sums[0], sums[2]]
    assert run(vm, "dmesg | grep -c 'bootmenud: loaded .* by kexec_file_load, SHA-256'") == "2"
    assert run(vm, "cat /sys/kernel/kexec_loaded; bootmenu unload; cat /sys/kernel/kexec_loaded") == (
        "1\n0"
    )
    run(vm, f"head -c 9000000 {kernel} > /tmp/cut; ln -s {kernel} /tmp/link")
    assert "truncated" in run(vm, "bootmenu load --method file --kernel /tmp/cut 2>&1")
    vm.screen.type(f"bootmenu boot {how}\n")
    assert booted(vm) == (disks.release, CMDLINE)
    assert run(vm, "cat /etc/marker /second") == "marker: debian\nsecond"


class SignedDisks:
    """Debian's kernel, signed anew with the key that the firmware of :data:`SECURE_BOOT` has."""

    def __init__(self, disks: SampleDisks, folder: Path) -> None:
        self._disks, self._folder = disks, folder

    @cached_property
    def kernel(self) -> Path:
        """The signed kernel."""
        bare, signed = self._folder / "bare", self._folder / "vmlinuz"
        bare.write_bytes(self._disks.kernel)
        self._run("sbattach", "--remove", str(bare))
        self._run("sbsign", *self._key, "--output", str(signed), str(bare))
        return signed

    @cached_property
    def _key(self) -> tuple[str, ...]:
        key = self._folder / "key"
        snakeoil = KEYS / "PkKek-1-snakeoil"
        self._run(
            *("openssl", "rsa", "-in", f"{snakeoil}.key", "-passin", "pass:snakeoil"),
            *("-out", str(key)),
        )
        return "--key", str(key), "--cert", f"{snakeoil}.pem"

    @staticmethod
    def _run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)
