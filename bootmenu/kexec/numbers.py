"""The numbers of the system call interface, as <linux/kexec.h> and <asm/unistd.h> have them."""

from __future__ import annotations

from typing import NamedTuple

from bootmenu.model import Arch

ON_CRASH = 1  # KEXEC_ON_CRASH, of kexec_load's flags
REBOOT_MAGIC1 = 0xFEE1DEAD
REBOOT_MAGIC2 = 672274793
REBOOT_KEXEC = 0x45584543
FILE_UNLOAD = 1  # flags of kexec_file_load
FILE_ON_CRASH = 2
FILE_NO_INITRAMFS = 4


class Calls(NamedTuple):
    """System call numbers of one architecture, and its flag for kexec_load."""

    kexec_load: int
    kexec_file_load: int
    reboot: int
    userfaultfd: int
    capget: int
    capset: int
    arch_flag: int  # KEXEC_ARCH_*: the ELF machine, in the flags' upper half


CALLS = {
    Arch.ARM64: Calls(104, 294, 142, 282, 90, 91, 183 << 16),
    Arch.X86_64: Calls(246, 320, 169, 323, 125, 126, 62 << 16),
    Arch.RISCV64: Calls(104, 294, 142, 282, 90, 91, 243 << 16),
}
