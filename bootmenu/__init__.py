"""bootmenu: find every system that a machine could start, choose and edit one, kexec it."""

__version__ = "0.1.0"
