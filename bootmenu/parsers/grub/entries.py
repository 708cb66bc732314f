"""GRUB's commands that make a menu: ``menuentry``, ``submenu`` and ``hiddenentry``."""

from __future__ import annotations

from bootmenu.errors import ParseError
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.options import FLAG, VALUED, parse_options
from bootmenu.parsers.grub.parser import parse
from bootmenu.parsers.grub.state import BAD_MENU, MAX_ITEMS, Call, ExhaustedError, MenuItem

_KNOWN = dict.fromkeys(("class", "users", "hotkey", "source", "id"), VALUED)
_KNOWN["unrestricted"] = FLAG


def menuentry(run: Interpreter, call: Call) -> int:
    """``menuentry TITLE [OPTION…] [ARGUMENT…] { … }``; a hidden one is started by a key or as
    the default, and not shown.
    """
    options = parse_options(call.arguments, _KNOWN, dashes=True)
    if not options.names:
        if call.block is None:
            raise ParseError("no title")
        run.note(f"{call.name}: no title", call.line)
        return BAD_MENU
    if (call.block is None) == ("source" not in options):
        raise ParseError("commands in braces, or --source, must follow the title")
    if call.block is not None:
        body = call.block.body
    else:
        statements, errors = parse(options.get("source"), path=run.path)
        for error in errors:
            run.note(error.message, call.line)
        body = tuple(statements)
    run.reading.items += 1
    if run.reading.items > MAX_ITEMS:
        raise ExhaustedError(f"more than {MAX_ITEMS} menu entries")
    title = options.names[0]
    run.menu.append(
        MenuItem(
            title=title,
            id=options.get("id") if "id" in options else title,
            body=body,
            path=run.path,
            line=call.line,
            arguments=tuple(options.names),
            submenu=call.name == "submenu",
            hidden=call.name == "hiddenentry",
        )
    )
    return 0
