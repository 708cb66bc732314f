"""What reaches kexec_file_load: files that the kernel may read, and a refusal in words."""

import errno
import gc
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from bootmenu.errors import BootmenuError, CancelledError, ImageError, KexecError, VolumeError
from bootmenu.kexec import call, file
from bootmenu.kexec.available import available
from bootmenu.kexec.causes import file_load_error
from bootmenu.model import Arch, FileSlice, HandedFile, LoadPlan, Method


class Handed(NamedTuple):
    kernel: bytes
    initrd: bytes | None
    cmdline: str | None


class Kernel:
    """Stands where the system calls are made: a test must never load anything."""

    def __init__(self) -> None:
        self.seen: list[Handed] = []
        self.panics: list[bool] = []
        self.classic: list[int] = []
        self.answer = 0
        self.classic_answer = errno.EPERM

    def file_load(self, kernel: int, initrd: int, cmdline: str | None, *, panic: bool) -> int:
        """Read both files as the kernel does: from their start, and none that can be written."""
        contents = [
            _read(descriptor) if descriptor >= 0 else None for descriptor in (kernel, initrd)
        ]
        self.panics.append(panic)
        self.seen.append(Handed(contents[0] or b"", contents[1], cmdline))
        return self.answer

    def load(self, entry: int, _table: object, count: int, *_: object) -> int:
        self.classic.append(count)
        return self.classic_answer


def _read(descriptor: int) -> bytes:
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"")
    writers = [
        flags
        for path in Path("/proc/self/fd").iterdir()
        if _same(path, descriptor)
        for flags in [int((Path("/proc/self/fdinfo") / path.name).read_text().split()[3], 8)]
        if flags & os.O_ACCMODE != os.O_RDONLY
    ]
    assert not writers, "the kernel refuses a file that is open for writing"
    return os.pread(descriptor, 1 << 30, 0)


def _same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(file, "_kexec_file_load", made.file_load)
    monkeypatch.setattr(call, "_kexec_load", made.load)
    return made


