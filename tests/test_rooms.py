"""The walls between the rooms: who may import whom. CONTRIBUTING.md says why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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
