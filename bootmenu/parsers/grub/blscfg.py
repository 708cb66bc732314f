"""``blscfg``: Boot Loader Specification entries inside a GRUB menu, as Fedora and RHEL use them.

The command is a patch of these distributions, and since 2.14 GRUB's own, with options instead of
words. The first of ``$blsdir``, ``/loader/entries`` and ``/boot/loader/entries`` of ``$root`` that
has entries is read. They come newest first, names being compared as rpm compares packages: name,
version, release. Variables in ``options``, ``devicetree`` and ``grub_users`` have the values that
they have when the command runs; the lines that an entry makes are GRUB script, so others are
expanded when it boots. Only the first ``options`` counts; when nothing comes of it,
``$default_kernelopts`` does. A line without a value ends the file. What a menu has is not put
into it, or into its submenus, again. Boots are not counted: a counter is part of the name.

Not supported: 2.14's order, which differs from rpm's for unusual names only, and its ``uki``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cmp_to_key

from bootmenu.errors import ParseError
from bootmenu.files import VolumeFiles
from bootmenu.parsers import bls
from bootmenu.parsers.grub.interpreter import Interpreter
from bootmenu.parsers.grub.options import Option, parse_options
from bootmenu.parsers.grub.parser import Command, Statement, parse
from bootmenu.parsers.grub.state import MAX_ITEMS, Call, ExhaustedError, MenuItem
from bootmenu.parsers.versions import compare_rpm

DIRECTORIES = ("/loader/entries", "/boot/loader/entries")

_KNOWN = {
    "path": Option("p", valued=True),
    "entry": Option("e", valued=True),
    "enable-fallback": Option("f"),
    "show-default": Option("d"),
    "show-non-default": Option("n"),
}


def blscfg(run: Interpreter, call: Call) -> int:
    """``blscfg [default | non-default | NAME | PATH]``, or with the options of GRUB 2.14."""
    options = parse_options(call.arguments, _KNOWN)
    word = options.names[0] if options.names else ""
    path = options.get("path") or (word if word.startswith(("(", "/")) else "")
    wanted = options.get("entry") or ("" if path == word else word)
    default = "show-default" in options or wanted == "default"
    others = "show-non-default" in options or wanted == "non-default"
    snippets = _snippets(run, path)
    for index, snippet in enumerate(snippets):
        name = snippet.name.removesuffix(".conf")
        if default or others:
            shown = default if _is_default(run.get("default"), snippet, index) else others
        else:
            shown = wanted in {"", name, snippet.name}
        key = (run.root, snippet.path)
        if shown and snippet.first("linux") and key not in run.reading.listed:
            run.reading.listed.add(key)
            _add(run, snippet, name)
    return 0


def _snippets(run: Interpreter, path: str) -> list[bls.Snippet]:
    """The entries in their order, of *path* or of where they are by default."""
    if path.endswith(".conf"):
        found = run.reading.devices.files(path, run.root)
        if found is None:
            raise ParseError(f"no such file: {path}")
        return [bls.parse_snippet(found[1], found[0].read_text(found[1], bls.MAX_SIZE), _lines)]
    candidates = (path,) if path else (run.get("blsdir"), *DIRECTORIES)
    some = False
    for directory in filter(None, candidates):
        found = run.reading.devices.files(directory, run.root)
        if found is None or not found[0].is_dir(found[1]):
            continue
        some = True
        if snippets := _in_order(run, *found):
            return snippets
    if not some:
        raise ParseError("no directory of entries")
    return []


def _in_order(run: Interpreter, files: VolumeFiles, directory: str) -> list[bls.Snippet]:
    snippets, errors = bls.read_snippets(files, directory, _lines)
    for error in errors:
        run.reading.add_problem(error.message, error.path)
    snippets = [snippet for snippet in snippets if snippet.name.endswith(".conf")]
    snippets.sort(key=cmp_to_key(_compare), reverse=True)
    # Of names that mean the same version GRUB has the first that it finds.
    return [
        snippet
        for before, snippet in zip([None, *snippets], snippets, strict=False)
        if before is None or _compare(before, snippet)
    ]


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """The lines of an entry as GRUB reads them."""
    for number, line in enumerate(text.replace("\r", "").split("\n"), 1):
        stripped = line.lstrip(" \t")
        if stripped.startswith("#"):
            continue
        key, *rest = stripped.replace("\t", " ", 1).split(" ", 1)
        value = rest[0].lstrip(" \t") if rest else ""
        if not value:
            return
        yield number, key, value


def _compare(one: bls.Snippet, other: bls.Snippet) -> int:
    for mine, yours in zip(_package(one.name), _package(other.name), strict=True):
        if difference := compare_rpm(mine, yours):
            return difference
    return 0


def _package(name: str) -> tuple[str, str, str]:
    """Name, version and release of ``NAME-VERSION-RELEASE``; what is missing is "" at the end."""
    parts = name.rsplit("-", 2)
    return (*parts, *[""] * (3 - len(parts)))  # type: ignore[return-value]


def _is_default(default: str, snippet: bls.Snippet, index: int) -> bool:
    names = {snippet.name, snippet.name.removesuffix(".conf"), snippet.first("title")}
    if default in names:
        return bool(default)
    return default.isdecimal() and len(default) < 5 and int(default) == index


def _expand(run: Interpreter, text: str) -> str:
    """*text* with variables in their places, by the rules of ``blscfg`` alone.

    A space follows a variable's value, in the place of one behind its name. Where one
    character stands alone before a ``$`` or at the end, the command loses it.
    """
    shown = ""
    start = end = 0
    variable = False

    def append() -> None:
        nonlocal shown
        field = text[start : end + 1]
        if not variable:
            shown += field
        elif value := run.get(field):
            shown += f"{value} "

    for at, character in enumerate(text):
        if character == "$":
            if start != end:
                append()
            variable = True
            start = at + 1
        elif variable and not (character.isascii() and character.isalnum()) and character != "_":
            append()
            variable = False
            start = at + (character == " ")
        end = at
    if start < end:
        append()
    return shown


def _add(run: Interpreter, snippet: bls.Snippet, name: str) -> None:
    kernel = snippet.first("linux") or ""
    options = _expand(run, snippet.first("options") or "")
    options = options or _expand(run, run.get("default_kernelopts"))
    # Paths of an entry are relative to the volume that it lies on, as $root is here.
    lines = [(f"linux {kernel} {options}", snippet.line("linux"))]
    if "true" in {run.get("save_default"), run.get("blsuki_save_default")}:
        lines.insert(0, ("savedefault", 0))
    initrds = snippet.all("initrd")
    beside = (initrds[0] if initrds else kernel).rpartition("/")[0]
    early = [
        word if word.startswith("/") else f"{beside}/{word}"
        for word in run.get("early_initrd").split()
    ]
    if early or initrds:
        lines.append((f"initrd {' '.join([*early, *initrds])}", snippet.line("initrd")))
    if tree := _expand(run, snippet.first("devicetree") or ""):
        lines.append((f"devicetree {tree}", snippet.line("devicetree")))
    body: list[Statement] = []
    for text, line in lines:
        statements, errors = parse(text, path=snippet.path)
        for error in errors:
            run.reading.add_problem(error.message, snippet.path, line)
        body += [replace(s, line=line) for s in statements if isinstance(s, Command)]
    run.reading.items += 1
    if run.reading.items > MAX_ITEMS:
        raise ExhaustedError(f"more than {MAX_ITEMS} menu entries")
    title = snippet.first("title") or kernel
    run.menu.append(
        MenuItem(
            title=title,
            id=name,
            body=tuple(body),
            path=snippet.path,
            line=snippet.line("title"),
            arguments=(title, *snippet.all("grub_arg")),
        )
    )
