"""Runs inside the virtual machine: loads each kernel that it is given.

    load_each.py KERNEL...

Says what was handed over as a line of JSON each: the kernel, and the SHA-256 of its segments.
"""

import json
import sys

from bootmenu.daemon.client import open_daemon, request_for

with open_daemon() as daemon:
    for kernel in sys.argv[1:]:
        daemon.call("Load", request=request_for(daemon, entry=None, kernel=kernel, cmdline="x"))
        segments = json.loads(daemon.call("Loaded"))["segments"]
        digests = [(one["name"], one.get("sha256", "")) for one in segments]
        print(json.dumps([kernel, digests]), flush=True)
