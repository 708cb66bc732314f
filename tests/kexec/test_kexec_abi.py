"""What is handed to the kernel is what its headers say: checked with a C compiler."""

import json
import subprocess
from pathlib import Path

import pytest

from bootmenu.abi import INTERFACES, generate, path_of
from bootmenu.kexec import userfault
from bootmenu.kexec._abi import ffi
from bootmenu.kexec.numbers import (
    CALLS,
    ON_CRASH,
    REBOOT_KEXEC,
    REBOOT_MAGIC1,
    REBOOT_MAGIC2,
)
from bootmenu.loader.initrd import MAX_INITRDS
from bootmenu.model import Arch

PROGRAM = r"""
#include <stddef.h>
#include <stdio.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include UNISTD
#define FIELD(name) sizeof(((struct kexec_segment *)0)->name), offsetof(struct kexec_segment, name)
int main(void) {
    printf("[%d,%d,%d,%lu,%lu,%lu,%u,%u,%u,%u,%u,%zu,%zu,%zu,%zu,%zu,%zu,%zu,%zu,%zu]",
        __NR_kexec_load, __NR_reboot, __NR_userfaultfd,
        (unsigned long)KEXEC_ARCH_AARCH64, (unsigned long)KEXEC_ARCH_X86_64,
        (unsigned long)ARCH_RISCV, KEXEC_SEGMENT_MAX, KEXEC_ON_CRASH,
        LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC,
        FIELD(buf), FIELD(bufsz), FIELD(mem), FIELD(memsz), sizeof(struct kexec_segment));
    return 0;
}
"""


def headers(folder: Path, unistd: str) -> list[int]:
    source = folder / "abi.c"
    source.write_text(PROGRAM.replace("UNISTD", unistd).replace("ARCH_RISCV", "(243 << 16)"))
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", folder / "abi", source], check=True)
    numbers: list[int] = json.loads(subprocess.check_output([folder / "abi"]))
    return numbers


@pytest.mark.parametrize(
    ("arch", "unistd"),
    [
        (Arch.ARM64, "<asm-generic/unistd.h>"),  # arm64 and riscv64 use the generic table
        (Arch.RISCV64, "<asm-generic/unistd.h>"),
        (Arch.X86_64, "<asm/unistd.h>"),
    ],
)
def test_numbers_are_those_of_the_headers(tmp_path: Path, arch: Arch, unistd: str) -> None:
    numbers = headers(tmp_path, unistd)[:11]
    kexec_load, reboot, userfaultfd, arm64, x86, riscv, most, on_crash, *magics = numbers
    calls = CALLS[arch]
    assert (calls.kexec_load, calls.reboot) == (kexec_load, reboot)
    assert calls.userfaultfd == userfaultfd
    flags = {Arch.ARM64: arm64, Arch.X86_64: x86, Arch.RISCV64: riscv}
    assert calls.arch_flag == flags[arch]
    assert (most, on_crash) == (MAX_INITRDS + 4, ON_CRASH)
    assert magics == [REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_KEXEC]


def test_segment_has_the_layout_of_the_headers(tmp_path: Path) -> None:
    wanted = headers(tmp_path, "<asm/unistd.h>")[11:]
    name = "struct kexec_segment"
    fields = [(8, ffi.offsetof(name, field)) for field in ("buf", "bufsz", "mem", "memsz")]
    assert [number for pair in fields for number in pair] + [ffi.sizeof(name)] == wanted


@pytest.mark.parametrize("module", INTERFACES)
def test_generated_module_is_current(module: str) -> None:
    assert path_of(module).read_text() == generate(module), "run python -m bootmenu.abi"


def test_requests_of_userfaultfd_are_those_of_the_headers(tmp_path: Path) -> None:
    source = tmp_path / "uffd.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n"
        "#include <linux/userfaultfd.h>\n"
        'int main(void) { printf("[%lu,%lu,%lu,%lu,%lu,%d,%d,%zu,%zu,%zu]", '
        "(unsigned long)UFFD_API, (unsigned long)UFFDIO_API, (unsigned long)UFFDIO_REGISTER, "
        "(unsigned long)UFFDIO_WAKE, (unsigned long)UFFDIO_COPY, "
        "(int)UFFDIO_REGISTER_MODE_MISSING, UFFD_EVENT_PAGEFAULT, sizeof(struct uffd_msg), "
        "offsetof(struct uffd_msg, arg.pagefault.address), "
        "offsetof(struct uffdio_copy, copy)); return 0; }\n"
    )
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", tmp_path / "uffd", source], check=True)
    numbers = json.loads(subprocess.check_output([tmp_path / "uffd"]))
    assert numbers == [
        userfault._API,
        userfault._IOCTL_API,
        userfault._IOCTL_REGISTER,
        userfault._IOCTL_WAKE,
        userfault._IOCTL_COPY,
        userfault._MODE_MISSING,
        userfault._PAGEFAULT,
        userfault._MESSAGE.size,
        16,
        32,
    ]
