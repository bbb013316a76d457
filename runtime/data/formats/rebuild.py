"""Equivalent graphs with one start or one accept, for formats that can express no more. No format of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.runtime.data.bare_graph import BareGraph

__all__ = ["single_accept", "single_start", "swap_states"]


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
