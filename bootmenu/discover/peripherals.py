"""What goes on by itself while the next kernel starts: watchdogs, and network ports that are up.

Sources: Documentation/ABI/testing (sysfs-class-watchdog, sysfs-class-net) and
Documentation/watchdog/watchdog-api.rst. What is not there is left out.
"""

from __future__ import annotations

from pathlib import Path

from bootmenu.model import NetworkPort, Watchdog

_IFF_UP = 1 << 0


def watchdogs(root: Path) -> tuple[Watchdog, ...]:
    """The watchdogs of the machine whose /sys lies under *root*.

    What the kernel itself feeds, because firmware has started it, does not count as running.
    """
    return tuple(
        Watchdog(
            name=folder.name,
            identity=_text(folder / "identity"),
            running=_text(folder / "state") == "active",
            nowayout=_text(folder / "nowayout") == "1",
            timeout=_number(folder / "timeout", 10),
        )
        for folder in _folders(root / "sys/class/watchdog")
    )


def ports(root: Path) -> tuple[NetworkPort, ...]:
    """The network interfaces that are up and are devices, not bridges, tunnels and the like."""
    found = []
    for folder in _folders(root / "sys/class/net"):
        driver, bus = _target(folder / "device/driver"), _target(folder / "device/subsystem")
        if driver and _number(folder / "flags", 16) & _IFF_UP:
            found.append(NetworkPort(folder.name, driver, bus))
    return tuple(found)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _target(link: Path) -> str:
    """The name of what *link* points to, "" where it does not."""
    try:
        return link.readlink().name
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path, base: int) -> int:
    try:
        return int(_text(path), base)
    except ValueError:
        return 0
