"""Run in a virtual machine: the program headers that a crash kernel would be handed, as JSON."""

import json
import struct

from bootmenu.discover.machine import read_machine
from bootmenu.loader.crash import reserve

header = reserve(read_machine()).header.source
assert isinstance(header, bytes)
print(json.dumps(list(struct.iter_unpack("<II6Q", header[64:]))))
