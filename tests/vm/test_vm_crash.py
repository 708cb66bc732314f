"""A kernel crashes: the crash kernel comes up in its own memory and shows that of the first."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from vm_kexec_tools import KEXEC, kexec_tools
from vm_machine import StartVm, Vm
from vm_steps import HELD, await_menu, booted, enter, open_shell, run

from bootmenu.appliance.disk import Disk, Filesystem, write_disk
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.tree import Node
from bootmenu.discover.capture import restore
from bootmenu.files import whole
from bootmenu.loader.plan import prepare
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

TOOLS = Disk(
    Filesystem.EXT4,
    label="tools",
    uuid="70015000-7a52-4d0e-9d6b-2f6f0d3c8a77",
    partuuid="5d8e3e52-6f0b-4d7a-8a43-1c7be0a3c077",
    size=32,
)
SET_ASIDE = 192 << 20
LOW = 1 << 20
"""Of x86: kexec-tools has what lies below copied first, which Linux 5.5 and later need not."""
PATTERN = b"remember the crashed kernel's memory"
SCRIPTS = {name: Path(__file__).with_name(f"vm_crash_{name}.py") for name in ("headers", "now")}
ROW = re.compile(
    r"p_type = (\w+), p_offset = (\w+) p_paddr = (\w+) p_vaddr = (\w+) "
    r"p_filesz = (\w+) p_memsz = (\w+)"
)
"""A program header as kexec -d shows it."""


@pytest.mark.parametrize("arch", [Arch.ARM64, Arch.X86_64])
def test_crash_kernel_shows_the_memory_of_the_one_that_crashed(
    arch: Arch, start_vm: StartVm, tmp_path: Path
) -> None:
    disks = SampleDisks(default_cache(), print, arch)
    tools = kexec_tools(arch)
    tools |= {f"tools/{n}.py": Node.file(path.read_bytes()) for n, path in SCRIPTS.items()}
    write_disk(TOOLS, tools, tmp_path / "tools.img")
    cmdline = f"console={disks.console} nr_cpus=1 reset_devices irqpoll"
    vm = start_vm(
        disks.debian,
        tmp_path / "tools.img",
        arch=arch,
        append=f"{HELD} crashkernel={SET_ASIDE >> 20}M",
    )
    await_menu(vm, "Debian GNU/Linux")
    open_shell(vm)
    run(vm, "mkdir /disk /mnt; mount -o ro,noload /dev/vda1 /disk; mount -o ro /dev/vdb1 /mnt")
    run(vm, "cp -r /mnt/tools /")
    kernel, initrd = (f"/disk/boot/{n}-{disks.release}" for n in ("vmlinuz", "initrd.img"))
    peer = f"{KEXEC} -c -d -p {kernel} --initrd={initrd} --append='{cmdline}'"
    theirs = headers(run(vm, f"{peer} 2>&1"))
    ours = json.loads(run(vm, "python3 /tools/headers.py"))
    assert ours == theirs

    load = f"bootmenu load --panic --json --kernel {kernel} --initrd {initrd}"
    run(vm, f"{load} --append '{cmdline}'")
    assert run(vm, "cat /sys/kernel/kexec_loaded /sys/kernel/kexec_crash_loaded") == "0\n1"
    assert run(vm, "bootmenu unload; cat /sys/kernel/kexec_crash_loaded") == "1"
    assert run(vm, "bootmenu unload --panic; cat /sys/kernel/kexec_crash_loaded") == "0"
    plan = json.loads(run(vm, f"{load} --append '{cmdline}' 2>/dev/null"))

    run(vm, "bootmenu machine capture /tmp/machine")
    captured = base64.b64decode(run(vm, "base64 /tmp/machine"))
    assert elsewhere(disks, cmdline, captured.decode(), tmp_path) == [
        tuple(part[key] for key in ("name", "mem", "memsz", "bufsz")) for part in plan["segments"]
    ]

    enter(vm, "python3 /tools/now.py")
    address = int(vm.screen.expect(r"the page lies at (0x\w+)\. Enter")[1], 16)
    vm.screen.press("enter")
    assert booted(vm) == (disks.release, plan["cmdline"])
    assert plan["cmdline"].endswith(cmdline)
    memory = int(run(vm, "grep MemTotal /proc/meminfo").split()[1]) << 10
    assert SET_ASIDE // 2 < memory < SET_ASIDE

    core = ELFFile(io.BytesIO(dumped(vm, 0, 4)))
    assert core.header["e_type"] == "ET_CORE"
    notes, *parts = (segment.header for segment in core.iter_segments())
    found = [[p.p_paddr, p.p_vaddr, p.p_memsz] for p in parts]
    assert found == [[row[4], row[3], row[6]] for row in ours if row[0] == 1]
    note = dumped(vm, notes.p_offset // 4096, 2)
    assert f"OSRELEASE={disks.release}\n".encode() in note
    (offset,) = (
        part.p_offset + address - part.p_paddr
        for part in parts[1:]  # behind the kernel's own, which the next one has once more
        if part.p_paddr <= address < part.p_paddr + part.p_memsz
    )
    page = dumped(vm, offset // 4096, 1)
    assert page == PATTERN.ljust(2048, b".") * 2


def elsewhere(
    disks: SampleDisks, cmdline: str, captured: str, folder: Path
) -> list[tuple[str, int, int, int]]:
    """The segments of the same load, planned on another machine."""
    (folder / "kernel").write_bytes(disks.kernel)
    (folder / "initrd").write_bytes(disks.initrd("debian"))
    plan = prepare(
        kernel=whole(str(folder / "kernel")),
        initrds=[whole(str(folder / "initrd"))],
        cmdline=cmdline,
        machine=restore(captured),
        panic=True,
    )
    return [(part.name, part.mem, part.memsz, part.bufsz) for part in plan.segments]


def headers(said: str) -> list[list[int]]:
    """The program headers in what kexec *said*, as struct has them."""
    rows = []
    for match in ROW.finditer(said):
        kind, offset, physical, virtual, size, memory = (int(text, 0) for text in match.groups())
        flags = 7 if kind == 1 else 0
        if physical >= LOW:
            rows.append([kind, flags, offset, virtual, physical, size, memory, 0])
    assert rows, said
    return rows


def dumped(vm: Vm, page: int, count: int) -> bytes:
    """*count* pages of /proc/vmcore."""
    read = f"dd if=/proc/vmcore bs=4096 skip={page} count={count} 2>/dev/null | base64"
    return base64.b64decode(run(vm, read))
