"""btrfs seen from its top level: systems in subvolumes, and their snapshots."""

import pytest
from parsers_trees import Scan

from bootmenu.model import BootEntry, Configuration

FSTAB = "UUID=AB-12 / btrfs subvol={} 0 0\n"
INFO = "<snapshot><date>{}</date><description>{}</description></snapshot>"


def entries(found: list[Configuration]) -> list[BootEntry]:
    return [entry for configuration in found for entry in configuration.entries]


def kernels(prefix: str, *versions: str) -> dict[str, str]:
    return {f"{prefix}/boot/{n}-{v}": n for v in versions for n in ("vmlinuz", "initrd.img")}


@pytest.mark.parametrize("name", ["@rootfs", "root", "my system"])
def test_a_kernel_in_any_subvolume_starts_with_that_subvolume(scan_tree: Scan, name: str) -> None:
    tree = {f"/{name}/etc/fstab": FSTAB.format("@x"), "/home/user/file": "x"}
    (entry,) = entries(scan_tree({**tree, **kernels(f"/{name}", "6.1")}, fstype="btrfs"))
    assert [r.path for r in entry.resources] == [
        f"/{name}/boot/vmlinuz-6.1",
        f"/{name}/boot/initrd.img-6.1",
    ]
    assert entry.cmdline == "root=UUID=AB-12 rootflags=subvol=@x ro"
    assert entry.resolved
    assert not entry.problems


def test_grub_in_a_subvolume_names_its_kernels_from_the_top_level(scan_tree: Scan) -> None:
    script = "menuentry A { linux /@rootfs/boot/vmlinuz-1 root=x; }"
    tree = {"/@rootfs/etc/fstab": "", "/@rootfs/boot/grub/grub.cfg": script}
    (entry,) = entries(scan_tree({**tree, **kernels("/@rootfs", "1")}, fstype="btrfs"))
    assert (entry.title, entry.problems) == ("A", ())
    assert entry.source == "/@rootfs/boot/grub/grub.cfg"


def test_a_directory_of_another_filesystem_is_no_subvolume(scan_tree: Scan) -> None:
    tree = {"/chroot/etc/fstab": FSTAB.format("@"), **kernels("/chroot", "6.1")}
    assert entries(scan_tree(tree)) == []


def test_the_latest_snapshots_have_their_own_kernel_and_the_systems_cmdline(
    scan_tree: Scan,
) -> None:
    script = "menuentry A { linux /@/boot/vmlinuz-2 root=x rootflags=noatime,subvol=/@,ssd quiet; }"
    tree = {"/@/etc/fstab": "", "/@/boot/grub/grub.cfg": script, **kernels("/@", "2")}
    for number in range(2, 60):
        place = f"/@snapshots/{number}"
        tree[f"{place}/info.xml"] = INFO.format(f"2026-01-01 00:00:{number:02}", f"no. {number}")
        tree |= kernels(f"{place}/snapshot", "1")
    found = entries(scan_tree(tree, fstype="btrfs"))
    snapshots = [entry for entry in found if entry.menu == ("Snapshots",)]
    assert len(snapshots) == 30
    assert snapshots[0].title == "2026-01-01 00:00:59 no. 59"
    assert str(snapshots[0].kernel) == "vda2:/@snapshots/59/snapshot/boot/vmlinuz-1"
    assert snapshots[0].cmdline == (
        "root=x rootflags=noatime,subvol=/@snapshots/59/snapshot,ssd quiet"
    )
    assert not any(entry.default for entry in snapshots)
    assert found[0].default


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 10000, '{"created": "x"}', '{"created": 1e999}', "<"]
)
def test_a_snapshot_with_a_damaged_description_is_offered_by_its_path(
    scan_tree: Scan, text: str
) -> None:
    place = "/timeshift-btrfs/snapshots/odd"
    tree = {f"{place}/info.json": text, "/@snapshots/3/info.xml": text}
    tree |= {**kernels(f"{place}/@", "1"), **kernels("/@snapshots/3/snapshot", "1")}
    titles = [entry.title for entry in entries(scan_tree(tree, fstype="btrfs"))]
    assert titles == ["odd", "/@snapshots/3/snapshot"]


