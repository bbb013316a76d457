"""One array for all packed regions of a call, as its routine takes them, each once.

Stage: symbolic part, filled by `packing`, read by `prepared`. What is packed anew is written straight into it, and
remembered with its topology as a part of it: who keeps one graph of a batch keeps the packed regions of all.
"""

from __future__ import annotations

import numpy as np

from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.runtime.regions.region import Region

__all__ = ["RegionStore"]

# The most numbers of the first array; what is not touched costs nothing, but systems may refuse to promise it.
_MOST_AT_FIRST = 1 << 22


class RegionStore:
    """Packed regions, one behind the other.

    Args:
        n_items: regions of about one size that are expected.

    Example:
        >>> from arcgrad.runtime.regions.trellis import pack_frames
        >>> store = RegionStore(2)
        >>> region = pack_frames("log")
        >>> store.place(region), store.place(region), len(store.ints) == len(region.ints)
        (0, 0, True)
    """

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items
        self._room: IntArray = np.empty(0, dtype=np.int32)
        self._used = 0
        # By the regions' identities, and these themselves, so that those stay theirs.
        self._places: dict[int, int] = {}
        self._regions: list[Region] = []

    @property
    def ints(self) -> IntArray:
        """All numbers."""
        return self._room[: self._used]

    def room(self, most: int) -> IntArray:
        """What is free, at least ``most`` numbers; a region packed at its begin becomes part of the store by `add`."""
        if self._used + most > len(self._room):
            expected = min(self._n_items * (most + 64), _MOST_AT_FIRST)
            larger = np.empty(max(self._used + most, 2 * len(self._room), expected), dtype=np.int32)
            larger[: self._used] = self._room[: self._used]
            self._room = larger
        return self._room[self._used :]

    def add(self, region: Region) -> None:
        """Take in a region that was packed in the room of this store."""
        self._places[id(region)] = self._used
        self._regions.append(region)
        self._used += len(region.ints)

    def place(self, region: Region) -> int:
        """Where a region begins; it is copied if it is not in the store."""
        found = self._places.get(id(region))
        if found is None:
            found = self._used
            size = len(region.ints)
            self.room(size)[:size] = region.ints
            self.add(region)
        return found
