"""What a forked child does before anything else: make every lock anew that a thread of its parent may have held.

At the runtime's root, below every room. A child has but the thread that forked; whatever lock another one held then
would stay taken for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["when_forked"]

_callbacks: list[Callable[[], None]] = []


def when_forked(callback: Callable[[], None]) -> None:
    """Have a forked child call this, in the order in which callbacks were given; once each, whoever gives it again.

    Example:
        >>> import threading
        >>> class Counter:
        ...     def __init__(self) -> None:
        ...         self.renew()
        ...     def renew(self) -> None:
        ...         self.lock = threading.Lock()
        >>> counter = Counter()
        >>> when_forked(counter.renew)
    """
    if callback not in _callbacks:
        _callbacks.append(callback)


def _call_back() -> None:
    for each in _callbacks:
        each()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_call_back)
