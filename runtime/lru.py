"""Caches of the process in one place: least recently used maps within a budget, and what `ag.cache.clear` empties.

At the runtime's root, below every room. Each cache says what its values weigh, in bytes. What was asked for once only,
as graphs of a training step that never come back, may take `ONCE` bytes of all caches together; what was asked for
again may fill the budget, ``ARCGRAD_CACHE_BYTES``, of which `ag.cache.info` shows the use. A value that was not kept,
being too large or the least recently used, is recognised when it comes again (T. Johnson and D. Shasha, 2Q, VLDB 1994).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import when_forked

__all__ = ["ONCE", "Lru", "Registry", "caches"]

T = TypeVar("T")

ONCE = 128 << 20
"""Bytes of all caches together for values that were asked for once."""
_LEAST_BUDGET, _MOST_BUDGET = ONCE, 2 << 30
# Uses after which a value counts as asked for again: one call may ask twice.
_AGAIN = 2
# Values that were not kept are recognised, so many of them.
_REMEMBERED = 4096
# Values that weigh less than the mean by this factor are spared while there are others.
_FAR_SMALLER = 8
# Values used since they were weighed, which what hangs on them may have made heavier; beyond, they are weighed again.
_UNWEIGHED = 4


def _budget_of_machine() -> int:
    """An eighth of the machine's memory, within bounds."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        memory = 0
    return min(max(memory // 8, _LEAST_BUDGET), _MOST_BUDGET)


class _Entry(Generic[T]):
    """A value with its place and weight."""

    __slots__ = ("again", "cache", "key", "size", "uses", "value")

    def __init__(self, cache: weakref.ref[Lru[T]], key: Hashable, value: T, again: bool) -> None:
        self.cache, self.key, self.value, self.again = cache, key, value, again
        self.uses = self.size = 0


class _Segment:
    """Entries, the least recently used first, and what they weigh together."""

    def __init__(self) -> None:
        self.entries: OrderedDict[_Entry[Any], None] = OrderedDict()
        self.bytes = 0

    def add(self, entry: _Entry[Any]) -> None:
        self.entries[entry] = None
        self.bytes += entry.size

    def next_to_go(self) -> _Entry[Any]:
        """The least recently used value, except those far smaller than the mean, which one large value would push out.

        These go to the end, so that nobody looks at them again and again.
        """
        while True:
            entry = next(iter(self.entries))
            if _FAR_SMALLER * entry.size * len(self.entries) >= self.bytes:
                return entry
            self.entries.move_to_end(entry)

    def remove(self, entry: _Entry[Any]) -> None:
        del self.entries[entry]
        self.bytes -= entry.size


class Registry:
    """All caches of the process; the object `caches`.

    Attributes:
        generation: how often they were cleared: what is kept elsewhere can tell whether it is of the present one.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._lock = threading.RLock()
        self._once, self._again = _Segment(), _Segment()
        self._members: weakref.WeakSet[Lru[Any]] = weakref.WeakSet()
        self._gone: deque[OrderedDict[Hashable, _Entry[Any]]] = deque()
        self._not_kept: OrderedDict[int, None] = OrderedDict()
        self._when_cleared: list[Callable[[], None]] = []
        self._budget = _budget_of_machine()

    @property
    def budget(self) -> int:
        """Bytes that all caches together may keep.

        Raises:
            InputError: ``ARCGRAD_CACHE_BYTES`` is not a whole number.
        """
        given = os.environ.get("ARCGRAD_CACHE_BYTES")
        if given is None:
            return self._budget
        if not (given.isascii() and given.isdigit() and len(given) <= 18):
            raise InputError(f"ARCGRAD_CACHE_BYTES={given[:40]!r} must be a whole number of bytes")
        return int(given)

    @property
    def bytes(self) -> int:
        """Bytes that all caches together keep now, as they weigh them."""
        return self._once.bytes + self._again.bytes

    def usage(self) -> dict[str, tuple[int, int]]:
        """For each kind of cache that holds anything, by name: values and bytes."""
        with self._lock:
            self._settle()
            found: dict[str, tuple[int, int]] = {}
            for entry in (*self._once.entries, *self._again.entries):
                cache = entry.cache()
                if cache is not None:
                    values, held = found.get(cache.name, (0, 0))
                    found[cache.name] = values + 1, held + entry.size
            return found

    def when_cleared(self, forget: Callable[[], None]) -> None:
        """Have `clear` also call this, for memory that is not a cache of values."""
        self._when_cleared.append(forget)

    def clear(self) -> None:
        """Empty every cache."""
        with self._lock:
            self.generation += 1
            self._not_kept.clear()
            members = list(self._members)
        for member in members:
            member.clear()
        for forget in self._when_cleared:
            forget()

    def reset_after_fork(self) -> None:
        """In a forked child: a thread that held the lock, or was building, does not exist here.

        What it was in the middle of changing goes, with everything else.
        """
        whole = self._lock.acquire(blocking=False)
        self._lock = threading.RLock()
        if not whole:
            self._once, self._again, self._not_kept = _Segment(), _Segment(), OrderedDict()
            self.generation += 1
        for member in list(self._members):
            member._lock, member._building = self._lock, {}
            if not whole:
                member._entries, member._unweighed = OrderedDict(), {}

    # -- called by caches, which hold the lock ------------------------------------------------------------------------

    def _settle(self) -> None:
        """Drop what caches held that are gone. Not when they go: that may be in the middle of anything."""
        while self._gone:
            for entry in self._gone.popleft().values():
                if entry in self._segment(entry).entries:
                    self._segment(entry).remove(entry)

    def _segment(self, entry: _Entry[Any]) -> _Segment:
        return self._again if entry.again else self._once

    def _used(self, entry: _Entry[Any]) -> None:
        entry.uses += 1
        if entry.uses >= _AGAIN and not entry.again:
            self._once.remove(entry)
            entry.again = True
            self._again.add(entry)
        else:
            self._segment(entry).entries.move_to_end(entry)

    def _weighed(self, entry: _Entry[Any], size: int) -> None:
        self._segment(entry).bytes += size - entry.size
        entry.size = size

    def _fits(self, size: int, again: bool) -> bool:
        return 2 * size <= (self.budget if again else min(self.budget, ONCE))

    def _shrink(self) -> None:
        budget = self.budget
        while self._once.bytes > min(budget, ONCE) and len(self._once.entries) > 1:
            self._evict(self._once.next_to_go())
        while self.bytes > budget and len(self._again.entries) + len(self._once.entries) > 1:
            self._evict((self._again if self._again.entries else self._once).next_to_go())

    def _evict(self, entry: _Entry[Any]) -> None:
        self._remember(entry)
        cache = entry.cache()
        if cache is None:
            self._segment(entry).remove(entry)
        else:
            cache._drop(entry)

    def _remember(self, entry: _Entry[Any]) -> None:
        self._not_kept[hash((id(entry.cache), entry.key))] = None
        if len(self._not_kept) > _REMEMBERED:
            self._not_kept.popitem(last=False)

    def _comes_again(self, cache: weakref.ref[Lru[Any]], key: Hashable) -> bool:
        return self._not_kept.pop(hash((id(cache), key)), self) is None


caches = Registry()


class Lru(Generic[T]):
    """A map that keeps what was used last, within a number of values and the budget that all caches share.

    Args:
        name: what it holds, for `Registry.usage`.
        weigh: bytes of a value. What hangs on a value may grow while it is kept, so it is weighed again after its use.
        capacity: the most values.
        on_removal: called with each key and value that goes.
        registry: whose budget it is.

    Example:
        >>> squares = Lru[int]("squares", lambda value: 8, capacity=2)
        >>> for k in (1, 2, 3):
        ...     squares.put(k, k * k)
        >>> squares.get(1), squares.get(3), len(squares)
        (None, 9, 2)
        >>> squares.get_or_build(4, lambda: 16), squares.get_or_build(4, lambda: 0)
        ((16, True), (16, False))
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
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._unweighed: dict[_Entry[T], None] = {}
        self._building: dict[Hashable, threading.Lock] = {}  # each taken until its value is there
        self._lock = registry._lock
        self._self = weakref.ref(self)
        weakref.finalize(self, registry._gone.append, self._entries).atexit = False
        with registry._lock:
            registry._members.add(self)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def get(self, key: Hashable) -> T | None:
        """The value of a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        with self._lock:
            if self._entries.get(key) is entry:  # another thread may have dropped it
                self._use(entry)
        return entry.value

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value; what was not used for longest goes. One too large for the budget is not kept."""
        with self._lock:
            registry = self._registry
            registry._settle()
            known = self._entries.get(key)
            if known is not None:
                self._drop(known)
            entry = _Entry(self._self, key, value, registry._comes_again(self._self, key))
            size = self._weigh(value)
            if not registry._fits(size, entry.again):
                registry._remember(entry)
                return
            entry.size = size
            self._entries[key] = entry
            registry._segment(entry).add(entry)
            if len(self._unweighed) > _UNWEIGHED:
                self._weigh_again()
            self._unweighed[entry] = None
            registry._shrink()
            while self._capacity is not None and len(self._entries) > self._capacity:
                oldest = next(iter(self._entries.values()))
                registry._remember(oldest)
                self._drop(oldest)

    def get_or_build(self, key: Hashable, build: Callable[[], T]) -> tuple[T, bool]:
        """The value of a key, and whether this call built it: once, whatever the number of threads that ask.

        Where `build` raises, nothing is kept, and a thread that waited for the value builds it itself.
        """
        while True:
            mine = None
            try:  # from here on: an interrupt may come between any two lines
                with self._lock:
                    entry = self._entries.get(key)
                    if entry is not None:
                        self._use(entry)
                        return entry.value, False
                    others = self._building.get(key)
                    if others is None or not others.locked():  # nobody builds it, or not any more
                        mine = threading.Lock()
                        mine.acquire()
                        self._building[key] = mine
                if mine is not None:
                    value = build()
                    with self._lock:
                        if self._building.get(key) is mine:  # else it was cleared: the value is returned, not kept
                            self.put(key, value)
                    return value, True
            finally:
                if mine is not None:
                    mine.release()
                    with self._lock:
                        if self._building.get(key) is mine:
                            del self._building[key]
            assert others is not None
            with others:  # until it is there
                pass

    def discard(self, key: Hashable) -> None:
        """Forget a key's value, if it is there."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._drop(entry)

    def clear(self) -> None:
        """Forget everything, also what is being built."""
        with self._lock:
            self._building.clear()
            for entry in list(self._entries.values()):
                self._drop(entry)

    def _use(self, entry: _Entry[T]) -> None:
        self._entries.move_to_end(entry.key)
        self._registry._used(entry)
        self._unweighed[entry] = None

    def _weigh_again(self) -> None:
        for entry in self._unweighed:
            self._registry._weighed(entry, self._weigh(entry.value))
        self._unweighed.clear()

    def _drop(self, entry: _Entry[T]) -> None:
        del self._entries[entry.key]
        self._unweighed.pop(entry, None)
        self._registry._segment(entry).remove(entry)
        if self._on_removal is not None:
            self._on_removal(entry.key, entry.value)


when_forked(caches.reset_after_fork)
