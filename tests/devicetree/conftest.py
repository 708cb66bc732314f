import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Compile = Callable[[str], bytes]


@pytest.fixture(scope="session")
def virt_dtb(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The tree that QEMU's virt board gives a kernel: 1 MiB, mostly padding."""
    path = tmp_path_factory.mktemp("virt") / "virt.dtb"
    machine = ["-M", f"virt,dumpdtb={path}", "-cpu", "cortex-a57", "-smp", "2", "-display", "none"]
    subprocess.run(["qemu-system-aarch64", *machine], check=True, capture_output=True)
    return path.read_bytes()


@pytest.fixture
def dtc() -> Compile:
    """Compile device tree source (the body of a file behind /dts-v1/)."""

    def compile_(source: str) -> bytes:
        text = f"/dts-v1/;\n{source}".encode()
        command = ["dtc", "-q", "-@", "-I", "dts", "-O", "dtb"]
        return subprocess.run(command, input=text, check=True, capture_output=True).stdout

    return compile_


@pytest.fixture
def dts() -> Callable[[bytes], str]:
    """What dtc reads in a flattened tree."""

    def decompile(data: bytes) -> str:
        command = ["dtc", "-q", "-s", "-I", "dtb", "-O", "dts"]
        return subprocess.run(command, input=data, check=True, capture_output=True).stdout.decode()

    return decompile


@pytest.fixture
def fdtoverlay(tmp_path: Path) -> Callable[[bytes, bytes], bytes]:
    """What the fdtoverlay tool makes of a tree and an overlay."""

    def apply(base: bytes, overlay: bytes) -> bytes:
        for name, data in (("base", base), ("overlay", overlay)):
            (tmp_path / name).write_bytes(data)
        command = ["fdtoverlay", "-i", "base", "-o", "out", "overlay"]
        subprocess.run(command, cwd=tmp_path, check=True)
        return (tmp_path / "out").read_bytes()

    return apply
