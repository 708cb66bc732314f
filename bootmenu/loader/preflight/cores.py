"""Which page sizes the processor cores implement, by the number that they name themselves.

MIDR_EL1 tells implementer and part; what a part implements is in ID_AA64MMFR0_EL1, whose
page size fields Linux hides from user space. So the values are written down here, from the
cores' technical reference manuals, and of some from the kernels that ran on them. A kernel
built for another page size hangs without a word. The numbers are those of Linux
(arch/arm64/include/asm/cputype.h). A core or a size that is not sure is left out: a warning
is better than a wrong refusal.
"""

from __future__ import annotations

from typing import NamedTuple

from bootmenu.model import Cpu

K4, K16, K64 = 4 << 10, 16 << 10, 64 << 10


class Core(NamedTuple):
    """A core model's name and the page sizes (bytes) that it is known to have, and to lack."""

    name: str
    has: frozenset[int]
    lacks: frozenset[int] = frozenset()


_ARM = 0x41
_CAVIUM = 0x43
_APPLE = 0x61
_ALL = frozenset({K4, K16, K64})


def _cores(
    implementer: int, parts: dict[int, str], *, lacks: int = 0
) -> dict[tuple[int, int], Core]:
    """Cores that have every page size, or all but *lacks*."""
    missing = frozenset({lacks}) & _ALL
    return {
        (implementer, part): Core(name, _ALL - missing, missing) for part, name in parts.items()
    }


_CORES = {
    **_cores(
        _ARM,
        {0xD03: "Cortex-A53", 0xD07: "Cortex-A57", 0xD08: "Cortex-A72"},
        lacks=K16,
    ),
    **_cores(
        _ARM,
        {
            0xD04: "Cortex-A35",
            0xD05: "Cortex-A55",
            0xD0A: "Cortex-A75",
            0xD0B: "Cortex-A76",
            0xD0C: "Neoverse N1",
            0xD0D: "Cortex-A77",
            0xD0E: "Cortex-A76AE",
            0xD40: "Neoverse V1",
            0xD41: "Cortex-A78",
            0xD42: "Cortex-A78AE",
            0xD44: "Cortex-X1",
            0xD46: "Cortex-A510",
            0xD47: "Cortex-A710",
            0xD48: "Cortex-X2",
            0xD49: "Neoverse N2",
            0xD4B: "Cortex-A78C",
            0xD4C: "Cortex-X1C",
            0xD4D: "Cortex-A715",
            0xD4E: "Cortex-X3",
            0xD4F: "Neoverse V2",
            0xD80: "Cortex-A520",
            0xD81: "Cortex-A720",
            0xD82: "Cortex-X4",
            0xD84: "Neoverse V3",
            0xD8E: "Neoverse N3",
        },
    ),
    (0x6D, 0xD49): Core("Azure Cobalt 100", _ALL),  # a Neoverse N2
    **_cores(0x46, {0x001: "A64FX"}, lacks=K16),
    **_cores(0x48, {0xD01: "Kunpeng 920"}, lacks=K16),
    **_cores(
        _APPLE,
        {
            0x022: "Apple M1",
            0x023: "Apple M1",
            0x024: "Apple M1 Pro",
            0x025: "Apple M1 Pro",
            0x028: "Apple M1 Max",
            0x029: "Apple M1 Max",
            0x032: "Apple M2",
            0x033: "Apple M2",
            0x034: "Apple M2 Pro",
            0x035: "Apple M2 Pro",
            0x038: "Apple M2 Max",
            0x039: "Apple M2 Max",
        },
        lacks=K64,
    ),
    # Distributions shipped kernels of 4 and 64 KiB for these; 16 KiB are not told.
    (_CAVIUM, 0x0A1): Core("ThunderX", frozenset({K4, K64})),
    (_CAVIUM, 0x0AF): Core("ThunderX2", frozenset({K4, K64})),
    (0x42, 0x516): Core("Vulcan", frozenset({K4, K64})),
    (0x50, 0x000): Core("X-Gene", frozenset({K4, K64})),
}


def core_of(cpu: Cpu) -> Core | None:
    """The model of *cpu*, None where it is not known here."""
    if cpu.midr is None:
        return None
    return _CORES.get((cpu.midr >> 24 & 0xFF, cpu.midr >> 4 & 0xFFF))