RELATIVE = """\
set btrfs_relative_path=y
export btrfs_relative_path
if [ -s $prefix/grubenv ]; then load_env; fi
function savedefault { saved_entry=$chosen; save_env saved_entry; }
menuentry $title { savedefault; linux /boot/vmlinuz-1 root=x; initrd /boot/initrd.img-1; }
submenu More { menuentry B { linux /boot/vmlinuz-1 root=y; } }
"""
ENVIRONMENT = "# GRUB Environment Block\ntitle=A\n".ljust(1024, "#")


def relative(path: str) -> dict[str, str]:
    """A system whose GRUB begins its paths at the default subvolume *path*."""
    grub = {"grub.cfg": RELATIVE, "grubenv": ENVIRONMENT}
    files = {f"{path}/boot/grub2/{name}": text for name, text in grub.items()}
    return {f"{path}/etc/fstab": "", **files, **kernels(path, "1")}


@pytest.mark.parametrize("path", ["/@", "/@/.snapshots/7/snapshot", "/deep/er/root"])
def test_grubs_paths_begin_at_the_default_subvolume_where_it_says_so(
    scan_tree: Scan, path: str
) -> None:
    first, second = entries(scan_tree(relative(path), fstype="btrfs", subvolume=path))
    assert [r.path for r in first.resources] == [
        f"{path}/boot/vmlinuz-1",
        f"{path}/boot/initrd.img-1",
    ]
    assert (first.title, first.source) == ("A", f"{path}/boot/grub2/grub.cfg")
    assert (second.title, second.menu, second.cmdline) == ("B", ("More",), "root=y")
    assert not first.problems + second.problems
    assert [str(write) for write in first.writes] == [
        f"vda2:{path}/boot/grub2/grubenv: saved_entry=A"
    ]


def test_a_directory_knows_the_default_subvolume_by_the_grub_that_needs_it(
    scan_tree: Scan,
) -> None:
    tree = relative("/@") | {"/other/etc/fstab": ""}
    first, _ = entries(scan_tree(tree, fstype="btrfs"))
    assert (str(first.kernel), first.problems) == ("vda2:/@/boot/vmlinuz-1", ())


def test_the_default_subvolume_does_not_matter_to_any_other_grub(scan_tree: Scan) -> None:
    script = "menuentry A { linux /@rootfs/boot/vmlinuz-1 root=x; }"
    tree = {"/@rootfs/etc/fstab": "", "/@rootfs/boot/grub/grub.cfg": script}
    tree |= kernels("/@rootfs", "1")
    (entry,) = entries(scan_tree(tree, fstype="btrfs", subvolume="/@rootfs"))
    assert (str(entry.kernel), entry.problems) == ("vda2:/@rootfs/boot/vmlinuz-1", ())


def test_where_the_default_is_known_to_be_the_top_level_no_snapshot_is_taken_for_it(
    scan_tree: Scan,
) -> None:
    info = INFO.format("2026-01-01 00:00:00", "writable copy of #3")
    tree = {"/@/etc/fstab": "", "/@snapshots/4/info.xml": info}
    tree |= {**kernels("/@", "2"), **kernels("/@snapshots/4/snapshot", "1")}
    found = entries(scan_tree(tree, fstype="btrfs", subvolume="/"))
    assert [entry.menu for entry in found] == [(), ("Snapshots",)]


def test_a_default_subvolume_that_is_not_there_costs_nothing_else(scan_tree: Scan) -> None:
    tree = {"/@/etc/fstab": "", **kernels("/@", "2")}
    (entry,) = entries(scan_tree(tree, fstype="btrfs", subvolume="/gone"))
    assert str(entry.kernel) == "vda2:/@/boot/vmlinuz-2"
