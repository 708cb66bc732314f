"""The errors for a compressed file that does not unpack."""

from __future__ import annotations

from bootmenu.errors import ImageError

DAMAGED = "copy the kernel again: the file is damaged or was not written completely"
_TOO_LARGE = ("Memory usage limit exceeded", "Frame requires too much memory for decoding")
"""What liblzma and libzstd say of a dictionary beyond the limit that they were given."""


def cut_off(path: str, what: str, at: int) -> ImageError:
    """*path*, *what* (``gzip'd kernel``), ends before its end mark, after *at* bytes."""
    return ImageError(
        f"{path}: truncated, the {what} ends before its end mark, after {at:,} bytes",
        hint=DAMAGED,
    )


def broken(path: str, what: str, at: int, reason: object) -> ImageError:
    """*path*, *what*, cannot be unpacked; it was read up to byte *at* when that showed."""
    if str(reason) in _TOO_LARGE:
        return ImageError(
            f"{path}: the {what} would take more than 128 MiB of memory to unpack",
            hint="compress it with a smaller dictionary: xz -9 and zstd --long=27 are good",
        )
    return ImageError(
        f"{path}: damaged, the {what} does not unpack ({reason}, before byte {at:,})",
        hint=DAMAGED,
    )


def no_library(path: str, what: str, library: str, package: str) -> ImageError:
    """*path*, *what*, takes a *library* of Debian's *package* that is not here."""
    return ImageError(
        f"{path}: a {what}, and {library}, which unpacks it, is not here",
        hint=f"install {package}, or unpack the kernel elsewhere",
    )
