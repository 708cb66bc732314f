"""The figures that this project promises, one JSON line each on stdout.

    python -m tests.bench             all of them
    python -m tests.bench paint       one of them

A line is ``{"bench", "value", "unit", "peer", "peer_value", "ratio"}``; the peer ran in the
same run on the same input, and is null where there is none. A ratio below 1 is ours ahead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

from tests.bench import load, paint, parsers, size, startup
from tests.bench.figure import Figure

BENCHES: dict[str, Callable[[], Iterator[Figure]]] = {
    "paint": paint.figures,
    "size": size.figures,
    "startup": startup.figures,
    "load": load.figures,
    "parsers": parsers.figures,
}


def main(names: list[str]) -> int:
    """Run the benchmarks *names*, all without any."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"bench: no such benchmark: {', '.join(unknown)}", file=sys.stderr)
        print(f"hint: there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in names or BENCHES:
        for figure in BENCHES[name]():
            print(json.dumps(figure.as_json()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
