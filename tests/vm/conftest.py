"""Images and sample disks, built once, and machines that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

BuildImage = Callable[[Arch], BuildResult]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> BuildImage:
    """Builds the appliance's image, of the code as it stands, in a folder of this run alone."""

    @cache
    def built(arch: Arch) -> BuildResult:
        folder = tmp_path_factory.mktemp(f"image-{arch}")
        return build(arch, folder, cache=default_cache(), report=print)

    return built


@pytest.fixture(scope="session")
def disks() -> SampleDisks:
    """The sample disks of arm64."""
    return SampleDisks(default_cache(), print)


@pytest.fixture
def start_vm(image: BuildImage) -> Iterator[StartVm]:
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
