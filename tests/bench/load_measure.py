"""Runs inside the virtual machine, on the image's own Python: one load, as one JSON line.

    load_measure.py request|command|kexec|kexec-file KERNEL INITRD CMDLINE

``request`` asks the running daemon, as the menu does when a person presses Enter; ``command``
is ``bootmenu load`` as a whole; ``kexec`` is ``kexec -l``, ``kexec-file`` the same with ``-s``.
Times are seconds, from a cold page cache on; "peak" is the most memory of its own that the
process that loads had, pages of files aside, and "memory" how much the machine's available
memory fell at most. A ``kexec -l`` that has not ended after five minutes cannot be killed: it is
the last thing to measure.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

KEXEC = "/tools/kexec"
LIBRARIES = {"LD_LIBRARY_PATH": "/tools/lib"}
LIMIT = 300  # seconds
SAMPLE = 0.1  # seconds


def main(how: str, kernel: str, initrd: str, cmdline: str) -> None:
    unload()
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    files = ["--initrd", initrd, "--append", cmdline]
    error = ""
    if how == "request":
        seconds, watch = asked(kernel, initrd, cmdline)
    elif how == "command":
        command = ["/usr/bin/bootmenu", "load", "--kernel", kernel, *files]
        seconds, watch, error = spent(command, daemon())
    else:
        call = "-s" if how == "kexec-file" else "-c"
        seconds, watch, error = spent([KEXEC, call, "-l", kernel, *files])
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak": watch.peak,
                "memory": watch.memory,
                "loaded": Path("/sys/kernel/kexec_loaded").read_text().strip() == "1",
                "error": error,
            }
        )
    )


class Watch(threading.Thread):
    """What memory *process* and the machine use, for a ``with`` statement."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{process}/status")
        self.done = threading.Event()
        self.peak = self.memory = 0
        self.before = available()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, kilobytes(self.status).get("RssAnon", 0) << 10)
            self.memory = max(self.memory, self.before - available())
            if self.done.wait(SAMPLE):
                return


def unload() -> None:
    """Forget what is loaded, so that it does not count."""
    from bootmenu.kexec import call

    if call.loaded():
        call.unload()


def spent(command: list[str], loader: int | None = None) -> tuple[float, Watch, str]:
    """Seconds of *command*, what it and the process *loader* used, and how it failed."""
    environment = LIBRARIES if command[0] == KEXEC else None
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    with Watch(loader or process.pid) as watch:
        try:
            _, said = process.communicate(timeout=LIMIT)
            error = " ".join(said.split()) if process.returncode else ""
        except subprocess.TimeoutExpired:
            error = f"not done after {LIMIT} s"
    return time.monotonic() - started, watch, error


def asked(kernel: str, initrd: str, cmdline: str) -> tuple[float, Watch]:
    """Seconds from the request until the daemon has loaded it, and what that used."""
    from bootmenu.daemon.client import open_daemon, request_for

    with open_daemon() as opened:
        request = request_for(opened, entry=None, kernel=kernel, initrds=[initrd], cmdline=cmdline)
        with Watch(daemon()) as watch:
            started = time.monotonic()
            opened.call("Load", request=request)
            return time.monotonic() - started, watch


def daemon() -> int:
    """The process of bootmenud."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.read_bytes().endswith(b"bootmenu\0daemon\0"):
            return int(path.parent.name)
    return sys.exit("bootmenud does not run")


def available() -> int:
    """Bytes of memory that are free, or only hold what can be read again.

    Free pages that wait in each processor's own lists, dozens of MiB, are not in MemAvailable.
    """
    waiting = re.findall(r"^ +count: +(\d+)$", Path("/proc/zoneinfo").read_text(), re.MULTILINE)
    listed = sum(map(int, waiting)) * os.sysconf("SC_PAGE_SIZE")
    return (kilobytes(Path("/proc/meminfo"))["MemAvailable"] << 10) + listed


def kilobytes(path: Path) -> dict[str, int]:
    """The figures of *path* that are in kB, by their names; none once its process has ended."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines if line.endswith("kB"))
    return {name: int(value.split()[0]) for name, value in pairs}


main(*sys.argv[1:])
