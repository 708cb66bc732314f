"""What can be started: the entries of boot configurations, and the files that they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

LOCAL = "."
"""Volume name of the files of the running system itself, as in ``--kernel FILE``."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that an entry needs: a path on a volume, or a URL.

    *volume* is the name of the volume that holds it; None means that the volume is not
    here (yet), and *wants* then says which one the configuration asked for. *section* names
    a part of a unified kernel image: ``.initrd``, ``.initrd@1`` for that of its profile 1
    (the first is 0), ``.dtbauto:2`` for the third of that name; or a configuration of a FIT
    image, ``conf-1``. *parameters* are an overlay's,
    ``NAME=VALUE`` each, in their order.
    """

    path: str = ""
    volume: str | None = None
    wants: str = ""
    url: str = ""
    section: str = ""
    parameters: tuple[str, ...] = ()

    @property
    def resolved(self) -> bool:
        """Whether it is known where to read it."""
        return bool(self.url) or self.volume is not None

    def __str__(self) -> str:
        """As a person types and reads it: ``vda1:/boot/Image``, a path, or a URL.

        A section follows as ``#.initrd``, parameters as `` NAME=VALUE``.
        """
        text = self.url or self.path
        if not self.url and self.volume != LOCAL:
            text = f"{self.volume if self.volume is not None else self.wants or '?'}:{text}"
        return " ".join((f"{text}#{self.section}" if self.section else text, *self.parameters))

    @classmethod
    def parse(cls, text: str, *, volume: str = LOCAL) -> Resource:
        """Read *text* as :meth:`__str__` writes it; a bare path lies on *volume*."""
        words = text.split(" ")
        end = len(words)
        while end > 1 and _PARAMETER.fullmatch(words[end - 1]):
            end -= 1
        name, parameters = " ".join(words[:end]), tuple(words[end:])
        file, mark, section = name.rpartition("#")
        if mark and _SECTION.fullmatch(section):
            name = file
        else:
            section = ""
        if "://" in name:
            return cls(url=name, section=section, parameters=parameters)
        # The name of an ISO's volume holds a path itself: vda1:/debian.iso
        owner, colon, path = name.rpartition(":/")
        if name.startswith("/") or ":" not in name:
            owner, path = volume, name
        elif colon:
            path = f"/{path}"
        else:
            owner, _, path = name.partition(":")
        return cls(path=path, volume=owner, section=section, parameters=parameters)


_SECTION = re.compile(r"\.[a-z]+(?:@\d+)?(?::\d+)?|conf[\w.,@+-]*")
_PARAMETER = re.compile(r"[\w.-]+=\S*")


class Format(StrEnum):
    """The kind of boot configuration that an entry was read from."""

    GRUB = "grub"
    BLS = "bls"
    UKI = "uki"
    EXTLINUX = "extlinux"
    SYSLINUX = "syslinux"
    PETITBOOT = "petitboot"
    KBOOT = "kboot"
    YABOOT = "yaboot"
    UBOOT = "uboot"
    RASPBERRYPI = "raspberrypi"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one field of an entry came from: a file on the entry's volume, and its line."""

    field: str
    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Save:
    """Variables that booting an entry keeps in *file*, an environment block of GRUB.

    *values* are names and their new values, in the order in which they are set; None removes.
    """

    file: Resource
    values: tuple[tuple[str, str | None], ...]

    def __str__(self) -> str:
        changes = (f"{n} removed" if v is None else f"{n}={v}" for n, v in self.values)
        return f"{self.file}: {', '.join(changes)}"


@dataclass(frozen=True, slots=True)
class Rename:
    """The counting of a boot: *file* is called *name* from then on, in the same folder."""

    file: Resource
    name: str

    def __str__(self) -> str:
        return f"{self.file}: renamed to {self.name}"


@dataclass(frozen=True, slots=True)
class BootEntry:
    """One choice that somebody's configuration offers."""

    id: str  # the same on every boot, unique among all entries
    title: str
    device: str  # name of the volume whose configuration offers it
    format: Format
    source: str  # path of that configuration on the volume
    kernel: Resource | None = None
    initrds: tuple[Resource, ...] = ()
    dtb: Resource | None = None
    overlays: tuple[Resource, ...] = ()
    cmdline: str = ""
    menu: tuple[str, ...] = ()  # titles of the submenus around it, outermost first
    default: bool = False  # its own configuration's default
    problems: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    writes: tuple[Save | Rename, ...] = ()  # what its configuration wants written when it boots

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every file that booting it reads."""
        one = tuple(r for r in (self.kernel, self.dtb) if r is not None)
        return one + self.initrds + self.overlays

    @property
    def resolved(self) -> bool:
        """Whether it names a kernel and all of its files' volumes are here."""
        return self.kernel is not None and all(r.resolved for r in self.resources)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a boot configuration that could not be used, and where it stands."""

    message: str
    device: str = ""
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.device}:{self.path}" if self.device else self.path
        if self.line:
            where = f"{where}:{self.line}"
        return f"{where}: {self.message}" if where else self.message


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one boot configuration on one volume offers, in its own order.

    *default* is an entry's id; *timeout* is in seconds: None when the configuration does
    not say, negative when it says to wait for ever.
    """

    device: str
    format: Format
    path: str
    entries: tuple[BootEntry, ...] = ()
    default: str | None = None
    timeout: float | None = None
    problems: tuple[Problem, ...] = ()
