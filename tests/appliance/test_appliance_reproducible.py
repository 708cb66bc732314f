"""The image of each architecture, and one of them built twice from the same packages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bootmenu.appliance import BuildResult, build
from bootmenu.appliance.debian import SITE
from bootmenu.appliance.image import default_cache
from bootmenu.model import Arch

pytestmark = pytest.mark.vm


DRIVERS = frozenset(
    {
        *("virtio_blk", "virtio_scsi", "virtio_mmio", "virtio-gpu", "nvme", "ahci", "sd_mod"),
        *("usb-storage", "uas", "xhci-hcd", "ehci-hcd", "usbhid", "hid-generic", "sdhci"),
        *("ext4", "jbd2", "vfat", "nls_cp437", "nls_ascii", "btrfs", "xfs", "f2fs", "isofs"),
        *("squashfs", "dm-mod", "md-mod", "raid1", "crc32c_generic"),
    }
)
OF_ITS_OWN = {
    Arch.ARM64: {"dwc2", "dwc3", "xhci-pci", "sdhci-iproc", "sdhci-of-dwcmshc", "dw_mmc-rockchip"},
    Arch.X86_64: {"ata_piix", "sdhci-pci", "megaraid_sas", "mptspi", "vmw_pvscsi", "hv_storvsc"},
    Arch.RISCV64: {"dw_mmc-starfive", "phy-jh7110-usb", "sdhci-cadence"},
}


@pytest.fixture(scope="module", params=list(Arch))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("image")
    return build(request.param, folder, cache=default_cache(), report=print)


@pytest.fixture(scope="module")
def names(built: BuildResult) -> set[str]:
    """Every path in the initramfs."""
    found: set[str] = set()
    for part in built.parts:
        archive = subprocess.run(["zstd", "-dc", part.archive], capture_output=True, check=False)
        listed = subprocess.run(
            ["cpio", "-it", "--quiet"], input=archive.stdout, capture_output=True, check=True
        )
        found |= set(listed.stdout.decode().splitlines())
    return found


@pytest.mark.parametrize("built", [Arch.ARM64], indirect=True)
def test_two_builds_of_the_same_packages_are_identical(built: BuildResult, tmp_path: Path) -> None:
    # The same downloads, but nothing that was packed before.
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("debian", "wheels"):
        (cache / name).symlink_to(default_cache() / name)
    again = build(Arch.ARM64, tmp_path / "image", cache=cache)
    assert again.initramfs.read_bytes() == built.initramfs.read_bytes()
    assert again.kernel.read_bytes() == built.kernel.read_bytes()
    assert again.manifest.read_bytes() == built.manifest.read_bytes()


def test_image_fits_its_budget(built: BuildResult) -> None:
    assert built.initramfs.stat().st_size <= 32 << 20
    manifest = json.loads(built.manifest.read_text())
    parts = manifest["initramfs"]["parts"]
    assert sum(part["packed"] for part in parts) == built.initramfs.stat().st_size
    assert any(name.startswith("linux-image") for name in manifest["packages"]["kernel"])
    assert "initramfs" in built.text()


def test_image_holds_the_drivers_of_boot_machines(built: BuildResult, names: set[str]) -> None:
    modules = {
        Path(name).name.removesuffix(".ko.zst") for name in names if name.endswith(".ko.zst")
    }
    assert modules >= DRIVERS | OF_ITS_OWN[built.arch]
    assert f"usr/lib/modules/{built.release}/modules.dep.bin" in names


def test_image_holds_byte_code_and_no_sources(names: set[str]) -> None:
    assert f"{SITE}/bootmenu/cli.pyc" in names
    assert f"{SITE}/textual/app.pyc" in names
    assert not [name for name in names if name.endswith(".py")]
    assert not [name for name in names if name.startswith(f"{SITE}/bootmenu/appliance")]
