"""The facts of the machine that we run on. Addresses are physical."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bootmenu.model.arch import Arch, Platform


@dataclass(frozen=True, slots=True)
class IoResource:
    """A line of /proc/iomem, or what that should tell: *start* and *end* (inclusive), its name,
    its nesting from 0.
    """

    start: int
    end: int
    name: str
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Cpu:
    """What decides whether a processor can be parked, and what it can run."""

    number: int
    midr: int | None = None  # MIDR_EL1, names the core model (arm64)
    enable_method: str = ""  # psci, spin-table, parking-protocol
    stoppable: bool | None = None  # whether it can be switched off; None where that is not told


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A timer that resets the machine unless it is fed in time."""

    name: str  # watchdog0
    identity: str = ""  # what its driver calls it
    running: bool = False
    nowayout: bool = False  # once it runs it cannot be stopped
    timeout: int = 0  # seconds


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """A network interface that is up: packets that arrive are written into memory."""

    name: str  # eth0
    driver: str
    bus: str  # platform, pci, usb, ...


class Method(StrEnum):
    """The system call that loads a kernel."""

    AUTO = "auto"  # the classic one, and the other where that is refused
    CLASSIC = "classic"  # kexec_load: segments, each of which we place
    FILE = "file"  # kexec_file_load: files, which the running kernel places


@dataclass(frozen=True, slots=True)
class KexecLimits:
    """What the running kernel and its policy allow."""

    supported: bool = True  # CONFIG_KEXEC: /sys/kernel/kexec_loaded is there
    load_disabled: bool = False  # kernel.kexec_load_disabled
    load_limit: int | None = None  # kernel.kexec_load_limit_reboot, None for no limit
    load_limit_panic: int | None = None  # kernel.kexec_load_limit_panic, the same for crash kernels
    lockdown: str = "none"  # none, integrity, confidentiality
    privileged: bool = True  # CAP_SYS_BOOT
    initial_pid_namespace: bool = True
    protected_kvm: bool = False  # arm64: the hypervisor does not let go of the machine
    methods: tuple[Method, ...] = (Method.CLASSIC,)  # the calls that the kernel was built with


@dataclass(frozen=True, slots=True)
class FirmwareRange:
    """A part of the firmware's memory map: *start* to *end* (inclusive), and what it holds.

    *kind* is in the kernel's words, as in /sys/firmware/memmap: ``System RAM``, ``Reserved``.
    """

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class EfiRegion:
    """Memory that belongs to UEFI's runtime services, as an EFI memory descriptor has it."""

    type: int
    physical: int
    virtual: int  # where the running kernel had the firmware move it, for good
    pages: int  # of 4 KiB
    attribute: int


@dataclass(frozen=True, slots=True)
class Efi:
    """Where UEFI's tables lie, which only the first kernel could ask the firmware for."""

    fw_vendor: int
    runtime: int
    config_table: int
    smbios: int
    regions: tuple[EfiRegion, ...] = ()


@dataclass(frozen=True, slots=True)
class Pc:
    """What an x86 machine's boot loader told the running kernel, for the next one."""

    boot_params: bytes = b""  # the zero page, 4 KiB
    memmap: tuple[FirmwareRange, ...] = ()
    rsdp: int = 0  # address of ACPI's root pointer, 0 if it is to be searched
    efi: Efi | None = None  # None without UEFI, or without its runtime services
    five_level: bool = False  # whether page tables have five levels


@dataclass(frozen=True, slots=True)
class DumpNote:
    """*size* bytes at the physical *address*: where the kernel writes a note when it crashes."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class KernelText:
    """The running kernel's own *size* bytes: from *start* on, which it calls *virtual*."""

    start: int
    size: int
    virtual: int  # 0 where it was blanked


@dataclass(frozen=True, slots=True)
class CrashFacts:
    """What a crash kernel is told of the running one, so that its memory can be dumped."""

    cpus: tuple[DumpNote, ...] = ()  # the registers of each possible processor
    vmcoreinfo: DumpNote | None = None  # what tools must know of this very kernel
    linear: int = 0  # added to a physical address it gives the virtual one, 0 if not known
    text: KernelText | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts of the machine that we run on; a plan depends on nothing else."""

    arch: Arch
    page_size: int
    iomem: tuple[IoResource, ...] = ()
    fdt: bytes = b""  # the running device tree, flattened; empty where there is none
    cmdline: str = ""
    release: str = ""
    platform: Platform = Platform.NONE
    cpus: tuple[Cpu, ...] = ()
    compatible: tuple[str, ...] = ()
    memory_total: int = 0
    memory_available: int = 0
    consoles: tuple[str, ...] = ()
    kexec: KexecLimits = field(default_factory=KexecLimits)
    watchdogs: tuple[Watchdog, ...] = ()
    ports: tuple[NetworkPort, ...] = ()
    pc: Pc | None = None  # on x86 only
    crash: CrashFacts = field(default_factory=CrashFacts)
    address_bits: int = 0  # of the longest virtual address on arm64, 0 where it is not known
