"""The commands of U-Boot that touch files, on a board whose memory holds files instead of bytes.

``load`` puts a file at an address; ``env import``, ``source``, ``fdt apply`` and ``booti`` take it
from there. A device that cannot be told is the volume that the script lies on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Resource, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.uboot.conditions import hexadecimal
from bootmenu.parsers.uboot.formats import imported, script_of
from bootmenu.parsers.uboot.shell import Position, Shell, Stop

MAX_OVERLAYS = 64
MAX_FILE = 1 << 20  # bytes of a script or an environment

UNKNOWN = "\0"
"""Stands in a value for what only the board knows."""

_PARTITION = re.compile(r"(?P<disk>.*\dp|.*\D)(?P<number>\d+)")
_QUIET = {
    "echo", "sleep", "printenv", "mmc", "usb", "sata", "scsi", "nvme", "pci", "virtio", "gpio",
    "i2c", "mw", "md", "led", "video", "bmp", "cls", "dcache", "icache", "saveenv", "cp", "gpt",
    "ls", "fatls", "ext2ls", "ext4ls", "bdinfo", "version", "setcurs", "lcdputs", "regulator",
    "pmic", "mii", "dhcp", "net", "wdt", "kaslrseed", "clk", "adc", "fstype", "size", "iminfo",
}  # fmt: skip
"""Commands without any bearing on what is started; taken to succeed."""
_LOADS = {"load", "fatload", "ext2load", "ext4load", "fsload"}
_BOOTS = {"booti", "bootz", "bootm"}
_OTHER_BOOTS = {"bootefi", "bootelf", "bootvx", "bootp", "tftpboot", "sysboot", "bootflow", "go"}


@dataclass(frozen=True, slots=True)
class Started:
    """What a script starts; *lines* has the position that decided each field."""

    kernel: Resource
    initrd: Resource | None = None
    dtb: Resource | None = None
    overlays: tuple[Resource, ...] = ()
    lines: dict[str, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Held:
    """A file in memory, and the line that loaded it."""

    resource: Resource
    at: Position


class Board:
    """One run of a script that lies on *home*, with the *environment* of its U-Boot.

    ``started`` is what it starts, None when that is nothing. Raises nothing: what cannot be done
    is in ``shell.problems``.
    """

    def __init__(
        self,
        home: Volume,
        context: Context,
        environment: dict[str, str],
        fdtfile: Callable[[], str],
    ) -> None:
        self.started: Started | None = None
        self.home = home
        self.context = context
        self.shell = Shell(environment, self._command, fdtfile, self._exists)
        self._files = {volume.name: VolumeFiles.of(volume) for volume in context.volumes}
        self._memory: dict[int, _Held] = {}
        self._tree: int | None = None  # address of the tree that fdt works on
        self._overlays: list[_Held] = []

    def run(self, path: str, text: str) -> None:
        """Run the script *text*, which is the file *path*."""
        try:
            self.shell.script(path, text)
        except Stop:
            return

    def _command(self, words: list[str]) -> bool | None:
        name, arguments = words[0], words[1:]
        if name in _QUIET:
            return True
        if name in _LOADS:
            return self._load(arguments)
        if name in _BOOTS:
            return self._boot(arguments)
        if name in _OTHER_BOOTS:
            return self.shell.problem(f"'{name}' is not supported")
        if name in {"reset", "poweroff"}:
            raise Stop
        commands = {
            "env": self._env,
            "source": self._source,
            "fdt": self._fdt,
            "part": self._part,
            "fsuuid": self._fsuuid,
        }
        return commands[name](arguments) if name in commands else None

    # --- files -----------------------------------------------------------------------

    def _volume(self, device: str) -> Volume:
        """The volume that ``0:2`` means, *home* when it cannot be told."""
        return self._partition(device) or self.home

    def _partition(self, device: str) -> Volume | None:
        """The partition of that number beside *home*, None when it is not here."""
        own = _PARTITION.fullmatch(self.home.name)
        _, colon, number = device.partition(":")
        wanted = hexadecimal(number.partition("#")[0])
        if not own or not colon or not wanted or wanted == int(own["number"]):
            return self.home
        return self.context.by_name(f"{own['disk']}{wanted}")

    def _exists(self, interface: str, device: str, path: str) -> bool:
        return self._files[self._volume(device).name].exists(path)

    def _load(self, arguments: list[str]) -> bool:
        """``load INTERFACE DEVICE[:PARTITION] [ADDRESS [FILE]]``."""
        if len(arguments) < 4:
            return False
        volume = self._volume(arguments[1])
        address, path = hexadecimal(arguments[2]), "/" + arguments[3].lstrip("/")
        if not self._files[volume.name].is_file(path):
            return False
        self._memory[address] = _Held(Resource(path, volume.name), self.shell.at)
        if address == self._tree:
            self._overlays.clear()
        try:
            size = self._files[volume.name].size(path)
        except VolumeError:
            return False
        self.shell.environment["fileaddr"] = f"{address:x}"
        return self.shell.set("filesize", f"{size:x}")

    def _content(self, address: str) -> tuple[_Held, bytes] | None:
        held = self._memory.get(hexadecimal(address))
        if held is None:
            return None
        try:
            files = self._files[held.resource.volume or ""]
            content = files.read_bytes(held.resource.path, MAX_FILE)
        except VolumeError as error:
            self.shell.problem(error.message)
            return None
        self.shell.take(len(content))
        return held, content

    def _env(self, arguments: list[str]) -> bool:
        if not arguments:
            return False
        command, *rest = arguments
        words = [word for word in rest if not word.startswith("-")]
        if command == "exists":
            return bool(words) and words[0] in self.shell.environment
        if command == "delete":
            for name in words:
                self.shell.set(name, "")
            return True
        if command != "import":
            return command in {"default", "print", "save", "export", "info"}
        found = self._content(words[0]) if words else None
        if found is None:
            return False
        held, content = found
        before = self.shell.at
        for line, name, value in imported(content.decode("utf-8", "surrogateescape")):
            if len(words) < 3 or name in words[2:]:
                self.shell.at = (held.resource.path, line)
                self.shell.set(name, value)
        self.shell.at = before
        return True

    def _source(self, arguments: list[str]) -> bool:
        found = self._content(arguments[0].partition(":")[0]) if arguments else None
        text = script_of(found[1]) if found else None
        if found is None or text is None:
            return False
        return self.shell.script(found[0].resource.path, text)

    # --- identities ------------------------------------------------------------------

    def _part(self, arguments: list[str]) -> bool:
        if len(arguments) < 3 or arguments[0] != "uuid":
            return self.shell.problem("'part' of this kind is not supported")
        return self._identity(arguments[2], arguments[3:], "partuuid")

    def _fsuuid(self, arguments: list[str]) -> bool:
        return self._identity(arguments[1], arguments[2:], "uuid") if len(arguments) > 1 else False

    def _identity(self, device: str, into: list[str], name: str) -> bool:
        volume = self._partition(device)
        value = getattr(volume, name) if volume is not None else ""
        return self.shell.set(into[0], value or UNKNOWN) if into else True

    # --- starting --------------------------------------------------------------------

    def _fdt(self, arguments: list[str]) -> bool:
        command, *rest = arguments or [""]
        if command in {"addr", "move"}:
            words = [word for word in rest if not word.startswith("-")]
            address = hexadecimal(words[-1 if command == "move" else 0]) if words else None
            if command == "move" and address is not None and words:
                source = self._memory.get(hexadecimal(words[0]))
                if source is not None:
                    self._memory[address] = source
            if address != self._tree:
                self._overlays.clear()
            self._tree = address
            return True
        if command == "apply" and rest:
            held = self._memory.get(hexadecimal(rest[0]))
            if held is None or self._tree not in self._memory:
                return False
            if len(self._overlays) >= MAX_OVERLAYS:
                return self.shell.problem("too many overlays")
            self._overlays.append(held)
            return True
        if command in {"set", "rm", "mknode", "rsvmem", "chosen", "memory"}:
            return self.shell.problem(
                f"changes the tree, which is left out: fdt {' '.join(arguments)}"
            )
        return command in {"resize", "print", "list", "header", "boardsetup", "systemsetup"}

    def _boot(self, arguments: list[str]) -> bool:
        """``booti KERNEL [INITRD[:SIZE]|- [TREE]]``; nothing runs after it."""
        kernel, initrd, tree = (
            self._memory.get(hexadecimal(text)) if text not in {"", "-"} else None
            for text in [*(a.partition(":")[0].partition("#")[0] for a in arguments), "", "", ""][
                :3
            ]
        )
        if kernel is None:
            return False
        overlays = self._overlays if tree and self._memory.get(self._tree or 0) is tree else []
        lines = {"kernel": kernel.at, "cmdline": self.shell.set_at.get("bootargs", self.shell.at)}
        for name, held in (
            ("initrd", initrd),
            ("dtb", tree),
            ("overlays", next(iter(overlays), None)),
        ):
            if held is not None:
                lines[name] = held.at
        self.started = Started(
            kernel.resource,
            initrd.resource if initrd else None,
            tree.resource if tree else None,
            tuple(held.resource for held in overlays),
            lines,
        )
        raise Stop
