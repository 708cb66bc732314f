"""The facts of the machine that we run on, as its kernel tells them.

What cannot be read is left empty, and what needs it says so: a menu without root still lists
entries. Sources: Documentation/ABI/testing (sysfs-firmware-ofw, sysfs-kernel-kexec,
sysfs-devices-system-cpu) and Documentation/admin-guide/sysctl/kernel.rst.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from bootmenu.discover.peripherals import ports, watchdogs
from bootmenu.model import (
    Arch,
    Cpu,
    CrashFacts,
    IoResource,
    KexecLimits,
    Machine,
    Pc,
    Platform,
)

_IOMEM = re.compile(r"( *)([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.*)")
_CAP_SYS_BOOT = 22
_FADT_ARM_FLAGS = 129
_FADT_PSCI = 1 << 0
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel


def read_machine(root: str = "/") -> Machine:
    """The machine whose /proc and /sys lie under *root*.

    Raises BootmenuError when the architecture is one that bootmenu does not know.
    """
    return _Reader(Path(root)).machine()


class _Reader:
    """Reads small kernel files; a missing or forbidden one is empty."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, path: str) -> str:
        return self.data(path).decode("utf-8", "surrogateescape").strip("\n\0")

    def data(self, path: str) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except OSError:
            return b""

    def number(self, path: str) -> int | None:
        try:
            return int(self.text(path), 0)
        except ValueError:
            return None

    def machine(self) -> Machine:
        arch = Arch.of_machine(os.uname().machine)
        if arch is None:
            from bootmenu.errors import BootmenuError

            raise BootmenuError(
                f"bootmenu does not know the architecture {os.uname().machine}",
                hint=f"it runs on {', '.join(Arch)}",
            )
        memory = self.memory()
        tree = self.tree()
        compatible = self.text("proc/device-tree/compatible")
        pc = self.pc() if arch is Arch.X86_64 else None
        iomem = self.iomem(pc)
        return Machine(
            arch=arch,
            page_size=os.sysconf("SC_PAGE_SIZE"),
            iomem=iomem,
            fdt=tree,
            cmdline=self.text("proc/cmdline"),
            release=os.uname().release,
            platform=self.platform(arch),
            cpus=self.cpus(arch),
            compatible=tuple(compatible.split("\0")) if compatible else (),
            memory_total=memory.get("MemTotal", 0),
            memory_available=memory.get("MemAvailable", 0),
            consoles=tuple(self.text("sys/class/tty/console/active").split()),
            kexec=self.limits(),
            watchdogs=watchdogs(self.root),
            ports=ports(self.root),
            pc=pc,
            crash=self.crash(iomem),
            address_bits=self.address_bits(arch),
        )

    def iomem(self, pc: Pc | None) -> tuple[IoResource, ...]:
        found = parse_iomem(self.text("proc/iomem"))
        if pc is None or pc.efi is None:
            return found
        from bootmenu.discover.efi_tables import with_tables

        return with_tables(found, self.root / "dev/kmsg")

    def crash(self, iomem: tuple[IoResource, ...]) -> CrashFacts:
        """Nothing where no memory is set aside for a crash kernel."""
        if not any(resource.name == "Crash kernel" for resource in iomem):
            return CrashFacts()
        from bootmenu.discover.crash import read_crash

        return read_crash(self.root, iomem)

    def address_bits(self, arch: Arch) -> int:
        if arch is not Arch.ARM64:
            return 0
        from bootmenu.discover.addresses import address_bits

        return address_bits()

    def pc(self) -> Pc:
        from bootmenu.discover.pc import read_pc

        return read_pc(self.root)

    def tree(self) -> bytes:
        """The running device tree, flattened: as firmware gave it, or as the kernel has it."""
        flat = self.data("sys/firmware/fdt")
        unpacked = self.root / "proc/device-tree"
        if flat or not unpacked.is_dir():
            return flat
        from bootmenu.discover.unflattened import flatten

        return flatten(unpacked.resolve())

    def platform(self, arch: Arch) -> Platform:
        if (self.root / "sys/firmware/efi").is_dir():
            return Platform.EFI
        return Platform.PC if arch is Arch.X86_64 else Platform.NONE

    def memory(self) -> dict[str, int]:
        """/proc/meminfo in bytes."""
        found = {}
        for line in self.text("proc/meminfo").splitlines():
            name, _, rest = line.partition(":")
            number = rest.split()[0] if rest.split() else ""
            if number.isdigit():
                found[name] = int(number) * 1024
        return found

    def cpus(self, arch: Arch) -> tuple[Cpu, ...]:
        """All possible processors: those that the running kernel may have started."""
        folder = "sys/devices/system/cpu"
        told = self.acpi_method() if arch is Arch.ARM64 else ""
        found = []
        for number in _numbers(self.text(f"{folder}/possible")):
            cpu = f"{folder}/cpu{number}"
            midr = self.number(f"{cpu}/regs/identification/midr_el1")
            method = self.text(f"{cpu}/of_node/enable-method") or told
            # The kernel offers to switch off those that it can.
            there = (self.root / cpu).is_dir()
            stoppable = (self.root / cpu / "online").exists() if there else None
            found.append(Cpu(number, midr, method, stoppable))
        return tuple(found)

    def limit(self, kind: str) -> int | None:
        """How many loads of *kind* are permitted still, None for any number."""
        limit = self.number(f"proc/sys/kernel/kexec_load_limit_{kind}")
        return None if limit is None or limit < 0 else limit

    def acpi_method(self) -> str:
        """How ACPI starts processors on arm64: its table FADT says it for all of them.

        Specification: ACPI 6.5, 5.2.9 and 5.2.9.4, "ARM architecture boot flags".
        """
        fadt = self.data("sys/firmware/acpi/tables/FACP")
        if len(fadt) < _FADT_ARM_FLAGS + 2:
            return ""
        compliant = fadt[_FADT_ARM_FLAGS] & _FADT_PSCI
        return "psci" if compliant else "parking-protocol"

    def limits(self) -> KexecLimits:
        """What kernel and policy allow."""
        supported = any(
            (self.root / path).exists()
            for path in ("sys/kernel/kexec_loaded", "sys/kernel/kexec/loaded")
        )
        lockdown = re.search(r"\[(\w+)\]", self.text("sys/kernel/security/lockdown"))
        capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)", self.text("proc/self/status"), re.M)
        mask = int(capabilities[1], 16) if capabilities else 0
        try:
            namespace = str((self.root / "proc/self/ns/pid").readlink())
        except OSError:
            namespace = _INITIAL_PID_NAMESPACE
        return KexecLimits(
            supported=supported,
            load_disabled=self.number("proc/sys/kernel/kexec_load_disabled") == 1,
            load_limit=self.limit("reboot"),
            load_limit_panic=self.limit("panic"),
            lockdown=lockdown[1] if lockdown else "none",
            privileged=bool(mask >> _CAP_SYS_BOOT & 1),
            initial_pid_namespace=namespace == _INITIAL_PID_NAMESPACE,
            protected_kvm=self.protected_kvm(),
        )

    def protected_kvm(self) -> bool:
        """Whether it was asked for and runs: below another hypervisor it does not."""
        asked = "kvm-arm.mode=protected" in self.text("proc/cmdline").split()
        return asked and (self.root / "sys/class/misc/kvm").exists()


def parse_iomem(text: str) -> tuple[IoResource, ...]:
    """The resources in the text of /proc/iomem, in its order; odd lines are passed over."""
    found = []
    for line in text.splitlines():
        match = _IOMEM.fullmatch(line)
        if match:
            first, last = int(match[2], 16), int(match[3], 16)
            if first <= last:
                found.append(IoResource(first, last, match[4], len(match[1]) // 2))
    return tuple(found)


def _numbers(text: str) -> list[int]:
    """``0-3,5`` as [0, 1, 2, 3, 5]; at most as many as Linux knows processors."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            numbers += range(int(first), min(int(last or first), 8191) + 1)
    return numbers
