"""A request and a machine in, a load plan out. One module per architecture."""

from bootmenu.devicetree import compare, describe
from bootmenu.loader.plan import prepare, tree
from bootmenu.loader.preflight import check, diagnose
from bootmenu.loader.render import render_json, render_text

__all__ = [
    "check",
    "compare",
    "describe",
    "diagnose",
    "prepare",
    "render_json",
    "render_text",
    "tree",
]
