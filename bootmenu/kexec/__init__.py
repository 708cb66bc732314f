"""The system calls: load, unload, execute. Decides nothing.

Which of them are there is asked while the menu starts; what makes them is imported when it is used.
"""

from typing import TYPE_CHECKING, Any

from bootmenu.kexec.available import available

if TYPE_CHECKING:
    from bootmenu.kexec.call import execute, load, loaded, unload

__all__ = ["available", "execute", "load", "loaded", "unload"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from bootmenu.kexec import call

    return getattr(call, name)
