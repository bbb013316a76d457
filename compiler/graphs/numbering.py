"""Numbers for keys in the order in which they are first met: the visited set of a breadth-first construction.

Stands under composition. Two stores with one behaviour: a table with an entry per possible key where that is small, or
else a hash table; both vectorised over the keys of a breadth-first level.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbering", "numbering"]

LongArray = NDArray[np.int64]

# Entries of the largest plain table. The operating system zeroes it lazily: only pages that are touched cost memory.
_LARGEST_TABLE = 1 << 25

# Keys moved at once when the hash table grows, to bound scratch memory.
_PIECE = 1 << 20

# 2⁶⁴ divided by the golden ratio, odd: multiplication by it spreads neighbouring keys (Knuth, TAOCP 3, section 6.4).
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Numbering(Protocol):
    """Gives keys the numbers 0, 1, 2, … by first occurrence. ``count`` is how many it has given."""

    count: int

    def add(self, keys: LongArray) -> tuple[LongArray, LongArray]:
        """Number these keys, which are ≥ 0.

        Returns:
            (n,) the number of each key, and the keys not met before, in the order of their new numbers.
        """
        ...


class _Table:
    """An entry per possible key: 0 where not met, else its number + 1."""

    def __init__(self, n_keys: int) -> None:
        self.count = 0
        self._entries = np.zeros(n_keys, dtype=np.int32)

    def add(self, keys: LongArray) -> tuple[LongArray, LongArray]:
        unseen = keys[self._entries[keys] == 0]
        # Assigning to repeated indices keeps the last value; backwards, that is the first occurrence.
        occurrence = np.arange(1, len(unseen) + 1, dtype=np.int32)
        self._entries[unseen[::-1]] = occurrence[::-1]
        new = unseen[self._entries[unseen] == occurrence]
        self._entries[new] = np.arange(self.count + 1, self.count + len(new) + 1, dtype=np.int32)
        self.count += len(new)
        return self._entries[keys].astype(np.int64) - 1, new


class _HashTable:
    """Open addressing with linear probing, at most half full; all keys of a call probe in step.

    So all occurrences of one key look at the same slot in the same round, and the first of them claims it.
    """

    def __init__(self, capacity: int = 1 << 16) -> None:
        self.count = 0
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self._keys = np.empty(capacity, dtype=np.int64)
        self._entries = np.zeros(capacity, dtype=np.int32)  # 0: free; n > 0: number n − 1; n < 0: being claimed
        self._shift = np.uint64(64 - (capacity.bit_length() - 1))

    def add(self, keys: LongArray) -> tuple[LongArray, LongArray]:
        while 2 * (self.count + len(keys)) > len(self._keys):
            self._grow()
        slots, claims = self._place(keys)
        self._entries[slots[claims]] = np.arange(self.count + 1, self.count + len(claims) + 1, dtype=np.int32)
        self.count += len(claims)
        return self._entries[slots].astype(np.int64) - 1, keys[claims]

    def _place(self, keys: LongArray) -> tuple[LongArray, LongArray]:
        """The slot of each key, and which of ``keys`` claimed a free slot, in order."""
        slots = ((keys.astype(np.uint64) * _MULTIPLIER) >> self._shift).astype(np.int64)
        pending, claimed = np.arange(len(keys)), np.zeros(len(keys), dtype=np.bool_)
        while len(pending):
            here = slots[pending]
            free = self._entries[here] == 0
            claimants, wanted = pending[free], here[free]
            self._entries[wanted[::-1]] = -1 - claimants[::-1]  # backwards, so that the first occurrence wins
            won = self._entries[wanted] == -1 - claimants
            self._keys[wanted[won]] = keys[claimants[won]]
            claimed[claimants[won]] = True
            pending = pending[self._keys[here] != keys[pending]]
            slots[pending] = (slots[pending] + 1) & (len(self._keys) - 1)
        return slots, np.flatnonzero(claimed)

    def _grow(self) -> None:
        used = np.flatnonzero(self._entries)
        keys, entries = self._keys[used], self._entries[used]
        self._allocate(2 * len(self._keys))
        for begin in range(0, len(keys), _PIECE):
            piece = slice(begin, begin + _PIECE)
            slots, _ = self._place(keys[piece])
            self._entries[slots] = entries[piece]


def numbering(n_keys: int) -> Numbering:
    """An empty numbering of keys ``0 … n_keys − 1``."""
    return _Table(n_keys) if n_keys <= _LARGEST_TABLE else _HashTable()
