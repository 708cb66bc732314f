"""What reaches the system call, and a refusal by the kernel: its cause, remedy and log."""

import errno
import gc
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bootmenu.errors import CancelledError, ImageError, KexecError, VolumeError
from bootmenu.kexec import call, system
from bootmenu.kexec.causes import execute_error, file_load_error, load_error
from bootmenu.kexec.numbers import CALLS
from bootmenu.kexec.userfault import Userfault
from bootmenu.model import Arch, FileSlice, LoadPlan, Segment, Source


class Call(NamedTuple):
    entry: int
    segments: int
    buffers: list[bytes]
    panic: bool


def plan(*sources: Source) -> LoadPlan:
    segments = tuple(
        Segment("kernel", source, 0x40000000 + number * 0x4000000, 0x4000000, "")
        for number, source in enumerate(sources)
    )
    return LoadPlan(Arch.ARM64, 0x40000000, segments, "", "")


class Answer:
    """What the kernel says to a load whose bytes it could read."""

    number = errno.ENOMEM


answer = Answer()


def taken(buffer: Any) -> bytes:
    """What *buffer* holds, copied by the kernel as kexec_load does, without Python's lock."""
    with tempfile.TemporaryFile() as file:
        data = memoryview(buffer)
        at = 0
        while at < len(data):
            at += os.write(file.fileno(), data[at : at + 4096])
        file.seek(0)
        return file.read()


