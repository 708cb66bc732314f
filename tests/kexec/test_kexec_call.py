"""What reaches the system call, and a refusal by the kernel: its cause, remedy and log."""

import errno
import gc
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from bootmenu import kexec
from bootmenu.errors import KexecError, VolumeError
from bootmenu.kexec import call
from bootmenu.kexec.causes import execute_error, load_error
from bootmenu.model import Arch, FileSlice, LoadPlan, Segment


class Call(NamedTuple):
    entry: int
    count: int
    buffers: list[bytes]


def plan(*sources: bytes | memoryview | FileSlice) -> LoadPlan:
    segments = tuple(
        Segment("kernel", source, 0x40000000 + number * 0x400000, 0x400000, "")
        for number, source in enumerate(sources)
    )
    return LoadPlan(Arch.ARM64, 0x40000000, segments, "", "")


@pytest.fixture(autouse=True)
def no_kexec_for_real(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Stand where the system call is made: a test must never load or start anything."""
    seen: list[Call] = []

    def record(entry: int, table: object, count: int, arch: Arch | None) -> int:
        from bootmenu.kexec._abi import ffi

        rows = [table[number] for number in range(count)]  # type: ignore[index]
        assert all(row.mem != ffi.NULL for row in rows)
        seen.append(Call(entry, count, [bytes(ffi.buffer(row.buf, row.bufsz)) for row in rows]))
        return errno.ENOMEM if entry else 0

    monkeypatch.setattr(call, "_kexec_load", record)
    return seen


def test_files_and_buffers_reach_the_kernel_as_they_are(
    tmp_path: Path, no_kexec_for_real: list[Call]
) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(256)) * 64)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(KexecError):
        kexec.load(plan(FileSlice(str(path), 5000, 300), b"abc", memoryview(b"xyz")))
    entry, count, buffers = no_kexec_for_real[0]
    assert (entry, count) == (0x40000000, 3)
    assert buffers == [path.read_bytes()[5000:5300], b"abc", b"xyz"]
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_failed_load_is_forgotten_and_explained(
    no_kexec_for_real: list[Call],
) -> None:
    with pytest.raises(KexecError, match=r"not enough free memory .ENOMEM") as caught:
        kexec.load(plan(b"abc"))
    assert caught.value.errno == errno.ENOMEM
    assert caught.value.hint
    assert isinstance(caught.value.log, tuple)
    assert [(entry, count) for entry, count, _ in no_kexec_for_real] == [(0x40000000, 1), (0, 0)]


def test_progress_counts_all_bytes(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(9 << 20))
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(KexecError):
        kexec.load(plan(FileSlice(str(path), 0, 9 << 20), b"abc"), lambda *step: seen.append(step))
    total = (9 << 20) + 3
    assert seen == [
        ("reading the kernel", 0, total),
        ("reading the kernel", 4 << 20, total),
        ("reading the kernel", 8 << 20, total),
        ("handing it to the kernel", total, total),
    ]


def test_file_that_shrank_or_went(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(100))
    with pytest.raises(VolumeError, match="shorter"):
        kexec.load(plan(FileSlice(str(path), 0, 200)))
    path.unlink()
    with pytest.raises(VolumeError, match="No such file"):
        kexec.load(plan(FileSlice(str(path), 0, 100)))


def test_file_cut_short_while_it_is_read(tmp_path: Path) -> None:
    """A bad sector and a file cut short look the same: pages that cannot be brought in."""
    path = tmp_path / "image"
    path.write_bytes(bytes(12 << 20))

    def cut(_step: str, done: int, _total: int) -> None:
        if done:
            os.truncate(path, 1 << 20)

    with pytest.raises(VolumeError, match="I/O error"):
        kexec.load(plan(FileSlice(str(path), 0, 12 << 20)), cut)


@pytest.mark.parametrize(
    "number",
    [
        errno.EPERM,
        errno.EACCES,
        errno.EADDRNOTAVAIL,
        errno.EINVAL,
        errno.EBUSY,
        errno.ENOMEM,
        errno.EFAULT,
        errno.ENOSYS,
        errno.EIO,
    ],
)
def test_every_errno_has_a_cause_and_a_remedy(number: int) -> None:
    for error in (load_error(number), execute_error(number)):
        assert errno.errorcode[number] in error.message
        assert error.hint
        assert error.errno == number


def test_stuck_processors_are_recognised_in_the_log() -> None:
    log = ("Can't kexec: CPUs are stuck in the kernel.",)
    error = load_error(errno.EBUSY, log)
    assert "cannot stop the other processors" in error.message
    assert "nr_cpus=1" in error.hint
    assert error.log == log


def test_nothing_is_loaded_here() -> None:
    assert kexec.loaded() is False
