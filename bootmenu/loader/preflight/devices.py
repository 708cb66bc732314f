"""Devices that go on by themselves after the jump.

What writes to memory by itself is the worst: the next kernel's data change under it. **PCI
devices do not**: on the way to the next kernel Linux takes bus mastering from each of them,
bound to a driver or not (drivers/pci/pci-driver.c, pci_device_shutdown). Other buses rely on
the driver's shutdown hook. A device that is idle writes nothing, and all but network ports are
idle once nobody uses them: those write down what the network sends.
"""

from __future__ import annotations

from collections.abc import Iterator

from bootmenu.devicetree.tree import DeviceTree, is_available, values
from bootmenu.errors import TreeError
from bootmenu.loader.preflight.findings import warning
from bootmenu.loader.preflight.words import value_of
from bootmenu.model import Arch, Finding, Machine, Platform

WITHOUT_SHUTDOWN = frozenset(
    {
        "am65-cpsw-nuss",
        "amd-xgbe",
        "fec",
        "hip04-ether",
        "hisi-femac",
        "hisi-gmac",
        "hns-nic",
        "icssg-prueth",
        "imx-dwmac",
        "macb",
        "meson6-dwmac",
        "meson8b-dwmac",
        "mtk_soc_eth",
        "mtk_star_emac",
        "mvneta",
        "mvpp2",
        "netsec",
        "qcom-ethqos",
        "rk_gmac-dwmac",
        "stmmaceth",
        "sun7i-dwmac",
    }
)
"""Platform drivers of network ports with DMA whose ``shutdown`` is empty in Linux 6.12.

Read from the modules of Debian's 6.12 for arm64; others, as bcmgenet and dwmac-sun8i, have one.
"""
_ITS = "arm,gic-v3-its"
_NO_LPIS = "irqchip.gicv3_nolpi"


def watchdogs(machine: Machine) -> Iterator[Finding]:
    """Watchdogs that run: nobody feeds them between two systems."""
    for dog in machine.watchdogs:
        if not dog.running:
            continue
        stop = f"stop what feeds /dev/{dog.name} (systemd: RuntimeWatchdogSec=off)"
        feed = f"see that the next system feeds /dev/{dog.name} in time"
        yield warning(
            f"{dog.name} runs, it may reset the machine while the next system starts",
            f"{dog.identity or 'it'} waits {dog.timeout} seconds to be fed, and not every driver "
            "stops on the jump" + ("; nowayout keeps it from being stopped" * dog.nowayout),
            feed if dog.nowayout else stop,
        )


def network_ports(machine: Machine) -> Iterator[Finding]:
    """Ports that would write packets into the next kernel's memory."""
    for port in machine.ports:
        if port.bus == "platform" and port.driver in WITHOUT_SHUTDOWN:
            yield warning(
                f"{port.name} may write into the next kernel's memory",
                f"it is up, and its driver {port.driver} does not stop it on the jump",
                f"take it down first: ip link set {port.name} down",
            )


def message_interrupts(machine: Machine) -> Iterator[Finding]:
    """Tables of a GICv3 that stay in use, and that the next kernel cannot be told of.

    The interrupt controller keeps its tables of LPIs (interrupts by message) in memory, and
    many cannot be told to stop. Linux passes their addresses on in a table of UEFI's; without
    UEFI the next kernel says "Booted with LPIs enabled, memory probably corrupted". One that
    kexec-tools had placed low died with its own text overwritten: it seems to have lain on these
    tables, taken them for reserved and written them anew. Ours lie high.
    Source: drivers/irqchip/irq-gic-v3-its.c; seen in QEMU, Linux 6.12.
    """
    told = value_of(machine.cmdline, _NO_LPIS)
    off = told is not None and told.lower() in ("1", "y", "yes", "on", "true", "t")
    if (
        machine.arch is Arch.ARM64
        and machine.platform is Platform.NONE
        and not off
        and _has_its(machine)
    ):
        yield warning(
            "the interrupt controller goes on using memory that the next kernel takes for free",
            "without UEFI the tables of its LPIs (GICv3) cannot be passed on: the next kernel says "
            '"memory probably corrupted", and may be right',
            f"start this boot menu's kernel with {_NO_LPIS}=1 on its cmdline",
        )


def _has_its(machine: Machine) -> bool:
    if _ITS.encode() not in machine.fdt:  # parsing takes time, and few have it
        return False
    try:
        tree = DeviceTree.parse(machine.fdt)
    except TreeError:
        return False  # a load says so
    return any(
        _ITS.encode() in values(node).get("compatible", b"").split(b"\0") and is_available(node)
        for _, node in tree.nodes()
    )
