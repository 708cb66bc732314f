"""GRUB's commands that give variables values, and take them apart."""

from __future__ import annotations

from bootmenu.errors import ParseError
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.numbers import leading_number, signed_number
from bootmenu.parsers.grub.options import Option, parse_options
from bootmenu.parsers.grub.regexps import match
from bootmenu.parsers.grub.state import Call

_ENVIRONMENT = {"file": Option("f", valued=True), "skip-sig": Option("s")}


def set_(run: Interpreter, call: Call) -> int:
    """``set NAME=VALUE``."""
    if not call.arguments:
        return 0
    name, equals, value = call.arguments[0].partition("=")
    if not equals:
        raise ParseError("not an assignment")
    run.set(name, value)
    return 0


def unset(run: Interpreter, call: Call) -> int:
    """``unset NAME``."""
    if not call.arguments:
        raise ParseError("which variable?")
    for name in call.arguments[:1]:
        run.unset(name)
    return 0


def export(run: Interpreter, call: Call) -> int:
    """``export NAME…``: submenus see them."""
    if not call.arguments:
        raise ParseError("which variable?")
    for name in call.arguments:
        run.scope.values.setdefault(name, "")
        run.scope.exported.add(name)
    return 0


def read(run: Interpreter, call: Call) -> int:
    """``read [NAME]``: nobody types anything here, so the line is empty."""
    if call.arguments:
        run.set(call.arguments[0], "")
    return 0


def increment(run: Interpreter, call: Call) -> int:
    """``increment NAME`` and ``decrement NAME``, which Fedora's GRUB has."""
    if len(call.arguments) != 1:
        raise ParseError("which variable?")
    (name,) = call.arguments
    if name not in run.scope.values:
        raise ParseError(f"no variable '{name[:40]}'")
    value = signed_number(run.get(name))
    run.set(name, str(value + (1 if call.name == "increment" else -1)))
    return 0


def regexp(run: Interpreter, call: Call) -> int:
    """``regexp [--set [NUMBER:]NAME]… EXPRESSION TEXT``."""
    options = parse_options(call.arguments, {"set": Option("s", valued=True)})
    if len(options.names) != 2:
        raise ParseError("two arguments expected")
    try:
        groups = match(*options.names)
    except ParseError as error:  # for GRUB no more than no match
        run.note(f"regexp: {error.message}", call.line)
        return 1
    if groups is None:
        return 1
    for setting in options.all("set"):
        number, name = 1, setting
        if ":" in setting:
            text, _, name = setting.partition(":")
            found = leading_number(text, 10)
            if found is None or found[1]:
                raise ParseError(f"no number and name: '{setting[:40]}'")
            number = found[0]
        value = groups[number] if number < len(groups) else None
        if value is None:
            run.unset(name)
        else:
            run.set(name, value)
    return 0


def translate(run: Interpreter, call: Call) -> int:
    """``tr [--set NAME] [SET1] [SET2] [TEXT]``, with ``-U`` and ``-D`` for a case."""
    known = {"set": Option("s", valued=True), "upcase": Option("U"), "downcase": Option("D")}
    options = parse_options(call.arguments, known)
    *sets, text = options.names or [""]
    if "upcase" in options or "downcase" in options:
        text = text.upper() if "upcase" in options else text.lower()
    elif len(sets) != 2 or len(sets[0]) != len(sets[1]):
        raise ParseError("two sets of one length and a text expected")
    else:
        text = text.translate(str.maketrans(*sets))
    if "set" in options:
        run.set(options.get("set"), text)
    else:
        run.reading.echo(text)
    return 0
