"""What a forked child does before anything else: make every lock anew that a thread of its parent may have held.

At the runtime's root, below every room. A child has but the thread that forked; whatever lock another one held then
would stay taken for ever.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any

__all__ = ["when_forked"]

# Each gives what to call, or None where that is gone; in order of registration.
_callbacks: dict[Any, None] = {}


def when_forked(callback: Callable[[], None]) -> None:
    """Have a forked child call this, in the order in which callbacks were given; once each, whoever gives it again.

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
        _callbacks[weakref.WeakMethod(callback, lambda gone: _callbacks.pop(gone, None))] = None
    else:
        _callbacks[_Always((callback,))] = None


class _Always(tuple[Callable[[], None]]):
    """A reference to what never goes."""

    def __call__(self) -> Callable[[], None]:
        return self[0]


def _call_back() -> None:
    for each in list(_callbacks):
        callback = each()
        if callback is not None:
            callback()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_call_back)
