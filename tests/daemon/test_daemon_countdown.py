"""What starts by itself, and when; the clock is ours."""

import pytest

from bootmenu.daemon.countdown import Autoboot, Default, default_of, timeout_option
from bootmenu.model import BootEntry, Configuration, Format, Resource


class Clock:
    """Seconds that pass when we say so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def autoboot(clock: Clock, *, timeout: float | None = None, armed: bool = True) -> Autoboot:
    return Autoboot(armed=armed, timeout=timeout, clock=clock)


def test_the_default_starts_after_the_time_that_its_configuration_says(clock: Clock) -> None:
    boot = autoboot(clock)
    boot.update(Default("debian", 5.0))
    assert (boot.entry, boot.left, boot.due) == ("debian", 5.0, False)
    clock.now += 4.5
    assert (boot.left, boot.due) == (0.5, False)
    clock.now += 1
    assert (boot.left, boot.due) == (0.0, True)


@pytest.mark.parametrize(
    ("cmdline", "configured", "expected"),
    [
        ("quiet", None, 10.0),
        ("quiet", 3.0, 3.0),
        ("bootmenu.timeout=7 quiet", 3.0, 7.0),
        ("bootmenu.timeout=7 bootmenu.timeout=8", None, 8.0),
        ("bootmenu.timeout=soon", 3.0, 3.0),
        ("bootmenu.timeout=0", 3.0, 0.0),
        ("bootmenu.timeout=-1", 3.0, None),
        ("", -1.0, None),
    ],
)
def test_who_decides_how_long_it_waits(
    clock: Clock, cmdline: str, configured: float | None, expected: float | None
) -> None:
    boot = autoboot(clock, timeout=timeout_option(cmdline))
    boot.update(Default("debian", configured))
    assert boot.left == expected


def test_a_key_stops_it_for_good(clock: Clock) -> None:
    boot = autoboot(clock)
    boot.update(Default("debian"))
    boot.stop()
    assert (boot.entry, boot.left, boot.timeout, boot.due) == (None, None, None, False)
    boot.update(Default("debian"))
    assert boot.entry is None


def test_a_disk_that_comes_late_and_first_gets_the_countdown_and_its_whole_time(
    clock: Clock,
) -> None:
    boot = autoboot(clock)
    boot.update(Default("the second disk's"))
    clock.now += 4
    boot.update(Default("the first disk's"))
    assert (boot.entry, boot.left) == ("the first disk's", 10.0)


def test_news_that_leaves_the_default_alone_leaves_the_countdown_alone(clock: Clock) -> None:
    boot = autoboot(clock)
    boot.update(Default("debian"))
    clock.now += 4
    boot.update(Default("debian"))
    assert (boot.entry, boot.left) == ("debian", 6.0)


def test_when_its_disk_goes_the_next_default_gets_its_whole_time(clock: Clock) -> None:
    boot = autoboot(clock)
    boot.update(Default("debian"))
    clock.now += 4
    boot.update(Default("fedora", 8.0))
    assert (boot.entry, boot.left) == ("fedora", 8.0)
    boot.update(None)
    assert (boot.entry, boot.left) == (None, None)


def test_on_a_machine_that_is_not_ours_nothing_starts(clock: Clock) -> None:
    boot = autoboot(clock, armed=False)
    boot.update(Default("debian"))
    assert boot.entry is None


def entry(name: str, volume: str | None) -> BootEntry:
    kernel = Resource("/Image", volume)
    return BootEntry(name, name, "vda1", Format.BLS, "/loader/entries", kernel=kernel)


def test_the_default_is_the_first_that_can_be_booted() -> None:
    away, here = entry("away", None), entry("here", "vda1")
    found = [
        Configuration("vda1", Format.BARE, "/boot", (here,)),
        Configuration("vda1", Format.GRUB, "/grub.cfg", (away, here), default="away"),
        Configuration("vda2", Format.BLS, "/loader", (away, here), default="here", timeout=2.0),
    ]
    assert default_of(found) == Default("here", 2.0)
    assert default_of(found[:2]) is None
