"""Equivalent graphs with one start or one accept, for formats that can express no more, and final weights of others.

No format of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.runtime.data.bare_graph import BareGraph

__all__ = ["single_accept", "single_start", "swap_states", "weighted_finals"]


def single_start(graph: BareGraph) -> BareGraph:
    """A new state 0 that is the only start, with an ε arc of weight 0 to each old one; old states move up by one."""
    t, n = graph.topology, len(graph.start)
    epsilons = np.full(n, EPSILON)
    topology = Topology.make(
        t.n_states + 1,
        np.concatenate([np.zeros(n, dtype=np.int32), t.src + 1]),
        np.concatenate([t.start + 1, t.dst + 1]),
        np.concatenate([epsilons, t.ilabel]),
        np.concatenate([epsilons, t.olabel]),
        [0],
        t.accept + 1,
    )
    return BareGraph.from_topology(topology, np.concatenate([np.zeros(n), graph.arc_weight]))


def single_accept(graph: BareGraph) -> BareGraph:
    """A new last state that is the only accept, with an ε arc of weight 0 from each old one, after the other arcs."""
    t, n = graph.topology, len(graph.accept)
    epsilons = np.full(n, EPSILON)
    topology = Topology.make(
        t.n_states + 1,
        np.concatenate([t.src, t.accept]),
        np.concatenate([t.dst, np.full(n, t.n_states)]),
        np.concatenate([t.ilabel, epsilons]),
        np.concatenate([t.olabel, epsilons]),
        t.start,
        [t.n_states],
    )
    return BareGraph.from_topology(topology, np.concatenate([graph.arc_weight, np.zeros(n)]))


def swap_states(graph: BareGraph, one: int, other: int) -> BareGraph:
    """The same graph with the numbers of two states exchanged."""
    t = graph.topology

    def renumber(states: IntArray) -> NDArray[Any]:
        return np.where(states == one, other, np.where(states == other, one, states))

    topology = Topology.make(
        t.n_states,
        renumber(t.src),
        renumber(t.dst),
        t.ilabel,
        t.olabel,
        np.sort(renumber(t.start)),
        np.sort(renumber(t.accept)),
    )
    return BareGraph.from_topology(topology, graph.arc_weight)


def weighted_finals(graph: BareGraph) -> int:
    """How many of the last states and arcs are what reading makes of final states with a weight, in OpenFst's formats.

    Each is an ε arc with a weight into an accept that has no other arc; its source has one such arc and is no accept.
    """
    n = min(graph.n_arcs, graph.n_states)
    first_arc, first = graph.n_arcs - n, graph.n_states - n
    src, dst, weight = graph.src[first_arc:], graph.dst[first_arc:], graph.arc_weight[first_arc:]
    # How many ends of arcs lie at each of the last n states.
    ends = np.concatenate([graph.src[graph.src >= first], graph.dst[graph.dst >= first]]) - first
    accepts = graph.accept[graph.accept >= first] - first
    is_accept = np.zeros(n, dtype=np.bool_)
    is_accept[accepts] = True
    is_accept[graph.start[graph.start >= first] - first] = False
    fits = (dst == first + np.arange(n)) & is_accept & (np.bincount(ends, minlength=n) == 1)
    fits &= (graph.ilabel[first_arc:] == EPSILON) & (graph.olabel[first_arc:] == EPSILON)
    fits &= (weight != 0.0) & (weight > -np.inf) & ~np.isin(src, graph.accept)
    count = n if fits.all() else int(np.argmin(fits[::-1]))
    sources = src[::-1][:count]
    once = np.zeros(count, dtype=np.bool_)
    once[np.unique(sources, return_index=True)[1]] = True
    return count if once.all() else int(np.argmin(once))
