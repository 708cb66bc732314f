"""The nouns: what a person types for a file is what is meant, and comes back as it was."""

import pytest

from bootmenu.model import Resource

WRITTEN = {
    "vda1:/boot/Image": Resource("/boot/Image", "vda1"),
    "/boot/Image": Resource("/boot/Image", "."),
    "Image": Resource("Image", "."),
    "vda1:/EFI/Linux/a.efi#.initrd@1": Resource("/EFI/Linux/a.efi", "vda1", section=".initrd@1"),
    "vda1:/a.efi#.dtbauto@0:12": Resource("/a.efi", "vda1", section=".dtbauto@0:12"),
    "vda1:/o/i2c.dtbo bus=1 speed=": Resource(
        "/o/i2c.dtbo", "vda1", parameters=("bus=1", "speed=")
    ),
    "vda1:/debian.iso:/casper/vmlinuz": Resource("/casper/vmlinuz", "vda1:/debian.iso"),
    "vda1:/a b=c d": Resource("/a b=c d", "vda1"),
    "vda1:/a file #1": Resource("/a file #1", "vda1"),
    "https://example.org/a:/b#c": Resource(url="https://example.org/a:/b#c"),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_resource_is_read_as_it_is_written(text: str) -> None:
    assert Resource.parse(text) == WRITTEN[text]
    assert str(WRITTEN[text]) == text
