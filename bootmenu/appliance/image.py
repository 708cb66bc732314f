"""``bootmenu build``: kernel, Debian root, this project and the overlay in, an image out.

    DIR/vmlinuz                 the kernel
    DIR/initramfs.cpio.zst      the root, which the kernel unpacks into memory
    DIR/manifest.json           what it was made of and what takes the space

The same packages give the same bytes, on any machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootmenu.appliance import modules, python, root
from bootmenu.appliance.debian import NAMES, SITE, TRIPLETS, Packages, fetch
from bootmenu.appliance.pack import Part, describe, join, pack
from bootmenu.appliance.tools import require
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BuildError
from bootmenu.model import Arch
from bootmenu.shipped import PACKAGE, folder

Report = Callable[[str], None]

RECIPE = ("debian", "image", "modules", "pack", "python", "root", "tree")
"""The modules that decide what is packed: when one changes, so does every part."""

COMMAND = f"""\
#!/{root.PROGRAMS[0]} -I
import sys
from bootmenu.cli import main
sys.exit(main())
"""
"""/usr/bin/bootmenu of the image."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What was built. Sizes are bytes; *parts* share the initramfs between them."""

    arch: Arch
    kernel: Path
    initramfs: Path
    manifest: Path
    release: str
    parts: tuple[Part, ...]

    @property
    def memory(self) -> int:
        """Bytes that the unpacked root takes in memory."""
        return sum(part.memory for part in self.parts)

    def text(self) -> str:
        """The sizes, and what takes the space, as a table for a person."""
        lines = [f"{'':14}{'packed':>10}{'in memory':>12}{'files':>8}"]
        for part in sorted(self.parts, key=lambda part: -part.packed):
            packed, memory = _mib(part.packed), _mib(part.memory)
            lines.append(f"  {part.name:12}{packed:>10}{memory:>12}{part.files:>8}")
        packed = _mib(self.initramfs.stat().st_size)
        files = sum(part.files for part in self.parts)
        lines.append(f"  {'initramfs':12}{packed:>10}{_mib(self.memory):>12}{files:>8}")
        lines.append(f"  {'kernel':12}{_mib(self.kernel.stat().st_size):>10}  Linux {self.release}")
        return "\n".join(lines)


def default_cache() -> Path:
    """Where downloads and finished parts are kept: the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base, "bootmenu")


def build(
    arch: Arch,
    output: Path,
    *,
    kernel: Path | None = None,
    modules: Path | None = None,
    cache: Path | None = None,
    report: Report = lambda _: None,
) -> BuildResult:
    """Build the image for *arch* into the folder *output*; takes seconds when little changed.

    *kernel* and *modules* (/lib/modules/RELEASE) are a board's own instead of
    Debian's. *report* gets a line for each step. Raises :class:`BuildError`.
    """
    if (kernel is None) != (modules is None):
        raise BuildError("a kernel comes with its modules", hint="give both --kernel and --modules")
    require(["mmdebstrap", "zstd", "depmod", "modprobe", "dpkg"])
    try:
        return _Build(arch, output, cache or default_cache(), report).run(kernel, modules)
    except OSError as error:
        raise BuildError(f"{error.filename or output}: {error.strerror}") from error


def debian_kernel(arch: Arch, cache: Path, report: Report) -> Packages:
    """Debian's kernel for *arch*, with its modules."""
    return fetch(NAMES[arch], [f"linux-image-{NAMES[arch]}"], cache, report)


def kernel_file(packages: Packages) -> tuple[str, bytes]:
    """The release and the file of the only kernel in *packages*: vmlinux-, where it is plain."""
    files = Tree.of_tar(packages.archive, lambda path: path.startswith("boot/vmlinu"))
    ((path, node),) = files.items()
    return path.partition("-")[2], node.data


