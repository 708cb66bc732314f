"""``load_env``, ``list_env``, ``save_env``: variables that a configuration keeps between boots.

Specification: GNU GRUB manual, "load_env" and "save_env". To read a configuration is not to boot
it, so ``save_env`` writes nothing: what it would write is remembered, a later ``load_env`` sees it,
and each entry names what its boot writes: what the script has saved, and what its own body saves.
Block lists instead of a file's path, as openSUSE uses them on btrfs, are not supported.
"""

from __future__ import annotations

from bootmenu.errors import ParseError, VolumeError
from bootmenu.files import VolumeFiles
from bootmenu.model import Origin, Resource
from bootmenu.parsers.grub import environment
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.options import Option, Options, parse_options
from bootmenu.parsers.grub.state import Call, ExhaustedError

_KNOWN = {"file": Option("f", valued=True), "skip-sig": Option("s")}

MAX_CHANGES = 64
"""Variables that the boot of one entry may save, each time counted."""

_UNCHANGEABLE = {"erofs", "iso9660", "squashfs", "udf"}


def load_env(run: Interpreter, call: Call) -> int:
    """``load_env [-f FILE] [--skip-sig] [NAME…]``."""
    options = parse_options(call.arguments, _KNOWN)
    for name, value in _variables(run, options).items():
        if not options.names or name in options.names:
            run.set(name, value)
    return 0


def list_env(run: Interpreter, call: Call) -> int:
    """``list_env [-f FILE]``."""
    for name, value in _variables(run, parse_options(call.arguments, _KNOWN)).items():
        run.reading.echo(f"{name}={value}")
    return 0


def save_env(run: Interpreter, call: Call) -> int:
    """``save_env [-f FILE] NAME…``; a variable without a value is removed from the block."""
    options = parse_options(call.arguments, _KNOWN)
    if not options.names:
        raise ParseError("which variables?")
    file, block = _read(run, options)
    volume = run.reading.devices.volume_of(file)
    if volume.fstype in _UNCHANGEABLE:
        raise VolumeError(f"nothing can be saved on {volume.fstype}: {file}")
    values = tuple((name, run.scope.values.get(name)) for name in options.names)
    if run.reading.saved.count + len(values) > MAX_CHANGES:
        raise ExhaustedError(f"more than {MAX_CHANGES} variables are saved")
    run.reading.saved.save(file, block, values)
    run.reading.saved.origin = Origin("writes", run.path, call.line)
    return 0


def savedefault(run: Interpreter, call: Call) -> int:
    """``savedefault``, where the script has no such function: what was chosen is the next default.

    GRUB itself has no such command, and whoever writes it expects it.
    """
    run.set("saved_entry", run.get("chosen"))
    return save_env(run, Call("save_env", ("saved_entry",), call.line))


def _variables(run: Interpreter, options: Options) -> dict[str, str]:
    file, block = _read(run, options)
    return environment.parse_block(run.reading.saved.blocks.get(file, block))


def _read(run: Interpreter, options: Options) -> tuple[Resource, bytes]:
    """The file that *options* name, links followed, and its content."""
    path = options.get("file") or f"{run.get('prefix')}/grubenv"
    devices = run.reading.devices
    named = devices.resource(path, run.root)
    volume = devices.volume_of(named)
    files = VolumeFiles.of(volume)
    file = Resource(path=files.path_of(named.path), volume=volume.name)
    return file, files.read_bytes(file.path, environment.MAX_SIZE)
