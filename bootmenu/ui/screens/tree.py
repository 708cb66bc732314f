"""The editor of the device tree that will be handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events

from bootmenu.ui.client import CallError
from bootmenu.ui.drafts import with_edit, without_last_edit
from bootmenu.ui.screens.page import Page
from bootmenu.ui.text import fold
from bootmenu.ui.widgets.lines import Lines
from bootmenu.ui.widgets.prompt import Prompt
from bootmenu.ui.widgets.tree import TreeView, parent_of

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Entry, Node, Request

Answer = Callable[[str], None]
TreeChange = tuple[str, str, str, str]  # kind, path, property, value
_BROWSE = "Enter change  a add  n new node  x remove  u undo  / find  ^X start  Esc back"
_ASK = "Enter take it  Esc leave it as it was"


class TreeScreen(Page):
    """Browse the tree; every change is checked by the daemon before it is kept."""

    KEYS: ClassVar[dict[str, str]] = {
        "up": "up",
        "down": "down",
        "pageup": "page_up",
        "pagedown": "page_down",
        "home": "first",
        "end": "last",
        "right": "unfold",
        "left": "fold",
        "enter": "change",
        "a": "add_property",
        "n": "add_node",
        "x": "remove",
        "delete": "remove",
        "u": "undo",
        "slash": "search",
        "ctrl+x": "review",
        "f10": "review",
        "escape": "back",
    }
    HELP: ClassVar[str] = _BROWSE

    def __init__(self, entry: Entry, nodes: list[Node]) -> None:
        super().__init__(f"Device tree: {entry.title}")
        self.entry = entry
        self.tree_view = TreeView()
        self.tree_view.show(nodes)
        self.prompt = Prompt()
        self._answer: Answer | None = None
        self._sought = ""

    def body(self) -> Iterable[Lines]:
        """The tree, and below it the selected value or a question."""
        return self.tree_view, self.prompt

    def on_resize(self, event: events.Resize) -> None:
        """Break the selected value anew."""
        self._note()

    # --- moving

    def _note(self) -> None:
        """Say the selected row's path, kind and whole value."""
        row = self.tree_view.row
        if row is None:
            self.prompt.tell([])
        elif row.own is None:
            self.prompt.tell([f"{row.node.path}  (node)"])
        else:
            head = f"{row.node.path}  {row.own.name}  ({row.own.kind})"
            self.prompt.tell([head, *fold(row.own.value, max(self.size.width - 1, 8))])

    def _move(self, step: int) -> None:
        if self.tree_view.move(step):
            self.status.say("")
            self.set_rest(self._note)

    def action_up(self) -> None:
        """Select the row above."""
        self._move(-1)

    def action_down(self) -> None:
        """Select the row below."""
        self._move(1)

    def action_page_up(self) -> None:
        """Go up by what fits on the screen."""
        self._move(1 - self.tree_view.size.height)

    def action_page_down(self) -> None:
        """Go down by what fits on the screen."""
        self._move(self.tree_view.size.height - 1)

    def action_first(self) -> None:
        """Select the root."""
        self._move(-len(self.tree_view.rows))

    def action_last(self) -> None:
        """Select the last row."""
        self._move(len(self.tree_view.rows))

    def action_unfold(self) -> None:
        """Show what is in the selected node."""
        self.tree_view.fold(unfold=True)
        self._note()

    def action_fold(self) -> None:
        """Hide it, or go to the node around."""
        self.tree_view.fold(unfold=False)
        self._note()

    # --- asking

    def _ask(self, question: str, text: str, answer: Answer) -> None:
        self._answer = answer
        self.prompt.ask(question, text)
        self._keys(_ASK)

    def _keys(self, text: str) -> None:
        self.key_help.text = text
        self.key_help.changed()

    def press(self, event: events.Key) -> None:
        """While something is asked, keys go into the answer."""
        if not self.prompt.asking:
            super().press(event)
        elif event.key == "escape":
            self._asked()
        elif event.key == "enter":
            if self._answer is not None:
                self._answer(self.prompt.line.text)
        elif self.prompt.press(event.key, event.character):
            self.status.say("")

    def _asked(self) -> None:
        self._answer = None
        self.prompt.close()
        self.status.say("")
        self._keys(_BROWSE)
        self._note()

    def on_paste(self, event: events.Paste) -> None:
        """Take what a terminal pastes."""
        if self.prompt.asking:
            self.prompt.line.insert(" ".join(event.text.splitlines()))
            self.prompt.changed()

    # --- changing

    def _edit(self, edit: TreeChange, done: Callable[[], None]) -> None:
        """Make one change, if the daemon can build the tree with it; then call *done*."""
        self._try(with_edit(self.menu.drafts.request(self.entry), *edit), done)

    def _try(self, request: Request, done: Callable[[], None]) -> None:
        def answered(nodes: list[Node]) -> None:
            self.menu.drafts.keep(self.entry, request)
            self.tree_view.show(nodes)
            self._asked()
            done()
            self._note()

        self.menu.asking.ask("ShowTree", request, answered, self._refused)

    def _refused(self, error: CallError) -> None:
        self.status.say(f"{error.message}. {error.hint}" if error.hint else error.message)

    def action_change(self) -> None:
        """Fold or unfold a node, or change the value of a property."""
        row = self.tree_view.row
        if row is None:
            return
        if row.own is None:
            self.tree_view.fold(unfold=row.node.path not in self.tree_view.unfolded)
            return
        path, name = row.key

        def answer(text: str) -> None:
            self._edit(("set", path, name, text), lambda: self.tree_view.select(path, name))

        self._ask(f'{name} = ("text", <0x1 2>, [de ad] or nothing)', row.own.value, answer)

    def action_add_property(self) -> None:
        """Ask for a name and a value."""
        row = self.tree_view.row
        if row is None:
            return
        path = row.node.path

        def answer(text: str) -> None:
            name, _, value = (part.strip() for part in text.partition("="))
            if name:
                edit = ("set", path, name, value)
                self._edit(edit, lambda: self.tree_view.select(path, name))
            else:
                self.status.say('Write it as: name = "text", name = <0x1 2>, or just its name')

        self._ask(f'New property of {path}: name = "text" or name = <0x1 2>', "", answer)

    def action_add_node(self) -> None:
        """Ask for a name."""
        row = self.tree_view.row
        if row is None:
            return
        around = row.node.path

        def answer(text: str) -> None:
            name = text.strip()
            path = f"{around.rstrip('/')}/{name}"
            if name and "/" not in name:
                self._edit(("add_node", path, "", ""), lambda: self.tree_view.select(path))
            else:
                self.status.say("A node's name has no / in it, for example: device@1000")

        self._ask(f"New node in {around}: its name", "", answer)

    def action_remove(self) -> None:
        """Remove the selected property or node; u brings it back."""
        row = self.tree_view.row
        if row is None:
            return
        path, name = row.key

        def done() -> None:
            self.tree_view.select(path if name else parent_of(path))
            self.status.say(f"Removed {path} {name}".rstrip() + "; u brings it back")

        if name:
            self._edit(("remove", path, name, ""), done)
        elif path == "/":
            self.status.say("The root cannot be removed")
        else:
            self._edit(("remove_node", path, "", ""), done)

    def action_undo(self) -> None:
        """Take the newest change back."""
        request = self.menu.drafts.request(self.entry)
        if not request.edits:
            self.status.say("Nothing was changed")
            return

        def done() -> None:
            self.status.say("The last change is taken back")

        self._try(without_last_edit(request), done)

    def action_search(self) -> None:
        """Go to the next name or value with a text in it."""

        def answer(text: str) -> None:
            self._sought = text
            if self.tree_view.find(text):
                self._asked()
            else:
                self.status.say(f"There is no {text}")

        self._ask("Find (again from here with Enter):", self._sought, answer)

    def action_review(self) -> None:
        """Show the difference, from where it can be started."""
        self.menu.review(self.entry)
