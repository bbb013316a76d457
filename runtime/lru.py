"""Caches of the process in one place: least recently used maps within a budget, and what `ag.cache.clear` empties.

At the runtime's root, below every room. Each cache says what its values weigh, in bytes; all of them share one budget,
``ARCGRAD_CACHE_BYTES``, of which `ag.cache.info` shows the use.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import when_forked

__all__ = ["BYTES", "Lru", "Registry", "caches"]

T = TypeVar("T")

_RECENT = 4
BYTES = 192 << 20
"""The budget of all caches together, where ``ARCGRAD_CACHE_BYTES`` says no other."""


class Registry:
    """All caches of the process; the object `caches`.

    Attributes:
        generation: how often they were cleared: what is kept elsewhere can tell whether it is of the present one.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._lock = threading.RLock()
        # Least recently used first, across all caches: (cache, key) → bytes.
        self._uses: OrderedDict[tuple[int, Hashable], int] = OrderedDict()
        self._members: weakref.WeakValueDictionary[int, Lru[Any]] = weakref.WeakValueDictionary()
        self._when_cleared: list[Callable[[], None]] = []
        self._bytes = 0

    @property
    def budget(self) -> int:
        """Bytes that all caches together may keep.

        Raises:
            InputError: ``ARCGRAD_CACHE_BYTES`` is not a whole number.
        """
        given = os.environ.get("ARCGRAD_CACHE_BYTES")
        if given is None:
            return BYTES
        if not (given.isascii() and given.isdigit() and len(given) <= 18):
            raise InputError(f"ARCGRAD_CACHE_BYTES={given[:40]!r} must be a whole number of bytes")
        return int(given)

    @property
    def bytes(self) -> int:
        """Bytes that all caches together keep now, as they weigh them."""
        return self._bytes

    def usage(self) -> dict[str, tuple[int, int]]:
        """For each kind of cache that holds anything, by name: values and bytes."""
        with self._lock:
            found: dict[str, tuple[int, int]] = {}
            for (member, _), size in self._uses.items():
                cache = self._members.get(member)
                if cache is not None:
                    values, held = found.get(cache.name, (0, 0))
                    found[cache.name] = values + 1, held + size
            return found

    def when_cleared(self, forget: Callable[[], None]) -> None:
        """Have `clear` also call this, for memory that is not a cache of values."""
        self._when_cleared.append(forget)

    def clear(self) -> None:
        """Empty every cache."""
        with self._lock:
            self.generation += 1
            members = list(self._members.values())
        for member in members:
            member.clear()
        for forget in self._when_cleared:
            forget()

    def reset_after_fork(self) -> None:
        """In a forked child: a thread that held the lock does not exist here."""
        self._lock = threading.RLock()
        for member in list(self._members.values()):
            member._lock = self._lock

    # -- called by caches, which hold the lock ------------------------------------------------------------------------

    def _enter(self, cache: Lru[Any]) -> None:
        self._members[id(cache)] = cache
        weakref.finalize(cache, self._leave, id(cache))

    def _leave(self, member: int) -> None:
        with self._lock:
            for place in [place for place in self._uses if place[0] == member]:
                self._bytes -= self._uses.pop(place)

    def _used(self, place: tuple[int, Hashable], size: int) -> None:
        if self._uses.get(place) == size:
            self._uses.move_to_end(place)
        else:
            self._kept(place, size)

    def _kept(self, place: tuple[int, Hashable], size: int) -> None:
        self._bytes += size - self._uses.get(place, 0)
        self._uses[place] = size
        self._uses.move_to_end(place)
        budget = self.budget
        while self._bytes > budget and len(self._uses) > 1:
            (member, key), _ = next(iter(self._uses.items()))
            cache = self._members.get(member)
            if cache is None:
                self._bytes -= self._uses.pop((member, key))
            else:
                cache._drop(key)

    def _dropped(self, place: tuple[int, Hashable]) -> None:
        self._bytes -= self._uses.pop(place, 0)


caches = Registry()


class Lru(Generic[T]):
    """A map that keeps what was used last, within a number of values and the budget that all caches share.

    Args:
        name: what it holds, for `Registry.usage`.
        weigh: bytes of a value. What hangs on a value may grow while it is kept: those used last are weighed again.
        capacity: the most values.
        on_removal: called with each key and value that goes.
        registry: whose budget it is.

    Example:
        >>> squares = Lru[int]("squares", lambda value: 8, capacity=2)
        >>> for k in (1, 2, 3):
        ...     squares.put(k, k * k)
        >>> squares.get(1), squares.get(3), len(squares)
        (None, 9, 2)
    """

    def __init__(
        self,
        name: str,
        weigh: Callable[[T], int],
        *,
        capacity: int | None = None,
        on_removal: Callable[[Any, T], None] | None = None,
        registry: Registry = caches,
    ) -> None:
        self.name = name
        self._weigh = weigh
        self._capacity = capacity
        self._on_removal = on_removal
        self._registry = registry
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = registry._lock
        registry._enter(self)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> T | None:
        """The value of a key, or None."""
        found = self._values.get(key)
        if found is None:
            return None
        size = self._weigh(found)
        with self._lock:
            if key in self._values:  # another thread may have dropped it
                self._values.move_to_end(key)
                self._registry._used((id(self), key), size)
        return found

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value; what was not used for longest goes. One too large for the budget is not kept."""
        size = self._weigh(value)
        with self._lock:
            if key in self._values:
                self._drop(key)
            if size > self._registry.budget // 2:
                return
            for recent in list(itertools.islice(reversed(self._values), _RECENT)):
                if recent in self._values:
                    self._registry._kept((id(self), recent), self._weigh(self._values[recent]))
            self._values[key] = value
            self._registry._kept((id(self), key), size)
            while self._capacity is not None and len(self._values) > self._capacity:
                self._drop(next(iter(self._values)))

    def discard(self, key: Hashable) -> None:
        """Forget a key's value, if it is there."""
        with self._lock:
            if key in self._values:
                self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for key in list(self._values):
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        value = self._values.pop(key)
        self._registry._dropped((id(self), key))
        if self._on_removal is not None:
            self._on_removal(key, value)


when_forked(caches.reset_after_fork)
