"""Arcs grouped by state and by label, and what can be reached along them: the searches that operators share.

Stands beside topology.py, under the operators. Everything is vectorised: a loop here runs once per breadth-first level,
never once per state or arc. Groupings depend on the topology alone and are kept in its memo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology

__all__ = [
    "Adjacency",
    "LabelIndex",
    "accessible",
    "by_input",
    "by_output",
    "coaccessible",
    "expand_ranges",
    "incoming",
    "induced",
    "outgoing",
    "reachable",
    "state_mask",
]

LongArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_NO_KEY = np.iinfo(np.int64).max


def expand_ranges(begin: LongArray, count: LongArray) -> tuple[LongArray, LongArray]:
    """Write out ranges of numbers one after the other.

    Args:
        begin, count: (n,) first number and length of each range.

    Returns:
        ``(owner, position)``: for each number written, which range it is of, and the number itself.

    Example:
        >>> import numpy as np
        >>> from arcgrad.compiler.graphs.adjacency import expand_ranges
        >>> [a.tolist() for a in expand_ranges(np.array([5, 0]), np.array([2, 3]))]
        [[0, 0, 1, 1, 1], [5, 6, 0, 1, 2]]
    """
    owner = np.repeat(np.arange(len(count)), count)
    shift = begin - (np.cumsum(count) - count)
    return owner, np.arange(len(owner)) + shift[owner]


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The arcs of each state, in arc order: those of state s are ``order[offsets[s]:offsets[s + 1]]``.

    Attributes:
        offsets: (n_states + 1,) int64.
        order: (n_arcs,) arc numbers.
    """

    offsets: LongArray
    order: LongArray

    def degree(self, states: NDArray[np.integer]) -> LongArray:
        """(n,) the number of arcs of each of these states."""
        counts: NDArray[np.int64] = self.offsets[states + 1] - self.offsets[states]
        return counts

    def arcs(self, states: NDArray[np.integer]) -> LongArray:
        """The arcs of the first of these states, then those of the second, and so on."""
        _, position = expand_ranges(self.offsets[states], self.degree(states))
        return self.order[position]


def _offsets(states: IntArray, n_states: int) -> LongArray:
    offsets = np.zeros(n_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(states, minlength=n_states), out=offsets[1:])
    return offsets


def outgoing(topology: Topology) -> Adjacency:
    """The arcs that leave each state."""
    memo = topology.memo("adjacency")
    if "outgoing" not in memo:
        order = np.argsort(topology.src, kind="stable")
        memo["outgoing"] = Adjacency(_offsets(topology.src, topology.n_states), order)
    found: Adjacency = memo["outgoing"]
    return found


def incoming(topology: Topology) -> Adjacency:
    """The arcs that enter each state."""
    memo = topology.memo("adjacency")
    if "incoming" not in memo:
        order = np.argsort(topology.dst, kind="stable")
        memo["incoming"] = Adjacency(_offsets(topology.dst, topology.n_states), order)
    found: Adjacency = memo["incoming"]
    return found


