"""Random scripts: GRUB prints the same, leaves the same variables and the same ``$?``.

BOOTMENU_GRUB_SCRIPTS=20000 in the environment draws that many, and others than usual.
"""

import json
import os
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path

from parsers_grub_peer import COLUMNS, Output, emulate, interpret
from parsers_grub_scripts import EPILOGUE, PROLOGUE, USUAL

COUNT = int(os.environ.get("BOOTMENU_GRUB_SCRIPTS", USUAL))
"""Scripts that are drawn; some come twice, some are not compared."""
BATCH = 50


def drawn(count: int) -> list[str]:
    """*count* scripts. They are drawn by a Python of their own: Hypothesis tries constants of
    the sources that are loaded, and so would draw others after any change of ours."""
    script = Path(__file__).with_name("parsers_grub_scripts.py")
    done = subprocess.run([sys.executable, script, str(count)], check=True, capture_output=True)
    found: list[str] = json.loads(done.stdout)
    return found


def whole(script: str) -> str:
    return f"{PROLOGUE}{script}{EPILOGUE}"


def comparable(ours: Output) -> bool:
    """Whether a script ends within our bounds, and its lines fit into those of GRUB's console,
    which breaks longer ones at blanks, and counts letters beyond ASCII more than once."""
    return ours is not None and all(
        len(line.encode("utf-8", "surrogateescape")) < COLUMNS for line in ours
    )


def differs(script: str) -> bool:
    ours = interpret(whole(script))
    return comparable(ours) and emulate([whole(script)]) != [ours]


def smallest(script: str) -> str:
    """A part of *script* that still differs, and no more when any character of it is missing."""
    size = len(script) // 2
    while size:
        start = 0
        while start < len(script):
            shorter = script[:start] + script[start + size :]
            if differs(shorter):
                script = shorter
            else:
                start += size
        size //= 2
    return script


def difference(script: str) -> str:
    (theirs,), ours = emulate([whole(script)]), interpret(whole(script))
    lines = unified_diff(theirs or [], ours or [], "GRUB", "ours", n=0, lineterm="")
    return "\n".join((f"{script!r}:", *lines))


def test_random_scripts_print_and_leave_what_they_do_under_grub() -> None:
    candidates = [(script, interpret(whole(script))) for script in drawn(COUNT)]
    compared = [(script, ours) for script, ours in candidates if comparable(ours)]
    assert len(compared) > COUNT * 0.75
    suspects = []
    for start in range(0, len(compared), BATCH):
        batch = compared[start : start + BATCH]
        for (script, ours), theirs in zip(
            batch, emulate([whole(script) for script, _ in batch]), strict=True
        ):
            if ours != theirs:
                suspects.append(script)
    # Scripts before it may have left something; alone it has nothing to excuse it.
    wrong = sorted(filter(differs, suspects), key=len)
    assert not wrong, "\n".join(difference(smallest(script)) for script in wrong[:3])
