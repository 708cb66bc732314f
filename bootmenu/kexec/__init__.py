"""The system calls: load, unload, execute. Decides nothing."""

from bootmenu.kexec.available import available
from bootmenu.kexec.call import execute, load, loaded, unload

__all__ = ["available", "execute", "load", "loaded", "unload"]
