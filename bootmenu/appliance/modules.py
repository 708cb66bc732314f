"""The kernel modules that a boot machine needs, with everything that they need.

Debian builds nearly all drivers as modules. Those here reach disks, keyboards and
screens; network and sound are left out.
"""

from __future__ import annotations

import fnmatch
import gzip
import lzma
import posixpath
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bootmenu.appliance.tools import run
from bootmenu.appliance.tree import Tree
from bootmenu.errors import BuildError

MODULES = (
    # Virtual machines.
    "drivers/block/virtio_blk",
    "drivers/block/xen-blkfront",
    "drivers/message/fusion/mptsas",
    "drivers/message/fusion/mptspi",
    "drivers/scsi/hv_storvsc",
    "drivers/scsi/virtio_scsi",
    "drivers/scsi/vmw_pvscsi",
    "drivers/virtio/virtio_mmio",
    "drivers/virtio/virtio_pci",
    "drivers/virtio/virtio_input",
    "drivers/gpu/drm/virtio/*",
    "drivers/gpu/drm/tiny/*",
    # Disks.
    "drivers/nvme/host/nvme",
    "drivers/ata/ahci*",
    "drivers/ata/sata_*",
    "drivers/ata/ata_piix",
    "drivers/scsi/aacraid/*",
    "drivers/scsi/hpsa",
    "drivers/scsi/megaraid/megaraid_sas",
    "drivers/scsi/mpi3mr/*",
    "drivers/scsi/mpt3sas/*",
    "drivers/scsi/smartpqi/*",
    "drivers/scsi/sd_mod",
    "drivers/scsi/sr_mod",
    "drivers/mmc/core/*",
    "drivers/mmc/host/*",
    "drivers/ufs/*",
    "drivers/usb/storage/*",
    "drivers/block/loop",
    # USB hosts, and dual-role ports of boards.
    "drivers/usb/host/*",
    "drivers/usb/dwc2/*",
    "drivers/usb/dwc3/*",
    "drivers/usb/chipidea/*",
    "drivers/usb/musb/*",
    # What boards need before those answer: clocks, power, buses.
    "drivers/bus/*",
    "drivers/clk/*",
    "drivers/firmware/*",
    "drivers/gpio/*",
    "drivers/hwspinlock/*",
    "drivers/i2c/busses/*",
    "drivers/interconnect/*",
    "drivers/mailbox/*",
    "drivers/mfd/*",
    "drivers/pci/controller/*",
    "drivers/phy/*",
    "drivers/pinctrl/*",
    "drivers/pmdomain/*",
    "drivers/regulator/*",
    "drivers/reset/*",
    "drivers/soc/*",
    "drivers/spi/*",
    # Keyboards.
    "drivers/hid/hid",
    "drivers/hid/hid-generic",
    "drivers/hid/hid-apple",
    "drivers/hid/hid-cherry",
    "drivers/hid/hid-hyperv",
    "drivers/hid/hid-lenovo",
    "drivers/hid/hid-logitech*",
    "drivers/hid/hid-microsoft",
    "drivers/hid/usbhid/*",
    "drivers/input/keyboard/gpio_keys",
    "drivers/input/serio/hyperv-keyboard",
    # Filesystems.
    "fs/ext4/*",
    "fs/fat/*",
    "fs/nls/nls_ascii",
    "fs/nls/nls_cp437",
    "fs/nls/nls_cp850",
    "fs/nls/nls_iso8859-1",
    "fs/nls/nls_iso8859-15",
    "fs/nls/nls_utf8",
    "fs/btrfs/*",
    "fs/xfs/*",
    "fs/f2fs/*",
    "fs/isofs/*",
    "fs/squashfs/*",
    # Checksums that btrfs asks for by name.
    "crypto/crc32c_generic",
    "crypto/sha256_generic",
    "crypto/xxhash_generic",
    # Digests of what is loaded, by the processor's own instructions where it has them.
    "crypto/algif_hash",
    "arch/*/crypto/sha2*",
    # What disks are put together from.
    "drivers/md/dm-crypt",
    "drivers/md/dm-mod",
    "drivers/md/dm-mirror",
    "drivers/md/dm-raid",
    "drivers/md/dm-snapshot",
    "drivers/md/dm-thin-pool",
    "drivers/md/md-mod",
    "drivers/md/raid*",
)
"""Patterns of paths below the kernel's own folder, without ``.ko``; ``*`` spans folders."""

