"""Which page sizes the processor cores implement, by the number that they name themselves.

MIDR_EL1 tells implementer and part; what a part implements is in ID_AA64MMFR0_EL1, whose
page size fields Linux hides from user space. So the values are written down here, from the
cores' technical reference manuals. A kernel built for another page size hangs without a word.
"""

from __future__ import annotations

from typing import NamedTuple

from bootmenu.model import Cpu

K4, K16, K64 = 4 << 10, 16 << 10, 64 << 10
_WITHOUT_16K = frozenset({K4, K64})
_ALL = frozenset({K4, K16, K64})
_ARM = 0x41


class Core(NamedTuple):
    """A core model's name and the page sizes (bytes) that it implements."""

    name: str
    page_sizes: frozenset[int]


_CORES = {
    (_ARM, 0xD03): Core("Cortex-A53", _WITHOUT_16K),
    (_ARM, 0xD04): Core("Cortex-A35", _ALL),
    (_ARM, 0xD05): Core("Cortex-A55", _ALL),
    (_ARM, 0xD07): Core("Cortex-A57", _WITHOUT_16K),
    (_ARM, 0xD08): Core("Cortex-A72", _WITHOUT_16K),
    (_ARM, 0xD0B): Core("Cortex-A76", _ALL),
    (_ARM, 0xD0C): Core("Neoverse N1", _ALL),
    (_ARM, 0xD40): Core("Neoverse V1", _ALL),
    (_ARM, 0xD49): Core("Neoverse N2", _ALL),
    (0x46, 0x001): Core("A64FX", _WITHOUT_16K),
}


def core_of(cpu: Cpu) -> Core | None:
    """The model of *cpu*, None where it is not known here."""
    if cpu.midr is None:
        return None
    return _CORES.get((cpu.midr >> 24 & 0xFF, cpu.midr >> 4 & 0xFFF))
