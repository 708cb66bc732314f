"""The one long-running process: what is discovered, autoboot, boots. Speaks Varlink."""

SOCKET = "/run/bootmenu/bootmenu.sock"
"""Where bootmenud listens. Here, so that a menu paints before it imports the protocol."""
INTERFACE = "org.bootmenu.Boot"
"""What it speaks there; see bootmenu.daemon.interface."""
