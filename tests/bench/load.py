"""Loading the sample disk's kernel and initrd, against Debian's ``kexec -l``, in one boot.

The order alternates, the page cache is emptied before each load, and the median counts.
What compares with the whole command of the peer is a request to the running daemon, until it
has loaded: that is what happens when a person presses Enter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bootmenu.appliance.debian import NAMES, TRIPLETS, fetch
from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.root import add_libraries
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BootmenuError
from bootmenu.model import Arch
from tests.bench.figure import Figure
from tests.bench.machines import (
    HELD,
    Machine,
    Vm,
    await_menu,
    disks,
    image,
    open_shell,
    powered_on,
    run,
    say,
)

ROUNDS = 3
MIB = 1 << 20
TOOLS = Disk(
    Filesystem.EXT4,
    label="tools",
    uuid="70015000-7a52-4d0e-9d6b-2f6f0d3c8a55",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c005",
    size=32,
)
"""The disk that brings kexec-tools and what measures."""
MEASURE = Path(__file__).with_name("load_measure.py")
WAYS = ("request", "command", "kexec")


def figures() -> Iterator[Figure]:
    """Time and peak memory of loading."""
    with TemporaryDirectory() as folder:
        tools = Path(folder, "tools.img")
        write_disk(TOOLS, _tools(), tools)
        machine = Machine(
            image().kernel,
            image().initramfs,
            drives=(disks().debian, tools),
            append=f"quiet {HELD}",
        )
        with powered_on(machine) as (vm, _):
            runs = _measure(vm)
    peer = "kexec -l"
    seconds = {way: median(found["seconds"] for found in runs[way]) for way in WAYS}
    peak = {way: median(found["peak"] for found in runs[way]) / MIB for way in WAYS}
    yield Figure("load-request", seconds["request"], "s", peer, seconds["kexec"])
    yield Figure("load-command", seconds["command"], "s", peer, seconds["kexec"])
    yield Figure("load-peak", peak["request"], "MiB", peer, peak["kexec"])


def _measure(vm: Vm) -> dict[str, list[dict[str, float]]]:
    """Load in each way, in an order that alternates."""
    await_menu(vm, "Debian GNU/Linux")
    vm.screen.wait_quiet(3)
    open_shell(vm)
    # On the machine's own root, like the programs of the image: no page cache to read them into.
    run(vm, "mkdir /disk /mnt; mount -o ro,noload /dev/vda1 /disk; mount -o ro /dev/vdb1 /mnt")
    run(vm, "cp -r /mnt/tools /; umount /mnt")
    release = disks().release
    files = f"/disk/boot/vmlinuz-{release} /disk/boot/initrd.img-{release}"
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS if number % 2 == 0 else reversed(WAYS):
            said = run(vm, f"python3 /tools/measure.py {way} {files} console=ttyAMA0")
            try:
                found = json.loads(said.splitlines()[-1])
            except (ValueError, IndexError):
                raise BootmenuError(f"the load by {way} failed: {said}") from None
            if not found["loaded"]:
                raise BootmenuError(f"nothing is loaded after the load by {way}")
            runs[way].append(found)
            peak = found["peak"] / MIB
            say(f"load {number + 1}, {way}: {found['seconds']:.2f} s, {peak:.1f} MiB")
    return runs


def _tools() -> Tree:
    """kexec with its libraries, flat in one folder, and what measures."""
    arch = Arch.ARM64
    packages = fetch(NAMES[arch], ["kexec-tools"], default_cache(), say)
    files = Tree.of_tar(packages.archive)
    found = Tree({"kexec": files["usr/sbin/kexec"]})
    add_libraries(found, files, triplet=TRIPLETS[arch])
    tree = Tree(
        {
            "tools/kexec": found.pop("kexec"),
            "tools/measure.py": Node.file(MEASURE.read_bytes()),
        }
    )
    for path in found:
        library = found[found.resolve(path)[-1]]
        tree[f"tools/lib/{path.rpartition('/')[2]}"] = library
    return tree
