"""Loading kernels and initrds, against Debian's ``kexec -l``, in one boot; ``-s`` on a PC.

The order alternates, the page cache is emptied before each load, and the median counts.
What compares with the whole command of the peer is a request to the running daemon, until it
has loaded: that is what happens when a person presses Enter. The initrd of 1.1 GB is loaded
once in each way, since the peer takes minutes.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bootmenu.appliance.disk import write_disk
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BootmenuError
from bootmenu.model import Arch
from tests.bench.figure import Figure
from tests.bench.machines import (
    HELD,
    LARGE,
    MEMORY,
    SIZE,
    Machine,
    Vm,
    await_menu,
    disks,
    image,
    kexec_tools,
    large_initrd,
    open_shell,
    powered_on,
    run,
    say,
    zboot,
)

ROUNDS = 3
MIB = 1 << 20
MEASURE = Path(__file__).with_name("load_measure.py")
PEER = "kexec -l"
PEERS = {"kexec": PEER, "kexec-file": "kexec -s -l"}
PC = replace(LARGE, label="pc", size=96)
KERNELS = {"image": "Image", "gzip": "Image.gz", "zboot": "zboot.efi"}
"""The kernels that are loaded with a small initrd, by the names of their figures."""
WAYS = ("request", "kexec", "command")
"""The last one is measured with the Image only: it costs what starting Python does."""


@dataclass(frozen=True)
class Load:
    """What one load took: seconds, and bytes; *error* is what a refusal said."""

    seconds: float
    peak: int
    memory: int
    loaded: bool
    error: str


def figures() -> Iterator[Figure]:
    """Time and peak memory of loading."""
    with TemporaryDirectory() as folder:
        disk = Path(folder, "disk.img")
        write_disk(LARGE, _files(), disk)
        machine = Machine(
            image().kernel,
            image().initramfs,
            drives=(disk,),
            append=f"quiet {HELD}",
            memory=MEMORY,
        )
        with powered_on(machine) as (vm, _):
            _prepare(vm, LARGE.label)
            for name, kernel in KERNELS.items():
                yield from _small(vm, name, kernel)
            yield from _large(vm)
        yield from _pc(Path(folder, "pc.img"))


def _pc(disk: Path) -> Iterator[Figure]:
    """The figures of a bzImage, against both calls: Debian's other kernels have one alone."""
    arch = Arch.X86_64
    files = kexec_tools(arch)
    files["tools/measure.py"] = Node.file(MEASURE.read_bytes())
    files["bzImage"] = Node.file(disks(arch).kernel)
    files["initrd.img"] = Node.file(disks(arch).initrd("load"))
    write_disk(PC, files, disk)
    built = image(arch)
    machine = Machine(
        built.kernel, built.initramfs, arch=arch, drives=(disk,), append=f"quiet {HELD}"
    )
    with powered_on(machine) as (vm, _):
        _prepare(vm, PC.label)
        loads = _rounds(vm, ("request", *PEERS), "bzImage")
    for way, peer in PEERS.items():
        name = "load-bzimage" if way == "kexec" else "load-bzimage-file"
        yield _figure(name, "s", loads["request"], loads[way], lambda one: one.seconds, called=peer)


def _prepare(vm: Vm, label: str) -> None:
    await_menu(vm, label)
    vm.screen.wait_quiet(3)
    open_shell(vm)
    # On the machine's own root, like the programs of the image: no page cache to read them into.
    run(vm, "mkdir /disk; mount -o ro,noload /dev/vda1 /disk; cp -r /disk/tools /")


def _small(vm: Vm, name: str, kernel: str) -> Iterator[Figure]:
    """The figures of *kernel* with the sample disk's initrd."""
    ways = WAYS if name == "image" else WAYS[:2]
    loads = _rounds(vm, ways, kernel)
    for way, prefix in (("request", f"load-{name}"), ("command", "load-command")):
        if way in loads:
            yield _figure(prefix, "s", loads[way], loads["kexec"], lambda load: load.seconds)
    yield _figure(
        f"load-{name}-peak", "MiB", loads["request"], loads["kexec"], lambda load: load.peak / MIB
    )


def _rounds(vm: Vm, ways: Sequence[str], kernel: str) -> dict[str, list[Load]]:
    """Loads of *kernel* with the sample disk's initrd in each of *ways*, in turn."""
    loads: dict[str, list[Load]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        for way in ways if number % 2 == 0 else reversed(ways):
            loads[way].append(_load(vm, way, kernel, "initrd.img"))
    return loads


def _large(vm: Vm) -> Iterator[Figure]:
    """The figures of an initrd of 1.1 GB: of what the machine needs for a load, its own size."""
    ours, peer = ([_load(vm, way, "Image", "big.img")] for way in ("request", "kexec"))
    yield _figure("load-large", "s", ours, peer, lambda load: load.seconds)
    yield _figure("load-large-peak", "MiB", ours, peer, lambda load: load.peak / MIB)
    yield _figure("load-large-memory", "MiB", ours, peer, lambda load: (load.memory - SIZE) / MIB)


def _figure(
    name: str,
    unit: str,
    ours: list[Load],
    peer: list[Load],
    value: Callable[[Load], float],
    *,
    called: str = PEER,
) -> Figure:
    """The medians of both; a peer that loaded nothing has no value, and its reason beside it."""
    refused = next((load.error for load in peer if not load.loaded), "")
    if refused:
        return Figure(name, median(map(value, ours)), unit, f"{called}: {refused}")
    return Figure(name, median(map(value, ours)), unit, called, median(map(value, peer)))


def _load(vm: Vm, way: str, kernel: str, initrd: str) -> Load:
    measure = f"python3 /tools/measure.py {way}"
    said = run(vm, f"{measure} /disk/{kernel} /disk/{initrd} console=ttyAMA0")
    try:
        load = Load(**json.loads(said.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        raise BootmenuError(f"the load by {way} failed: {said}") from None
    if not load.loaded and way not in PEERS:
        raise BootmenuError(f"nothing is loaded after the load by {way}: {load.error}")
    busy = os.getloadavg()[0]
    say(
        f"{kernel} and {initrd} by {way}: {load.seconds:.2f} s, {load.peak / MIB:.1f} MiB, "
        f"machine {load.memory / MIB:.0f} MiB (load of this host {busy:.1f}) {load.error}"
    )
    return load


def _files() -> Tree:
    """The kernels and initrds, the peer, and what measures."""
    kernel = disks().kernel
    packed = subprocess.run(["zstd", "-q", "-c"], input=kernel, check=True, capture_output=True)
    files = kexec_tools()
    files["tools/measure.py"] = Node.file(MEASURE.read_bytes())
    files["Image"] = Node.file(kernel)
    files["Image.gz"] = Node.file(gzip.compress(kernel, 6, mtime=0))
    files["zboot.efi"] = Node.file(zboot("zstd", packed.stdout, len(kernel)))
    files["initrd.img"] = Node.file(disks().initrd("load"))
    files["big.img"] = Node.file(large_initrd(disks()))
    return files