@pytest.fixture(params=["streamed", "mapped"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With userfaultfd, and on a kernel without it."""
    if request.param == "mapped":
        numbers = {arch: calls._replace(userfaultfd=-1) for arch, calls in CALLS.items()}
        monkeypatch.setattr(system, "CALLS", numbers)
    return str(request.param)


@pytest.fixture(autouse=True)
def no_kexec_for_real(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Stand where the system call is made: a test must never load or start anything."""
    seen: list[Call] = []

    def record(entry: int, table: object, count: int, arch: Arch | None, panic: bool) -> int:
        from bootmenu.kexec._abi import ffi

        rows = [table[number] for number in range(count)]  # type: ignore[index]
        assert all(row.mem != ffi.NULL for row in rows)
        try:
            buffers = [taken(ffi.buffer(row.buf, row.bufsz)) for row in rows]
            seen.append(Call(entry, count, buffers, panic))
        except OSError as error:
            return error.errno or 0
        return answer.number if entry else 0

    monkeypatch.setattr(call, "_kexec_load", record)
    return seen


def held() -> tuple[int, int]:
    """The descriptors and the threads of this process."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No descriptor and no thread is left of a test, whatever those before it have left."""
    before = held()
    yield
    assert held() == before


class Pieces:
    """A stream of odd pieces, as a decompressor gives them; or one that ends in an error."""

    def __init__(self, *pieces: bytes, size: int, error: BaseException | None = None) -> None:
        self.given, self.size, self.error = pieces, size, error

    def pieces(self) -> Iterator[bytes]:
        yield from self.given
        if self.error is not None:
            raise self.error


@pytest.mark.usefixtures("way", "nothing_left")
def test_files_streams_and_buffers_reach_the_kernel_as_they_are(
    tmp_path: Path, no_kexec_for_real: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(7 << 20))
    monkeypatch.setattr(answer, "number", 0)
    pieces = os.urandom(3_000_000), b"", os.urandom(2 << 20), b"x" * 777
    stream = Pieces(*pieces, size=6_000_001)
    size = (6 << 20) + 4321
    loaded = call.load(plan(FileSlice(str(path), 5000, size), b"abc", memoryview(b"xyz"), stream))
    entry, count, buffers, _ = no_kexec_for_real[0]
    assert (entry, count) == (0x40000000, 4)
    expected = [
        path.read_bytes()[5000 : 5000 + size],
        b"abc",
        b"xyz",
        b"".join(pieces).ljust(6_000_001, b"\0"),
    ]
    assert buffers == expected
    expected[3] = b"".join(pieces)  # the digest is of what the source gave
    assert [s.digest for s in loaded.segments] == [hashlib.sha256(e).hexdigest() for e in expected]
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()


@pytest.mark.usefixtures("way", "nothing_left")
def test_load_that_has_no_room_is_refused_and_leaves_nothing_behind(
    no_kexec_for_real: list[Call],
) -> None:
    """Not even addresses for it: 64 TiB are more than a process may have."""
    with pytest.raises(KexecError, match=r"not enough free memory .ENOMEM"):
        call.load(plan(b"abc", Pieces(size=1 << 46)))
    assert not no_kexec_for_real


def test_load_that_runs_out_of_memory_midway_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_userfault: Userfault, _address: int, _data: memoryview) -> None:
        raise OSError(errno.ENOMEM, "")

    monkeypatch.setattr(Userfault, "fill", fill)
    (tmp_path / "image").write_bytes(bytes(5 << 20))
    with pytest.raises(KexecError, match=r"not enough free memory .ENOMEM") as caught:
        call.load(plan(FileSlice(str(tmp_path / "image"), 0, 5 << 20)))
    assert "smaller initrd" in caught.value.hint


def test_digest_has_the_last_chunk_though_the_kernel_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may be through before the thread that handed it over goes on."""
    real = Userfault.fill

    def fill(self: Userfault, address: int, data: memoryview) -> None:
        real(self, address, data)
        time.sleep(0.1)

    monkeypatch.setattr(Userfault, "fill", fill)
    monkeypatch.setattr(answer, "number", 0)
    content = os.urandom(5 << 20)
    (tmp_path / "image").write_bytes(content)
    loaded = call.load(plan(FileSlice(str(tmp_path / "image"), 0, len(content))))
    assert loaded.segments[0].digest == hashlib.sha256(content).hexdigest()


@pytest.mark.usefixtures("way")
def test_failed_load_is_forgotten_and_explained(
    no_kexec_for_real: list[Call],
) -> None:
    with pytest.raises(KexecError, match=r"not enough free memory .ENOMEM") as caught:
        call.load(plan(b"abc"))
    assert caught.value.errno == errno.ENOMEM
    assert caught.value.hint
    assert isinstance(caught.value.log, tuple)
    assert [(entry, count) for entry, count, *_ in no_kexec_for_real] == [(0x40000000, 1), (0, 0)]


def test_crash_kernel_replaces_and_fails_as_such(
    no_kexec_for_real: list[Call], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What an ordinary load left stays loaded."""
    (tmp_path / "kexec_loaded").write_text("1\n")
    (tmp_path / "kexec_crash_loaded").write_text("0\n")
    monkeypatch.setattr(call, "_LOADED", [tmp_path / "kexec_loaded"])
    monkeypatch.setattr(call, "_CRASH_LOADED", [tmp_path / "kexec_crash_loaded"])
    with pytest.raises(KexecError):
        call.load(replace(plan(b"abc"), panic=True))
    assert [(made.entry, made.panic) for made in no_kexec_for_real] == [
        (0x40000000, True),
        (0, True),
    ]
    assert call.loaded()
    assert not call.loaded(panic=True)
    (tmp_path / "kexec_crash_loaded").write_text("1\n")
    no_kexec_for_real.clear()
    monkeypatch.setattr(answer, "number", 0)
    call.load(replace(plan(b"abc"), panic=True))
    assert [(made.entry, made.panic) for made in no_kexec_for_real] == [
        (0, True),
        (0x40000000, True),
    ]


@pytest.mark.usefixtures("way", "nothing_left")
@pytest.mark.parametrize("size", [100, 3 << 20, 9 << 20])
def test_stream_that_fails_midway_or_at_its_end_fails_the_load(
    size: int, no_kexec_for_real: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "number", 0)
    error = ImageError("vda1:/vmlinuz: truncated", hint="copy it again")
    with pytest.raises(ImageError, match="vmlinuz: truncated"):
        call.load(plan(Pieces(b"x" * size, size=12 << 20, error=error), b"abc"))
    with pytest.raises(ImageError, match="vmlinuz: truncated"):
        call.load(plan(Pieces(b"x" * size, size=size, error=error), b"abc"))
    assert not [call for call in no_kexec_for_real if call.entry]


def test_progress_counts_all_bytes(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(9 << 20))
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(KexecError):
        call.load(plan(FileSlice(str(path), 0, 9 << 20), b"abc"), lambda *step: seen.append(step))
    total = (9 << 20) + 3
    assert [done for _, done, _ in seen] == [
        *(3 + (part << 20) for part in (2, 4, 6, 8)),
        total,
    ]
    assert {total for _, _, total in seen} == {total}
    *steps, last = [step for step, _, _ in seen]
    assert steps and all(step.startswith("loading the kernel") for step in steps)
    assert last == "the kernel completes the load"


def test_load_can_be_cancelled(tmp_path: Path, no_kexec_for_real: list[Call]) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(9 << 20))
    cancel = threading.Event()

    def halfway(_step: str, done: int, total: int) -> None:
        if done > total // 2:
            cancel.set()

    with pytest.raises(CancelledError, match="cancelled"):
        call.load(plan(FileSlice(str(path), 0, 9 << 20)), halfway, cancel)
    assert not [call for call in no_kexec_for_real if call.entry]


