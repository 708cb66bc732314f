"""What a PC's firmware and boot loader said, read back from /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootmenu.discover.efi_tables import with_tables
from bootmenu.discover.machine import parse_iomem
from bootmenu.discover.pc import read_pc
from bootmenu.loader.memory import usable
from bootmenu.model import Arch, Efi, EfiRegion, FirmwareRange, Machine, Pc

PARAMS = bytes(0x70) + (0x7F77D014).to_bytes(8, "little") + bytes(4096 - 0x78)
SYSTAB = "ACPI20=0x7f77d014\nACPI=0x7f77d000\nSMBIOS=0x7f520000\n"


@pytest.fixture
def pc(tmp_path: Path) -> Path:
    """A PC's /proc and /sys, as far as they are read."""
    firmware = "sys/firmware"
    files = {
        "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu lm la57 smap\n\nprocessor\t: 1\n",
        # As text they would be sorted 0, 1, 10, 2.
        **{
            f"{firmware}/memmap/{number}/{name}": f"{value}\n"
            for number, part in {
                0: ("0x0", "0x9fbff", "System RAM"),
                2: ("0x100000", "0x7ffdcfff", "System RAM"),
                10: ("0xf0000", "0xfffff", "Reserved"),
            }.items()
            for name, value in zip(("start", "end", "type"), part, strict=True)
        },
        f"{firmware}/efi/config_table": "0x7e300000\n",
        f"{firmware}/efi/fw_vendor": "0x7e100000\n",
        f"{firmware}/efi/runtime": "0x7e200000\n",
        f"{firmware}/efi/systab": SYSTAB,
        **{
            f"{firmware}/efi/runtime-map/0/{name}": value
            for name, value in {
                "type": "0x5\n",
                "phys_addr": "0x7ea00000\n",
                "virt_addr": "0xfffffffeffe00000\n",
                "num_pages": "0x10\n",
                "attribute": "0x800000000000000f\n",
            }.items()
        },
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    params = tmp_path / "sys/kernel/boot_params/data"
    params.parent.mkdir(parents=True)
    params.write_bytes(PARAMS)
    return tmp_path


def test_everything_is_read_in_the_order_of_addresses(pc: Path) -> None:
    assert read_pc(pc) == Pc(
        boot_params=PARAMS,
        memmap=(
            FirmwareRange(0, 0x9FBFF, "System RAM"),
            FirmwareRange(0xF0000, 0xFFFFF, "Reserved"),
            FirmwareRange(0x100000, 0x7FFDCFFF, "System RAM"),
        ),
        rsdp=0x7F77D014,
        efi=Efi(
            fw_vendor=0x7E100000,
            runtime=0x7E200000,
            config_table=0x7E300000,
            smbios=0x7F520000,
            regions=(EfiRegion(5, 0x7EA00000, 0xFFFFFFFEFFE00000, 16, 0x800000000000000F),),
        ),
        five_level=True,
    )


def test_acpi_is_found_through_uefi_where_the_loader_did_not_say_where(pc: Path) -> None:
    (pc / "sys/kernel/boot_params/data").write_bytes(bytes(4096))
    assert read_pc(pc).rsdp == 0x7F77D014


def test_uefi_without_runtime_services_is_not_handed_on(pc: Path) -> None:
    for path in (pc / "sys/firmware/efi/runtime-map/0").iterdir():
        path.unlink()
    assert read_pc(pc).efi is None


def test_nothing_readable_is_no_error(tmp_path: Path) -> None:
    assert read_pc(tmp_path) == Pc()


LOG = """\
5,0,0,-;Linux version 6.12.107+deb13-amd64
6,1,0,-;BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable
6,2,0,-;efi: EFI v2.7 by EDK II
6,3,0,-;efi: SMBIOS=0x7f520000 ACPI 2.0=0x7f77d014 TPMEventLog=0x2ff0018 MEMATTR=0x1000018
6,4,0,-;efi: Remove mem126: MMIO range=[0xffc00000-0xffffffff] (4MB) from e820 map
"""
IOMEM = """\
00001000-0009ffff : System RAM
00100000-02ffffff : System RAM
  00200000-004fffff : Kernel code
7f400000-7fffffff : Reserved
"""


def test_tables_of_uefi_in_ordinary_memory_are_kept_since_the_next_kernel_reads_them(
    tmp_path: Path,
) -> None:
    log = tmp_path / "kmsg"
    log.write_text(LOG)
    plain = parse_iomem(IOMEM)
    found = with_tables(plain, log)
    machine = Machine(Arch.X86_64, 4096, iomem=found)
    assert [(part.start, part.end) for part in usable(machine)] == [
        (0x1000, 0xA0000),
        (0x100000, 0x1000000),
        (0x1041000, 0x2FF0000),
    ]
    assert "UEFI table MEMATTR" in [resource.name for resource in found]
    assert with_tables(found[:1], log) == found[:1]
    assert with_tables(plain, tmp_path / "none") == plain
    log.write_text("6,1,0,-;efi: EFI v2.7 by EDK II\n6,2,0,-;efi: MEMATTR=0xnothing\n")
    assert with_tables(plain, log) == plain
    # A word that nobody knows costs neither the others nor the time to start.
    log.write_text(
        "6,1,0,-;efi: " + "MEMATTR=0x1000018 " * 40 + "(new-table)@0x12 ACPI 2.0=0x100010!\n"
    )
    assert {resource.name for resource in with_tables(plain, log)} >= {
        "UEFI table MEMATTR", "UEFI table ACPI 2.0",
    }  # fmt: skip
