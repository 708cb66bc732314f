"""The SHA-256 of what is loaded, with the kernel's help and without."""

import errno
import hashlib

import pytest

from bootmenu.kexec import digests
from bootmenu.kexec.digests import Digests


def refuse(*_: object) -> None:
    raise OSError(errno.EAFNOSUPPORT, "no such socket")


def test_digest_is_taken_without_the_help_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_OfKernel", refuse)
    taken = Digests()
    taken.add(3, b"abc")
    taken.add(5, memoryview(b"xyz"))
    taken.add(3, b"def")
    expected = {3: b"abcdef", 5: b"xyz"}
    assert taken.results() == {n: hashlib.sha256(d).hexdigest() for n, d in expected.items()}


def test_digest_that_cannot_be_taken_does_not_keep_a_buffer_from_being_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        update = staticmethod(refuse)
        hexdigest = staticmethod(lambda: "")

    monkeypatch.setattr(digests, "_OfKernel", Broken)
    taken, seen = Digests(), []
    taken.add(0, b"abc", lambda: seen.append("abc"))
    taken.add(0, b"def", lambda: seen.append("def"))
    assert taken.results() == {}
    assert seen == ["abc", "def"]
