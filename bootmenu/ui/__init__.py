"""The Textual menu, one process per console, a client of the daemon."""

from __future__ import annotations

import os

from bootmenu import __version__
from bootmenu.ui.terminal.cells import Look, blank_row, put
from bootmenu.ui.terminal.console import Console

EXIT_SHELL = 4
"""Exit status by which the menu asks whoever started it for a shell."""
LOOKING = "Looking for systems to start..."
"""The status before the daemon has said anything."""


def run(
    *,
    socket: str | tuple[int, int, int],
    shell: bool = False,
    theme: str | None = None,
    wait: bool = True,
) -> int:
    """Show the menu on this terminal until it is left; returns the exit status.

    *socket* is the path of the daemon's socket, or three descriptors connected to a private
    daemon (for the state, for calls, and to cancel a call). With *shell*, a person may ask for
    one: the status is then EXIT_SHELL. With *wait*, the menu is all there is on its console:
    it cannot be quit, and a daemon that is not there yet is waited for.

    Raises UsageError without a terminal, DaemonError when a daemon that is not waited for
    cannot be reached.
    """
    with Console() as console:
        _show_signs_of_life(console)
        os.environ.setdefault("ESCDELAY", str(int(console.profile.escape_delay * 1000)))
        from bootmenu.ui import theme as themes
        from bootmenu.ui.app import MenuApp
        from bootmenu.ui.client import Client

        app = MenuApp(
            Client(socket, wait=wait),
            look=themes.load(theme or console.profile.name),
            terminal=console,
            shell=shell,
            stays=wait,
        )
        status = app.run(mouse=False)
    if app.failed is not None:
        raise app.failed
    return status if status is not None else app.return_code or 0


def _show_signs_of_life(console: Console) -> None:
    """Paint the heading before the imports, which take seconds on a small machine."""
    width, height = console.size
    frame = [blank_row(width) for _ in range(height)]
    put(frame[0], 0, f"bootmenu {__version__}", Look(bold=True))
    if height > 1:
        put(frame[height - 2], 0, LOOKING, Look())
    console.paint(frame, (0, height - 2))
