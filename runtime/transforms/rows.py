"""Graphs without ε:ε arcs as kernels make them, row by row: rmeps of large graphs, and what det begins with."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.adjacency import expand_ranges
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.weighted.pushing import in_semiring
from arcgrad.compiler.graphs.weighted.rows import SMALLER, WHAT, without_epsilons
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.kernels.graphs.order import mark_reached
from arcgrad.runtime.kernels.weighted.silent_rows import make_rows, pull_back_rows
from arcgrad.runtime.kernels.weighted.sorting import rows_by_state, sort_rows
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.transforms.useful import Useful, added_up, by_state, patience, scratch, useful_arcs, worth_it

__all__ = ["KERNELS", "CompiledRows", "Labels", "compiled_rows", "labels_of", "longer", "rmeps_of_graph"]

LongArray = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

KERNELS = (rows_by_state, sort_rows, make_rows, pull_back_rows)
# Plain Python's seconds an arc.
_REFERENCE = 1e-5
_RANK = 32


class Labels(NamedTuple):
    """Pairs of labels in order, by rank, and the rank of each arc's."""

    ilabels: IntArray
    olabels: IntArray
    ranks: LongArray


def labels_of(topology: Topology, arcs: IntArray) -> Labels:
    """The pairs of labels of some arcs."""
    ilabel, olabel = topology.ilabel[arcs], topology.olabel[arcs]
    most = int(ilabel.max(initial=EPSILON)) + 2
    if topology.is_acceptor and most <= 4 * len(arcs) + 1024:
        every = np.arange(EPSILON, most - 1, dtype=np.int32)
        return Labels(every, every, ilabel.astype(np.int64) + 1)
    pairs = (ilabel.astype(np.int64) << _RANK) + (olabel.astype(np.int64) + 1)
    distinct, ranks = np.unique(pairs, return_inverse=True)
    return Labels(
        (distinct >> _RANK).astype(np.int32), ((distinct & 0xFFFFFFFF) - 1).astype(np.int32), ranks.astype(np.int64)
    )


class CompiledRows:
    """The rows of a graph's useful states: `arcgrad.runtime.kernels.weighted.silent_rows` says how they lie.

    Attributes:
        useful: the graph's useful arcs.
        labels: their pairs of labels.
        begins, finals: (n_states,) where each state's row begins and ends.
        keys, values: (n_entries,) rank of labels and destination, and sum.
        ends: (n_states,) what a path weighs that ends there, −inf where none does.
        plain: (n_states,) which states end as accepts alone.
    """

    def __init__(
        self, useful: Useful, weights: FloatArray, silent_order: IntArray, best: int, limits: Limits, merged: bool
    ) -> None:
        topology = useful.topology
        n_states = topology.n_states
        self.useful, self._best = useful, best
        arcs = useful.arcs
        self.labels = labels_of(topology, arcs)
        silent = (topology.ilabel[arcs] == EPSILON) & (topology.olabel[arcs] == EPSILON)
        self._order = silent_order
        own = np.flatnonzero(~silent).astype(np.int32)
        pointers, places = by_state(n_states, useful.src[own])
        own = own[places]
        keys = (self.labels.ranks[own] << _RANK) + useful.dst[own]
        degrees = np.diff(pointers)
        space = scratch(int(degrees.max(initial=0)))
        sort_rows(pointers, keys, own, np.zeros(len(own), dtype=np.int32), *space[3:])
        self._own, self._own_weights = own, weights[own]
        self._silent = np.flatnonzero(silent).astype(np.int32)
        silent_pointers, silent_places = by_state(n_states, useful.src[self._silent])
        silent_dst, silent_weights = useful.dst[self._silent], weights[self._silent]
        self.own_ends = np.full(n_states, -math.inf)
        self.own_ends[useful.accept] = 0.0
        self.ends = self.own_ends.copy()
        self._graph: tuple[Any, ...] = (
            self._order, pointers, keys, self._own_weights, silent_pointers, silent_places, silent_dst, silent_weights,
            best,
        )  # fmt: skip
        self._scratch = space
        self._is_own = not len(self._silent) and not merged
        self.plain = self.own_ends == 0.0
        if self._is_own:
            self.begins, self.finals, self.keys, self.values = pointers[:-1], pointers[1:], keys, self._own_weights
            return
        self.begins = pointers[:-1].copy()
        self.finals = self.begins.copy()
        done, n_entries, room = n_states - 1, 0, len(own) + 64
        self.keys, self.values = np.empty(room, dtype=np.int64), np.empty(room)
        while True:
            done = make_rows(
                *self._graph, done, n_entries, self.begins, self.finals, self.keys, self.values, self.ends,
                *self._scratch,
            )  # fmt: skip
            if done < 0:
                break
            n_entries = int(self.finals[self._order[done + 1]]) if done + 1 < n_states else 0
            needed = int(self.begins[self._order[done]])
            if needed > len(self._scratch[0]):
                self._scratch = scratch(2 * needed)
            limits.check(WHAT, arcs=n_entries + needed, bytes=16 * (n_entries + needed), at_least=True, smaller=SMALLER)
            room = max(2 * len(self.keys), n_entries + needed)
            self.keys, self.values = longer(self.keys, room, n_entries), longer(self.values, room, n_entries)
        n_entries = int(self.finals[self._order[0]]) if n_states else 0
        self.keys, self.values = self.keys[:n_entries], self.values[:n_entries]
        self.plain[useful.src[self._silent[self.ends[silent_dst] > -math.inf]]] = False

    def pull_back(self, bars: FloatArray, end_bars: FloatArray) -> FloatArray:
        """(n_arcs,) the cotangent of all arcs, from those of entries and of ends, both of which are spent."""
        arcs = np.zeros(len(self.useful.arcs))
        if self._is_own:
            arcs[self._own] = bars
            return self.useful.spread(arcs)
        own_bars, silent_bars = np.zeros(len(self._own)), np.zeros(len(self._silent))
        made = self.begins, self.finals, self.keys, self.values, self.own_ends, self.ends
        arguments = (*self._graph, *made, *self._scratch, bars, end_bars, own_bars, silent_bars)
        pull_back_rows(*arguments)
        arcs[self._own] = own_bars
        arcs[self._silent] = silent_bars
        return self.useful.spread(arcs)


