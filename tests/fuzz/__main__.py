"""Fuzz one target: ``python -m tests.fuzz TARGET [SECONDS]``; without a target, list them.

The input that broke it is written to build/fuzz/TARGET/; move it to tests/fuzz/found/TARGET/
with a name that says what was wrong, and the tests will try it for ever. Inputs that cover more
code are collected in the same folder, so that a second run goes on where the first one ended.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import atheris

SECONDS = 120
"""That no input may take: ten times what a scan takes of the processor, on a busy machine."""
MIB = 3000
"""Of memory that no input may take."""


def main() -> None:
    """Run the target that the command line names."""
    with atheris.instrument_imports(include=["bootmenu"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit("\n".join(["usage: python -m tests.fuzz TARGET [SECONDS]", *TARGETS]))
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "0"
    target = TARGETS[name]
    corpus = Path("build", "fuzz", name)
    target.corpus(corpus)
    tree = corpus.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SECONDS}",
        f"-rss_limit_mb={MIB}",
        "-max_len=65536",
        f"-artifact_prefix={corpus}/",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.prepare(tree))
    atheris.Fuzz()


main()
