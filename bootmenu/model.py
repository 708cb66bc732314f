"""The nouns of bootmenu, in the order in which data flows through it.

    BlockDevice → Volume → BootEntry → BootRequest → LoadPlan → the next kernel

Everything here is frozen, does no I/O and imports nothing of ours: a newcomer
reads this file first and then one room. Addresses are physical, in bytes;
sizes are bytes; times are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol


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


# --- what is there ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """What udev reports of one block device that carries a filesystem (or may do so)."""

    name: str  # kernel name: vda1
    node: str  # /dev/vda1
    size: int = 0
    fstype: str = ""
    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""
    disk: str = ""  # the whole disk's kernel name, "" for a disk itself
    model: str = ""  # what is printed on the disk: vendor and model
    bus: str = ""  # virtio, nvme, usb, mmc, ...
    removable: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A filesystem that can be read, under the directory *root*, and its identity."""

    name: str  # kernel name, or what --root NAME= says
    root: str  # directory under which its files are
    uuid: str = ""
    label: str = ""
    fstype: str = ""
    partuuid: str = ""
    partlabel: str = ""
    subvolume: str = ""  # path of btrfs's default subvolume, "/" for all of it, "" if not known

    @property
    def title(self) -> str:
        """What a person knows it by: the label when it has one, then the name."""
        return f"{self.label} ({self.name})" if self.label else self.name


# --- what can be started ---------------------------------------------------------------

LOCAL = "."
"""Volume name of the files of the running system itself, as in ``--kernel FILE``."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that an entry needs: a path on a volume, or a URL.

    *volume* is the name of the volume that holds it; None means that the volume is not
    here (yet), and *wants* then says which one the configuration asked for. *section* names
    a part of a unified kernel image: ``.initrd``, ``.initrd@1`` for that of its profile 1
    (the first is 0), ``.dtbauto:2`` for the third of that name; or a configuration of a FIT
    image, ``conf-1``. *parameters* are an overlay's,
    ``NAME=VALUE`` each, in their order.
    """

    path: str = ""
    volume: str | None = None
    wants: str = ""
    url: str = ""
    section: str = ""
    parameters: tuple[str, ...] = ()

    @property
    def resolved(self) -> bool:
        """Whether it is known where to read it."""
        return bool(self.url) or self.volume is not None

    def __str__(self) -> str:
        """As a person types and reads it: ``vda1:/boot/Image``, a path, or a URL.

        A section follows as ``#.initrd``, parameters as `` NAME=VALUE``.
        """
        text = self.url or self.path
        if not self.url and self.volume != LOCAL:
            text = f"{self.volume if self.volume is not None else self.wants or '?'}:{text}"
        return " ".join((f"{text}#{self.section}" if self.section else text, *self.parameters))

    @classmethod
    def parse(cls, text: str, *, volume: str = LOCAL) -> Resource:
        """Read *text* as :meth:`__str__` writes it; a bare path lies on *volume*."""
        words = text.split(" ")
        end = len(words)
        while end > 1 and _PARAMETER.fullmatch(words[end - 1]):
            end -= 1
        name, parameters = " ".join(words[:end]), tuple(words[end:])
        file, mark, section = name.rpartition("#")
        if mark and _SECTION.fullmatch(section):
            name = file
        else:
            section = ""
        if "://" in name:
            return cls(url=name, section=section, parameters=parameters)
        # The name of an ISO's volume holds a path itself: vda1:/debian.iso
        owner, colon, path = name.rpartition(":/")
        if name.startswith("/") or ":" not in name:
            owner, path = volume, name
        elif colon:
            path = f"/{path}"
        else:
            owner, _, path = name.partition(":")
        return cls(path=path, volume=owner, section=section, parameters=parameters)


_SECTION = re.compile(r"\.[a-z]+(?:@\d+)?(?::\d+)?|conf[\w.,@+-]*")
_PARAMETER = re.compile(r"[\w.-]+=\S*")