class Pieces:
    """A stream of pieces, or one that ends in an error."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.given, self.error = pieces, error
        self.size = sum(map(len, pieces))

    def pieces(self) -> Iterator[bytes]:
        yield from self.given
        if self.error is not None:
            raise self.error


def plan(*files: HandedFile, cmdline: str = "quiet") -> LoadPlan:
    return LoadPlan(Arch.X86_64, 0, (), cmdline, "a kernel", method=Method.FILE, files=files)


def as_it_lies(path: Path, name: str = "kernel") -> HandedFile:
    whole = FileSlice(str(path), 0, path.stat().st_size, name=f"vda1:/{path.name}")
    return HandedFile(name, (whole,), copied=False, reason="")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(os.urandom((5 << 20) + 3))
    return path


def test_files_reach_the_kernel_as_they_lie_with_their_digests(
    image: Path, tmp_path: Path, kernel: Kernel
) -> None:
    initrd = tmp_path / "initrd"
    initrd.write_bytes(b"an initrd")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    loaded = call.load(plan(as_it_lies(image), as_it_lies(initrd, "initrd"), cmdline="a=\xe4"))
    assert kernel.seen == [Handed(image.read_bytes(), b"an initrd", "a=\xe4")]
    assert [one.digest for one in loaded.files] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (image, initrd)
    ]
    assert not kernel.classic
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_what_is_no_file_of_its_own_is_copied_and_initrds_are_joined(
    image: Path, kernel: Kernel
) -> None:
    unpacked = HandedFile("kernel", (Pieces(b"abc", b"", b"de"),), copied=True, reason="")
    part = FileSlice(str(image), 100, 4_000_001)
    sources = (part, b"xy", Pieces(b"archive"))
    loaded = call.load(plan(unpacked, HandedFile("initrd", sources, copied=True, reason="")))
    joined = image.read_bytes()[100:4_000_101] + bytes(3) + b"xy" + bytes(2) + b"archive"
    assert kernel.seen == [Handed(b"abcde", joined, "quiet")]
    assert loaded.files[1].digest == hashlib.sha256(joined).hexdigest()


def test_nothing_stays_loaded_when_a_file_is_refused_unreadable_or_damaged(
    image: Path, kernel: Kernel
) -> None:
    kernel.answer = errno.ENODATA
    with pytest.raises(KexecError, match=r"not signed.*ENODATA") as refused:
        call.load(plan(as_it_lies(image)))
    assert refused.value.hint
    kernel.answer = 0
    damaged = Pieces(b"abc", error=ImageError("vda1:/vmlinuz.gz: truncated", hint="copy it"))
    with pytest.raises(ImageError, match="truncated"):
        call.load(plan(HandedFile("kernel", (damaged,), copied=True, reason="")))
    before = as_it_lies(image)
    os.truncate(image, 1000)
    with pytest.raises(VolumeError, match="vda1:/vmlinuz: has 1,000 bytes, and had 5,242,883"):
        call.load(plan(before))
    assert [handed.cmdline for handed in kernel.seen] == ["quiet", None, None, None], "forgotten"


def test_no_room_for_a_copy_is_told_as_a_failed_load(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOMEM, "no memory for it")

    monkeypatch.setattr(os, "memfd_create", full)
    with pytest.raises(KexecError, match="not enough free memory") as refused:
        call.load(plan(HandedFile("kernel", (b"abc",), copied=True, reason="")))
    assert refused.value.hint
    assert [handed.cmdline for handed in kernel.seen] == [None]


def test_a_load_can_be_cancelled_while_files_are_read(image: Path, kernel: Kernel) -> None:
    cancel = threading.Event()
    seen: list[tuple[str, int, int]] = []

    def progress(*step: object) -> None:
        seen.append(step)  # type: ignore[arg-type]
        cancel.set()

    with pytest.raises(CancelledError, match="nothing is loaded"):
        call.load(plan(as_it_lies(image)), progress, cancel)
    assert seen == [("reading the kernel", 2 << 20, (5 << 20) + 3)]
    assert [handed.cmdline for handed in kernel.seen] == [None]


@pytest.mark.parametrize("shown_late", [1 << 20, 0])
def test_a_load_can_be_cancelled_while_its_disk_hangs(kernel: Kernel, shown_late: int) -> None:
    """And when that answers after all, what it has read is closed and never loaded."""
    cancel, asked, answers = (threading.Event() for _ in range(3))

    class Hanging:
        size = 2 << 20

        def pieces(self) -> Iterator[bytes]:
            yield bytes(1 << 20)
            asked.set()
            answers.wait()
            yield bytes(shown_late)

    def give_up() -> None:
        asked.wait()
        cancel.set()
        answered.wait(5)
        answers.set()

    before, answered = _descriptors(), threading.Event()
    person = threading.Thread(target=give_up)
    person.start()
    packed = HandedFile("kernel", (Hanging(),), copied=True, reason="unpacked")
    with pytest.raises(CancelledError):
        call.load(plan(packed), None, cancel)
    assert not answers.is_set(), "it was waited for"
    answered.set()
    person.join()
    for reader in [one for one in threading.enumerate() if one.name == "kexec-reader"]:
        reader.join()
    assert _descriptors() == before
    assert not [handed for handed in kernel.seen if handed.cmdline is not None]


def _descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_is_loaded_is_forgotten_by_the_call_that_is_permitted(kernel: Kernel) -> None:
    call.unload()
    assert kernel.seen == [Handed(b"", None, None)]
    kernel.answer = errno.EPERM
    with pytest.raises(KexecError, match="does not permit"):
        call.unload()
    kernel.classic_answer = 0
    kernel.seen.clear()
    call.unload()
    assert not kernel.seen


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.EPERM, "does not permit"),
        (errno.EACCES, "security policy"),
        (errno.EADDRNOTAVAIL, "no piece of memory"),
        (errno.EINVAL, "no kernel that it can load"),
        (errno.ENOEXEC, "no kernel that kexec_file_load takes"),
        (errno.ETXTBSY, "open for writing"),
        (errno.EFBIG, "too large"),
        (errno.ENOSYS, "no kexec_file_load"),
        (errno.ENODATA, "not signed"),
        (errno.ENOKEY, "not by a key that is trusted here"),
        (errno.EKEYREJECTED, "wrong or was revoked"),
        (errno.EBADMSG, "signature is damaged"),
        (errno.ELIBBAD, "damaged"),
        (errno.ENOPKG, "cannot verify"),
        (errno.ENOMEM, "not enough free memory"),
        (errno.EBUSY, "another load"),
    ],
)
def test_every_errno_of_the_file_call_has_a_cause_and_a_remedy(number: int, cause: str) -> None:
    error = file_load_error(number)
    assert cause in error.message
    assert errno.errorcode[number] in error.message
    assert error.hint


def test_what_lockdown_misses_in_a_kernel_is_told_by_the_log() -> None:
    log = ("Lockdown: bootmenu: kexec of unsigned images is restricted; see man kernel_lockdown.7",)
    error = file_load_error(errno.EPERM, log)
    assert "locked down, and refused this one: its signature, if it has one" in error.message
    assert "mokutil --import" in error.hint
    assert error.log == log
    error = file_load_error(errno.EPERM, ("PEFILE: Unsigned PE binary", *log))
    assert "it is not signed" in error.message


def test_a_crash_kernel_is_loaded_and_forgotten_as_one(image: Path, kernel: Kernel) -> None:
    call.load(replace(plan(as_it_lies(image)), panic=True))
    call.unload(panic=True)
    assert kernel.panics == [True, True]


def test_asking_which_calls_there_are_does_nothing(kernel: Kernel) -> None:
    status = Path("/proc/self/status").read_text()
    try:
        found = available()
    except BootmenuError:
        pytest.fail("this architecture is known")
    assert set(found) <= {Method.CLASSIC, Method.FILE}
    assert call.loaded() is False
    after = Path("/proc/self/status").read_text()
    assert _capabilities(after) == _capabilities(status), "the right is kept"


def _capabilities(status: str) -> list[str]:
    return [line for line in status.splitlines() if line.startswith("Cap")]