class Hanging:
    """A stream whose disk neither answers nor fails, until *answers* is set."""

    size = 12 << 20

    def __init__(self) -> None:
        self.asked, self.answers, self.closed = (threading.Event() for _ in range(3))

    def pieces(self) -> Iterator[bytes]:
        try:
            yield bytes(5 << 20)
            self.asked.set()
            self.answers.wait()
        finally:
            self.closed.set()


@pytest.mark.usefixtures("way", "nothing_left")
def test_load_from_a_disk_that_hangs_can_be_cancelled(no_kexec_for_real: list[Call]) -> None:
    disk, cancel = Hanging(), threading.Event()

    def give_up() -> None:
        disk.asked.wait()
        cancel.set()

    person = threading.Thread(target=give_up)
    person.start()
    with pytest.raises(CancelledError):
        call.load(plan(disk, b"abc"), cancel=cancel)
    assert not [call for call in no_kexec_for_real if call.entry]
    assert not disk.closed.is_set(), "it was not read to its end"
    disk.answers.set()
    (reader,) = (thread for thread in threading.enumerate() if thread.name == "kexec-reader")
    reader.join(60)
    assert disk.closed.is_set(), "what was open is closed when the disk answers after all"
    person.join()


@pytest.mark.usefixtures("nothing_left")
def test_a_disk_that_hangs_is_not_said_of_the_file_on_another_one() -> None:
    """The kernel is loaded while the initrd's disk hangs, and it is the initrd that is named."""
    loaded, initrd, early = threading.Event(), Hanging(), []

    class Late(Hanging):
        def pieces(self) -> Iterator[bytes]:
            early.append(not loaded.wait(5))
            yield from initrd.pieces()

    def progress(_step: str, done: int, _total: int) -> None:
        if done == 8 << 20:
            loaded.set()

    initrd.answers.set()
    with pytest.raises(KexecError):
        call.load(plan(Pieces(size=8 << 20), Late()), progress)
    assert early == [False]