class Format(StrEnum):
    """The kind of boot configuration that an entry was read from."""

    GRUB = "grub"
    BLS = "bls"
    UKI = "uki"
    EXTLINUX = "extlinux"
    SYSLINUX = "syslinux"
    PETITBOOT = "petitboot"
    KBOOT = "kboot"
    YABOOT = "yaboot"
    UBOOT = "uboot"
    RASPBERRYPI = "raspberrypi"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one field of an entry came from: a file on the entry's volume, and its line."""

    field: str
    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Save:
    """Variables that booting an entry keeps in *file*, an environment block of GRUB.

    *values* are names and their new values, in the order in which they are set; None removes.
    """

    file: Resource
    values: tuple[tuple[str, str | None], ...]

    def __str__(self) -> str:
        changes = (f"{n} removed" if v is None else f"{n}={v}" for n, v in self.values)
        return f"{self.file}: {', '.join(changes)}"


@dataclass(frozen=True, slots=True)
class Rename:
    """The counting of a boot: *file* is called *name* from then on, in the same folder."""

    file: Resource
    name: str

    def __str__(self) -> str:
        return f"{self.file}: renamed to {self.name}"


@dataclass(frozen=True, slots=True)
class BootEntry:
    """One choice that somebody's configuration offers."""

    id: str  # the same on every boot, unique among all entries
    title: str
    device: str  # name of the volume whose configuration offers it
    format: Format
    source: str  # path of that configuration on the volume
    kernel: Resource | None = None
    initrds: tuple[Resource, ...] = ()
    dtb: Resource | None = None
    overlays: tuple[Resource, ...] = ()
    cmdline: str = ""
    menu: tuple[str, ...] = ()  # titles of the submenus around it, outermost first
    default: bool = False  # its own configuration's default
    problems: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    writes: tuple[Save | Rename, ...] = ()  # what its configuration wants written when it boots

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file that booting it reads."""
        one = tuple(r for r in (self.kernel, self.dtb) if r is not None)
        return one + self.initrds + self.overlays

    @property
    def resolved(self) -> bool:
        """Whether it names a kernel and all of its files' volumes are here."""
        return self.kernel is not None and all(r.resolved for r in self.resources)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a boot configuration that could not be used, and where it stands."""

    message: str
    device: str = ""
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.device}:{self.path}" if self.device else self.path
        if self.line:
            where = f"{where}:{self.line}"
        return f"{where}: {self.message}" if where else self.message


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one boot configuration on one volume offers, in its own order.

    *default* is an entry's id; *timeout* is in seconds: None when the configuration does
    not say, negative when it says to wait for ever.
    """

    device: str
    format: Format
    path: str
    entries: tuple[BootEntry, ...] = ()
    default: str | None = None
    timeout: float | None = None
    problems: tuple[Problem, ...] = ()


# --- what shall run --------------------------------------------------------------------


class EditAction(StrEnum):
    """What a :class:`TreeEdit` does."""

    SET = "set"  # set or add a property
    REMOVE = "remove"  # remove a property
    ADD_NODE = "add-node"
    REMOVE_NODE = "remove-node"


