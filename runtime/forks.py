"""What a forked child does before anything else: make every lock anew that a thread of its parent may have held.

At the runtime's root, below every room. A child has but the thread that forked; whatever lock another one held then
would stay taken for ever.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any

__all__ = ["forks_held_back", "when_forked"]

forks_held_back = threading.RLock()
"""While a thread holds this, forks by others wait: a child could not make anew what locks are taken then."""

_functions: dict[Callable[[], None], None] = {}
# Methods by the object whose they are, which may go. `weakref.WeakMethod` complains when the interpreter ends.
_methods: weakref.WeakKeyDictionary[object, list[Callable[[Any], None]]] = weakref.WeakKeyDictionary()


def when_forked(callback: Callable[[], None]) -> None:
    """Have a forked child call this; once each, functions first, in the order in which they were given.

    An object whose method it is may go before.

    Example:
        >>> import threading
        >>> class Counter:
        ...     def __init__(self) -> None:
        ...         self.renew()
        ...         when_forked(self.renew)
        ...     def renew(self) -> None:
        ...         self.lock = threading.Lock()
        >>> counter = Counter()
    """
    if isinstance(callback, MethodType):
        _methods.setdefault(callback.__self__, []).append(callback.__func__)
    else:
        _functions[callback] = None


def _call_back() -> None:
    for function in _functions:
        function()
    for instance, methods in list(_methods.items()):
        for method in methods:
            method(instance)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=forks_held_back.acquire, after_in_parent=forks_held_back.release, after_in_child=forks_held_back.release
    )
    os.register_at_fork(after_in_child=_call_back)
