"""The nouns of bootmenu, in the order in which data flows through it.

    BlockDevice → Volume → BootEntry → BootRequest → LoadPlan → the next kernel

Everything here is frozen, does no I/O and imports nothing of ours: a newcomer reads this
folder first (arch, volume, entry, request, machine, plan) and then one room. Addresses are
physical, in bytes; sizes are bytes; times are seconds.
"""

from bootmenu.model.arch import Arch, Platform
from bootmenu.model.entry import (
    LOCAL,
    BootEntry,
    Configuration,
    Format,
    Origin,
    Problem,
    Rename,
    Resource,
    Save,
)
from bootmenu.model.machine import (
    Cpu,
    CrashFacts,
    DumpNote,
    Efi,
    EfiRegion,
    FirmwareRange,
    IoResource,
    KernelText,
    KexecLimits,
    Machine,
    Method,
    NetworkPort,
    Pc,
    Watchdog,
)
from bootmenu.model.plan import (
    ARCHIVE_ALIGNMENT,
    FileSlice,
    Finding,
    HandedFile,
    LoadPlan,
    Segment,
    Severity,
    Source,
    Stream,
    size_of,
)
from bootmenu.model.request import BootRequest, EditAction, TreeEdit
from bootmenu.model.volume import BlockDevice, Volume

__all__ = [
    "ARCHIVE_ALIGNMENT",
    "LOCAL",
    "Arch",
    "BlockDevice",
    "BootEntry",
    "BootRequest",
    "Configuration",
    "Cpu",
    "CrashFacts",
    "DumpNote",
    "EditAction",
    "Efi",
    "EfiRegion",
    "FileSlice",
    "Finding",
    "FirmwareRange",
    "Format",
    "HandedFile",
    "IoResource",
    "KernelText",
    "KexecLimits",
    "LoadPlan",
    "Machine",
    "Method",
    "NetworkPort",
    "Origin",
    "Pc",
    "Platform",
    "Problem",
    "Rename",
    "Resource",
    "Save",
    "Segment",
    "Severity",
    "Source",
    "Stream",
    "TreeEdit",
    "Volume",
    "Watchdog",
    "size_of",
]
