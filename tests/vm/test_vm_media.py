"""Kernels that lie in other files are started from where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm_machine import StartVm
from vm_media import media_disk
from vm_steps import HELD, await_menu, booted, choose, run

from bootmenu.appliance.samples import SampleDisks

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def media(disks: SampleDisks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk with the systems."""
    return media_disk(disks, tmp_path_factory.mktemp("media"))


SYSTEMS = {
    "extlinux": ("The board's own system", "", "console=ttyAMA0 from=extlinux", "board"),
    "unified kernel image": ("Debian, unified", "", "console=ttyAMA0 from=uki", "uki"),
    "ISO image": (
        "Live system",
        "LIVE (live.iso)",
        "console=ttyAMA0 findiso=/isos/live.iso",
        "iso",
    ),
}


@pytest.mark.parametrize("kind", SYSTEMS)
def test_system_starts_from_where_it_lies(
    kind: str, start_vm: StartVm, media: Path, disks: SampleDisks
) -> None:
    title, menu, expected, marker = SYSTEMS[kind]
    vm = start_vm(media, append=HELD)
    await_menu(vm, "The board's own system")
    print(vm.screen)
    if menu:
        choose(vm, menu)
        vm.screen.press("right")
        vm.screen.wait_for(title)
    choose(vm, title)
    print(vm.screen)
    vm.screen.press("enter")
    release, cmdline = booted(vm)
    assert release == disks.release
    assert cmdline == expected
    assert run(vm, "cat /etc/marker") == f"marker: {marker}"
