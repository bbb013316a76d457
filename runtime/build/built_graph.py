"""Built graphs without weights, and where these come from; and the cache that remembers them.

Stage: symbolic part; made by `symbolic`, read by `prepare`, by routines' packers and by graph-valued equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.cached import cached_property
from arcgrad.compiler.graphs.selection import Selection, compose_selections
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.runtime.build.operators.compose import patience
from arcgrad.runtime.kernels.graphs.selections import join_arcs, sum_weights
from arcgrad.runtime.lru import Lru

__all__ = ["SHARED_CACHE", "Entries", "SymbolicGraph"]

FloatArray = NDArray[np.float64]

# Leaf number, and the local selection by which an operator takes arcs of that leaf.
Taken = tuple[int, IntArray]

_NO_POINTERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)
_NO_NUMBERS: IntArray = np.empty(0, dtype=np.int32)


class Entries(NamedTuple):
    """What each arc's weight sums, as `pack_trellis_ints` takes it."""

    pointers: NDArray[np.int64]
    parts: IntArray
    arcs: IntArray
    others: IntArray


@dataclass(eq=False)
class SymbolicGraph:
    """A built graph without weights.

    Attributes:
        topology: its states, arcs and labels.
        composed: the selection of what was built from built graphs; of others it is made when asked for.
        taken: of what an operator built from leaves alone: what it takes of each.
        built_key: ``key`` of what an operator built.
        leaf: number of the leaf that the graph is; None where an operator built it.
    """

    topology: Topology
    composed: Selection | None = None
    taken: tuple[Taken, ...] = ()
    built_key: bytes | None = None
    leaf: int | None = None

    @property
    def key(self) -> bytes | None:
        """Names how it was built from which topologies; None where it also depends on weights (PATH)."""
        if self.leaf is None:
            return self.built_key
        return self.leaf.to_bytes(4, "little") + self.topology.fingerprint

    @property
    def selection_key(self) -> int | bytes | None:
        """As ``key``, among graphs of one topology object only: of a leaf, it takes no fingerprint."""
        return self.built_key if self.leaf is None else self.leaf

    @cached_property
    def selection(self) -> Selection:
        """Which leaf entries each arc's weight sums."""
        return self.make_selection()

    def make_selection(self) -> Selection:
        """``selection`` for one use: where nothing else asks for it, it is not kept."""
        n_arcs = self.topology.n_arcs
        if self.composed is not None:
            return self.composed
        if self.leaf is not None:
            return Selection.identity(self.leaf, n_arcs)
        if len(self.taken) == 2 and patience.ends_for(join_arcs):
            (left, left_arc), (right, right_arc) = self.taken
            offsets = np.empty(n_arcs + 1, dtype=np.int64)
            leaf, arc = np.empty((2, 2 * n_arcs), dtype=np.int32)
            n_entries = join_arcs(left_arc, left, right_arc, right, offsets, leaf, arc)
            return Selection(offsets, leaf[:n_entries], arc[:n_entries])
        parts = [(arcs, Selection.identity(leaf, int(arcs.max(initial=-1)) + 1)) for leaf, arcs in self.taken]
        return compose_selections(n_arcs, parts)

    def entries(self) -> Entries:
        """The selection as kernels take it: that of a leaf, or of what was made of two, need not be spelled out."""
        if self.leaf is not None:
            return Entries(_NO_POINTERS, _numbers(self.leaf), _NO_NUMBERS, _NO_NUMBERS)
        if len(self.taken) == 2:
            (left, left_arc), (right, right_arc) = self.taken
            return Entries(_NO_POINTERS, _numbers(left, right), left_arc, right_arc)
        selection = self.make_selection()
        return Entries(selection.offsets, selection.leaf, selection.arc, _NO_NUMBERS)

    def weights(self, leaf_weights: Callable[[int], FloatArray]) -> FloatArray | None:
        """(n_arcs,) arc weights, given those of each leaf; None where the selection has to be asked.

        The array is a leaf's own where the graph is that leaf.
        """
        if self.leaf is not None:
            return leaf_weights(self.leaf)
        if self.composed is not None:
            return None
        if len(self.taken) == 2 and patience.ends_for(sum_weights):
            (left, left_arc), (right, right_arc) = self.taken
            total = np.empty(self.topology.n_arcs)
            sum_weights(left_arc, leaf_weights(left), right_arc, leaf_weights(right), total)
            return total
        total = np.zeros(self.topology.n_arcs)
        for leaf, arcs in self.taken:
            chosen = np.flatnonzero(arcs >= 0)
            with np.errstate(over="ignore"):  # what is too small for a float is −inf
                total[chosen] += leaf_weights(leaf)[arcs[chosen]]
        return total

    @property
    def held_bytes(self) -> int:
        """Bytes of all arrays, and of what is remembered with the topology."""
        return self.nbytes + self.topology.held_bytes - self.topology.nbytes

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, those of the selection included even where it was not asked for."""
        per_arc = 8 + 12 * len(self.taken)
        found = self.topology.nbytes + per_arc * self.topology.n_arcs
        if self.composed is not None:
            found += self.composed.leaf.nbytes + self.composed.arc.nbytes
        return found


@lru_cache(maxsize=256)
def _numbers(*numbers: int) -> IntArray:
    array = np.array(numbers, dtype=np.int32)
    array.flags.writeable = False
    return array


# What a small graph takes beside its numbers: Python's objects, numpy's headers and what is packed (measured).
_BYTES_OF_OBJECTS = 4600

SHARED_CACHE = Lru[SymbolicGraph]("built graphs", lambda graph: graph.held_bytes + _BYTES_OF_OBJECTS)
"""By ``SymbolicGraph.key``."""
