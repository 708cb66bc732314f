"""What the person changed, kept per entry for as long as the menu runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bootmenu.daemon.interface import Edit, Entry, Request


class Drafts:
    """The request of every entry that was opened in an editor."""

    def __init__(self) -> None:
        self._requests: dict[str, Request] = {}

    def request(self, entry: Entry) -> Request:
        """What would boot for *entry*: its draft, or what its configuration says."""
        return self._requests.get(entry.id) or request_of(entry)

    def edited(self, entry: Entry) -> bool:
        """Whether its draft differs from what the configuration says."""
        draft = self._requests.get(entry.id)
        return draft is not None and draft != request_of(entry)

    def keep(self, entry: Entry, request: Request) -> None:
        """Keep *request* as the draft of *entry*, unless nothing is changed in it.

        An entry without a draft follows its configuration when a device comes or goes.
        """
        if request == request_of(entry):
            self.forget(entry)
        else:
            self._requests[entry.id] = request

    def forget(self, entry: Entry) -> None:
        """Back to what the configuration says."""
        self._requests.pop(entry.id, None)


def request_of(entry: Entry) -> Request:
    """The request that boots *entry* unchanged."""
    from bootmenu.daemon.interface import Request

    return Request(
        entry=entry.id,
        kernel=entry.kernel,
        initrds=list(entry.initrds),
        dtb=entry.dtb,
        overlays=list(entry.overlays),
        cmdline=entry.cmdline,
        edits=[],
    )


def with_edit(request: Request, kind: str, path: str, name: str = "", value: str = "") -> Request:
    """*request* with one more edit of the tree; *kind* is the name of an EditKind.

    Setting a property again replaces the edit that set it before.
    """
    from bootmenu.daemon.interface import Edit, EditKind

    edit = Edit(kind=EditKind[kind], path=path, property=name, value=value)
    before = [old for old in request.edits if not _supersedes(edit, old)]
    return replace(request, edits=[*before, edit])


def _supersedes(new: Edit, old: Edit) -> bool:
    same = (new.path, new.property, new.kind) == (old.path, old.property, old.kind)
    return same and new.kind.name == "set"


def without_last_edit(request: Request) -> Request:
    """*request* without its newest edit of the tree."""
    return replace(request, edits=request.edits[:-1])
