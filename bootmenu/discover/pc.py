"""What an x86 machine's boot loader told the running kernel, read back from sysfs.

Sources: Documentation/ABI/testing (sysfs-firmware-memmap, sysfs-kernel-boot_params,
sysfs-firmware-efi, sysfs-firmware-efi-runtime-map). What is not there is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from bootmenu.model import Efi, EfiRegion, FirmwareRange, Pc

_FIRMWARE = "sys/firmware"
_REGION = ("type", "phys_addr", "virt_addr", "num_pages", "attribute")
_RSDP_AT = 0x70  # of boot_params


def read_pc(root: Path) -> Pc:
    """The facts of the x86 machine whose /proc and /sys lie under *root*."""
    params = _data(root / "sys/kernel/boot_params/data")
    tables = _tables(root)
    told = int.from_bytes(params[_RSDP_AT : _RSDP_AT + 8], "little")
    flags = re.search(rb"^flags\s*:(.*)$", _data(root / "proc/cpuinfo"), re.M)
    return Pc(
        boot_params=params,
        memmap=_memmap(root / _FIRMWARE / "memmap"),
        rsdp=told or tables.get("ACPI20", 0) or tables.get("ACPI", 0),
        efi=_efi(root / _FIRMWARE / "efi", tables),
        # The kernel hides the flag while it uses four levels only.
        five_level=bool(flags and b"la57" in flags[1].split()),
    )


def _memmap(folder: Path) -> tuple[FirmwareRange, ...]:
    found = []
    for part in _numbered(folder):
        start, end = _number(part / "start"), _number(part / "end")
        if start is not None and end is not None:
            kind = _data(part / "type").decode("ascii", "replace").strip()
            found.append(FirmwareRange(start, end, kind))
    return tuple(sorted(found, key=lambda part: part.start))


def _efi(folder: Path, tables: dict[str, int]) -> Efi | None:
    """None where runtime services are missing or switched off: there is no map of them then."""
    regions = []
    for part in _numbered(folder / "runtime-map"):
        values = [_number(part / name) for name in _REGION]
        known = [value for value in values if value is not None]
        if len(known) == len(_REGION):
            regions.append(EfiRegion(*known))
    config_table = _number(folder / "config_table")
    if not regions or config_table is None:
        return None
    return Efi(
        fw_vendor=_number(folder / "fw_vendor") or 0,
        runtime=_number(folder / "runtime") or 0,
        config_table=config_table,
        smbios=tables.get("SMBIOS", 0),
        regions=tuple(regions),
    )


def _tables(root: Path) -> dict[str, int]:
    """UEFI's configuration tables by name: ``ACPI20=0x7f77e014`` a line."""
    text = _data(root / _FIRMWARE / "efi/systab").decode("ascii", "replace")
    return {
        name: int(value, 16) for name, value in re.findall(r"^(\w+)=(0x[0-9a-f]+)$", text, re.M)
    }


def _numbered(folder: Path) -> list[Path]:
    """The entries of *folder* whose names are numbers, in their order."""
    try:
        return sorted((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    except OSError:
        return []


def _number(path: Path) -> int | None:
    try:
        return int(_data(path), 0)
    except ValueError:
        return None


def _data(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
