"""The editor of what one entry starts: its cmdline and its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import events

from bootmenu.ui.screens.page import Page
from bootmenu.ui.textline import TextLine
from bootmenu.ui.widgets.form import Field, Form
from bootmenu.ui.widgets.lines import Lines

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Entry, Request

_LISTS = {"initrds": "Initrd", "overlays": "Overlay"}


class EditScreen(Page):
    """One entry's request; what was typed is kept whichever way the screen is left."""

    KEYS: ClassVar[dict[str, str]] = {
        "enter": "review",
        "ctrl+x": "review",
        "f10": "review",
        "escape": "back",
        "ctrl+t": "tree",
        "ctrl+r": "reset",
    }
    HELP: ClassVar[str] = (
        "Enter review and start  ^T device tree  ^R reset  Esc back, edits are kept"
    )

    def __init__(self, entry: Entry, request: Request) -> None:
        super().__init__(f"Edit: {entry.title}")
        self.entry = entry
        self.form = Form("Review and start")
        self._fill(request)

    def body(self) -> Iterable[Lines]:
        """The fields."""
        return (self.form,)

    def _fill(self, request: Request) -> None:
        fields = [
            Field("cmdline", "Cmdline", TextLine(request.cmdline)),
            Field("kernel", "Kernel", TextLine(request.kernel)),
            *_list_fields("initrds", request.initrds),
            Field("dtb", "DTB", TextLine(request.dtb)),
            *_list_fields("overlays", request.overlays),
        ]
        self.form.fields = fields
        self.form.at = min(self.form.at, len(fields))
        self.form.changed()

    @property
    def request(self) -> Request:
        """What the fields say, character by character; empty files are left out."""
        texts = [(one.key, one.line.text) for one in self.form.fields]
        single = dict(texts)
        return replace(
            self.menu.drafts.request(self.entry),
            cmdline=single["cmdline"],
            kernel=single["kernel"],
            initrds=[text for key, text in texts if key == "initrds" and text],
            dtb=single["dtb"],
            overlays=[text for key, text in texts if key == "overlays" and text],
        )

    def other_key(self, event: events.Key) -> None:
        """Type, or move between the fields."""
        if self.form.press(event.key, event.character):
            self.status.say("")
            self._offer_more()

    def on_paste(self, event: events.Paste) -> None:
        """Take what a terminal pastes."""
        self.form.paste(" ".join(event.text.splitlines()))

    def _offer_more(self) -> None:
        """Keep an empty field below the last initrd and the last overlay."""
        for key in _LISTS:
            last = max(i for i, one in enumerate(self.form.fields) if one.key == key)
            if self.form.fields[last].line.text:
                self.form.fields.insert(last + 1, Field(key, "  another"))
                self.form.changed()

    def keep(self) -> None:
        """Keep what the fields say as the entry's draft."""
        self.menu.drafts.keep(self.entry, self.request)

    def action_review(self) -> None:
        """Show the difference, from where it can be started."""
        self.keep()
        self.menu.review(self.entry)

    def action_tree(self) -> None:
        """Edit the device tree of the same request."""
        self.keep()
        self.menu.show_tree(self.entry)

    def action_reset(self) -> None:
        """Back to what the configuration says, the tree included."""
        self.menu.drafts.forget(self.entry)
        self._fill(self.menu.drafts.request(self.entry))
        self.status.say("As the configuration says again")


def _list_fields(key: str, texts: list[str]) -> list[Field]:
    label = _LISTS[key]
    return [
        Field(key, label if index == 0 else "  another", TextLine(text))
        for index, text in enumerate([*texts, ""])
    ]
