"""Every target for a few seconds, and every input that once broke one, for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import FOUND, TARGETS

SECONDS = 2
"""Of fuzzing for each target; CONTRIBUTING.md says how to run one for longer."""


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_found_in_a_few_seconds_breaks(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, str(SECONDS)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "number_of_executed_units" in done.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_a_target_breaks_it_no_more(name: str, tmp_path: Path) -> None:
    examine = TARGETS[name].prepare(tmp_path)
    for path in sorted((FOUND / name).glob("*")):
        examine(path.read_bytes())
