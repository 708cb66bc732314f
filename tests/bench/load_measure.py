"""Runs inside the virtual machine, on the image's own Python: one load, as one JSON line.

    load_measure.py request|command|kexec KERNEL INITRD CMDLINE

``request`` asks the running daemon, as the menu does when a person presses Enter; ``command``
is ``bootmenu load`` as a whole; ``kexec`` is ``kexec -l``. Times are seconds, from a cold page
cache on; peaks are the resident bytes of the process that loads.
"""

import json
import os
import sys
import time
from pathlib import Path

KEXEC = "/tools/kexec"
LIBRARIES = {"LD_LIBRARY_PATH": "/tools/lib"}


def main(how, kernel, initrd, cmdline):
    files = ["--initrd", initrd, "--append", cmdline]
    if how == "kexec":
        seconds, peak = spent([KEXEC, "-l", kernel, *files])
    else:
        process = daemon()
        if how == "command":
            command = ["/usr/bin/bootmenu", "load", "--kernel", kernel, *files]
            prepare(process)
            seconds, _ = spent(command)
        else:
            seconds = asked(process, kernel, initrd, cmdline)
        peak = resident(process)["VmHWM"]
    loaded = Path("/sys/kernel/kexec_loaded").read_text().strip() == "1"
    print(json.dumps({"seconds": seconds, "peak": peak, "loaded": loaded}))


def prepare(process=None):
    """Empty the page cache, and let the peak of *process* start anew."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    if process is not None:
        Path(f"/proc/{process}/clear_refs").write_text("5")


def spent(command):
    """Seconds of *command*, and its peak in bytes."""
    prepare()
    started = time.monotonic()
    process = os.posix_spawn(command[0], command, LIBRARIES if command[0] == KEXEC else os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - started
    if status:
        sys.exit(f"{command[0]} failed: {status}")
    return seconds, usage.ru_maxrss << 10


def asked(process, kernel, initrd, cmdline):
    """Seconds from the request until the daemon has loaded it."""
    from bootmenu.daemon.client import open_daemon, request_for

    with open_daemon() as opened:
        request = request_for(opened, entry=None, kernel=kernel, initrds=[initrd], cmdline=cmdline)
        prepare(process)
        started = time.monotonic()
        opened.call("Load", request=request)
        return time.monotonic() - started


def daemon():
    """The process of bootmenud."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.read_bytes().endswith(b"bootmenu\0daemon\0"):
            return int(path.parent.name)
    return sys.exit("bootmenud does not run")


def resident(process):
    """Its figures of /proc/PID/status that are in kB, as bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    pairs = (line.split(":") for line in lines if line.endswith("kB"))
    return {name: int(value.split()[0]) << 10 for name, value in pairs}


main(*sys.argv[1:])
