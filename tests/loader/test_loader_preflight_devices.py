"""Devices that would go on after the jump: watchdogs, network ports, the interrupt controller."""

from dataclasses import replace

import pytest

from bootmenu.devicetree.tree import DeviceTree
from bootmenu.loader.preflight.examination import diagnose
from bootmenu.model import Machine, NetworkPort, Platform, Severity, Watchdog


def test_running_watchdog(machine: Machine) -> None:
    dog = Watchdog("watchdog0", "i6300ESB timer", running=True, timeout=30)
    (finding,) = diagnose(replace(machine, watchdogs=(dog, Watchdog("watchdog1"))))
    assert finding.severity is Severity.WARNING
    assert "i6300ESB timer waits 30 seconds" in finding.cause
    assert "stop what feeds /dev/watchdog0" in finding.remedy


def test_watchdog_that_nobody_can_stop(machine: Machine) -> None:
    dog = Watchdog("watchdog0", running=True, nowayout=True, timeout=30)
    (finding,) = diagnose(replace(machine, watchdogs=(dog,)))
    assert "nowayout" in finding.cause
    assert "the next system feeds /dev/watchdog0" in finding.remedy


def test_network_port_that_goes_on_writing(machine: Machine) -> None:
    up = NetworkPort("end0", "fec", "platform")
    (finding,) = diagnose(replace(machine, ports=(up,)))
    assert "end0 may write into the next kernel's memory" in finding.message
    assert finding.remedy == "take it down first: ip link set end0 down"


@pytest.mark.parametrize(
    "port",
    [
        NetworkPort("eth0", "bcmgenet", "platform"),  # its driver has a shutdown hook
        NetworkPort("enp1s0", "e1000e", "pci"),  # Linux takes bus mastering from it
        NetworkPort("eth0", "virtio_net", "virtio"),
        NetworkPort("eth1", "stmmaceth", "pci"),
    ],
)
def test_network_ports_that_stop(machine: Machine, port: NetworkPort) -> None:
    assert diagnose(replace(machine, ports=(port,))) == ()


def _with_its(machine: Machine) -> Machine:
    tree = DeviceTree.parse(machine.fdt)
    tree.add_node("/its@8080000")
    tree.set("/its@8080000", "compatible", b"arm,gic-v3-its\0")
    return replace(machine, fdt=tree.serialize())


def test_interrupt_tables_that_cannot_be_passed_on(machine: Machine) -> None:
    board = _with_its(machine)
    (finding,) = diagnose(board)
    assert "LPIs (GICv3)" in finding.cause
    assert "irqchip.gicv3_nolpi=1" in finding.remedy


def test_interrupt_tables_that_are_no_trouble(machine: Machine) -> None:
    board = _with_its(machine)
    assert diagnose(replace(board, cmdline="irqchip.gicv3_nolpi=1")) == ()
    assert diagnose(replace(board, cmdline="irqchip.gicv3-nolpi=y quiet")) == ()
    assert diagnose(replace(board, cmdline="irqchip.gicv3_nolpi=0")) != ()
    assert diagnose(replace(board, platform=Platform.EFI)) == ()
    tree = DeviceTree.parse(board.fdt)
    tree.set("/its@8080000", "status", b"disabled\0")
    assert diagnose(replace(board, fdt=tree.serialize())) == ()


def test_damaged_tree_is_a_load_s_matter(machine: Machine) -> None:
    damaged = replace(machine, fdt=machine.fdt[:60] + b"arm,gic-v3-its\0")
    assert diagnose(damaged) == ()
