"""systemd-boot itself, in a virtual machine, offers what we say of each of our trees for arm64.

Its status screen (``P``) prints an entry per page; the default is the highlighted row of its menu.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from vm_screen import SECONDS

from bootmenu.appliance.debian import fetch
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.machines import FACTS
from bootmenu.model import Arch

pytestmark = pytest.mark.vm

GOLDEN = Path(__file__).parents[1] / "golden"
TREES = (
    *("bls-counting", "bls-debian", "bls-fedora-sdboot", "bls-keys", "bls-suse-sdboot"),
    *("bls-xbootldr", "uki-profiles"),
)
TYPES = {  # of the partitions, by the folder of a tree
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "tree": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "boot": "BC13C2FF-59E6-4262-A352-B275FD6F7172",  # XBOOTLDR
}
MIB = 1 << 20
SIZE = 40  # of a partition, in MiB
PAGE = "Press any key to continue"
HIGHLIGHTED = r"\x1b\[47m +([^\x1b]*?) +\x1b"
ATTEMPTS = 3


@pytest.fixture(scope="session")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """systemd-bootaa64.efi of Debian."""
    archive = fetch("arm64", ["systemd-boot-efi"], default_cache(), print).archive
    program = tmp_path_factory.mktemp("systemd-boot") / "loader.efi"
    with tarfile.open(archive) as tar:
        member = tar.extractfile("./usr/lib/systemd/boot/efi/systemd-bootaa64.efi")
        assert member
        program.write_bytes(member.read())
    return program


def write_image(golden: Path, loader: Path, folder: Path) -> Path:
    """A disk with the tree's volumes as partitions, and systemd-boot on the ESP."""
    image = folder / "disk.img"
    volumes = json.loads((golden / "volumes.json").read_text())["volumes"]
    roots = [volume["root"] for volume in volumes]
    lines = [f"start={1 + i * SIZE}MiB, size={SIZE}MiB, type={TYPES[root]}"
             for i, root in enumerate(roots)]  # fmt: skip
    with image.open("wb") as file:
        file.truncate((2 + len(roots) * SIZE) * MIB)
    table = "\n".join(["label: gpt", *lines, ""])
    subprocess.run(["sfdisk", "--quiet", image], input=table.encode(), check=True)
    for i, root in enumerate(roots):
        tree, filesystem = folder / root, folder / f"{root}.fat"
        shutil.copytree(golden / root, tree)
        if root != "boot":
            place = tree / "EFI" / "BOOT" / "BOOTAA64.EFI"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(loader, place)
            for conf in tree.glob("[lL][oO]*/[lL][oO]*.*"):  # the case does not matter
                conf.write_text(conf.read_text() + "\ntimeout menu-force\n")
        make: list[str | Path] = ["mkfs.vfat", "-F", "32", "-C", filesystem, str((SIZE - 1) * 1024)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        names = sorted(str(path) for path in tree.iterdir())
        subprocess.run(["mcopy", "-Q", "-s", "-i", filesystem, *names, "::/"], check=True)
        with image.open("r+b") as file:
            file.seek((1 + i * SIZE) * MIB)
            file.write(filesystem.read_bytes())
    return image


def menu_of(image: Path) -> tuple[str, list[dict[str, Any]]]:
    """The title that is highlighted, and the fields of every entry."""
    command = ["-M", "virt", "-cpu", "cortex-a57", "-m", "256", *FACTS[Arch.ARM64].uefi]
    command += ["-drive", f"if=virtio,format=raw,file={image}", "-net", "none"]
    command += ["-display", "none", "-monitor", "none", "-serial", "stdio"]
    child = pexpect.spawn("qemu-system-aarch64", command, timeout=SECONDS, encoding="utf-8")
    try:
        child.expect(HIGHLIGHTED)
        assert isinstance(child.match, re.Match)
        highlighted = child.match[1]
        for _ in range(ATTEMPTS):
            child.expect("Reboot Into Firmware Interface")
            child.expect(r"\x1b\[\d+;01H +\x1b")  # the status line: the menu stands
            if entries := status_pages(child):
                return highlighted, entries
    finally:
        child.close(force=True)
    raise AssertionError(f"{ATTEMPTS} times the menu came back before all entries were told")


def status_pages(child: pexpect.spawn[str]) -> list[dict[str, Any]]:
    """The fields of every entry; none if the menu comes back before the last.

    On a busy host it did once, though no key was sent that ends the pages.
    """
    entries: list[dict[str, Any]] = []
    child.send("P")
    while child.expect([PAGE, HIGHLIGHTED]) == 0:
        assert child.before is not None
        if number := re.search(r"boot entry: (\d+)/(\d+)", child.before):
            entries.append(fields(child.before))
            if number[1] == number[2]:
                return entries
        child.send(" ")
    return []


def fields(page: str) -> dict[str, Any]:
    """What a page says of its entry, paths as we write them."""
    found: dict[str, Any] = {"initrd": []}
    for key, value in re.findall(r"^ *([a-z -]+): (.*?)\r*$", page, re.MULTILINE):
        if key == "initrd":
            found[key].append(value.replace("\\", "/"))
        else:
            found[key] = value.replace("\\", "/") if key in {"loader", "devicetree"} else value
    return found


def plain(text: str) -> str:
    """*text* as the firmware writes it on a serial line."""
    return text.encode("ascii", "replace").decode()


def offered(expected: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Our entries, without those that systemd-boot hides since their program is missing."""
    for entry in expected["entries"]:
        missing = any(problem.startswith("no such file") for problem in entry["problems"])
        if entry["kernel"] and not missing:
            yield entry


@pytest.mark.parametrize("name", TREES)
def test_systemd_boot_offers_the_same(name: str, loader: Path, tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / name / "expected.json").read_text())
    highlighted, menu = menu_of(write_image(GOLDEN / name, loader, tmp_path))
    theirs = [entry for entry in menu if "loader" in entry]  # not the firmware's
    ours = list(offered(expected))
    assert [plain(e["title"]) for e in ours] == [
        e.get("title show", e.get("title")) for e in theirs
    ]
    assert [e["title"] for e in ours if e["id"] == expected["default"]] == [highlighted]
    for mine, its in zip(ours, theirs, strict=True):
        if mine["source"]["format"] == "uki":
            assert mine["source"]["path"] == its["loader"]
            # It shows the image's own; what addons append is the stub's to do.
            assert mine["cmdline"].startswith(its.get("options", ""))
        else:
            assert mine["kernel"]["path"].lower() == f"/{its['loader'].lstrip('/')}".lower()
            assert plain(mine["cmdline"]) == its.get("options", "")
            assert [resource["path"] for resource in mine["initrd"]] == its["initrd"]
            assert (mine["dtb"] or {}).get("path") == its.get("devicetree")