@dataclass(frozen=True, eq=False)
class LabelIndex:
    """Arcs sorted by source, then label (ε first), then arc number, and runs of equal source and label.

    Attributes:
        padded_order: (n_arcs + 1,) arc numbers in that order, then a −1.
        state_offsets: (n_states + 1,) where each source's arcs begin in ``order``.
        epsilon_count: (n_states,) how many of them are ε, which come first.
        keys: (n_runs + 1,) source and label of each run as one number, rising; the last one matches nothing.
        begin, count: (n_runs + 1,) each run's range in ``padded_order``.
    """

    padded_order: LongArray
    state_offsets: LongArray
    epsilon_count: LongArray
    keys: LongArray
    begin: LongArray
    count: LongArray

    @classmethod
    def of(cls, topology: Topology, labels: IntArray) -> LabelIndex:
        """The index of a topology's arcs by these labels of theirs."""
        keys = _key(topology.src, labels)
        order = np.argsort(keys, kind="stable")
        runs, begin, count = np.unique(keys[order], return_index=True, return_counts=True)
        return cls(
            padded_order=np.append(order, -1),
            state_offsets=_offsets(topology.src, topology.n_states),
            epsilon_count=np.bincount(topology.src[labels == EPSILON], minlength=topology.n_states).astype(np.int64),
            keys=np.append(runs, _NO_KEY),
            begin=np.append(begin, 0),
            count=np.append(count, 0),
        )

    @property
    def order(self) -> LongArray:
        """(n_arcs,) arc numbers by source, then label, then arc number."""
        return self.padded_order[:-1]

    def degree(self, states: NDArray[np.integer]) -> LongArray:
        """(n,) the number of arcs that leave each of these states."""
        counts: NDArray[np.int64] = self.state_offsets[states + 1] - self.state_offsets[states]
        return counts

    def find(self, states: NDArray[np.integer], labels: NDArray[np.integer]) -> tuple[LongArray, LongArray]:
        """``(begin, count)`` of the range of ``order`` that holds the arcs of each state with each label."""
        wanted = _key(states, labels)
        run = np.searchsorted(self.keys, wanted)
        return self.begin[run], np.where(self.keys[run] == wanted, self.count[run], 0)


def _key(states: NDArray[np.integer], labels: NDArray[np.integer]) -> LongArray:
    # States and labels are below 2³¹, so label + 1 takes at most 32 bits, and the key is below 2⁶³.
    return (states.astype(np.int64) << 32) + (labels.astype(np.int64) + 1)


def by_input(topology: Topology) -> LabelIndex:
    """Arcs by source and input label."""
    return _label_index(topology, "input")


def by_output(topology: Topology) -> LabelIndex:
    """Arcs by source and output label."""
    return _label_index(topology, "output")


def _label_index(topology: Topology, side: str) -> LabelIndex:
    memo = topology.memo("label index")
    if side not in memo:
        memo[side] = LabelIndex.of(topology, topology.ilabel if side == "input" else topology.olabel)
    found: LabelIndex = memo[side]
    return found


def state_mask(n_states: int, states: IntArray) -> Mask:
    """(n_states,) which states are among these."""
    mask = np.zeros(n_states, dtype=np.bool_)
    mask[states] = True
    return mask


def reachable(n_states: int, seeds: IntArray, adjacency: Adjacency, neighbour: IntArray) -> Mask:
    """(n_states,) which states are reached from ``seeds``, where arc k leads to state ``neighbour[k]``."""
    seen = state_mask(n_states, seeds)
    frontier = np.flatnonzero(seen)
    last = np.empty(n_states, dtype=np.int64)
    while len(frontier):
        found = neighbour[adjacency.arcs(frontier)]
        found = found[~seen[found]]
        seen[found] = True
        position = np.arange(len(found))
        last[found] = position  # keeps one of several arcs into the same state
        frontier = found[last[found] == position]
    return seen


def accessible(topology: Topology) -> Mask:
    """(n_states,) which states a path from a start reaches."""
    return reachable(topology.n_states, topology.start, outgoing(topology), topology.dst)


def coaccessible(topology: Topology) -> Mask:
    """(n_states,) from which states a path leads to an accept."""
    return reachable(topology.n_states, topology.accept, incoming(topology), topology.src)


def induced(topology: Topology, kept: Mask) -> tuple[Topology, IntArray]:
    """The subgraph of the states where ``kept``, renumbered in order, and the (n,) arcs that it keeps, in order."""
    if kept.all():
        return topology, np.arange(topology.n_arcs, dtype=np.int32)
    number = np.cumsum(kept) - 1
    arcs = np.flatnonzero(kept[topology.src] & kept[topology.dst])
    ilabel = topology.ilabel[arcs]
    olabel = None if topology.is_acceptor else topology.olabel[arcs]
    result = Topology.make(
        int(kept.sum()),
        number[topology.src[arcs]],
        number[topology.dst[arcs]],
        ilabel,
        olabel,
        number[topology.start[kept[topology.start]]],
        number[topology.accept[kept[topology.accept]]],
    )
    return result, arcs.astype(np.int32)
