"""What the appliance's root needs of Debian's packages, and nothing else of them."""

from __future__ import annotations

import io
import posixpath
import stat
from collections.abc import Callable

from bootmenu.appliance.debian import PYTHON, SITE
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BuildError

PACKAGES = (
    f"python{PYTHON}",
    "python3-cffi-backend",
    "udev",
    "kmod",
    "busybox-static",
    "mount",
    "util-linux",
    "libbz2-1.0",
    "libfdt1",
    "liblz4-1",
    "liblzma5",
    "libudev1",
    "libzstd1",
)
"""The packages; what they depend on comes along."""

PROGRAMS = (
    f"usr/bin/python{PYTHON}",
    "usr/bin/busybox",
    "usr/bin/kmod",
    "usr/bin/mount",
    "usr/bin/setpriv",
    "usr/bin/udevadm",
    "usr/bin/umount",
    "usr/sbin/blkid",
    "usr/lib/systemd/systemd-udevd",
    "usr/lib/udev/ata_id",
    "usr/lib/udev/cdrom_id",
    "usr/lib/udev/scsi_id",
)

LIBRARIES = (
    "libbz2.so.1.0",
    "libfdt.so.1",
    "libkmod.so.2",  # udevd opens it by name
    "liblz4.so.1",
    "liblzma.so.5",
    "libudev.so.1",
    "libzstd.so.1",
)
"""Libraries that are opened by name; those that programs link to are found."""

RULES = (
    "50-udev-default.rules",
    "60-block.rules",
    "60-cdrom_id.rules",
    "60-persistent-storage.rules",
    "64-btrfs.rules",
    "80-drivers.rules",
)
"""The udev rules about disks and drivers: each one more costs time at every event."""

STDLIB = f"usr/lib/python{PYTHON}/"

UNUSED = (
    "__phello__",
    "_pyrepl",
    "_sysconfigdata_",
    "config-",
    "ctypes/macholib",
    "curses",
    "dbm",
    "doctest",
    "ensurepip",
    "ftplib",
    "idlelib",
    "imaplib",
    "lib2to3",
    "mailbox",
    "multiprocessing",
    "nntplib",
    "optparse",
    "pickletools",
    "poplib",
    "profile",
    "pstats",
    "pyclbr",
    "pydoc",
    "smtplib",
    "sqlite3",
    "sysconfig/__main__",
    "tarfile",
    "test",
    "this",
    "tkinter",
    "turtle",
    "unittest",
    "venv",
    "wave",
    "wsgiref",
    "xml",
    "zipapp",
    "lib-dynload/_codecs_",
    "lib-dynload/_ctypes_test",
    "lib-dynload/_curses",
    "lib-dynload/_dbm",
    "lib-dynload/_hashlib",  # hashlib has its own digests
    "lib-dynload/_interp",
    "lib-dynload/_lsprof",
    "lib-dynload/_multiprocessing",
    "lib-dynload/_posixshmem",
    "lib-dynload/_sqlite3",
    "lib-dynload/_ssl",
    "lib-dynload/_test",
    "lib-dynload/_xxtestfuzz",
    "lib-dynload/_zoneinfo",
    "lib-dynload/readline",
    "lib-dynload/xx",
    "zoneinfo",
)
"""How the paths of the standard library start that nothing in the appliance imports."""

ENCODINGS = (
    "__init__",
    "aliases",
    "ascii",
    "cp437",
    "cp850",
    "idna",
    "latin_1",
    "utf_16",
    "utf_16_be",
    "utf_16_le",
    "utf_8",
    "utf_8_sig",
    "unicode_escape",
    "raw_unicode_escape",
    "punycode",
)

LINKS = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "sbin": "usr/sbin",
    "usr/bin/python3": f"python{PYTHON}",
    "usr/bin/sh": "busybox",
    "usr/sbin/depmod": "../bin/kmod",
    "usr/sbin/modprobe": "../bin/kmod",
    "usr/bin/lsmod": "kmod",
}

FOLDERS = {"dev": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sys": 0o555, "tmp": 0o1777}
"""Empty folders, for what is mounted when it starts, with their permissions."""


def is_of_use(path: str) -> bool:
    """Whether the file at *path* of Debian's packages may be needed at all."""
    if path.startswith(STDLIB):
        return _is_imported(path.removeprefix(STDLIB))
    if path.startswith(SITE):
        return path.startswith(f"{SITE}/_cffi_backend.")
    if path.startswith("usr/lib/udev/rules.d/"):
        return posixpath.basename(path) in RULES
    if ".so" in posixpath.basename(path) and path.count("/") <= 4:
        return path.startswith(("usr/lib/", "usr/lib64/"))
    return path in PROGRAMS


def _is_imported(path: str) -> bool:
    if path.startswith("encodings/"):
        return posixpath.basename(path).removesuffix(".py") in ENCODINGS
    return path.endswith((".py", ".so")) and not path.startswith(UNUSED)


def debian_tree(files: Tree, *, triplet: str) -> Tree:
    """What is kept of *files*, the accepted files of the packages: with Python's sources.

    Raises :class:`BuildError` when a program is not there or lacks a library.
    """
    tree = Tree({path: node for path, node in files.items() if not _is_library(path)})
    missing = [path for path in PROGRAMS if path not in tree]
    if missing:
        raise BuildError(f"not in Debian's packages: {', '.join(missing)}")
    add_libraries(tree, files, triplet=triplet, names=LIBRARIES)
    tree.update({path: Node.link(target) for path, target in LINKS.items()})
    if any(path.startswith("usr/lib64/") for path in tree):
        tree["lib64"] = Node.link("usr/lib64")
    tree.update({path: Node.folder(permissions) for path, permissions in FOLDERS.items()})
    return tree


def _is_library(path: str) -> bool:
    return ".so" in posixpath.basename(path) and not path.startswith((STDLIB, SITE))


def add_libraries(tree: Tree, files: Tree, *, triplet: str, names: tuple[str, ...] = ()) -> None:
    """Add the libraries *names*, and those that the programs of *tree* link to, from *files*."""
    wanted = list(names)
    for node in list(tree.values()):
        wanted += needed(node.data) if stat.S_ISREG(node.mode) else ()
    places: tuple[Callable[[str], str], ...] = (
        lambda name: f"usr/lib/{triplet}/{name}",
        lambda name: f"usr/lib/{name}",
        lambda name: f"usr/lib64/{name}",  # the loader of x86_64
        lambda name: f"usr/lib/{triplet}/systemd/{name}",
    )
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        chains = [chain for place in places if (chain := files.resolve(place(name)))]
        if not chains:
            raise BuildError(f"no package of the appliance brings {name}")
        for chain in chains:
            tree.update({path: files[path] for path in chain})
            wanted += needed(files[chain[-1]].data)


def needed(program: bytes) -> tuple[str, ...]:
    """The libraries that the ELF file *program* links to; none for what is no ELF file."""
    if not program.startswith(b"\x7fELF"):
        return ()
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile

    dynamic = ELFFile(io.BytesIO(program)).get_section_by_name(".dynamic")
    if not isinstance(dynamic, DynamicSection):
        return ()
    return tuple(str(tag.needed) for tag in dynamic.iter_tags("DT_NEEDED"))  # type: ignore[attr-defined]