class _Build:
    """One build: what goes in, and the parts in the order in which they are unpacked."""

    def __init__(self, arch: Arch, output: Path, cache: Path, report: Report) -> None:
        self._arch = arch
        self._output = output
        self._cache = cache
        self._report = report
        sources = (Path(__file__).with_name(f"{name}.py").read_bytes() for name in RECIPE)
        self._recipe = hashlib.sha256(b"".join(sources)).hexdigest()
        self._compilers: list[python.Compiler] = []

    def run(self, kernel: Path | None, folder: Path | None) -> BuildResult:
        """Build."""
        self._output.mkdir(parents=True, exist_ok=True)
        debian = fetch(NAMES[self._arch], root.PACKAGES, self._cache, self._report)
        sources = {"debian": list(debian.versions)}
        if kernel is None or folder is None:
            linux = debian_kernel(self._arch, self._cache, self._report)
            sources["kernel"] = [name for name in linux.versions if name.startswith("linux-image")]
            image, module_part, release = self._debian_kernel(linux)
        else:
            image, module_part, release = self._own_kernel(kernel, folder)
        parts = (self._debian(debian), self._dependencies(), module_part, self._project())
        return self._write(image, parts, release, sources)

    def _write(
        self, image: bytes, parts: tuple[Part, ...], release: str, sources: dict[str, list[str]]
    ) -> BuildResult:
        kernel, initramfs = self._output / "vmlinuz", self._output / "initramfs.cpio.zst"
        manifest = self._output / "manifest.json"
        if not kernel.exists() or kernel.read_bytes() != image:
            kernel.write_bytes(image)
        join(parts, initramfs)
        facts = {
            "arch": self._arch,
            "release": release,
            "kernel": {"bytes": len(image), "sha256": hashlib.sha256(image).hexdigest()},
            "initramfs": {
                "bytes": initramfs.stat().st_size,
                "memory": sum(part.memory for part in parts),
                "sha256": hashlib.sha256(initramfs.read_bytes()).hexdigest(),
                "parts": describe(parts),
            },
            "packages": sources,
        }
        manifest.write_text(json.dumps(facts, indent=2) + "\n")
        return BuildResult(self._arch, kernel, initramfs, manifest, release, parts)

    def _pack(self, name: str, inputs: str, tree: Callable[[], Tree]) -> Part:
        key = hashlib.sha256(f"{self._recipe}\n{inputs}".encode()).hexdigest()
        return pack(name, key, tree, self._cache, self._report)

    def _compile(self, tree: Tree) -> Tree:
        if not self._compilers:
            self._compilers.append(python.Compiler(self._cache, self._report))
        return self._compilers[0].compile(tree)

    def _debian(self, packages: Packages) -> Part:
        def tree() -> Tree:
            files = Tree.of_tar(packages.archive, root.is_of_use)
            return self._compile(root.debian_tree(files, triplet=TRIPLETS[self._arch]))

        return self._pack("debian", packages.key, tree)

    def _dependencies(self) -> Part:
        lock = hashlib.sha256(python.LOCK.read_bytes()).hexdigest()

        def tree() -> Tree:
            files = python.wheels(self._cache, lock, self._report)
            return self._compile(python.wheel_tree(files))

        return self._pack("python", lock, tree)

    def _debian_kernel(self, packages: Packages) -> tuple[bytes, Part, str]:
        release, image = kernel_file(packages)

        def tree() -> Tree:
            with tempfile.TemporaryDirectory(prefix="bootmenu-kernel-") as temporary:
                prefix = "usr/lib/modules/"
                Tree.of_tar(packages.archive, lambda path: path.startswith(prefix)).write(
                    Path(temporary)
                )
                return modules.module_tree(Path(temporary, prefix, release))

        return image, self._pack("modules", packages.key, tree), release

    def _own_kernel(self, kernel: Path, folder: Path) -> tuple[bytes, Part, str]:
        folder = modules.release_folder(folder)
        facts = (path.stat() for path in sorted(folder.rglob("*.ko*")))
        key = "\n".join(f"{fact.st_size} {fact.st_mtime_ns}" for fact in facts)
        part = self._pack("modules", f"{folder} {key}", lambda: modules.module_tree(folder))
        return kernel.read_bytes(), part, folder.name

    def _project(self) -> Part:
        tree = Tree()
        for path, node in Tree.of_folder(PACKAGE).items():
            if python.is_of_use(f"bootmenu/{path}") and "__pycache__" not in path:
                tree[f"{SITE}/bootmenu/{path}"] = node
        for path, node in Tree.of_folder(folder("themes")).items():
            tree[f"{SITE}/bootmenu/data/themes/{path}"] = node
        tree["usr/bin/bootmenu"] = Node.file(COMMAND.encode(), 0o755)
        tree.update(Tree.of_folder(folder("rootfs-overlay")))
        return self._pack("bootmenu", _digest(tree), lambda: self._compile(tree))


def _digest(tree: Tree) -> str:
    digest = hashlib.sha256()
    for path in sorted(tree):
        if "__pycache__" not in path:
            digest.update(f"{path}\0{tree[path].mode}\0{len(tree[path].data)}\0".encode())
            digest.update(tree[path].data)
    return digest.hexdigest()


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
