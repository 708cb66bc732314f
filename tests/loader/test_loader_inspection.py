"""bootmenu inspect: whether a file would boot here, and why not."""

import json
from collections.abc import Callable

from bootmenu.files import whole
from bootmenu.loader.inspection import inspect
from bootmenu.model import FileSlice, Machine

MakeKernel = Callable[..., FileSlice]


def test_sound_kernel_would_boot(machine: Machine, make_kernel: MakeKernel) -> None:
    found = inspect(make_kernel(), machine)
    assert found.boots
    assert "boots here   yes" in found.text()
    assert json.loads(found.json())["boots_here"] is True


def test_kernel_of_another_page_size_would_not(machine: Machine, make_kernel: MakeKernel) -> None:
    found = inspect(make_kernel(flags=0b1100), machine)
    assert "boots here   no" in found.text()
    assert "Cortex-A57" in found.text()
    assert json.loads(found.json())["findings"][0]["severity"] == "error"


def test_text_file_would_not(machine: Machine) -> None:
    found = inspect(whole("/etc/passwd"), machine)
    assert not found.boots
    assert "a text file" in found.text()
    assert found.text().count("boots here") == 1