@dataclass(frozen=True, slots=True)
class TreeEdit:
    """One change to the device tree, applied last.

    *path* is a node's path; *value* is written as in device tree source (``"a", "b"``,
    ``<0x1 2>``, ``[de ad]``, empty for a property without a value).
    """

    action: EditAction
    path: str
    property: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class BootRequest:
    """An entry with the user's edits applied: exactly what shall run."""

    title: str
    kernel: Resource
    initrds: tuple[Resource, ...] = ()
    dtb: Resource | None = None
    overlays: tuple[Resource, ...] = ()
    cmdline: str = ""
    edits: tuple[TreeEdit, ...] = ()
    entry: str = ""  # id of the entry it was made from, "" for none
    writes: tuple[Save | Rename, ...] = ()  # the entry's, whatever else was edited

    @classmethod
    def of_entry(cls, entry: BootEntry) -> BootRequest:
        """What booting *entry* unedited runs; it must have a kernel."""
        if entry.kernel is None:
            raise ValueError(f"entry without a kernel: {entry.id}")
        return cls(
            title=entry.title,
            kernel=entry.kernel,
            initrds=entry.initrds,
            dtb=entry.dtb,
            overlays=entry.overlays,
            cmdline=entry.cmdline,
            entry=entry.id,
            writes=entry.writes,
        )

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file that it reads."""
        dtb = (self.dtb,) if self.dtb is not None else ()
        return (self.kernel, *self.initrds, *dtb, *self.overlays)


# --- the machine -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IoResource:
    """A line of /proc/iomem: *start* and *end* (inclusive), its name, its nesting from 0."""

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


# --- the load --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileSlice:
    """*size* bytes at *offset* of the host's file *path*: handed to the kernel where they lie.

    A file inside an ISO image, or a part of a unified kernel image, is a part of another file;
    *name* is what a person knows it by: ``vda1:/debian.iso:/install/vmlinuz``.
    """

    path: str
    offset: int
    size: int
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.name or self.path

    def part(self, offset: int, size: int) -> FileSlice:
        """*size* bytes at *offset* of these, which must have them."""
        return replace(self, offset=self.offset + offset, size=size)


class Stream(Protocol):
    """Bytes that come piece by piece while they are loaded, as those of a compressed kernel."""

    @property
    def size(self) -> int:
        """How many bytes are handed over: what the pieces leave of them is zeros."""

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes, from the first on, as often as it is called.

        Raises ImageError where the source turns out to be damaged, VolumeError where it
        cannot be read.
        """

    def __str__(self) -> str:
        """What a person knows the source by."""


Source = bytes | memoryview | FileSlice | Stream
"""Where a segment's bytes come from."""


def size_of(source: Source) -> int:
    """How many bytes *source* hands over."""
    return len(source) if isinstance(source, bytes | memoryview) else source.size


@dataclass(frozen=True, slots=True)
class Segment:
    """*source*, placed at the physical address *mem* and zero-filled up to *memsz* bytes."""

    name: str  # kernel, initrd, dtb, boot_params, elfcorehdr, trampoline
    source: Source
    mem: int
    memsz: int
    reason: str  # why it lies there
    digest: str = ""  # SHA-256 of what the source gave, in hexadecimal, once it was read

    @property
    def bufsz(self) -> int:
        """Bytes that are copied; the rest of *memsz* is zeros."""
        return size_of(self.source)

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.mem + self.memsz


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file that kexec_file_load reads: *sources*, one behind the other.

    Each but the first begins at a multiple of :data:`ARCHIVE_ALIGNMENT`, zeros before it. What is
    not *copied* has one source, a whole file, which the kernel reads where it lies.
    """

    name: str  # kernel, initrd
    sources: tuple[Source, ...]
    copied: bool  # joined or unpacked in memory first
    reason: str  # why it is copied, or not
    digest: str = ""  # SHA-256 of the file, in hexadecimal, once it was read

    @property
    def size(self) -> int:
        """Its bytes, as far as that is known before they are read."""
        return sum(size_of(source) for source in self.sources)


ARCHIVE_ALIGNMENT = 4
"""Where the kernel looks for an archive behind the one before, in an initrd made of several."""


class Severity(StrEnum):
    """How much a :class:`Finding` matters."""

    ERROR = "error"  # kexec would fail or the next kernel would hang
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a load that a person should know beforehand."""

    severity: Severity
    message: str
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What kexec_load is handed, and why each part lies where it does.

    With the method FILE it is what kexec_file_load is handed: *files*, and no segments or entry,
    since where they lie is the running kernel's own choice.
    """

    arch: Arch
    entry: int
    segments: tuple[Segment, ...]
    cmdline: str
    kernel: str  # what the kernel image is, in words
    tree: bytes = b""  # the device tree that is handed over, flattened
    panic: bool = False  # whether it waits, as a crash kernel, for the running one to crash
    findings: tuple[Finding, ...] = ()
    method: Method = Method.CLASSIC
    files: tuple[HandedFile, ...] = ()

    def with_findings(self, findings: tuple[Finding, ...]) -> LoadPlan:
        """The same plan with *findings* added."""
        return replace(self, findings=self.findings + findings)
