"""The Python of the appliance: this project and what it depends on, as byte code.

Dependencies are the wheels that ``requirements-image.lock`` names with their hashes;
``python -m bootmenu.appliance.lock`` writes that file anew. They are the same for every
architecture: of cffi, which is not only Python, the image has Debian's backend, and the modules
that cffi generated need no more than that. Byte code belongs to one
version of Python, and the build machine may have another: Debian's Python for the build
machine's architecture compiles, started through its own loader, so that nothing needs to
be installed.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from bootmenu.appliance.debian import PYTHON, SITE, TRIPLETS, fetch
from bootmenu.appliance.tools import run
from bootmenu.appliance.tree import Node, Tree
from bootmenu.errors import BuildError
from bootmenu.model import Arch

LOCK = Path(__file__).with_name("requirements-image.lock")

LEXERS = ("__init__", "_mapping", "python", "special")
"""Of Pygments' lexers only what a traceback needs: Textual's crash handler prints one."""

UNUSED = (
    "bootmenu/appliance/",
    "pygments/formatters/",
    "pygments/styles/",
    "textual/demo/",
    "textual/tree-sitter/",
)
"""How the paths start of what the appliance does without."""

NEEDED_STYLES = ("pygments/styles/__init__.py", "pygments/styles/_mapping.py")


COMPILE = """
import compileall, sys
mode = compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH
sys.exit(not compileall.compile_dir(
    ".", maxlevels=99, stripdir=".", prependdir="/", force=True, quiet=1, legacy=True,
    optimize=2, workers=1, invalidation_mode=mode,
))
"""
"""Without docstrings and asserts; one worker, since the order shows in the byte code."""

NORMALISE = """
import marshal, pathlib
for path in sorted(pathlib.Path(".").rglob("*.pyc")):
    data = path.read_bytes()
    path.write_bytes(data[:16] + marshal.dumps(marshal.loads(data[16:])))
"""
"""What the compiler happened to share in memory shows in its byte code; a copy forgets it."""


def is_of_use(path: str) -> bool:
    """Whether the file at *path*, relative to the folder of packages, may be needed."""
    if path.startswith("pygments/lexers/"):
        return posixpath.basename(path).removesuffix(".py") in LEXERS
    if path in NEEDED_STYLES:
        return True
    if ".dist-info/" in path or path.endswith((".pyi", ".c", ".h", ".pyc", "py.typed")):
        return False
    return not path.startswith(UNUSED)


def pip(arguments: list[str | Path]) -> None:
    """Run pip; raises :class:`BuildError` when it fails."""
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = done.stderr.strip().splitlines()
        raise BuildError(
            f"pip failed: {what[-1].strip() if what else done.returncode}",
            hint="apt-get install python3-pip python3-venv, and see that the network is up",
        )


def download(folder: Path, arguments: list[str | Path]) -> list[Path]:
    """Download wheels that run on any machine into *folder* and return them, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    target = ["--only-binary=:all:", "--python-version", PYTHON, "--platform", "any"]
    pip(["download", "--quiet", "--dest", folder, *target, *arguments])
    return sorted(folder.glob("*.whl"))


def wheels(cache: Path, key: str, report: Callable[[str], None]) -> list[Path]:
    """The locked wheels, downloaded into *cache* once; *key* names the lock."""
    folder = cache / "wheels" / key[:12]
    if not folder.is_dir():
        report(f"fetching the Python packages of {LOCK.name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            unfinished = Path(temporary, "wheels")
            download(unfinished, ["--no-deps", "--require-hashes", "-r", str(LOCK)])
            unfinished.rename(folder)
    return sorted(folder.glob("*.whl"))


def wheel_tree(files: list[Path]) -> Tree:
    """The contents of the wheels *files*, as they lie in :data:`SITE`."""
    tree = Tree()
    for file in files:
        with zipfile.ZipFile(file) as wheel:
            for item in wheel.infolist():
                if not item.is_dir() and is_of_use(item.filename):
                    tree[f"{SITE}/{item.filename}"] = Node.file(wheel.read(item))
    return tree


class Compiler:
    """Debian's Python on the build machine, which turns sources into byte code."""

    def __init__(self, cache: Path, report: Callable[[str], None]) -> None:
        """Fetch it into *cache*. Raises :class:`BuildError`."""
        architecture = run(["dpkg", "--print-architecture"]).stdout.decode().strip()
        arch = Arch.of_machine(os.uname().machine)
        if arch is None:
            raise BuildError(f"cannot build on {os.uname().machine}")
        packages = fetch(architecture, [f"python{PYTHON}"], cache, report)
        self._root = cache / "python" / packages.key[:12]
        if not self._root.is_dir():
            self._root.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._root.parent) as temporary:
                unfinished = Path(temporary, "root")
                Tree.of_tar(packages.archive, _is_for_compiling).write(unfinished)
                unfinished.rename(self._root)
        self._libraries = self._root / "usr" / "lib" / TRIPLETS[arch]
        self._loader = next(self._libraries.glob("ld-linux*.so.*"))

    def compile(self, tree: Tree) -> Tree:
        """*tree* with its .py files replaced by .pyc files that are never checked again."""
        with tempfile.TemporaryDirectory(prefix="bootmenu-compile-") as temporary:
            Tree({p: n for p, n in tree.items() if p.endswith(".py")}).write(Path(temporary))
            self.python(["-c", COMPILE], folder=Path(temporary))
            self.python(["-c", NORMALISE], folder=Path(temporary))
            compiled = Tree.of_folder(Path(temporary))
        result = Tree({path: node for path, node in tree.items() if not path.endswith(".py")})
        result.update({p: Node.file(n.data) for p, n in compiled.items() if p.endswith(".pyc")})
        return result

    def python(self, arguments: list[str], *, folder: Path) -> bytes:
        """What Python prints when it runs with *arguments* in *folder*."""
        command: list[str | Path] = [self._loader, "--library-path", self._libraries]
        program = self._root / "usr" / "bin" / f"python{PYTHON}"
        environment = {
            "PYTHONHOME": str(self._root / "usr"),
            "PYTHONHASHSEED": "0",
            # Whether its own modules were compiled before shows in the byte code, too.
            "PYTHONDONTWRITEBYTECODE": "1",
            # Columns, for the carets under lines of source that the image does not have.
            "PYTHONNODEBUGRANGES": "1",
            "LANG": "C.UTF-8",
        }
        return run([*command, program, *arguments], environment=environment, folder=folder).stdout


def _is_for_compiling(path: str) -> bool:
    return path.startswith(("usr/lib/", "usr/lib64/", "usr/bin/python"))
