"""A request and a machine in, a load plan out. One module per architecture."""

from bootmenu.devicetree import compare, describe
from bootmenu.loader.described import tree
from bootmenu.loader.digests import digested
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight import check, diagnose, examine_root
from bootmenu.loader.render import render_json, render_text

__all__ = [
    "check",
    "compare",
    "describe",
    "diagnose",
    "digested",
    "examine_root",
    "prepare",
    "render_json",
    "render_text",
    "tree",
]
