"""The files of volumes, safely read: in directories, and inside ISO images that lie about."""

from bootmenu.files.effort import Effort, cut_short, exhausted, limited, spent
from bootmenu.files.slices import is_whole, open_slice, pieces_of, whole
from bootmenu.files.volume import VolumeFiles, volume_named

__all__ = [
    "Effort",
    "VolumeFiles",
    "cut_short",
    "exhausted",
    "is_whole",
    "limited",
    "open_slice",
    "pieces_of",
    "spent",
    "volume_named",
    "whole",
]
