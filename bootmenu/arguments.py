"""What the command line may say: the commands, their options, and examples of both."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

from bootmenu import __version__
from bootmenu.errors import UsageError

TYPE_CHECKING = False  # that of typing, whose import is a tenth of what a command takes to start
if TYPE_CHECKING:
    from typing import NoReturn

ARCHES = ("arm64", "x86_64", "riscv64")
PLATFORMS = ("efi", "pc", "ieee1275", "none")
METHODS = ("auto", "classic", "file")
"""What the model's Arch, Platform and Method are called. Here as words, and held to the model by
a test: its import takes longer than all else that a command does before it asks the daemon."""

_HELP = partial(argparse.RawDescriptionHelpFormatter, width=78)
"""argparse would import shutil to ask the terminal for its width, at every option."""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line as every other error is."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of *arguments*, of the process by default; *command* names the command.

    Raises UsageError, and SystemExit after --help or --version.
    """
    return _parser().parse_args(arguments)


def _parser() -> _Parser:
    parser = _Parser(
        prog="bootmenu",
        description="Finds every system that this machine could start, and starts one with kexec.\n"
        "Without a command, the menu on this terminal.",
        formatter_class=_HELP,
    )
    parser.add_argument("--version", action="version", version=f"bootmenu {__version__}")
    parser.add_argument("--theme", metavar="NAME", help="what the menu looks like")
    parser.set_defaults(command="menu")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, text: str, *examples: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=text,
            description=text[:1].upper() + text[1:] + ".",
            epilog="\n".join(
                ["examples:", *(f"  bootmenu {name} {line}".rstrip() for line in examples)]
            ),
            formatter_class=_HELP,
        )
        made.set_defaults(command=name)
        return made

    _add_reading(command)
    _add_starting(command)
    _add_serving(command)
    _add_building(command)
    return parser


Command = Callable[..., argparse.ArgumentParser]


def _add_reading(command: Command) -> None:
    listed = command(
        "list",
        "list everything that could be started",
        "--json",
        "--root /mnt/disk,name=sda1,label=debian --arch arm64",
    )
    _sources(listed)
    _json(listed)
    shown = command(
        "show", "show one entry, with where every field came from", "'Debian GNU/Linux'"
    )
    shown.add_argument("entry", metavar="ENTRY", help="its id or title, or Submenu>Title")
    _sources(shown)
    _json(shown)
    inspected = command(
        "inspect",
        "say what kind of image a file is, and whether it would boot here",
        "/boot/vmlinuz",
    )
    inspected.add_argument("file", metavar="FILE")
    _json(inspected)
    machine = command("machine", "write the facts of this machine to a file", "capture board.json")
    machine.add_argument("action", choices=["capture"])
    machine.add_argument(
        "file", metavar="FILE", help="for a bug report, or bootmenu plan elsewhere"
    )
    doctor = command(
        "doctor", "say what on this machine would make kexec fail, and the remedy", "", "--json"
    )
    doctor.epilog = f"{doctor.epilog}\n\nexit status: 0 kexec should work, 1 it would fail"
    _json(doctor)


def _add_starting(command: Command) -> None:
    plan = command(
        "plan",
        "explain where a load would put what, and load nothing",
        "Debian",
        "--kernel Image --initrd initrd.img --append console=ttyAMA0 --machine board.json",
    )
    _request(plan)
    _panic(plan, "as a crash kernel, which starts when the running one crashes")
    _json(plan)
    plan.add_argument(
        "--machine", metavar="FILE", default="", help="plan for the machine captured in FILE"
    )
    load = command(
        "load",
        "load a kernel, to be started later",
        "Debian",
        "Debian --json",
        "--panic Debian --append 'console=ttyS0 nr_cpus=1 reset_devices'",
    )
    _request(load)
    _panic(load, "as a crash kernel, which starts when the running one crashes")
    _json(load)
    _request(
        command(
            "boot",
            "load a kernel and start it, after the system's own shutdown where there is one",
            "Debian",
            "--kernel vda1:/boot/Image --initrd vda1:/boot/initrd.img --append 'root=/dev/vda1 ro'",
        )
    )
    unload = command("unload", "forget the kernel that was loaded", "")
    _panic(unload, "the crash kernel instead")


def _add_serving(command: Command) -> None:
    menu = command("ui", "show the menu of the running daemon, as a console's only program", "")
    menu.add_argument(
        "--theme", metavar="NAME", default=argparse.SUPPRESS, help="what the menu looks like"
    )
    daemon = command("daemon", "run bootmenud, which finds systems and starts them", "")
    _sources(daemon)
    # How a command starts a private one: with the facts of another machine, on its own socket.
    daemon.add_argument("--machine", metavar="FILE", default="", help=argparse.SUPPRESS)
    daemon.add_argument("--fd", type=int, metavar="N", help=argparse.SUPPRESS)


def _add_building(command: Command) -> None:
    built = command(
        "build",
        "build a kernel and initramfs that boot into the menu",
        "--arch arm64 -o image",
        "--arch arm64 -o image --kernel Image --modules /lib/modules/6.12.9",
    )
    _arch(built, default="arm64")
    built.add_argument("-o", "--output", metavar="DIR", required=True, help="where to write them")
    built.add_argument("--kernel", metavar="FILE", help="a board's own kernel")
    built.add_argument("--modules", metavar="DIR", help="that kernel's modules")
    shown = command(
        "demo", "start the menu and sample disks in a virtual machine here", "--arch x86_64"
    )
    _arch(shown, default="arm64")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _panic(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--panic", action="store_true", help=text)


def _arch(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--arch",
        choices=ARCHES,
        default=default,
        metavar="ARCH",
        help=", ".join(ARCHES),
    )


def _sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="PATH[,name=..]",
        help="a directory as a volume, instead of the disks; also uuid=, label=, partuuid=, "
        "partlabel=; may be repeated",
    )
    _arch(parser)
    parser.add_argument(
        "--platform",
        choices=PLATFORMS,
        metavar="PLATFORM",
        help=f"the firmware that configurations see: {', '.join(PLATFORMS)}",
    )


def _request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", metavar="ENTRY", nargs="?", help="its id or title")
    parser.add_argument("--kernel", metavar="FILE", help="a path here, or DEVICE:PATH")
    again = "may be repeated, the order counts"
    parser.add_argument("--initrd", metavar="FILE", action="append", default=[], help=again)
    parser.add_argument("--dtb", metavar="FILE", help="instead of this machine's device tree")
    again = f"parameters may follow: 'fan.dtbo speed=2'; {again}"
    parser.add_argument("--overlay", metavar="FILE", action="append", default=[], help=again)
    parser.add_argument("--append", metavar="CMDLINE", help="the next kernel's cmdline")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="auto",
        metavar="METHOD",
        help="the system call that loads: classic (kexec_load), file (kexec_file_load), or auto: "
        "classic unless it is forbidden here",
    )
    _sources(parser)
