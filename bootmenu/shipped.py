"""Where the files lie that are not code: the themes and the overlay of the root.

In a checkout they are folders of their own beside the package; a wheel carries them
inside it.
"""

from pathlib import Path

PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The shipped folder *name* (``themes`` or ``rootfs-overlay``)."""
    packed = PACKAGE / "data" / name
    return packed if packed.is_dir() else PACKAGE.parent / name
