"""The files of volumes, safely read: in directories, and inside ISO images that lie about."""

from bootmenu.files.effort import exhausted, limited
from bootmenu.files.slices import is_whole, open_slice, pieces_of, whole
from bootmenu.files.volume import VolumeFiles, volume_named

__all__ = [
    "VolumeFiles",
    "exhausted",
    "is_whole",
    "limited",
    "open_slice",
    "pieces_of",
    "volume_named",
    "whole",
]
