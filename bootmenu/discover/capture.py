"""A machine's facts as a JSON file, for a bug report or for a plan made elsewhere.

A plan made from what :func:`restore` returns has the very segments that the machine itself
would load. The seeds of its random number generators are blanked, and so are the kernel's virtual
addresses that came of them, since the file is meant to be shown around.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from typing import Any, TypeVar, get_type_hints

from bootmenu.discover.machine import parse_iomem
from bootmenu.errors import UsageError
from bootmenu.model import (
    Arch,
    Cpu,
    CrashFacts,
    DumpNote,
    Efi,
    EfiRegion,
    FirmwareRange,
    KernelText,
    KexecLimits,
    Machine,
    Method,
    NetworkPort,
    Pc,
    Platform,
    Watchdog,
)

SCHEMA = "bootmenu.machine/1"
_NOT_A_CAPTURE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
BOOT_PARAMS_SIZE = 4096
SECRETS = frozenset({"kaslr-seed", "rng-seed"})
_Noun = TypeVar("_Noun", Cpu, KexecLimits, NetworkPort, Watchdog)


def capture(machine: Machine) -> str:
    """*machine* as JSON. Raises TreeError when its device tree is damaged."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "arch": machine.arch,
            "page_size": machine.page_size,
            "release": machine.release,
            "platform": machine.platform,
            "cmdline": machine.cmdline,
            "compatible": machine.compatible,
            "memory_total": machine.memory_total,
            "memory_available": machine.memory_available,
            "consoles": machine.consoles,
            "cpus": [asdict(cpu) for cpu in machine.cpus],
            "watchdogs": [asdict(dog) for dog in machine.watchdogs],
            "ports": [asdict(port) for port in machine.ports],
            "kexec": asdict(machine.kexec),
            "iomem": [
                f"{'  ' * r.depth}{r.start:08x}-{r.end:08x} : {r.name}" for r in machine.iomem
            ],
            "fdt": _packed(machine.fdt),
            "pc": _of_pc(machine.pc),
            "crash": _of_crash(machine.crash),
            "address_bits": machine.address_bits,
        },
        indent=1,
    )


def _of_pc(pc: Pc | None) -> dict[str, Any] | None:
    if pc is None:
        return None
    stored = asdict(pc)
    stored["boot_params"] = base64.b64encode(pc.boot_params.rstrip(b"\0")).decode("ascii")
    stored["memmap"] = [f"{r.start:08x}-{r.end:08x} : {r.kind}" for r in pc.memmap]
    return stored


def _of_crash(crash: CrashFacts) -> dict[str, Any]:
    text = replace(crash.text, virtual=0) if crash.text else None
    return asdict(replace(crash, linear=0, text=text))


def _packed(fdt: bytes) -> dict[str, Any] | None:
    """Base64 without the zeros behind it: firmware leaves up to a megabyte of them."""
    if not fdt:
        return None
    from bootmenu.devicetree.flat import blank

    clean = blank(fdt, SECRETS)
    return {"size": len(clean), "base64": base64.b64encode(clean.rstrip(b"\0")).decode("ascii")}


def restore(text: str) -> Machine:
    """The machine that :func:`capture` wrote. Raises UsageError when *text* is no capture."""
    try:
        stored = json.loads(text)
        if stored["schema"] != SCHEMA:
            raise UsageError(
                f"a capture of another kind: {stored['schema']!s:.60}",
                hint=f"this version reads {SCHEMA}",
            )
        return _machine({**_lacking(), **stored})
    except _NOT_A_CAPTURE as error:
        raise UsageError(
            "not a capture of a machine", hint="make one with: bootmenu machine capture FILE"
        ) from error


def _lacking() -> dict[str, Any]:
    """What a capture of an older version lacks, as a machine has it of which nothing is known."""
    needed = ("arch", "page_size", "iomem")
    nothing = json.loads(capture(Machine(Arch.ARM64, 4096)))
    return {name: value for name, value in nothing.items() if name not in needed}


