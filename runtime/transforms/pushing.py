"""push, POST and prune of large acyclic graphs by kernels; of others, and where kernels are not compiled, in Python."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transform, Transformed, copied_arcs
from arcgrad.compiler.graphs.weighted.pruning import chosen_arcs
from arcgrad.compiler.graphs.weighted.pushing import in_semiring, pushed, reversed_topology, with_ends
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import operator
from arcgrad.compiler.operators.base import Parameters
from arcgrad.runtime.kernels.weighted.sorting import rows_by_state
from arcgrad.runtime.kernels.weighted.sums import add_up_ahead, pull_back_ahead, slacks_behind
from arcgrad.runtime.transforms.cyclic import KERNELS as CYCLIC
from arcgrad.runtime.transforms.cyclic import LARGEST, BestSums, CyclicSums, Diverges, Factors
from arcgrad.runtime.transforms.useful import LARGE, Useful, added_up, patience, useful_arcs, worth_it

__all__ = ["KERNELS", "Graph", "Sums", "posterior_of_graph", "prune_of_graph", "push_of_graph"]

KERNELS = (rows_by_state, add_up_ahead, pull_back_ahead, slacks_behind)
# Plain Python's seconds an arc, of graphs without cycles and with.
_REFERENCE = 1e-5
_CYCLIC_REFERENCE = 1e-4


class Graph(NamedTuple):
    """States in an order in which arcs lead forward, arcs by state, their ends and weights, and what ends weigh."""

    order: IntArray
    pointers: NDArray[np.int64]
    arcs: IntArray
    dst: IntArray
    weights: FloatArray
    ends: FloatArray


class Sums:
    """Sums over the paths that leave each state of an acyclic graph, and their way back.

    Args:
        graph: what `arcgrad.runtime.kernels.weighted.sums` takes of one.
        best: the semiring (`Tape`).

    Attributes:
        ahead: (n_states,) the sums, −inf where there is no path.
    """

    def __init__(self, graph: Graph, best: int) -> None:
        self._graph, self._best = graph, best
        self.ahead: FloatArray = np.empty(len(graph.ends))
        add_up_ahead(*graph, best, self.ahead)

    def pull_back(self, bars: FloatArray, arc_bars: FloatArray, end_bars: FloatArray | None = None) -> None:
        """Add to the cotangents of arcs, and of ends, what those of the sums, which are spent, give them."""
        if end_bars is None:
            end_bars = np.zeros(len(bars))
        pull_back_ahead(*self._graph, self._best, self.ahead, bars, arc_bars, end_bars)

    def slacks(self, start: IntArray) -> tuple[FloatArray, FloatArray]:
        """What the best path through each state, and each arc, lacks; inf where there is none."""
        of_states = np.full(len(self.ahead), math.inf)
        of_states[start] = self.ahead[start].max(initial=-math.inf) - self.ahead[start]
        of_arcs = np.full(len(self._graph.dst), math.inf)
        slacks_behind(*self._graph, self.ahead, of_states, of_arcs)
        return of_states, of_arcs


def _sums(work: _Work, best: int, *, back: bool = False) -> Sums | CyclicSums | BestSums:
    """Sums over the paths from each state to an accept, or with ``back`` from a start to it.

    Raises:
        Diverges: they are not finite, as far as kernels can tell.
    """
    useful, weights = work.useful, work.weights
    order = useful.order
    ends = np.full(useful.topology.n_states, -math.inf)
    ends[useful.start if back else useful.accept] = 0.0
    if order is None and best:
        return BestSums(useful.src, useful.dst, weights, ends)
    if order is None:
        assert work.factors is not None
        return CyclicSums(work.factors, useful.src, useful.dst, weights, ends, back=back)
    if back:
        order = np.ascontiguousarray(order[::-1])
        return Sums(Graph(order, *useful.rows_back, useful.src, weights, ends), best)
    return Sums(Graph(order, *useful.rows, useful.dst, weights, ends), best)


class _Work(NamedTuple):
    """What is useful of a graph, the weights of that, and where it has a cycle, its elimination."""

    useful: Useful
    weights: FloatArray
    factors: Factors | None


def _work(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> _Work | None:
    """A graph that kernels can take, and None of others."""
    if not worth_it(topology, KERNELS, _REFERENCE):
        return None
    useful = useful_arcs(topology, weights)
    own = weights[useful.arcs]
    largest = np.abs(own).max(initial=0.0)
    if useful.order is not None:
        return _Work(useful, own, None) if largest <= LARGE else None
    if largest > LARGEST or not worth_it(topology, CYCLIC, _CYCLIC_REFERENCE):
        return None
    if best:
        return _Work(useful, own, None)
    try:
        return _Work(useful, own, Factors(topology, weights, limits))
    except Diverges:
        return None


def _pushed(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    work = _work(topology, weights, best, limits)
    sums = None
    if work is not None:
        with contextlib.suppress(Diverges):
            sums = _sums(work, best)
    if work is None or sums is None:
        with patience.tried():
            return pushed(topology, weights, best, limits)
    useful, own = work.useful, work.weights
    src, dst = useful.src, useful.dst
    ahead = sums.ahead
    moved = np.minimum(own + ahead[dst] - ahead[src], 0.0)
    accept, start = useful.accept, useful.start
    pointers, _ = useful.rows
    more = (pointers[accept + 1] > pointers[accept]) & (ahead[accept] != 0.0)
    last = accept[more]
    states = np.flatnonzero(useful.kept).astype(np.int32)
    made = with_ends(topology, states, useful.arcs, start, last, accept[~more])
    found = np.concatenate([ahead[start], moved, np.minimum(-ahead[last], 0.0)])

    def pull_back(cotangent: FloatArray) -> FloatArray:
        first, rest = len(start), len(start) + len(own)
        arcs = cotangent[first:rest].copy()
        n_states = topology.n_states
        bars = added_up(dst, arcs, n_states) - added_up(src, arcs, n_states)
        bars[start] += cotangent[:first]
        bars[last] -= cotangent[rest:]
        sums.pull_back(bars, arcs)
        return useful.spread(arcs)

    return Transformed(made, found, pull_back)


_push_to_start = in_semiring("push", _pushed)


def push_of_graph(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """As the operator push."""
    if "end" not in parameters:
        return _push_to_start(topology, weights, parameters, limits)
    memo = topology.memo("reversed")
    if "whole" not in memo:
        memo["whole"] = reversed_topology(topology)
    made = _push_to_start(memo["whole"], weights, parameters, limits)
    return Transformed(reversed_topology(made.topology), made.weights, made.pull_back)


def posterior_of_graph(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """As the operator POST."""
    work = _work(topology, weights, 0, limits)
    if work is None:
        return _by_reference("posterior", topology, weights, parameters, limits)
    useful, own = work.useful, work.weights
    src, dst = useful.src, useful.dst
    ahead, behind = _sums(work, 0), _sums(work, 0, back=True)
    found = np.full(topology.n_arcs, -math.inf)
    total = np.logaddexp.reduce(ahead.ahead[useful.start]) if len(useful.start) else -math.inf
    counts = behind.ahead[src] + own + (ahead.ahead[dst] - total)
    found[useful.arcs] = counts if useful.order is None else np.minimum(counts, 0.0)

    def pull_back(cotangent: FloatArray) -> FloatArray:
        arcs = cotangent[useful.arcs]
        n_states = topology.n_states
        before = added_up(src, arcs, n_states)
        after = added_up(dst, arcs, n_states)
        after[useful.start] -= arcs.sum() * np.exp(ahead.ahead[useful.start] - total)
        ahead.pull_back(after, arcs)
        behind.pull_back(before, arcs)
        return useful.spread(arcs)

    return Transformed(topology, found, pull_back)


def prune_of_graph(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """As the operator prune."""
    work = _work(topology, weights, 1, limits)
    sums = None
    if work is not None:
        with contextlib.suppress(Diverges):
            sums = _sums(work, 1)
    if work is None or sums is None:
        return _by_reference("prune", topology, weights, parameters, limits)
    assert not isinstance(sums, CyclicSums)
    (beam,) = parameters
    assert isinstance(beam, (int, float))
    of_states, of_arcs = sums.slacks(work.useful.start)
    lacking = np.full(topology.n_arcs, math.inf)
    lacking[work.useful.arcs] = of_arcs
    made, arcs = chosen_arcs(topology, of_states, lacking, float(beam))
    return copied_arcs(made, weights, arcs)


def _by_reference(
    name: str, topology: Topology, weights: FloatArray, parameters: tuple[Hashable, ...], limits: Limits
) -> Transformed:
    transform: Transform | None = operator(name).transform
    assert transform is not None
    with patience.tried():
        return transform(topology, weights, parameters, limits)
