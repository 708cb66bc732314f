"""Trees of real systems, and the lists that `bootmenu list --json` must give for them.

A folder of tests/golden holds `volumes.json` (the volumes, their roots beside it), their trees and
`expected.json`; `arch` there is arm64 unless it says otherwise. `make golden` writes the lists
anew: read the difference before you commit it.
"""

import json
import os
from pathlib import Path

import pytest

from bootmenu.model import Arch, Platform, Volume
from bootmenu.parsers import listing
from bootmenu.parsers.context import Context
from bootmenu.parsers.offered import without_offered
from bootmenu.parsers.scan import scan

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = sorted(path.parent.name for path in GOLDEN.glob("*/volumes.json"))


@pytest.mark.parametrize("name", NAMES)
def test_golden_tree_gives_its_list(name: str, request: pytest.FixtureRequest) -> None:
    folder = GOLDEN / name
    system = json.loads((folder / "volumes.json").read_text())
    volumes = tuple(
        Volume(**{**volume, "root": str(folder / volume["root"])}) for volume in system["volumes"]
    )
    context = Context(
        Arch(system.get("arch", Arch.ARM64)),
        Platform(system["platform"]),
        volumes,
        tuple(system.get("compatible", ())),
    )
    found = without_offered([c for volume in volumes for c in scan(volume, context)])
    got = json.loads(listing.render_json(volumes, found))
    for device in got["devices"]:
        device["root"] = os.path.relpath(device["root"], folder)
    got["problems"] = [str(problem) for c in found for problem in c.problems]
    expected = folder / "expected.json"
    if request.config.getoption("--regenerate", default=False):
        expected.write_text(json.dumps(got, indent=2) + "\n")
    assert got == json.loads(expected.read_text())
