"""How far below the best path's weight the best path through each arc is: what prune goes by.

An arc's slack is how much less a state's best way ahead has that begins with it. Slacks of a path's arcs add up to what
the path lacks, without large numbers that cancel; those along a best path are exactly 0.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.adjacency import induced
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray
from arcgrad.compiler.graphs.weighted.path_sums import path_sums

__all__ = ["chosen_arcs", "slacks"]

# Paths this much further below the best, relative to the beam, count as within it: rounding.
_ROUNDING = 1e-12


def slacks(topology: Topology, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How much the best path through each state, (n_states,), and each arc, (n_arcs,), lacks; inf where there is none.

    Raises:
        DivergenceError: a cycle makes the best path's weight ever greater.
    """
    sums = path_sums(topology, weights, best=1)
    graph, values, ahead = sums.graph, sums.tape.values, sums.ahead
    of_states, of_arcs = np.full(topology.n_states, math.inf), np.full(topology.n_arcs, math.inf)
    top = max((weight + values[ahead[state]] for state, weight in graph.start.items()), default=0.0)
    queue = [(top - (weight + values[ahead[state]]), state) for state, weight in graph.start.items()]
    heapq.heapify(queue)
    while queue:
        slack, state = heapq.heappop(queue)
        if slack >= of_states[state]:
            continue
        of_states[state] = slack
        for arc, other, weight in graph.out[state]:
            of_arcs[arc] = slack + max(values[ahead[state]] - (weight + values[ahead[other]]), 0.0)
            if of_arcs[arc] < of_states[other]:
                heapq.heappush(queue, (float(of_arcs[arc]), other))
    return of_states, of_arcs


def chosen_arcs(
    topology: Topology, of_states: FloatArray, of_arcs: FloatArray, beam: float
) -> tuple[Topology, IntArray]:
    """The graph of the states and arcs that lack at most the beam, and these arcs."""
    most = beam + _ROUNDING * max(1.0, beam)
    arcs = np.flatnonzero(of_arcs <= most).astype(np.int32)
    return only(topology, of_states <= most, arcs)


def only(topology: Topology, kept: NDArray[np.bool_], arcs: IntArray) -> tuple[Topology, IntArray]:
    """The graph of these arcs and of the states that are kept, in order."""
    olabel = None if topology.is_acceptor else topology.olabel[arcs]
    fewer = Topology.make(
        topology.n_states, topology.src[arcs], topology.dst[arcs], topology.ilabel[arcs], olabel,
        topology.start, topology.accept,
    )  # fmt: skip
    made, chosen = induced(fewer, kept)
    return made, arcs[chosen]
