"""Numbers for keys in the order in which they are first met: the visited set of a breadth-first construction.

Stands under composition. Two stores with one behaviour: a table over all possible keys where that is small, else sorted
runs of growing length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbering", "numbering"]

LongArray = NDArray[np.int64]

# Entries of the largest table. It is zeroed lazily by the operating system, so only pages that are touched cost memory.
_LARGEST_TABLE = 1 << 25


class Numbering:
    """Numbers keys 0, 1, 2, … by first occurrence; this store keeps all keys in sorted runs.

    A lookup searches each run. Runs are merged so that each is more than twice as long as the next, so there are
    logarithmically many and a key is moved logarithmically often.
    """

    def __init__(self) -> None:
        self.count = 0
        self._runs: list[tuple[LongArray, LongArray]] = []

    def add(self, keys: LongArray) -> tuple[LongArray, LongArray]:
        """Number these keys.

        Returns:
            (n,) the number of each key, and the keys not met before, in the order of their new numbers.
        """
        numbers = np.full(len(keys), -1, dtype=np.int64)
        for run_keys, run_numbers in self._runs:
            position = np.minimum(np.searchsorted(run_keys, keys), len(run_keys) - 1)
            numbers = np.where(run_keys[position] == keys, run_numbers[position], numbers)
        unseen = np.flatnonzero(numbers < 0)
        sorted_keys, first, inverse = np.unique(keys[unseen], return_index=True, return_inverse=True)
        by_occurrence = np.argsort(first)
        fresh = np.empty(len(first), dtype=np.int64)
        fresh[by_occurrence] = self.count + np.arange(len(first))
        numbers[unseen] = fresh[inverse]
        self.count += len(first)
        if len(first):
            self._store(sorted_keys, fresh)
        return numbers, sorted_keys[by_occurrence]

    def _store(self, keys: LongArray, numbers: LongArray) -> None:
        while self._runs and len(self._runs[-1][0]) <= 2 * len(keys):
            older_keys, older_numbers = self._runs.pop()
            keys, numbers = np.concatenate([older_keys, keys]), np.concatenate([older_numbers, numbers])
            order = np.argsort(keys, kind="stable")
            keys, numbers = keys[order], numbers[order]
        self._runs.append((keys, numbers))


class _TableNumbering(Numbering):
    """The same over a table with one entry per possible key: 0 where not met, else its number + 1."""

    def __init__(self, n_keys: int) -> None:
        super().__init__()
        self._table = np.zeros(n_keys, dtype=np.int32)

    def add(self, keys: LongArray) -> tuple[LongArray, LongArray]:
        unseen = keys[self._table[keys] == 0]
        # Assigning to repeated indices keeps the last value; backwards, that is the first occurrence.
        occurrence = np.arange(1, len(unseen) + 1, dtype=np.int32)
        self._table[unseen[::-1]] = occurrence[::-1]
        new = unseen[self._table[unseen] == occurrence]
        self._table[new] = np.arange(self.count + 1, self.count + len(new) + 1, dtype=np.int32)
        self.count += len(new)
        return self._table[keys].astype(np.int64) - 1, new


def numbering(n_keys: int) -> Numbering:
    """An empty numbering of keys ``0 … n_keys − 1``."""
    return _TableNumbering(n_keys) if n_keys <= _LARGEST_TABLE else Numbering()
