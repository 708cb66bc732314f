"""Which processor and which firmware."""

from __future__ import annotations

from enum import StrEnum


class Arch(StrEnum):
    """A processor architecture, by the name that the kernel's own tree gives it."""

    ARM64 = "arm64"
    X86_64 = "x86_64"
    RISCV64 = "riscv64"

    @classmethod
    def of_machine(cls, machine: str) -> Arch | None:
        """The architecture that ``uname -m`` calls *machine*, or None."""
        names = {"aarch64": cls.ARM64, "x86_64": cls.X86_64, "riscv64": cls.RISCV64}
        return names.get(machine)


class Platform(StrEnum):
    """The firmware, as GRUB's ``$grub_platform`` names it."""

    EFI = "efi"
    PC = "pc"
    IEEE1275 = "ieee1275"
    NONE = "none"
