"""The walls between the rooms: who may import whom. CONTRIBUTING.md says why."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bootmenu"
SHARED = {"model", "errors", "escape", "files", "abi", "shipped", "__version__"}
"""What every room may use."""

MAY_USE = {
    "model": set(),
    "errors": set(),
    "files": {"model", "errors"},
    "discover": SHARED | {"devicetree"},
    "parsers": SHARED | {"images", "devicetree"},
    "images": SHARED | {"devicetree"},
    "devicetree": SHARED,
    "loader": SHARED | {"images", "devicetree"},
    "kexec": SHARED,
    "daemon": SHARED | {"discover", "parsers", "loader", "images", "devicetree", "kexec"},
    "ui": SHARED | {"daemon"},
    "appliance": SHARED,
}
"""The rooms, and what of ours each may import besides itself."""

ONLY_IN = {"fdt": "devicetree", "textual": "ui", "pyudev": "discover", "rich": "ui"}
"""Libraries that one room alone knows."""


def imports_of(room: str) -> Iterator[tuple[Path, str]]:
    """Every module that the files of *room* import, wherever in the file that stands."""
    folder = PACKAGE / room
    files = folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                if node.module == "bootmenu":
                    yield from ((file, f"bootmenu.{name.name}") for name in node.names)
                else:
                    yield file, node.module


@pytest.mark.parametrize("room", MAY_USE)
def test_no_room_reaches_through_a_wall(room: str) -> None:
    used = {
        (module.split(".")[1], file.name)
        for file, module in imports_of(room)
        if module.startswith("bootmenu.")
    }
    assert not {(name, file) for name, file in used if name not in MAY_USE[room] | {room}}


@pytest.mark.parametrize(("library", "home"), ONLY_IN.items())
def test_a_library_is_known_to_one_room(library: str, home: str) -> None:
    for room in MAY_USE.keys() - {home}:
        strangers = [
            file.name for file, module in imports_of(room) if module.split(".")[0] == library
        ]
        assert not strangers, f"{room} imports {library}"


def test_the_menu_knows_only_the_wire_of_the_daemon() -> None:
    used = {module for _, module in imports_of("ui") if module.startswith("bootmenu.daemon")}
    assert used <= {"bootmenu.daemon", "bootmenu.daemon.interface"}


def test_threads_that_import_at_the_same_time_do_not_wait_for_each_other() -> None:
    """What the daemon's threads import has an order in which it is all there before it is needed.

    A thread imports with a module's lock held, and takes the locks of what that module imports,
    and of the package around it. Where two threads would wait for each other Python lets one go
    on with half a module: ``ImportError: cannot import name``, when somebody starts a system.
    """
    loaded = "import sys, bootmenu.daemon.server; print(*sys.modules)"
    before_any_thread = subprocess.check_output([sys.executable, "-c", loaded], text=True).split()
    modules = {_name(file): file for file in PACKAGE.rglob("*.py")}
    later = {
        name: {*_imported_at_once(ast.parse(file.read_text()).body), name.rpartition(".")[0]}
        for name, file in modules.items()
        if name not in before_any_thread and name.split(".")[1] in MAY_USE["daemon"] | {"daemon"}
    }
    assert "bootmenu.loader.plan" in later
    list(TopologicalSorter(later).static_order())


def _name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _imported_at_once(body: Sequence[ast.stmt]) -> Iterator[str]:
    """What a module with *body* imports while it is itself imported."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _imported_at_once(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            for field in ("body", "orelse", "handlers", "finalbody"):
                yield from _imported_at_once(getattr(node, field, ()))
