"""GRUB's commands that run other scripts: ``source``, ``configfile``, ``normal``, ``eval``.

GRUB says nothing of a file that is not there and goes on; here that is noted. A file that is a
configuration itself is listed where it lies, so what hands over to it offers nothing of its own.
"""

from __future__ import annotations

from bootmenu.errors import BootmenuError, ParseError
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.state import Call, Leave

MAX_SCRIPT = 4 << 20
"""Bytes of a configuration file."""


def source(run: Interpreter, call: Call) -> int:
    """``source FILE``: as if the file stood here; not again within itself, GRUB would not end."""
    if found := _read(run, call, _only(call), again=True):
        script, path, file = found
        if file in run.reading.open_files:
            run.note(f"{call.name}: {path} is being read already", call.line)
            return 0
        run.reading.open_files.append(file)
        try:
            _run(run, script, path, call.arguments[0])
        finally:
            run.reading.open_files.pop()
    return 0


def extract_entries(run: Interpreter, call: Call) -> int:
    """``extract_entries_source FILE``: of what the file does only its menu entries stay."""
    outer, run.scope = run.scope, run.scope.copy()
    try:
        return source(run, call)
    finally:
        run.scope = outer


def configfile(run: Interpreter, call: Call) -> int:
    """``configfile FILE``: a menu of its own, which sees the exported variables only."""
    if found := _read(run, call, _only(call)):
        script, path, file = found
        outer = run.scope, run.menu, run.menu_file
        run.scope, run.menu, run.menu_file = run.scope.inherited(), [], file
        try:
            _run(run, script, path, call.arguments[0])
            if run.menu:
                raise Leave("exit")
        finally:
            if not run.menu:
                run.scope, run.menu, run.menu_file = outer
    return 0


def normal(run: Interpreter, call: Call) -> int:
    """``normal [FILE]``: the menu of that file or of the usual one, which is then shown."""
    name = call.arguments[0] if call.arguments else f"{run.get('prefix')}/grub.cfg"
    if found := _read(run, call, name):
        script, path, _ = found
        _run(run, script, path, name)
    raise Leave("exit")


def eval_(run: Interpreter, call: Call) -> int:
    """``eval WORD…``: the words as a script."""
    run.status = 0
    run.run_file(" ".join(call.arguments), run.path)
    return run.status


def foreign(run: Interpreter, call: Call) -> int:
    """``legacy_configfile`` and its like: menus that other boot loaders' languages describe."""
    names = [name for name in call.arguments if not name.startswith("-")]
    run.note(f"{call.name}: {' '.join(names[:1])} is no script of GRUB's, and not read", call.line)
    return 0


def _only(call: Call) -> str:
    if len(call.arguments) != 1:
        raise ParseError("which file?")
    return call.arguments[0]


def _read(
    run: Interpreter, call: Call, name: str, again: bool = False
) -> tuple[str, str, tuple[str, str]] | None:
    """The script in the file *name*, what its path is called, and its volume and path.

    *again* says whether it may be a file that is being read.
    """
    reading = run.reading
    resource = reading.devices.resource(name, run.root)
    try:
        volume = reading.devices.volume_of(resource)
        files = reading.devices.files_of(volume)
        file = (volume.name, files.path_of(resource.path))
        if again and file in reading.open_files:
            return "", resource.path, file
        if file in reading.elsewhere or file in reading.open_menus:
            # Here its entries would be offered twice.
            if run.in_function or file in reading.open_menus:
                run.note(f"hands over to {resource}, whose entries are listed there", call.line)
            raise Leave("exit")
        script = files.read_text(resource.path, MAX_SCRIPT)
    except BootmenuError as error:
        run.note(f"{call.name}: {error.message}", call.line)
        return None
    own = volume == reading.devices.home
    return script, resource.path if own else f"{volume.name}:{resource.path}", file


def _run(run: Interpreter, script: str, path: str, name: str) -> None:
    """Run *script*, with the variables that tell it where it lies; *name* is what was said."""
    names = ("config_file", "config_directory")
    scope = run.scope
    before = [scope.values.get(variable) for variable in names]
    full = name if name.startswith("(") else f"({run.root}){name}"
    for variable, value in zip(names, (full, full.rpartition("/")[0]), strict=True):
        scope.values[variable] = value
        scope.exported.add(variable)
    try:
        run.run_file(script, path)
    finally:
        for variable, former in zip(names, before, strict=True):
            if former is None:
                scope.values.pop(variable, None)
            else:
                scope.values[variable] = former
