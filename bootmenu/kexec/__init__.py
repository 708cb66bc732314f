"""The system calls: load, unload, execute. Decides nothing."""

from bootmenu.kexec.call import execute, load, loaded, unload

__all__ = ["execute", "load", "loaded", "unload"]