def _machine(stored: dict[str, Any]) -> Machine:
    return Machine(
        arch=Arch(stored["arch"]),
        page_size=_page_size(stored["page_size"]),
        iomem=parse_iomem("\n".join(stored["iomem"])),
        fdt=_unpacked(stored["fdt"]),
        cmdline=str(stored["cmdline"]),
        release=str(stored["release"]),
        platform=Platform(stored["platform"]),
        cpus=tuple(_facts(Cpu, cpu) for cpu in stored["cpus"]),
        compatible=tuple(map(str, stored["compatible"])),
        memory_total=int(stored["memory_total"]),
        memory_available=int(stored["memory_available"]),
        consoles=tuple(map(str, stored["consoles"])),
        kexec=_limits(stored["kexec"]),
        watchdogs=tuple(_facts(Watchdog, dog) for dog in stored["watchdogs"]),
        ports=tuple(_facts(NetworkPort, port) for port in stored["ports"]),
        pc=_pc(stored["pc"]),
        crash=_crash(stored["crash"]),
        address_bits=int(stored["address_bits"]),
    )


def _crash(stored: dict[str, Any] | None) -> CrashFacts:
    if stored is None:
        return CrashFacts()
    info, text = stored["vmcoreinfo"], stored["text"]
    return CrashFacts(
        cpus=tuple(DumpNote(**_numbers(note)) for note in stored["cpus"]),
        vmcoreinfo=None if info is None else DumpNote(**_numbers(info)),
        linear=_address(stored["linear"]),
        text=None if text is None else KernelText(**_numbers(text)),
    )


def _numbers(stored: dict[str, Any]) -> dict[str, int]:
    return {name: _address(value) for name, value in stored.items()}


def _address(value: Any) -> int:
    if not 0 <= int(value) < 1 << 64:
        raise ValueError(f"no address: {value}")
    return int(value)


def _facts(noun: type[_Noun], stored: dict[str, Any]) -> _Noun:
    """A *noun* of plain values, as asdict() gave them; what an older capture lacks is default."""
    types = get_type_hints(noun)
    for name, value in stored.items():
        if not isinstance(value, types[name]):
            raise TypeError(f"{name}: {value!r:.60}")
    return noun(**stored)


def _limits(stored: dict[str, Any]) -> KexecLimits:
    names = stored.pop("methods", KexecLimits().methods)
    return replace(_facts(KexecLimits, stored), methods=tuple(Method(name) for name in names))


def _pc(stored: dict[str, Any] | None) -> Pc | None:
    if stored is None:
        return None
    efi = stored["efi"]
    if efi is not None:
        regions = tuple(EfiRegion(**_numbers(region)) for region in efi["regions"])
        tables = {name: value for name, value in efi.items() if name != "regions"}
        efi = Efi(**_numbers(tables), regions=regions)
        if any(region.type >= 1 << 32 for region in regions):
            raise ValueError("no type of memory")
    params = base64.b64decode(stored["boot_params"], validate=True)
    if len(params) > BOOT_PARAMS_SIZE:
        raise ValueError("boot_params are too large")
    ranges = parse_iomem("\n".join(stored["memmap"]))
    if any(r.end - r.start == (1 << 64) - 1 for r in ranges):
        raise ValueError("a range whose size has no 64 bits")
    return Pc(
        boot_params=params and params.ljust(BOOT_PARAMS_SIZE, b"\0"),
        memmap=tuple(FirmwareRange(r.start, r.end, r.name) for r in ranges),
        rsdp=_address(stored["rsdp"]),
        efi=efi,
        five_level=bool(stored["five_level"]),
    )


def _page_size(value: Any) -> int:
    if value not in (4096, 16384, 65536):
        raise ValueError(f"no page size: {value}")
    return int(value)


def _unpacked(stored: dict[str, Any] | None) -> bytes:
    if stored is None:
        return b""
    from bootmenu.devicetree.flat import MAX_SIZE

    size = int(stored["size"])
    if size > MAX_SIZE:
        raise ValueError("the device tree is too large")
    return base64.b64decode(stored["base64"], validate=True).ljust(size, b"\0")
