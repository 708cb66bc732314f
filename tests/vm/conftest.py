"""Images and sample disks, built once, and machines that end with their test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from vm_machine import StartVm, Vm

from bootmenu.appliance import BuildResult, build
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.samples import SampleDisks
from bootmenu.appliance.vm import QUIET, VirtualMachine
from bootmenu.model import Arch


@cache
def image(arch: Arch) -> BuildResult:
    """The appliance's image, of the code as it stands."""
    folder = default_cache()
    return build(arch, folder / "tests" / arch, cache=folder, report=print)


@pytest.fixture(scope="session")
def disks() -> SampleDisks:
    """The sample disks of arm64."""
    return SampleDisks(default_cache(), print)


@pytest.fixture
def start_vm() -> Iterator[StartVm]:
    """Start the image with drives and any field of VirtualMachine: start_vm(disk, memory=384)."""
    with ExitStack() as machines:

        def start(
            *drives: Path,
            append: str = "",
            arch: Arch = Arch.ARM64,
            kind: type[VirtualMachine] = VirtualMachine,
            **options: Any,
        ) -> Vm:
            built = image(arch)
            machine = kind(
                built.kernel,
                built.initramfs,
                arch,
                drives=drives,
                append=f"{QUIET} {append}".strip(),
                **options,
            )
            return machines.enter_context(Vm(machine))

        yield start
