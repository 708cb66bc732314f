"""The editors: what is typed is what the daemon is asked to boot."""

from __future__ import annotations

import asyncio

from fake_daemon import ROOT, FakeService, entry
from menu_pilot import OpenMenu

from bootmenu.daemon.interface import Edit, EditKind, Node, Phase, Request
from bootmenu.errors import TreeError


async def test_edited_cmdline_is_shown_as_a_difference_and_booted(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("e")
        await menu.sees("Edit: Debian GNU/Linux", "Cmdline   root=UUID")
        await menu.type(" console=ttyS0  x ")
        await menu.press("enter")
        await menu.sees("Start Debian GNU/Linux?", f"- cmdline {ROOT}", "ro quiet console=ttyS0")
        assert service.booted == []
        await menu.press("enter")
        await menu.until(lambda: len(service.booted) == 1)
    assert service.booted[0].cmdline == f"{ROOT} console=ttyS0  x "


async def test_cmdline_keeps_every_byte_even_those_that_cannot_be_shown(
    open_menu: OpenMenu,
) -> None:
    odd = "  a=\udcff\x07\tb  \u00e9\u4e2d  "
    service = FakeService()
    service.change(entries=[entry("odd", "Odd", cmdline=odd)], default="odd")
    async with open_menu(service) as menu:
        await menu.press("e", "home", "right", "delete")
        await menu.type("X")
        await menu.press("ctrl+x")
        await menu.sees("Start Odd?")
        await menu.press("enter")
        await menu.until(lambda: len(service.booted) == 1)
    assert service.booted[0].cmdline == " X" + odd[2:]


async def test_long_cmdline_is_visible_as_a_whole_and_edited_in_the_middle(
    open_menu: OpenMenu,
) -> None:
    long = " ".join(f"option{number}=value" for number in range(20))
    service = FakeService()
    service.change(entries=[entry("long", "Long", cmdline=long)], default="long")
    async with open_menu(service) as menu:
        await menu.press("e")
        await menu.sees("option0=value", "ption19=value")
        await menu.press("home", "down")
        await menu.type("Y")
        await menu.press("enter", "enter")
        await menu.until(lambda: len(service.booted) == 1)
    room = 80 - 11
    assert service.booted[0].cmdline == long[:room] + "Y" + long[room:]


async def test_kernel_initrds_dtb_and_overlays_are_edited(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("e", "tab", "ctrl+u")
        await menu.type("vdb1:/Image")
        await menu.press("tab", "tab")
        await menu.type("vdb1:/more.img")
        await menu.press("tab", "tab")
        await menu.type("vdb1:/board.dtb")
        await menu.press("tab")
        await menu.type("vdb1:/spi.dtbo")
        await menu.press("f10", "enter")
        await menu.until(lambda: len(service.booted) == 1)
    request = service.booted[0]
    assert request.kernel == "vdb1:/Image"
    assert request.initrds == ["vda1:/boot/initrd.img-6.12.48+deb13-arm64", "vdb1:/more.img"]
    assert request.dtb == "vdb1:/board.dtb"
    assert request.overlays == ["vdb1:/spi.dtbo"]


async def test_edits_are_kept_after_escape_and_marked_until_reset(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("e")
        await menu.type(" single")
        await menu.press("escape")
        await menu.sees("Debian GNU/Linux (edited)", "ro quiet single")
        await menu.press("enter")
        await menu.sees("Start Debian GNU/Linux?")
        await menu.press("escape", "e", "ctrl+r")
        await menu.sees("As the configuration says again")
        await menu.press("escape")
        await menu.until(lambda: "(edited)" not in menu.text)
        await menu.press("enter")
        await menu.until(lambda: len(service.booted) == 1)
    assert service.booted[0].cmdline == ROOT


async def test_looking_into_the_editor_changes_nothing(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.press("e", "escape")
        await menu.sees("=> * Debian GNU/Linux")
        assert "(edited)" not in menu.text


async def test_edits_survive_a_load_on_another_console(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("e")
        await menu.type(" kept")
        service.change(phase=Phase.loading, title="Rescue system")
        await menu.sees("Loading Rescue system")
        service.change(phase=Phase.waiting, title="")
        await menu.sees("(edited)", "ro quiet kept")


async def test_property_is_changed_added_and_handed_over(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("d")
        await menu.sees("Device tree: Debian GNU/Linux", 'model = "linux,dummy-virt"')
        await menu.press("down", "enter", "ctrl+u")
        await menu.type('"my board"')
        await menu.press("enter")
        await menu.sees("* ", 'model = "my board"')
        await menu.press("home", "a")
        await menu.type("serial-number = <0x1 2>")
        await menu.press("enter")
        await menu.sees("serial-number = <0x1 2>")
        await menu.press("ctrl+x")
        await menu.sees('+ tree / model = "my board"', "+ tree / serial-number = <0x1 2>")
        await menu.press("enter")
        await menu.until(lambda: len(service.booted) == 1)
    assert service.booted[0].edits == [
        Edit(EditKind.set, "/", "model", '"my board"'),
        Edit(EditKind.set, "/", "serial-number", "<0x1 2>"),
    ]


async def test_value_that_is_none_is_refused_and_can_be_corrected(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("d", "down", "enter", "ctrl+u")
        await menu.type("bad")
        await menu.press("enter")
        await menu.sees("bad is not a value", 'write text as "text"')
        await menu.press("home")
        await menu.type('"')
        await menu.press("end")
        await menu.type('"')
        await menu.press("enter")
        await menu.sees('model = "bad"')


async def test_nodes_unfold_and_are_added_and_removed(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("d")
        await menu.sees("+ chosen")
        assert "rng-seed" not in menu.text
        await menu.press("down", "down", "down", "enter")
        await menu.sees("- chosen", "rng-seed = [de ad be ef]")
        await menu.press("n")
        await menu.type("extra@0")
        await menu.press("enter")
        await menu.sees("extra@0")
        await menu.selects("extra@0")
        await menu.press("a")
        await menu.type("flag")
        await menu.press("enter")
        await menu.sees("flag")
        await menu.press("left", "x")
        await menu.sees("Removed /chosen/extra@0")
        await menu.press("u")
        await menu.sees("The last change is taken back", "extra@0")


async def test_tree_opened_from_the_editor_belongs_to_the_same_request(
    open_menu: OpenMenu,
) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("e")
        await menu.type(" both")
        await menu.press("ctrl+t")
        await menu.sees("Device tree:")
        await menu.press("down", "x")
        await menu.sees("Removed / model")
        await menu.press("escape")
        await menu.sees("Edit: Debian")
        await menu.press("enter")
        await menu.sees("both", "+ tree / model")
        await menu.press("enter")
        await menu.until(lambda: len(service.booted) == 1)
    assert service.booted[0].cmdline.endswith(" both")
    assert service.booted[0].edits == [Edit(EditKind.remove, "/", "model", "")]


async def test_find_goes_from_match_to_match(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.press("d", "slash")
        await menu.type("cells")
        await menu.press("enter")
        await menu.selects("#address-cells")
        first = menu.app.frame.text()
        await menu.press("slash", "enter")
        await menu.until(lambda: menu.app.frame.text() != first)
        await menu.press("slash", "ctrl+u")
        await menu.type("nowhere")
        await menu.press("enter")
        await menu.sees("There is no nowhere")


async def test_tree_that_cannot_be_built_is_an_error_with_the_remedy(
    open_menu: OpenMenu,
) -> None:
    class Treeless(FakeService):
        async def show_tree(self, request: Request) -> list[Node]:
            raise TreeError("this machine has no device tree", hint="it is described by ACPI")

    async with open_menu(Treeless()) as menu:
        await menu.press("d")
        await menu.sees("this machine has no device tree", "What to do: it is described by ACPI")
        await menu.press("enter")
        await menu.sees("=> * Debian")


async def test_keys_typed_ahead_of_a_slow_daemon_wait_and_escape_gives_up(
    open_menu: OpenMenu,
) -> None:
    class Slow(FakeService):
        answers = asyncio.Event()
        calls = 0

        async def show_tree(self, request: Request) -> list[Node]:
            self.calls += 1
            await self.answers.wait()
            return await super().show_tree(request)

    service = Slow()
    async with open_menu(service) as menu:
        await menu.press("d", "down", "down")
        await menu.selects("Debian GNU/Linux")
        await menu.sees("One moment...")
        service.answers.set()
        await menu.sees("Device tree:")
        await menu.selects("#address-cells")
        service.answers.clear()
        await menu.press("escape", "d", "down", "escape")
        await menu.until(lambda: service.calls == 2)
        service.answers.set()
        await asyncio.sleep(0.1)  # the answer comes, and nobody waits for it any more
        await menu.sees("Enter start")
        await menu.selects("Debian GNU/Linux")
        await menu.press("down")
        await menu.selects("Advanced")
