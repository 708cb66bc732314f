"""A daemon with disks of directories, served on a real socket."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from daemon_fakes import TREE
from daemon_served import Kernel, Served


@pytest.fixture(scope="session")
def fdt(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A board's tree, compiled by dtc."""
    path = tmp_path_factory.mktemp("tree") / "board.dts"
    path.write_text(TREE)
    return subprocess.run(["dtc", "-q", path], check=True, capture_output=True).stdout


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    made = Served(str(tmp_path / "socket"))
    yield made
    await made.stop()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Stands for the running kernel."""
    made = Kernel()
    for name in ("load", "loaded", "unload", "execute"):
        monkeypatch.setattr(f"bootmenu.kexec.call.{name}", getattr(made, name))
    monkeypatch.setattr("bootmenu.daemon.boot.PAINT", 0.0)
    monkeypatch.setattr("bootmenu.daemon.boot.say_last", made.calls.append)
    return made
