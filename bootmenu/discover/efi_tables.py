"""UEFI's tables that lie in memory like any other, which the next kernel reads first thing.

An x86 kernel keeps that memory for itself without a word of it in /proc/iomem. Its log names the
tables, once, while it starts: ``efi: SMBIOS=0x7f520000 ACPI 2.0=0x7f77d014 MEMATTR=0x7c3fc018``
(drivers/firmware/efi/efi.c). With a segment on top of one, the next kernel would take from the
segment's bytes how much memory to reserve.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bootmenu.model import IoResource

KEPT = 256 << 10
"""Bytes from the address of each: how long one is, only itself says."""

_RECORDS = 1000  # the line is among the first few dozen, if it was not overwritten
_RECORD = 8192
_PAGE = 4096
_TABLE = re.compile(r"([A-Za-z]\w*(?: \d\.\d)?)=(0x[0-9a-f]{1,16})\b")  # ACPI 2.0=0x7f77d014
_RAM = "System RAM"


def with_tables(iomem: tuple[IoResource, ...], log: Path) -> tuple[IoResource, ...]:
    """*iomem*, and inside its RAM the tables that the kernel's *log* (/dev/kmsg) names."""
    tables = list(_named(log))
    found = []
    for resource in iomem:
        found.append(resource)
        if resource.name == _RAM:
            found += [
                replace(table, end=min(table.end, resource.end), depth=resource.depth + 1)
                for table in tables
                if resource.start <= table.start <= resource.end
            ]
    return tuple(found)


def _named(log: Path) -> Iterator[IoResource]:
    for name, value in _tables(log):
        address = int(value, 16)
        yield IoResource(address - address % _PAGE, address + KEPT - 1, f"UEFI table {name}")


def _tables(log: Path) -> list[tuple[str, str]]:
    """Names and addresses, as the first line of *log* has them that names any."""
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        for _ in range(_RECORDS):
            try:
                record = os.read(descriptor, _RECORD)
            except BrokenPipeError:  # overwritten meanwhile: the next read goes on
                continue
            if not record:
                break
            for line in record.decode("utf-8", "replace").splitlines():
                _, prefix, said = line.partition(";efi: ")
                if prefix and (tables := _TABLE.findall(said)):
                    return tables
    except OSError:  # the end of the log
        pass
    finally:
        os.close(descriptor)
    return []
