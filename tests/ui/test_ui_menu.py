"""The main menu: what is listed, what is selected, what starts."""

from __future__ import annotations

from fake_daemon import FakeService, device, entry, sample_entries, sample_state
from menu_pilot import OpenMenu
from textual import events

from bootmenu.daemon.interface import DeviceState, Phase


async def test_entries_stand_below_their_device_and_the_default_is_selected(
    open_menu: OpenMenu,
) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.sees("debian (vda1)", "RESCUE (vdb1)", "Rescue system", "dummy-virt")
        lines = menu.app.frame.text()
        assert lines.index("debian (vda1)  virtio, 2.0 GiB, ext4") < lines.index(
            "RESCUE (vdb1)  virtio, 64 MiB, vfat"
        )
        await menu.selects("Debian GNU/Linux")
        assert "=> * Debian GNU/Linux" in lines
        await menu.sees("Kernel   /boot/vmlinuz", "From     grub /boot/grub/grub.cfg")


async def test_arrow_keys_move_the_selection_and_the_details_follow(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.press("down", "down")
        await menu.selects("Rescue system")
        await menu.sees("console=ttyAMA0 rescue")
        await menu.press("end")
        await menu.selects("System number 7")
        await menu.press("home")
        await menu.selects("Debian GNU/Linux")


async def test_submenu_opens_and_closes(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.press("down")
        assert "recovery mode" not in menu.text
        await menu.press("enter")
        await menu.sees("- Advanced options", "recovery mode")
        await menu.press("down")
        await menu.selects("Debian GNU/Linux, with Linux")
        await menu.press("left")
        await menu.selects("Advanced options")
        await menu.until(lambda: "recovery mode" not in menu.text)
        await menu.press("right")
        await menu.sees("recovery mode")


async def test_selected_submenu_says_what_it_holds_and_what_enter_does(
    open_menu: OpenMenu,
) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.press("down")
        await menu.sees("2 entries; Enter or Right opens", "Enter open   e edit")
        assert "Kernel" not in menu.text
        await menu.press("enter")
        await menu.sees("2 entries; Enter or Left closes", "Enter close  e edit")
        await menu.press("down")
        await menu.sees("Kernel   /boot/vmlinuz", "Enter start  e edit")


async def test_closed_submenu_with_the_default_in_it_is_marked(open_menu: OpenMenu) -> None:
    service = FakeService()
    service.change(default="debian-612-rec")
    async with open_menu(service) as menu:
        await menu.sees("=> *   Debian GNU/Linux, with")
        await menu.press("left")
        await menu.sees("=> * + Advanced options")


async def test_submenu_that_goes_on_further_down_is_one_submenu(open_menu: OpenMenu) -> None:
    names = ["one", "two", "three"]
    around = [["Snapshots", "Monday"], [], ["Snapshots", "Monday"]]
    entries = [entry(name, name, menu=menu) for name, menu in zip(names, around, strict=True)]
    service = FakeService()
    service.change(entries=entries, default="one")
    async with open_menu(service) as menu:
        await menu.sees("=> *     one")
        lines = menu.app.frame.text()
        assert [line[5:] for line in lines[3:8]] == [
            "- Snapshots",
            "  - Monday",
            "    one",
            "    three",
            "two",
        ]


async def test_where_one_is_stays_on_the_screen_in_a_long_submenu(open_menu: OpenMenu) -> None:
    menus = [["Snapshots", f"of day {day}"] for day in range(3)]
    entries = [
        entry(f"{day}-{number}", f"Linux {day}.{number}", menu=menu)
        for day, menu in enumerate(menus)
        for number in range(30)
    ]
    service = FakeService()
    service.change(entries=entries, default="1-20")
    async with open_menu(service) as menu:
        await menu.sees("=> *     Linux 1.20", "debian (vda1) > Snapshots > of day 1")
        assert "  - of day 1" not in menu.text
        await menu.press("home")
        await menu.selects("Snapshots")
        await menu.sees("debian (vda1)  virtio")
        assert " > " not in menu.text


async def test_long_titles_show_both_ends_and_the_selected_one_all_of_it(
    open_menu: OpenMenu,
) -> None:
    titles = [f"Debian GNU/Linux, {'with a long name ' * 5}{end}" for end in ("(first)", "(last)")]
    service = FakeService()
    service.change(entries=[entry(title, title) for title in titles], default=titles[0])
    async with open_menu(service) as menu:
        await menu.sees("=> * Debian GNU/Linux, with", "...", "(first)", "(last)")
        assert titles[0] in menu.text.replace("\n", "")


async def test_what_starting_changes_on_a_disk_is_told_before(open_menu: OpenMenu) -> None:
    service = FakeService()
    told = "vda1:/boot/grub/grubenv: next_entry removed"
    service.change(entries=[entry("once", "Once", writes=[told])], default="once")
    async with open_menu(service) as menu:
        await menu.sees("Writes   grubenv: next_entry removed")
        await menu.press("e")
        await menu.type("x")
        await menu.press("enter")
        await menu.sees("Start Once?", "Starting it changes on a disk:", f"  {told}")


async def test_default_inside_a_submenu_is_shown_at_once(open_menu: OpenMenu) -> None:
    service = FakeService()
    service.change(default="debian-612-rec")
    async with open_menu(service) as menu:
        await menu.sees("recovery mode")
        await menu.until(lambda: menu.selected.endswith("(recovery mode)"))


async def test_selection_stays_on_its_entry_while_devices_come_and_go(
    open_menu: OpenMenu,
) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("down", "down", "down")
        await menu.selects("Memory test")
        first = device("sda1", "STICK (sda1)", detail="usb")
        new = entry("stick", "System on the stick", device="sda1")
        service.change(
            devices=[first, *service.state.devices], entries=[new, *service.state.entries]
        )
        await menu.sees("System on the stick")
        await menu.selects("Memory test")
        service.change(entries=sample_entries(2))
        await menu.until(lambda: "Memory test" not in menu.text)
        await menu.until(lambda: menu.selected != "")


async def test_selection_returns_to_its_entry_when_the_daemon_starts_anew(
    open_menu: OpenMenu,
) -> None:
    service = FakeService()
    before = service.state
    async with open_menu(service) as menu:
        await menu.press("down", "down")
        await menu.selects("Rescue system")
        service.change(devices=[], entries=[])
        await menu.until(lambda: "Rescue system" not in menu.text)
        service.change(devices=before.devices[:1], entries=sample_entries(1))
        await menu.sees("Debian GNU/Linux")
        service.change(devices=before.devices, entries=before.entries)
        await menu.selects("Rescue system")


async def test_selection_follows_a_default_that_comes_late(open_menu: OpenMenu) -> None:
    service = FakeService()
    service.change(default=None)
    async with open_menu(service) as menu:
        await menu.selects("Debian GNU/Linux")
        service.change(default="rescue")
        await menu.selects("Rescue system")


async def test_devices_that_are_read_or_fail_are_named_with_the_reason(
    open_menu: OpenMenu,
) -> None:
    service = FakeService()
    broken = device("sdc1", "sdc1", state=DeviceState.failed, problem="the superblock is damaged")
    reading = device("sdd1", "sdd1", state=DeviceState.scanning, detail="")
    service.change(devices=[*service.state.devices, broken, reading])
    async with open_menu(service) as menu:
        await menu.sees("sdc1  cannot be read: the superblock is damaged", "being read...")


async def test_entry_that_cannot_start_says_why_instead(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("down", "down", "down", "down")
        await menu.sees("=> ! System on a disk", "Cannot start: the volume with the label away")
        await menu.press("enter")
        assert service.booted == []


async def test_enter_boots_exactly_what_the_configuration_says(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("enter")
        await menu.sees("Could not start Debian GNU/Linux")
    assert service.booted[0].cmdline == sample_entries()[0].cmdline
    assert service.booted[0].entry == "debian"


async def test_error_names_cause_and_remedy_and_any_key_returns(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("down", "down", "enter")
        await menu.sees(
            "the kernel is for x86_64, this machine is arm64",
            "What to do: choose an entry whose kernel is for arm64",
        )
        await menu.press("space")
        await menu.sees("Rescue system")
        await menu.selects("Rescue system")
        await menu.press("up", "up", "enter")
        await menu.until(lambda: len(service.booted) == 2)


async def test_load_shows_step_and_progress_and_stays_when_starting(open_menu: OpenMenu) -> None:
    service = FakeService(starts=True)
    half = service.hold(50)
    async with open_menu(service) as menu:
        await menu.press("enter")
        await menu.sees("Loading Debian GNU/Linux", "reading the kernel", " 50%")
        half.set()
        await menu.sees("Starting Debian GNU/Linux...")


async def test_load_asked_for_on_another_console_is_shown_here(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        service.change(phase=Phase.loading, title="Rescue system")
        await menu.sees("Loading Rescue system")
        service.change(phase=Phase.waiting, title="")
        await menu.sees("=> * Debian GNU/Linux")


async def test_a_failure_stays_to_be_read_when_the_state_of_its_load_comes_after_it(
    open_menu: OpenMenu,
) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("enter")
        await menu.sees("Could not start Debian GNU/Linux")
        service.change(phase=Phase.loading, title="Debian GNU/Linux")
        await menu.sees("Loading Debian GNU/Linux")
        service.change(phase=Phase.waiting, title="", status="it was not started")
        await menu.sees("Could not start Debian GNU/Linux", "What to do:")
        await menu.press("enter")
        await menu.sees("=> * Debian GNU/Linux", "it was not started")


async def test_esc_cancels_a_load_and_the_menu_goes_on(open_menu: OpenMenu) -> None:
    service = FakeService(starts=True)
    half = service.hold(50)
    async with open_menu(service) as menu:
        await menu.press("enter")
        await menu.sees("Loading Debian GNU/Linux", "Esc cancel")
        await menu.press("escape")
        await menu.sees("Cancelling Debian GNU/Linux")
        assert "Esc cancel" not in menu.text
        await menu.until(lambda: service.cancelled)
        half.set()
        await menu.sees("=> * Debian GNU/Linux", "was not started, nothing was loaded")
        assert "Could not start" not in menu.text, "nobody is told that they did what they did"
        await menu.press("enter")
        await menu.sees("Starting Debian GNU/Linux...")
        assert "Esc cancel" not in menu.text
        await menu.press("escape")
        assert "Starting Debian GNU/Linux..." in menu.text, "it is too late"


async def test_esc_pressed_before_the_load_began_cancels_it_all_the_same(
    open_menu: OpenMenu,
) -> None:
    service = FakeService(starts=True)
    call, half = service.hold("call"), service.hold(50)
    async with open_menu(service) as menu:
        await menu.press("enter", "escape")
        await menu.sees("Cancelling Debian GNU/Linux")
        call.set()
        await menu.until(lambda: service.cancelled)
        half.set()
        await menu.sees("=> * Debian GNU/Linux", "was not started, nothing was loaded")


async def test_esc_cancels_a_load_of_another_console(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        for _ in range(2):
            service.change(phase=Phase.loading, title="Rescue system", status="")
            await menu.sees("Loading Rescue system", "Esc cancel")
            await menu.press("escape")
            await menu.until(lambda: service.cancelled)
            await menu.sees("Cancelling Rescue system")
            service.change(phase=Phase.waiting, title="", status="Cancelled")
            await menu.sees("=> * Debian GNU/Linux", "Cancelled")
            service.cancelled = False


async def test_a_boot_that_another_console_cancelled_says_so(open_menu: OpenMenu) -> None:
    service = FakeService(starts=True)
    quarter = service.hold(25)
    async with open_menu(service) as menu:
        await menu.press("enter")
        await menu.sees("Loading Debian GNU/Linux", " 25%")
        service.cancel()
        quarter.set()
        await menu.sees("Could not start Debian GNU/Linux", "the load was cancelled")
        await menu.press("enter")
        await menu.sees("=> * Debian GNU/Linux")


async def test_any_key_stops_the_countdown_for_all_consoles(open_menu: OpenMenu) -> None:
    service = FakeService()
    service.change(phase=Phase.counting, countdown=90.0, timeout=90.0)
    async with open_menu(service) as menu:
        await menu.sees("Starting in ", " s (any key stops it): Debian GNU/Linux")
        await menu.press("space")
        await menu.until(lambda: service.stopped == 1)
        await menu.until(lambda: "Starting in" not in menu.text)


async def test_countdown_goes_on_between_the_daemons_messages(open_menu: OpenMenu) -> None:
    service = FakeService()
    service.change(phase=Phase.counting, countdown=90.0, timeout=90.0)
    async with open_menu(service) as menu:

        def left() -> int:
            return int(menu.text.partition("Starting in ")[2][:2])

        await menu.sees("Starting in ")
        first = left()
        assert 0 < first <= 90
        await menu.until(lambda: left() < first)


async def test_what_may_not_be_done_is_said_plainly(open_menu: OpenMenu) -> None:
    service = FakeService()
    service.change(restrictions=["starting a system: you are not root", "reading disks"])
    service.change(problems=["vda1:/boot/grub/grub.cfg:17: unknown command frobnicate"])
    async with open_menu(service) as menu:
        await menu.sees("Not possible here: starting a system: you are not root... (? says all)")
        await menu.press("question_mark")
        await menu.press("end")
        await menu.sees("- reading disks", "grub.cfg:17: unknown command frobnicate")
        await menu.press("escape")
        await menu.sees("=> * Debian")


async def test_a_question_is_given_up_before_it_was_asked(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        for key in ("p", "escape"):  # both are there before a slow machine comes to the first
            menu.app.post_message(events.Key(key, None))
        await menu.press("d")
        await menu.sees("chosen")


async def test_plan_is_read_page_by_page(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.press("p")
        await menu.sees("Plan: Debian GNU/Linux", "arm64 plan for vda1:/boot/vmlinuz")
        await menu.press("pagedown", "pagedown", "pagedown")
        await menu.sees("segment 39")


async def test_rescan_asks_the_daemon(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service) as menu:
        await menu.press("r")
        await menu.until(lambda: service.rescans == 1)


async def test_shell_only_where_it_is_offered(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService()) as menu:
        await menu.sees("q quit")
        assert "s shell" not in menu.text
        await menu.press("s")
        assert menu.app.return_value is None
    async with open_menu(FakeService(), shell=True, stays=True) as menu:
        await menu.sees("s shell")
        await menu.press("q", "ctrl+c")
        assert menu.app.return_value is None
        await menu.press("s")
        await menu.until(lambda: menu.app.return_value == 4)


async def test_forty_columns_and_twelve_lines_are_enough(open_menu: OpenMenu) -> None:
    service = FakeService()
    async with open_menu(service, size=(40, 12)) as menu:
        await menu.sees("=> * Debian GNU/Linux", "8 systems")
        for keys in (("e",), ("escape", "d"), ("escape", "p"), ("escape", "question_mark")):
            await menu.press(*keys)
            await menu.until(lambda: "8 systems" in menu.text)
        await menu.press("escape", "enter")
        await menu.sees("Any key returns")


async def test_more_entries_than_lines_scroll(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService(sample_state(60))) as menu:
        for _ in range(6):
            await menu.press("pagedown")
        await menu.selects("System number 59")
        assert len(menu.app.frame.text()) == 24
        await menu.press("up")
        await menu.selects("System number 58")


async def test_window_far_too_small_does_not_end_the_menu(open_menu: OpenMenu) -> None:
    async with open_menu(FakeService(), size=(9, 3)) as menu:
        for key in ("down", "e", "x", "escape", "d", "down", "enter", "escape", "escape", "p"):
            await menu.press(key)
        await menu.press("escape", "question_mark", "end", "escape")
        assert menu.app.is_running
