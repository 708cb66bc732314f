"""Entries on the wire: what comes back unedited is what the configuration says, exactly."""

from dataclasses import replace

import pytest

from bootmenu.daemon.convert import boot_request, wire_entry, wire_request
from bootmenu.model import BootEntry, BootRequest, Format, Rename, Resource, Save

KERNEL = Resource("/boot/Image", "vda1")


def an_entry(device: str = "vda1", **fields: object) -> BootEntry:
    every = {"kernel": KERNEL, **fields}
    return BootEntry("id", "Title", device, Format.GRUB, "/boot/grub/grub.cfg", **every)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(
            kernel=Resource("/EFI/Linux/a.efi", "vda1", section=".linux"),
            initrds=(Resource("/EFI/Linux/a.efi", "vda1", section=".initrd@1"),),
            dtb=Resource("/EFI/Linux/a.efi", "vda1", section=".dtbauto:2"),
        ),
        an_entry(
            "vda1:/isos/x.iso",
            kernel=Resource("/live/vmlinuz", "vda1:/isos/x.iso"),
            initrds=(Resource("/live/initrd", "vda1:/isos/x.iso"), KERNEL),
        ),
        an_entry(
            dtb=Resource("/x.dtb", "vda1", parameters=("spi=on",)),
            overlays=(
                Resource("/overlays/x.dtbo", "vda1", parameters=("a=b", "c=")),
                Resource("/overlays/x.dtbo", "vda1"),
                Resource("/overlays/odd name #.dtbo", "vda1", parameters=("text=two words",)),
            ),
        ),
        an_entry(
            kernel=Resource("/vmlinuz", wants="UUID=1234"),
            initrds=(Resource("/i", wants=""), Resource(url="tftp://host/i")),
        ),
        an_entry(initrds=(Resource("/a\udcff", "vda1"), Resource("/a\udcfe", "vda1"))),
    ],
    ids=["parts of a UKI", "files in an ISO", "overlays", "not here", "bytes that are no text"],
)
def test_what_is_opened_and_not_edited_starts_exactly_what_the_configuration_says(
    entry: BootEntry,
) -> None:
    request = wire_request(wire_entry(entry, default=False))
    assert boot_request(request, entry) == BootRequest.of_entry(entry)
    request.cmdline = "edited"
    assert boot_request(request, entry) == replace(BootRequest.of_entry(entry), cmdline="edited")


def test_parts_and_parameters_that_are_typed_are_understood() -> None:
    entry = an_entry("vda1:/isos/x.iso")
    request = wire_request(wire_entry(entry, default=False))
    request.kernel = "vdb1:/EFI/Linux/a.efi#.linux"
    request.initrds = ["/live/initrd", "vda1:/isos/y.iso:/live/initrd"]
    request.overlays = ["vda1:/overlays/x.dtbo a=b c=d"]
    asked = boot_request(request, entry)
    assert asked.kernel == Resource("/EFI/Linux/a.efi", "vdb1", section=".linux")
    assert [file.volume for file in asked.initrds] == ["vda1:/isos/x.iso", "vda1:/isos/y.iso"]
    assert asked.overlays[0].parameters == ("a=b", "c=d")


def test_what_starting_changes_on_a_disk_is_on_the_wire() -> None:
    block, conf = Resource("/boot/grub/grubenv", "vda1"), Resource("/a+3.conf", "vda1")
    entry = an_entry(writes=(Save(block, (("next_entry", None),)), Rename(conf, "a+2-1.conf")))
    assert wire_entry(entry, default=False).writes == [
        "vda1:/boot/grub/grubenv: next_entry removed",
        "vda1:/a+3.conf: renamed to a+2-1.conf",
    ]