def longer(array: NDArray[Scalar], room: int, used: int) -> NDArray[Scalar]:
    """A longer array that begins with what is used of one."""
    found = np.empty(room, dtype=array.dtype)
    found[:used] = array[:used]
    return found


def compiled_rows(
    topology: Topology, weights: FloatArray, best: int, limits: Limits, *, merged: bool = True
) -> CompiledRows | None:
    """The rows of a graph; None where a cycle of ε:ε arcs is to be closed.

    Without ``merged``, parallel arcs of the same labels may stay apart.

    Raises:
        LimitError: they exceed the budget.
    """
    useful = useful_arcs(topology, weights)
    arcs = useful.arcs
    silent = (topology.ilabel[arcs] == EPSILON) & (topology.olabel[arcs] == EPSILON)
    order = ORDERS.topological_order(topology.n_states, useful.src[silent], useful.dst[silent])
    return None if order is None else CompiledRows(useful, weights[arcs], order, best, limits, merged)


def _without_epsilons(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    rows = compiled_rows(topology, weights, best, limits) if worth_it(topology, KERNELS, _REFERENCE) else None
    if rows is None:
        with patience.tried():
            return without_epsilons(topology, weights, best, limits)
    return _graph_of_rows(rows, limits)


def _graph_of_rows(rows: CompiledRows, limits: Limits) -> Transformed:
    """The graph of rows, as `without_epsilons` says, and its way back."""
    topology, useful = rows.useful.topology, rows.useful
    n_states = topology.n_states
    counts = rows.finals - rows.begins
    src, entries = expand_ranges(rows.begins, counts)  # states in order, each with its row
    dst = (rows.keys & 0x7FFFFFFF).astype(np.int32)[entries]
    seen = _reached(n_states, useful.start, src.astype(np.int32), dst)
    ending = rows.ends > -math.inf
    beginning = useful.start[ending[useful.start]]
    alone = beginning if len(beginning) == 1 and rows.plain[beginning[0]] else beginning[:0]
    kept = rows.plain.copy()
    kept[useful.start] = False
    kept[alone] = True
    kept &= seen
    states = np.flatnonzero(seen & ((counts > 0) | kept))
    number = np.full(n_states, -1, dtype=np.int32)
    number[states] = np.arange(len(states), dtype=np.int32)
    last = len(states)
    inside = (number[src] >= 0) & (number[dst] >= 0)
    twin = (number[src] >= 0) & ending[dst] & ~kept[dst]
    copies = inside.astype(np.int64) + twin
    limits.check_graph(WHAT, last + 2, int(copies.sum()) + 1)
    owner, turn = expand_ranges(np.zeros(len(copies), dtype=np.int64), copies)
    to_end = twin[owner] & (turn == inside[owner])
    entry, end = entries[owner], dst[owner]
    made_src = number[src[owner]]
    made_dst = np.where(to_end, np.int32(last), number[end])
    weights = rows.values[entry] + np.where(to_end, rows.ends[end], 0.0)
    ranks = rows.keys[entry] >> _RANK
    ilabel, olabel = rows.labels.ilabels[ranks], rows.labels.olabels[ranks]
    count = last + bool(to_end.any())
    start, accept = number[useful.start[number[useful.start] >= 0]], number[np.flatnonzero(kept)]
    shares: FloatArray | None = None
    if len(beginning) and not len(alone):
        # What the empty string weighs.
        given = rows.ends[beginning]
        best = rows._best != 0
        total = given.max() if best else np.logaddexp.reduce(given)
        shares = np.zeros(len(given))
        if best:
            shares[int(given.argmax())] = 1.0
        else:
            shares[:] = np.exp(given - total)
        made_src, made_dst = np.append(made_src, np.int32(last + 1)), np.append(made_dst, np.int32(last))
        ilabel, olabel = np.append(ilabel, np.int32(EPSILON)), np.append(olabel, np.int32(EPSILON))
        weights = np.append(weights, total)
        count = last + 2
        start = np.append(start, np.int32(last + 1))
    if count > last:
        accept = np.append(accept, np.int32(last))
    made = Topology.make(
        count, made_src, made_dst, ilabel, None if np.array_equal(ilabel, olabel) else olabel, np.sort(start),
        np.sort(accept),
    )  # fmt: skip

    def pull_back(cotangent: FloatArray) -> FloatArray:
        own = cotangent[: len(entry)]
        bars = added_up(entry, own, len(rows.keys))
        end_bars = added_up(end[to_end], own[to_end], n_states)
        if shares is not None:
            end_bars[beginning] += cotangent[-1] * shares
        return rows.pull_back(bars, end_bars)

    return Transformed(made, weights, pull_back)


def _reached(n_states: int, start: IntArray, src: IntArray, dst: IntArray) -> NDArray[np.bool_]:
    marks = np.zeros(n_states, dtype=np.int32)
    marks[start] = 1
    pointers, ends = np.empty(n_states + 1, dtype=np.int32), np.empty(len(src), dtype=np.int32)
    mark_reached(src, dst, src, n_states, 1, marks, pointers, ends, np.empty(n_states, dtype=np.int32))
    return marks > 0


rmeps_of_graph = in_semiring("rmeps", _without_epsilons)
"""As the operator rmeps."""
