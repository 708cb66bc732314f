"""Where a kernel, its initrd and its device tree lie on riscv64.

Rules: Documentation/arch/riscv/boot.rst and boot-image-header.rst. The kernel lies text_offset
behind a 2 MiB boundary. There is no trampoline: the running kernel looks for a device tree
among the segments, and enters the next one with its hart and that tree's address (a0, a1). It
takes the first segment that begins as a device tree does, so that ours comes first.

Kernels before 6.4 cannot use memory below themselves, which is why the lowest place is taken
although it costs time while loading (see :mod:`bootmenu.loader.arm64`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bootmenu.images.kernel import KernelImage
from bootmenu.loader import arm64
from bootmenu.loader.arm64 import Placement
from bootmenu.loader.memory import Range
from bootmenu.model import Machine


def place(
    image: KernelImage,
    initrds: Sequence[int],
    machine: Machine,
    *,
    inside: Sequence[Range] | None = None,
) -> Placement:
    """Find a place for everything; *initrds* are their sizes, in bytes and in order.

    It lies *inside* of these or else in all usable memory. Initrd and tree stay within 32 GiB of
    the kernel, as on arm64: every paging mode maps that. Raises PlacementError when there is none.
    """
    return arm64.place(
        image,
        initrds,
        machine,
        trampoline=False,
        inside=inside,
        tree_reach=arm64.INITRD_WINDOW,
    )
