"""A root= that is on no disk here is said beforehand; what cannot be told is not."""

import pytest

from bootmenu.loader.preflight.root import examine_root
from bootmenu.model import BlockDevice

DISKS = [
    BlockDevice("vda", "/dev/vda"),
    BlockDevice(
        "vda1",
        "/dev/vda1",
        uuid="c7a3b1e0-53d2-4a6f-9a58-0f9d1c6b2e11",
        label="my root",
        fstype="ext4",
        partuuid="5d1f6a3c-01",
        partlabel="system",
    ),
    BlockDevice("vda15", "/dev/vda15", uuid="6B2E-11C7", fstype="vfat"),
]


@pytest.mark.parametrize(
    "root",
    [
        "root=UUID=c7a3b1e0-53d2-4a6f-9a58-0f9d1c6b2e11",
        "root=UUID=6b2e-11c7",
        "root=LABEL=system root=PARTLABEL=system",  # the last one counts
        'root="LABEL=my root"',
        "root=PARTUUID=5d1f6a3c-01",
        "root=/dev/vda1",
        "root=/dev/disk/by-uuid/c7a3b1e0-53d2-4a6f-9a58-0f9d1c6b2e11",
        r"root=/dev/disk/by-label/my\x20root",
    ],
)
def test_root_that_is_here(root: str) -> None:
    assert examine_root(f"quiet {root} ro", DISKS) == ()


@pytest.mark.parametrize(
    "root",
    [
        "",
        "root=",
        "root=/dev/mapper/vg-root",
        "root=/dev/vg/root",
        "root=/dev/md0",
        "root=/dev/nfs",
        "root=/dev/ram0",
        "root=ZFS=rpool/ROOT/debian",
        "root=zfs:AUTO",
        "root=ubi0:rootfs",
        "root=live:CDLABEL=Fedora",
        "root=PARTUUID=aaaaaaaa-01/PARTNROFF=1",
        "root=/dev/disk/by-path/pci-0000:00:04.0-part1",
        "root=8:1",
        "root=0801",
        "root=LABEL",
    ],
)
def test_root_that_only_the_next_system_can_find(root: str) -> None:
    assert examine_root(root, DISKS) == ()


def test_root_that_is_not_here() -> None:
    (finding,) = examine_root("root=/dev/sda1 ro", DISKS)
    assert finding.message == "root=/dev/sda1 is on no disk here"
    assert finding.cause == "those here are /dev/vda1, /dev/vda15"
    (finding,) = examine_root("root=LABEL=debian", DISKS)
    assert finding.cause == "those here are LABEL=my root"
    (finding,) = examine_root("root=PARTUUID=1234", [DISKS[0]])
    assert finding.cause == "no disk here has a PARTUUID"


def test_a_slip_of_the_pen_is_named() -> None:
    (finding,) = examine_root("root=UUID=c7a3b1e0-53d2-4a6f-9a58-0f9d1c6b2e12", DISKS)
    assert finding.remedy.endswith("did it mean UUID=c7a3b1e0-53d2-4a6f-9a58-0f9d1c6b2e11?")


def test_disks_that_are_not_known_are_no_reason_to_complain() -> None:
    assert examine_root("root=/dev/sda1", []) == ()


def test_a_cmdline_cannot_write_on_the_terminal() -> None:
    (finding,) = examine_root("root=LABEL=\x1b[2J", DISKS)
    assert finding.message == r"root=LABEL=\x1b[2J is on no disk here"
