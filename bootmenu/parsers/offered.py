"""Kernels that lie about on one volume and are offered by a configuration on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bootmenu.model import Configuration, Format


def without_offered(found: Sequence[Configuration]) -> list[Configuration]:
    """*found*, of all volumes, without the bare kernels that another configuration starts.

    Within one volume :mod:`bootmenu.parsers.bare` sees to that, links included. Of two volumes only
    paths are compared, so that nothing is read.
    """
    if not any(c.format is Format.BARE for c in found):
        return list(found)
    offered = {
        (entry.kernel.volume, entry.kernel.path)
        for c in found
        if c.format is not Format.BARE
        for entry in c.entries
        if entry.kernel
    }
    kept = []
    for configuration in found:
        if configuration.format is Format.BARE:
            entries = tuple(
                e
                for e in configuration.entries
                if not e.kernel or (e.kernel.volume, e.kernel.path) not in offered
            )
            if not entries:
                continue
            configuration = replace(configuration, entries=entries)  # noqa: PLW2901
        kept.append(configuration)
    return kept
