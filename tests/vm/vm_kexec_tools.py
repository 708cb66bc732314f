"""Debian's kexec-tools, to compare with, as files that run on the boot menu's own root."""

from __future__ import annotations

from bootmenu.appliance.debian import NAMES, TRIPLETS, fetch
from bootmenu.appliance.image import default_cache
from bootmenu.appliance.root import add_libraries
from bootmenu.appliance.tree import Tree
from bootmenu.model import Arch

KEXEC = "LD_LIBRARY_PATH=/tools/lib /tools/kexec"
"""How it is run, once the folder ``tools`` was copied to the root."""


def kexec_tools(arch: Arch = Arch.ARM64) -> Tree:
    """kexec with its libraries, flat in the folder ``tools``."""
    packages = fetch(NAMES[arch], ["kexec-tools"], default_cache(), print)
    files = Tree.of_tar(packages.archive)
    found = Tree({"kexec": files["usr/sbin/kexec"]})
    add_libraries(found, files, triplet=TRIPLETS[arch])
    tree = Tree({"tools/kexec": found.pop("kexec")})
    for path in found:
        library = found[found.resolve(path)[-1]]
        tree[f"tools/lib/{path.rpartition('/')[2]}"] = library
    return tree
