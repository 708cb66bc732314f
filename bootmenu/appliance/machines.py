"""The virtual machine of each architecture, in QEMU's words, and its serial line in Linux's."""

from __future__ import annotations

from dataclasses import dataclass

from bootmenu.model import Arch


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What differs from one architecture to the next."""

    program: str  # of QEMU
    machine: str
    cpu: str
    console: str  # the serial line, as Linux names it
    cmdline: str = ""  # what a kernel must be told to find that line by itself
    threads: str = "multi"  # one of QEMU's for each CPU, or a "single" one that takes turns
    uefi: tuple[str, ...] = ()  # options of QEMU for UEFI, of the architecture's Debian package


FACTS = {
    Arch.ARM64: MachineFacts(
        program="qemu-system-aarch64",
        machine="virt",
        cpu="cortex-a57",
        console="ttyAMA0",
        uefi=("-bios", "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"),
    ),
    Arch.X86_64: MachineFacts(
        program="qemu-system-x86_64",
        machine="q35",
        cpu="qemu64",
        console="ttyS0",
        cmdline="console=ttyS0",
        # Linux changes its own code here by way of a breakpoint. With a thread for each CPU,
        # QEMU 7.2 may go on running one that is gone: "Oops: int3", once in hundreds of boots.
        threads="single",
        # Variables are written, but to a snapshot that goes with the machine.
        uefi=(
            "-drive",
            "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
            "-drive",
            "if=pflash,unit=1,format=raw,snapshot=on,file=/usr/share/OVMF/OVMF_VARS_4M.fd",
        ),
    ),
    Arch.RISCV64: MachineFacts(
        program="qemu-system-riscv64", machine="virt", cpu="rv64", console="ttyS0"
    ),
}
"""BIOS is the firmware of an x86_64 machine, OpenSBI that of riscv64, arm64 has none."""
