"""The boards of Raspberry Pi: what the firmware's filters and file names call them.

Specification: Raspberry Pi's documentation, "config.txt", model filters, ``kernel`` and
``board-type``; the names of the trees are those of its kernel and, second, of the upstream one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Board:
    """One board; *soc* is as overlay_map.dtb has it, *uart* what ``serial0`` is.

    *radio* says that Bluetooth takes the better serial port until an overlay gives it back.
    """

    filters: tuple[str, ...]
    type: int
    soc: str
    trees: tuple[str, ...]
    kernels: tuple[str, ...]  # 64-bit ones
    uart: str = "ttyAMA0"
    radio: bool = False
    arm_64bit: bool = False  # without a setting

    @property
    def kernel_32bit(self) -> str:
        """The kernel that is started with ``arm_64bit=0``."""
        if self.soc == "bcm2711":
            return "kernel7l.img"
        return "kernel7.img" if self.kernels else "kernel.img"


_V8 = ("kernel8.img",)
_V8_2712 = ("kernel_2712.img", "kernel8.img")


def _pi1(type_: int, *trees: str, filters: tuple[str, ...] = ("pi1",)) -> Board:
    return Board(filters, type_, "bcm2835", trees, ())


def _pi3(type_: int, *trees: str, filters: tuple[str, ...] = ("pi3",), radio: bool = True) -> Board:
    return Board(filters, type_, "bcm2835", trees, _V8, radio=radio)


def _pi4(type_: int, *trees: str, filters: tuple[str, ...] = ("pi4",)) -> Board:
    return Board(filters, type_, "bcm2711", trees, _V8, radio=True, arm_64bit=True)


def _pi5(type_: int, *trees: str, filters: tuple[str, ...] = ("pi5",)) -> Board:
    return Board(filters, type_, "bcm2712", trees, _V8_2712, uart="ttyAMA10", arm_64bit=True)


_ZERO_2 = ("bcm2710-rpi-zero-2-w", "bcm2710-rpi-zero-2", "bcm2837-rpi-zero-2-w")
_ZERO_W = ("bcm2708-rpi-zero-w", "bcm2835-rpi-zero-w")

BOARDS = {
    "model-a": _pi1(0x00, "bcm2708-rpi-b", "bcm2835-rpi-a"),
    "model-b": _pi1(0x01, "bcm2708-rpi-b", "bcm2835-rpi-b"),
    "model-b-rev2": _pi1(0x01, "bcm2708-rpi-b", "bcm2835-rpi-b-rev2"),
    "model-a-plus": _pi1(0x02, "bcm2708-rpi-b-plus", "bcm2835-rpi-a-plus"),
    "model-b-plus": _pi1(0x03, "bcm2708-rpi-b-plus", "bcm2835-rpi-b-plus"),
    "compute-module": _pi1(0x06, "bcm2708-rpi-cm", "bcm2835-rpi-cm1-io1", filters=("pi1", "cm1")),
    "model-zero": _pi1(0x09, "bcm2708-rpi-zero", "bcm2835-rpi-zero", filters=("pi0",)),
    "model-zero-w": Board(("pi0", "pi0w"), 0x0C, "bcm2835", _ZERO_W, (), radio=True),
    "model-zero-2-w": _pi3(0x12, *_ZERO_2, filters=("pi0", "pi0w", "pi02")),
    "2-model-b": Board(("pi2",), 0x04, "bcm2835", ("bcm2709-rpi-2-b", "bcm2836-rpi-2-b"), _V8),
    "2-model-b-rev2": _pi3(0x04, "bcm2710-rpi-2-b", filters=("pi2",), radio=False),
    "3-model-b": _pi3(0x08, "bcm2710-rpi-3-b", "bcm2837-rpi-3-b"),
    "3-model-b-plus": _pi3(
        0x0D, "bcm2710-rpi-3-b-plus", "bcm2837-rpi-3-b-plus", filters=("pi3", "pi3+")
    ),
    "3-model-a-plus": _pi3(
        0x0E, "bcm2710-rpi-3-b-plus", "bcm2837-rpi-3-a-plus", filters=("pi3", "pi3+")
    ),
    "3-compute-module": _pi3(
        0x0A, "bcm2710-rpi-cm3", "bcm2837-rpi-cm3-io3", filters=("pi3", "cm3"), radio=False
    ),
    "3-compute-module-plus": _pi3(
        0x10, "bcm2710-rpi-cm3", "bcm2837-rpi-cm3-io3", filters=("pi3", "cm3", "cm3+"), radio=False
    ),
    "4-model-b": _pi4(0x11, "bcm2711-rpi-4-b"),
    "400": _pi4(0x13, "bcm2711-rpi-400", filters=("pi4", "pi400")),
    "4-compute-module": _pi4(0x14, "bcm2711-rpi-cm4", "bcm2711-rpi-cm4-io", filters=("pi4", "cm4")),
    "4-compute-module-s": _pi4(0x15, "bcm2711-rpi-cm4s", filters=("pi4", "cm4s")),
    "5-model-b": _pi5(0x17, "bcm2712-rpi-5-b"),
    "5-compute-module": _pi5(0x18, "bcm2712-rpi-cm5-cm5io", filters=("pi5", "cm5")),
    "500": _pi5(0x19, "bcm2712-rpi-500", filters=("pi5", "pi500")),
    "5-compute-module-lite": _pi5(0x1A, "bcm2712-rpi-cm5l-cm5io", filters=("pi5", "cm5")),
}
"""By the name in the root's ``compatible``, behind ``raspberrypi,``."""


def board_for(compatible: Sequence[str]) -> Board | None:
    """The board that a device tree is *compatible* with, None for one of another maker."""
    for name in compatible:
        vendor, _, model = name.partition(",")
        if vendor == "raspberrypi" and model in BOARDS:
            return BOARDS[model]
    return None
