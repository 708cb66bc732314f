"""The image in a virtual machine that is held until the clock starts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bootmenu.appliance import BuildResult, build
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.vm import VirtualMachine
from bootmenu.model import Arch

sys.path.append(str(Path(__file__).parents[1] / "vm"))  # what the tests' machines are made of

from vm_formats import zboot
from vm_kexec_tools import kexec_tools
from vm_large import LARGE, MEMORY, SIZE, large_initrd
from vm_machine import Vm
from vm_steps import HELD, MARK, await_menu, open_shell, run

__all__ = [
    "HELD",
    "LARGE",
    "MARK",
    "MEMORY",
    "SIZE",
    "Machine",
    "Vm",
    "await_menu",
    "disks",
    "image",
    "kexec_tools",
    "large_initrd",
    "open_shell",
    "powered_on",
    "run",
    "say",
    "zboot",
]


def say(line: str) -> None:
    """Tell a person what is being done."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


@cache
def image(arch: Arch = Arch.ARM64) -> BuildResult:
    """The appliance's image, of the code as it stands."""
    folder = default_cache()
    return build(arch, folder / "bench" / arch, cache=folder, report=say)


@cache
def disks(arch: Arch = Arch.ARM64) -> SampleDisks:
    """The sample disks."""
    return SampleDisks(default_cache(), say, arch)


@dataclass(frozen=True)
class Machine(VirtualMachine):
    """A machine that QEMU has set up, and that does not run yet."""

    def command(self) -> list[str]:
        """The command line of QEMU."""
        return [*VirtualMachine.command(self), "-S"]


@contextmanager
def powered_on(machine: Machine) -> Iterator[tuple[Vm, Callable[[], float]]]:
    """*machine* from the moment it runs, and the seconds since then."""
    with Vm(machine) as vm:
        started = time.monotonic()
        vm.qmp.execute("cont")
        yield vm, lambda: time.monotonic() - started
