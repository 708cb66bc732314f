"""A PC and kernels for it, small enough to be read in a test."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any, NamedTuple

from bootmenu.discover.machine import parse_iomem
from bootmenu.model import Arch, Efi, EfiRegion, FirmwareRange, Machine, Pc, Platform

MIB, GIB = 1 << 20, 1 << 30
IOMEM = """\
00000000-00000fff : Reserved
00001000-0009ffff : System RAM
000f0000-000fffff : System ROM
00100000-7e9fffff : System RAM
  02000000-02dfffff : Kernel code
  30000000-33ffffff : Crash kernel
7ea00000-7ebfffff : Reserved
7ec00000-7fffffff : ACPI Tables
100000000-17fffffff : System RAM
"""
MEMMAP = (
    FirmwareRange(0, 0x9FFFF, "System RAM"),
    FirmwareRange(0x100000, 0x7E9FFFFF, "System RAM"),
    FirmwareRange(0x7EA00000, 0x7EBFFFFF, "Reserved"),
    FirmwareRange(0x7EC00000, 0x7FFFFFFF, "ACPI Tables"),
    FirmwareRange(0x80000000, 0x8000FFFF, "a word of the future"),
    FirmwareRange(0x100000000, 0x17FFFFFFF, "System RAM"),
)
SCREEN = bytes(range(1, 0x41))
BIOS = Machine(
    arch=Arch.X86_64,
    page_size=4096,
    iomem=parse_iomem(IOMEM),
    platform=Platform.PC,
    memory_total=4 * GIB,
    memory_available=3 * GIB,
    consoles=("tty0", "ttyS0"),
    pc=Pc(boot_params=SCREEN.ljust(4096, b"\0"), memmap=MEMMAP, rsdp=0xF59E0),
)
"""Four gigabytes, half of them above the hole for devices."""
_EFI_INFO = struct.pack("<4s7I", b"EL64", 0x7F9EC018, 48, 1, 0x1000, 0x30, 1, 2)
UEFI = replace(
    BIOS,
    platform=Platform.EFI,
    pc=Pc(
        boot_params=SCREEN.ljust(0x1C0, b"\0") + _EFI_INFO.ljust(4096 - 0x1C0, b"\0"),
        memmap=MEMMAP,
        rsdp=0x7F77D014,
        efi=Efi(
            fw_vendor=0x7E100000,
            runtime=0x7E200000,
            config_table=0x7E300000,
            smbios=0x7E400000,
            regions=(
                EfiRegion(5, 0x7EA00000, 0xFFFFFFFEFFE00000, 16, 0x800000000000000F),
                EfiRegion(6, 0x7EA10000, 0xFFFFFFFEFFE10000, 32, 0x800000000000000F),
            ),
        ),
    ),
)


def bzimage(**fields: Any) -> bytes:
    """A bzImage whose kernel has 1 MiB; *fields* stand in its setup header."""
    said = {
        "version": 0x20F, "alignment": 2 * MIB, "relocatable": 1, "xloadflags": 0x7F,
        "cmdline_size": 2047, "pref_address": 16 * MIB, "init_size": 8 * MIB,
        "initrd_max": 0x7FFFFFFF,
    } | fields  # fmt: skip
    head = bytearray(1024)
    head[0x1F1] = 1  # sectors of setup code besides the first
    struct.pack_into("<I", head, 0x1F4, MIB // 16)
    struct.pack_into("<HH4sH", head, 0x1FE, 0xAA55, 0x6AEB, b"HdrS", said["version"])
    head[0x211] = 1
    struct.pack_into("<I", head, 0x22C, said["initrd_max"])
    struct.pack_into("<IBBHI", head, 0x230, said["alignment"], said["relocatable"], 21,
                     said["xloadflags"], said["cmdline_size"])  # fmt: skip
    struct.pack_into("<QI", head, 0x258, said["pref_address"], said["init_size"])
    return bytes(head) + b"\x5a" * MIB


class Item(NamedTuple):
    """A part of the setup_data chain."""

    kind: int
    data: bytes


class Params:
    """boot_params as the next kernel reads them, from the segment that lies at *at*."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self, form: str, offset: int) -> int:
        (value,) = struct.unpack_from(f"<{form}", self.data, offset)
        return int(value)

    def wide(self, low: int, high: int) -> int:
        return self.number("I", low) | self.number("I", high) << 32

    @property
    def cmdline(self) -> bytes:
        start = self.wide(0x228, 0xC8) - self.at
        return self.data[start : self.data.index(b"\0", start)]

    @property
    def initrd(self) -> tuple[int, int]:
        return self.wide(0x218, 0xC0), self.wide(0x21C, 0xC4)

    @property
    def memory(self) -> list[tuple[int, int, int]]:
        table = self.data[0x2D0 : 0x2D0 + 20 * self.data[0x1E8]]
        table += b"".join(item.data for item in self.items if item.kind == 1)
        return [(a, s, k) for a, s, k in struct.iter_unpack("<QQI", table)]

    @property
    def items(self) -> list[Item]:
        found = []
        address = self.number("Q", 0x250)
        while address:
            offset = address - self.at
            address, kind, size = struct.unpack_from("<QII", self.data, offset)
            found.append(Item(kind, self.data[offset + 16 : offset + 16 + size]))
        return found

    def item(self, kind: int) -> bytes:
        (found,) = [item.data for item in self.items if item.kind == kind]
        return found