@pytest.mark.usefixtures("nothing_left")
def test_segments_that_are_looked_into_before_the_load_are_loaded_all_the_same(
    tmp_path: Path, no_kexec_for_real: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    """riscv64's kernel looks for the device tree in the beginning of each."""
    path, size = tmp_path / "vmlinux", 5 << 20
    path.write_bytes(bytes(range(256)) * (10 * size // 256))
    taking = call._kexec_load  # what stands for it here

    def looking(entry: int, table: Any, count: int, arch: Arch | None, panic: bool) -> int:
        from bootmenu.kexec._abi import ffi

        for row in (table[number] for number in range(count)):
            assert taken(ffi.buffer(row.buf, 40)) == path.read_bytes()[:40]
        return taking(entry, table, count, arch, panic)

    monkeypatch.setattr(call, "_kexec_load", looking)
    monkeypatch.setattr(answer, "number", 0)
    call.load(plan(*(FileSlice(str(path), part * size, size) for part in range(10))))
    assert no_kexec_for_real[-1].buffers == [path.read_bytes()[:size]] * 10


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(MemoryError(), r"not enough free memory .ENOMEM", id="memory"),
        pytest.param(SystemExit(1), r"failed midway: SystemExit", id="no Exception"),
    ],
)
def test_stream_that_fails_as_none_should_fails_the_load(error: BaseException, said: str) -> None:
    """A load that waits for what will not come cannot be ended, where nobody can cancel it."""
    outcome: list[BaseException] = []

    def load() -> None:
        try:
            call.load(plan(Pieces(b"x", size=5 << 20, error=error)), cancel=cancel)
        except BaseException as failed:
            outcome.append(failed)

    cancel = threading.Event()
    loading = threading.Thread(target=load)
    loading.start()
    loading.join(60)
    cancel.set()
    loading.join()
    with pytest.raises(KexecError, match=said):
        raise outcome[0]


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("refused", ["kexec-streams", "kexec-reader"])
def test_machine_that_has_no_thread_left_leaves_nothing_behind(
    refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == refused:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        call.load(plan(Pieces(b"x", size=5 << 20)))


@pytest.mark.usefixtures("way")
def test_file_that_shrank_or_went(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(100))
    with pytest.raises(VolumeError, match="shorter"):
        call.load(plan(FileSlice(str(path), 0, 200)))
    path.unlink()
    with pytest.raises(VolumeError, match="No such file"):
        call.load(plan(FileSlice(str(path), 0, 100)))


@pytest.mark.usefixtures("way")
def test_file_cut_short_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(12 << 20))

    def cut(_step: str, done: int, _total: int) -> None:
        if done:
            os.truncate(path, 1 << 20)

    with pytest.raises(VolumeError, match=r"vda1:/image: .* byte (2,097,152|4,194,304)"):
        call.load(plan(FileSlice(str(path), 100, 11 << 20, name="vda1:/image")), cut)


@pytest.mark.usefixtures("way")
def test_bad_sector_is_named_by_its_file_and_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that reads up to the bad sector, and then fails."""
    path = tmp_path / "image"
    path.write_bytes(bytes(12 << 20))
    real, bad = os.preadv, 5_000_000

    def preadv(descriptor: int, buffers: list[memoryview], at: int) -> int:
        if at == bad:
            raise OSError(errno.EIO, "")
        return real(descriptor, [buffers[0][: bad - at]] if at < bad else buffers, at)

    monkeypatch.setattr("bootmenu.kexec.sources.os.preadv", preadv)
    said = "vda1:/image: cannot be read from byte 4,999,900 on: Input/output error"
    with pytest.raises(VolumeError, match=said) as caught:
        call.load(plan(FileSlice(str(path), 100, 11 << 20, name="vda1:/image")))
    assert "dmesg" in caught.value.hint


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


def test_crash_kernels_have_a_limit_of_their_own_that_is_named_as_well() -> None:
    for error in (load_error(errno.EPERM), file_load_error(errno.EPERM)):
        assert "kexec_load_limit_reboot left (_panic for a crash kernel)" in error.hint


def test_stuck_processors_are_recognised_in_the_log() -> None:
    log = ("Can't kexec: CPUs are stuck in the kernel.",)
    error = load_error(errno.EBUSY, log)
    assert "cannot stop the other processors" in error.message
    assert "nr_cpus=1" in error.hint
    assert error.log == log


@pytest.fixture
def jumps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """The jumps that were asked for; nothing is unwritten, and writing may take a moment."""
    ffi, _ = system.libc()
    asked: list[object] = []

    class Library:
        def syscall(self, *arguments: object) -> int:
            asked.append(arguments)
            return -1

    unwritten(tmp_path, 0)
    monkeypatch.setattr(call, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(call, "libc", lambda: (ffi, Library()))
    monkeypatch.setattr(call, "SYNC", 0.2)
    return asked


def unwritten(folder: Path, size: int) -> None:
    (folder / "new").write_text(f"Dirty:  {size} kB\nWriteback:  4 kB\nWritebackTmp:  0 kB\n")
    (folder / "new").rename(folder / "meminfo")


def test_jump_does_not_wait_for_a_disk_that_hangs(
    jumps: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(os, "sync", answers.wait)
    with pytest.raises(KexecError):
        call.execute()
    assert len(jumps) == 1
    answers.set()


def test_jump_waits_for_all_that_a_slow_disk_still_has_to_write(
    jumps: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was copied to a USB stick is on it, though that takes minutes."""
    written = []

    def sync() -> None:
        for left in reversed(range(20)):
            unwritten(tmp_path, left)
            time.sleep(0.05)
        written.append(len(jumps))

    unwritten(tmp_path, 20)
    monkeypatch.setattr(os, "sync", sync)
    with pytest.raises(KexecError):
        call.execute()
    assert written == [0]


def test_nothing_is_loaded_here() -> None:
    assert call.loaded() is False
