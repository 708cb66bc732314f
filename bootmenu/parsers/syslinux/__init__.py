"""The syslinux family: SYSLINUX, EXTLINUX, ISOLINUX, PXELINUX, and U-Boot's reading of it.

Specification: the documentation of Syslinux 6 (doc/syslinux.txt, menu.txt, extlinux.txt,
isolinux.txt, pxelinux.txt; https://wiki.syslinux.org/wiki/index.php?title=Config), and of U-Boot
(https://docs.u-boot.org/en/latest/develop/distro.html, doc/README.pxe); where these are silent or
wrong, what SYSLINUX 6.04 and U-Boot 2023.01 were seen to do.

An ``extlinux.conf`` is read as U-Boot does on ARM and RISC-V, and wherever it names device trees
or has neither DEFAULT nor UI: the default is then DEFAULT's label, whose name may have spaces, or
the first MENU DEFAULT, else the first label. Everything else is read as Syslinux does:

- Where a menu module is run (UI, or DEFAULT menu.c32), its default is counted: with UI that of
  DEFAULT, else the last MENU DEFAULT, else the first entry. ONTIMEOUT goes before it, since that
  is what starts when nobody is there. Without a menu the default is what DEFAULT types; if no
  label starts just that, it is an entry of its own. A label's name is its whole line first, then
  its first word, which is all that Syslinux knows.
- TIMEOUT, in tenths of a second, counts even where PROMPT 0 would start the default at once.
- A label that leads to another configuration (CONFIG, ``menu.c32 FILE``) is a submenu; the modules
  config, linux, whichsys, ifcpu, ifcpu64 and cmd are followed. When a configuration without a menu
  leads to another one by itself, only that other is read.
- The cmdline is what APPEND says, ``initrd=`` included. What the loaders add is not: BOOT_IMAGE=,
  ``initrd=`` of INITRD, and the addresses and identities of IPAPPEND and SYSAPPEND.
- Of several INITRDs Syslinux takes the last and U-Boot the first; commas separate several files.
- In U-Boot's APPEND variables are empty, quotes and backslashes are taken as U-Boot takes them.
- FDTDIR: the tree whose root is compatible with the running one's, instead of U-Boot's file name.
- MENU HIDE and MENU DISABLE are obeyed; separators and labels that only lead back are left out.
  A password does not keep an entry from being shown.

Entries that do not start Linux (LOCALBOOT, boot sectors, COM32 programs, memdisk, multiboot by
mboot.c32) are listed without a kernel. Not supported: the choice that MENU SAVE keeps in
ldlinux.sys, what U-Boot's variables hold, selecting a configuration of a FIT image, ``(hd0,1)``
paths, and PXELINUX's files other than ``default``. Unlike U-Boot, a keyword that it does not know
does not end a label, and a global APPEND counts.

All configurations of a volume are read, in the order of :data:`DIRECTORIES`. What one of them has
read is no configuration of its own, and the same entry (title, files, cmdline) is offered once.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootmenu.files import VolumeFiles
from bootmenu.model import Configuration, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.syslinux.paths import files_of

DIRECTORIES = (
    "/boot/extlinux", "/extlinux", "/boot/syslinux", "/syslinux", "", "/boot/isolinux",
    "/isolinux", "/EFI/syslinux", "/EFI/BOOT", "/boot/x86_64/loader", "/boot/i386/loader",
)  # fmt: skip
NAMES = ("extlinux.conf", "syslx64.cfg", "syslia32.cfg", "syslinux.cfg", "isolinux.cfg")
_NETWORK = "/pxelinux.cfg/default"


def read(volume: Volume, context: Context, found: Sequence[Configuration]) -> list[Configuration]:
    """The configurations on *volume*, without the entries that *found* offers already."""
    paths = _locate(files_of(volume))
    if not paths:
        return []
    # Imported here: most volumes have none, and the menu waits for this.
    from bootmenu.parsers.syslinux.reader import Reader
    from bootmenu.parsers.syslinux.script import Reading

    reading = Reading(volume)
    offered = (entry for configuration in found for entry in configuration.entries)
    reader = Reader(reading, context, offered)
    configurations = []
    for path, real in paths.items():
        if real not in reading.visited:
            configuration = reader.read(path)
            if configuration.entries or configuration.problems:
                configurations.append(configuration)
    return configurations


def _locate(files: VolumeFiles) -> dict[str, str]:
    """The configurations on a volume, each once, and where they lead to by links."""
    found: dict[str, str] = {}
    directories = [d for d in DIRECTORIES if not d or files.is_dir(d)]
    paths = [f"{directory}/{name}" for directory in directories for name in NAMES]
    for path in (*paths, _NETWORK):
        if files.is_not_directory(path):
            real = files.path_of(path)
            if real not in found.values():  # not by a link: the directory counts
                found[real if real.casefold() == path.casefold() else path] = real
    return found
