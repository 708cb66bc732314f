"""What an x86 kernel is told: its zero page (``struct boot_params``), its cmdline, its setup_data.

Layout: Documentation/arch/x86/zero-page.rst and boot.rst (64-bit boot protocol), and
arch/x86/include/uapi/asm/bootparam.h. What only the first boot loader could find out, such as
the screen that it left behind, is handed on from the running kernel's own zero page.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootmenu.errors import PlacementError
from bootmenu.images.bzimage import START
from bootmenu.model import Efi, Pc

SIZE = 4096
SEED_SIZE = 32
"""Random bytes for the next kernel's generator."""
LOADER = 0xD0
"""type_of_loader: kexec, version 0."""

_HANDED_ON = (
    (0x000, 0x040),  # screen_info: the screen goes on as it is
    (0x140, 0x1C0),  # edid_info, the monitor's own words
    (0x1E9, 0x1EB),  # how many entries the next two have
    (0x1EC, 0x1ED),  # secure_boot
    (0x1FA, 0x1FC),  # vid_mode
    (0x23C, 0x248),  # hardware_subarch and its data
    (0x290, 0x2D0),  # edd_mbr_sig_buffer: which disk the BIOS calls 0x80
    (0xD00, 0xEEC),  # eddbuf
)
_EFI_INFO = 0x1C0
_E820_COUNT, _E820, _E820_MAX = 0x1E8, 0x2D0, 128
_E820_ENTRY = struct.Struct("<QQI")
_SETUP_DATA = struct.Struct("<QII")  # address of the next one, type, bytes that follow
_SETUP_E820, _SETUP_EFI, _SETUP_SEED = 1, 4, 9
_EFI_SETUP = struct.Struct("<4Q64x")
_EFI_DESCRIPTOR = struct.Struct("<I4x4Q")
_EFI_64 = b"EL64"

KINDS = {
    "System RAM": 1,
    "Reserved": 2,
    "ACPI Tables": 3,
    "ACPI Non-volatile Storage": 4,
    "Unusable memory": 5,
    "Persistent Memory": 7,
    "Persistent Memory (legacy)": 12,
    "Soft Reserved": 0xEFFFFFFF,
}
"""The types of E820, by the words of /sys/firmware/memmap."""
_RESERVED = KINDS["Reserved"]


class E820(NamedTuple):
    """A range of memory, as the kernel is told of it."""

    address: int
    size: int
    kind: int  # see KINDS


class Told(NamedTuple):
    """What one boot tells its kernel besides the machine's facts."""

    setup_header: bytes  # as it stands in the kernel's file, from 0x1f1 on
    cmdline: bytes  # without a NUL
    initrd: tuple[int, int] | None  # its address and size
    seed: bytes  # SEED_SIZE random bytes
    memory: Sequence[E820]
    efi: bool  # whether the kernel takes over UEFI's runtime services


def build(told: Told, pc: Pc, at: int) -> bytes:
    """The zero page and behind it all that it points to, for the physical address *at*.

    Its size does not depend on *at*.
    """
    page = bytearray(SIZE)
    page[START : START + len(told.setup_header)] = told.setup_header
    for start, end in _HANDED_ON:
        page[start:end] = pc.boot_params[start:end].ljust(end - start, b"\0")
    page[0x210] = LOADER
    struct.pack_into("<Q", page, 0x070, pc.rsdp)
    if told.initrd is not None:
        address, size = told.initrd
        _wide(page, 0x218, 0x0C0, address)
        _wide(page, 0x21C, 0x0C4, size)
    behind = bytearray(told.cmdline + b"\0")
    _wide(page, 0x228, 0x0C8, at + SIZE)
    page[_E820_COUNT] = min(len(told.memory), _E820_MAX)
    table = b"".join(_E820_ENTRY.pack(*part) for part in told.memory)
    most = _E820_MAX * _E820_ENTRY.size
    page[_E820 : _E820 + len(table[:most])] = table[:most]
    items = [(_SETUP_SEED, told.seed)]
    if table[most:]:
        items.append((_SETUP_E820, table[most:]))
    if told.efi and pc.efi is not None:
        _align(behind)
        regions = b"".join(_descriptors(pc.efi))
        _efi_info(page, pc.boot_params, at + SIZE + len(behind), len(regions))
        behind += regions
        items.append((_SETUP_EFI, _efi_setup(pc.efi)))
    struct.pack_into("<Q", page, 0x250, _append(behind, items, at + SIZE))
    return bytes(page + behind)


def memory_map(pc: Pc) -> list[E820]:
    """The firmware's own map, ascending. Raises PlacementError where it is not known."""
    if not pc.memmap:
        raise PlacementError(
            "the firmware's memory map is unknown: /sys/firmware/memmap is empty",
            hint="run this on a kernel with CONFIG_FIRMWARE_MEMMAP=y",
        )
    return [
        E820(part.start, part.end + 1 - part.start, KINDS.get(part.kind, _RESERVED))
        for part in pc.memmap
    ]


def takes_over_efi(pc: Pc) -> bool:
    """Whether the running kernel's UEFI can be handed on: 64 bits, with its runtime map."""
    signature = pc.boot_params[_EFI_INFO : _EFI_INFO + 4]
    return pc.efi is not None and signature == _EFI_64


def _wide(page: bytearray, low: int, high: int, value: int) -> None:
    """A number whose halves stand in two places: the upper one was added later."""
    struct.pack_into("<I", page, low, value & 0xFFFFFFFF)
    struct.pack_into("<I", page, high, value >> 32)


def _align(data: bytearray) -> None:
    data += bytes(-len(data) % 8)


def _append(data: bytearray, items: list[tuple[int, bytes]], base: int) -> int:
    """Add the chain of *items* to *data*, which lies at *base*; the address of the first."""
    following = 0
    for kind, payload in items:
        _align(data)
        at = base + len(data)
        data += _SETUP_DATA.pack(following, kind, len(payload)) + payload
        following = at
    return following


def _descriptors(efi: Efi) -> Iterator[bytes]:
    for r in efi.regions:
        yield _EFI_DESCRIPTOR.pack(r.type, r.physical, r.virtual, r.pages, r.attribute)


def _efi_info(page: bytearray, running: bytes, at: int, size: int) -> None:
    """The signature and system table of the running kernel; the map is that at *at*."""
    end = _EFI_INFO + 32
    page[_EFI_INFO:end] = running[_EFI_INFO:end]
    struct.pack_into("<II", page, _EFI_INFO + 8, _EFI_DESCRIPTOR.size, 1)
    struct.pack_into("<I", page, _EFI_INFO + 16, at & 0xFFFFFFFF)
    struct.pack_into("<I", page, _EFI_INFO + 20, size)
    struct.pack_into("<I", page, _EFI_INFO + 28, at >> 32)


def _efi_setup(efi: Efi) -> bytes:
    """``struct efi_setup_data``: addresses that the firmware itself has made virtual by now."""
    return _EFI_SETUP.pack(efi.fw_vendor, efi.runtime, efi.config_table, efi.smbios)