UNWANTED = ("drivers/gpu/drm/tiny/bochs", "drivers/gpu/drm/tiny/cirrus*")
"""Patterns of what takes the screen away from where firmware left it.

Firmware's screen is drawn on as it is, and so the next kernel can go on with it.
"""

INDEX = (
    "modules.alias.bin",
    "modules.builtin.alias.bin",
    "modules.builtin.bin",
    "modules.dep.bin",
    "modules.softdep",
    "modules.symbols.bin",
)
"""What libkmod reads; the text forms beside them are for people."""


def release_folder(folder: Path) -> Path:
    """The folder of one kernel's modules, named for its release: *folder* or the only one in it.

    So both /lib/modules/6.12.9 and, when it holds no other kernel, /lib/modules will do.
    """
    if (folder / "kernel").is_dir():
        return folder.resolve()
    folders = [path for path in folder.glob("*") if (path / "kernel").is_dir()]
    if len(folders) != 1:
        found = ", ".join(sorted(path.name for path in folders)) or "none"
        raise BuildError(
            f"{folder} must hold the modules of one kernel; it holds: {found}",
            hint="give the folder of the kernel's release, like /lib/modules/6.12.9",
        )
    return folders[0].resolve()


def module_tree(folder: Path) -> Tree:
    """The modules of :data:`MODULES` and their closure, from *folder*, which is named
    for the kernel's release.

    Each is compressed by itself. All of them together would pack a little better, but then
    the kernel unpacks the many that no machine loads, before anything else can start, and
    they stay in memory: 31 MiB of Debian's.
    """
    release = folder.name
    with tempfile.TemporaryDirectory(prefix="bootmenu-modules-") as temporary:
        everything, chosen = Path(temporary, "all"), Path(temporary, "chosen")
        shutil.copytree(
            folder,
            everything / "lib" / "modules" / release,
            ignore=shutil.ignore_patterns("build", "source", "vmlinuz*"),
        )
        run(["depmod", "-b", everything, release])
        base = chosen / "lib" / "modules" / release
        for path in _closure(everything, release):
            target = base / str(path.relative_to(everything / "lib" / "modules" / release))
            target = target.with_name(target.name.partition(".ko")[0] + ".ko")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_unpacked(path))
        run(["zstd", "--quiet", "-19", "--rm", *sorted(base.rglob("*.ko"))])
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            if (original := folder / name).exists():
                shutil.copy(original, base / name)
        run(["depmod", "-b", chosen, release])
        tree = Tree.of_folder(base)
    wanted = {
        path: node for path, node in tree.items() if path.endswith(".ko.zst") or path in INDEX
    }
    return Tree({f"usr/lib/modules/{release}/{path}": node for path, node in wanted.items()})


def _matches(module: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(module, pattern) for pattern in patterns)


def _closure(root: Path, release: str) -> list[Path]:
    """The files that modprobe would load for MODULES but UNWANTED, below *root*/lib/modules."""
    folder = root / "lib" / "modules" / release / "kernel"
    names = []
    for path in folder.rglob("*.ko*"):
        module = path.relative_to(folder).as_posix().partition(".ko")[0]
        if _matches(module, MODULES) and not _matches(module, UNWANTED):
            names.append(posixpath.basename(module))
    if not names:
        raise BuildError(f"no kernel modules for boot machines in {folder.parent}")
    shown = run(["modprobe", "-d", root, "-S", release, "--show-depends", "-a", *sorted(names)])
    lines = shown.stdout.decode().splitlines()
    return sorted({Path(line.split()[1]) for line in lines if line.startswith("insmod ")})


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return run(["zstd", "-dc"], data=data).stdout
    return data
