import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootmenu.discover.machine import parse_iomem
from bootmenu.files import whole
from bootmenu.model import Arch, Cpu, FileSlice, Machine

CORTEX_A57 = 0x411FD070

IOMEM = """\
09000000-09000fff : pl011@9000000
40000000-7fffffff : System RAM
  40210000-41dcffff : Kernel code
  41dd0000-4252ffff : reserved
  42530000-429fffff : Kernel data
  48000000-480fffff : reserved
  7d800000-7f7fffff : reserved
  7f9ae000-7f9bffff : reserved
"""


@pytest.fixture(scope="session")
def virt_dtb(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("virt") / "virt.dtb"
    machine = ["-M", f"virt,dumpdtb={path}", "-cpu", "cortex-a57", "-smp", "2", "-display", "none"]
    subprocess.run(["qemu-system-aarch64", *machine], check=True, capture_output=True)
    return path.read_bytes()


@pytest.fixture
def machine(virt_dtb: bytes) -> Machine:
    """QEMU's virt board with 1 GiB and two Cortex-A57, as seen in it."""
    return Machine(
        arch=Arch.ARM64,
        page_size=4096,
        iomem=parse_iomem(IOMEM),
        fdt=virt_dtb,
        cmdline="console=ttyAMA0",
        cpus=tuple(Cpu(number, CORTEX_A57, "psci") for number in range(2)),
        memory_total=1 << 30,
        memory_available=900 << 20,
        consoles=("tty0", "ttyAMA0"),
    )


@pytest.fixture
def make_kernel(tmp_path: Path) -> Callable[..., FileSlice]:
    """Write an Image of 1 MiB that takes *image_size* bytes of memory."""

    def make(*, image_size: int = 2 << 20, text_offset: int = 0, flags: int = 0b1010) -> FileSlice:
        head = struct.pack("<IIQQQ24x4sI", 1, 1, text_offset, image_size, flags, b"ARM\x64", 0)
        path = tmp_path / f"Image-{image_size}-{text_offset}-{flags}"
        with path.open("wb") as file:
            file.write(head)
            file.truncate(max(1 << 20, image_size // 2))
        return whole(str(path))

    return make


@pytest.fixture
def make_initrd(tmp_path: Path) -> Callable[[int], FileSlice]:
    """A sparse file of that many bytes."""

    def make(size: int) -> FileSlice:
        path = tmp_path / f"initrd-{size}"
        with path.open("wb") as file:
            file.truncate(size)
        return whole(str(path))

    return make
