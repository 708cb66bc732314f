"""The ``bootmenu`` command: which room does what it is asked for.

Each subcommand imports what it needs when it runs. Exit status: 0 done, 1 failed, 2 usage.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bootmenu.errors import BootmenuError, UsageError
from bootmenu.escape import printable

TYPE_CHECKING = False  # that of typing, see arguments.py
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from bootmenu.daemon.calls import Daemon

PLAN_MIN, PLAN_MAX = 70, 132
"""Columns of a plan, whatever the terminal has."""
BETWEEN = 0.5
"""Seconds between two lines of progress: a line of 9600 baud is not kept busy by them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status. Raises nothing, except SystemExit after --help."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: what would go there shall not go to the other
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):  # what a disk says may not fit the terminal
            stream.reconfigure(errors="backslashreplace")
    try:
        from bootmenu.arguments import parse  # takes as long as it takes to press Ctrl-C

        options = parse(arguments)
        return _RUN[options.command](options)
    except BootmenuError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return 1
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough
        return 1
    except Exception as error:
        what = f"an error of its own: {type(error).__name__}: {error}"
        return _fail(BootmenuError(what, hint="BOOTMENU_DEBUG=1 shows where; please report it"))


def _fail(error: BootmenuError) -> int:
    if os.environ.get("BOOTMENU_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    _complain(f"bootmenu: {error.message}")
    if error.hint:
        _complain(f"hint: {error.hint}")
    for line in getattr(error, "log", ()):
        _complain(f"kernel: {line}")
    return 2 if isinstance(error, UsageError) else 1


def _complain(line: str) -> None:
    """*line* on standard error; it may name a file of a disk."""
    print(printable(line), file=sys.stderr)


def _print(text: str) -> None:
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        what = f"standard output cannot be written: {error.strerror}"
        raise BootmenuError(what, hint="make room where it goes") from error


def _drop_output() -> None:
    """Python must not complain at its end that it cannot write the rest."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --- the menu and its daemon -----------------------------------------------------------


def _menu(options: argparse.Namespace) -> int:
    from bootmenu import ui
    from bootmenu.daemon.client import menu_address

    with menu_address() as address:
        return ui.run(socket=address, theme=options.theme, wait=False)


def _ui(options: argparse.Namespace) -> int:
    from bootmenu import ui
    from bootmenu.daemon import SOCKET

    return ui.run(socket=SOCKET, theme=options.theme, wait=True, shell=True)  # noqa: S604


def _daemon(options: argparse.Namespace) -> int:
    from bootmenu.daemon import server
    from bootmenu.parsers.listing import parse_root_arguments

    server.main(
        server.Options(
            descriptor=options.fd,
            roots=parse_root_arguments(options.root),
            capture=options.machine,
            **_pretended(options),
        )
    )
    return 0


def _pretended(options: argparse.Namespace) -> dict[str, Any]:
    """What of the machine's facts is overruled."""
    from bootmenu.model import Arch, Platform

    return {
        "arch": Arch(options.arch) if options.arch else None,
        "platform": Platform(options.platform) if options.platform else None,
    }


# --- what there is ---------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    if not options.root:
        with _opened(options) as daemon:
            _print(daemon.call("List", json=options.json))
        return 0
    from bootmenu.daemon.scanning import machine_reader, scan_all
    from bootmenu.parsers.listing import (
        parse_root_arguments,
        render_json,
        render_problems,
        render_text,
    )

    volumes = parse_root_arguments(options.root)
    facts = machine_reader(**_pretended(options))()
    found = scan_all(facts, volumes)
    _print((render_json if options.json else render_text)(volumes, found))
    # The JSON has a place for problems of entries only.
    for problem in render_problems(found) if options.json else ():
        _complain(f"bootmenu: {problem}")
    return 0


def _show(options: argparse.Namespace) -> int:
    with _opened(options) as daemon:
        _print(daemon.call("Show", entry=options.entry, json=options.json))
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from bootmenu.daemon.scanning import machine_reader
    from bootmenu.files import whole
    from bootmenu.loader.inspection import inspect

    found = inspect(whole(options.file), machine_reader()())
    _print(found.json() if options.json else found.text())
    return 0


def _machine(options: argparse.Namespace) -> int:
    from pathlib import Path

    from bootmenu.daemon.scanning import machine_reader
    from bootmenu.discover.capture import capture

    try:
        Path(options.file).write_text(capture(machine_reader()()), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {options.file}: {error.strerror}") from error
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from bootmenu.daemon.scanning import machine_reader
    from bootmenu.loader.doctor import examine

    found = examine(machine_reader()())
    _print(found.json() if options.json else found.text())
    return int(found.fails)


# --- to the next kernel ----------------------------------------------------------------


def _plan(options: argparse.Namespace) -> int:
    import shutil

    width = min(max(shutil.get_terminal_size().columns, PLAN_MIN), PLAN_MAX)
    with _requested(options) as (daemon, request), _Progress() as progress:
        how = {"json": options.json, "width": width, **_how(options)}
        report = daemon.verify(progress.tell, request=request, **how)
    _print(report)
    return 0


class _Progress:
    """How far something that takes over a second is, on one line of standard error.

    For a ``with`` statement, which wipes it out: what follows begins in a line of its own.
    """

    def __init__(self) -> None:
        self._next = time.monotonic() + 1
        self._shown = ""

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._show("")

    def tell(self, step: str, done: int, total: int) -> None:
        """*step* has done *done* of *total* bytes."""
        if time.monotonic() > self._next:
            self._next = time.monotonic() + BETWEEN
            part = f": {done * 100 // total} % of {total >> 20:,} MiB" if total else ""
            self._show(printable(step) + part)

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text:<{len(self._shown)}}\r", end="", file=sys.stderr, flush=True)
        elif text and not self._shown:
            print(text, file=sys.stderr, flush=True)
        self._shown = text


def _load(options: argparse.Namespace) -> int:
    with _requested(options) as (daemon, request):
        with _Progress() as progress:
            warnings = daemon.load("Load", progress.tell, request=request, **_how(options))
        for warning in warnings:
            _complain(f"bootmenu: warning: {warning}")
        if options.json:
            _print(daemon.call("Loaded", panic=options.panic))
    return 0


def _boot(options: argparse.Namespace) -> int:
    with _requested(options) as (daemon, request), _Progress() as progress:
        daemon.load("Boot", progress.tell, request=request, method=options.method)
    return 0


def _unload(options: argparse.Namespace) -> int:
    from bootmenu.daemon.client import open_daemon

    with open_daemon() as daemon:
        daemon.call("Unload", panic=options.panic)
    return 0


def _how(options: argparse.Namespace) -> dict[str, Any]:
    """How it shall be loaded, as the daemon's methods take it."""
    return {"method": options.method, "panic": options.panic}


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[Daemon]:
    """The daemon that *options* ask for."""
    from bootmenu.daemon.client import open_daemon

    arguments = [f"--root={text}" for text in options.root]
    if options.arch:
        arguments.append(f"--arch={options.arch}")
    if options.platform:
        arguments.append(f"--platform={options.platform}")
    if getattr(options, "machine", ""):
        arguments.append(f"--machine={os.path.abspath(options.machine)}")  # noqa: PTH100
    with open_daemon(arguments) as daemon:
        yield daemon


@contextmanager
def _requested(options: argparse.Namespace) -> Iterator[tuple[Daemon, dict[str, Any]]]:
    """The daemon, and what *options* ask it to start."""
    from bootmenu.daemon.client import request_for

    with _opened(options) as daemon:
        yield (
            daemon,
            request_for(
                daemon,
                entry=options.entry,
                kernel=options.kernel,
                initrds=options.initrd,
                dtb=options.dtb,
                overlays=options.overlay,
                cmdline=options.append,
            ),
        )


# --- images of our own -----------------------------------------------------------------


def _build(options: argparse.Namespace) -> int:
    from pathlib import Path

    from bootmenu.appliance import build
    from bootmenu.model import Arch

    kernel, modules = (Path(text) if text else None for text in (options.kernel, options.modules))
    result = build(
        Arch(options.arch), Path(options.output), kernel=kernel, modules=modules, report=_report
    )
    _print(result.text())
    return 0


def _demo(options: argparse.Namespace) -> int:
    from bootmenu.appliance.vm import demo
    from bootmenu.model import Arch

    demo(Arch(options.arch), report=_report)
    return 0


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "menu": _menu,
    "list": _list,
    "show": _show,
    "inspect": _inspect,
    "machine": _machine,
    "doctor": _doctor,
    "plan": _plan,
    "load": _load,
    "boot": _boot,
    "unload": _unload,
    "ui": _ui,
    "daemon": _daemon,
    "build": _build,
    "demo": _demo,
}
