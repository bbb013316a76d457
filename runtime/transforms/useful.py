"""What of a graph lies on accepting paths, in the arrays that kernels take; and when to call them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.cached import cached_property
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.weighted.sorting import rows_by_state
from arcgrad.runtime.regions.orders import ORDERS

__all__ = ["LARGE", "SMALL", "Useful", "added_up", "by_state", "patience", "scratch", "useful_arcs", "worth_it"]

LongArray = NDArray[np.int64]

SMALL = 300
"""Arcs below which plain Python is as fast as calling kernels."""

LARGE = 1e6
"""Weights beyond this are moved exactly, in fractions, before anything is summed: plain Python does that."""

# Seconds that plain Python may take in this process before kernels are compiled.
patience = Patience(1.5)


class Useful:
    """The arcs of a graph on accepting paths; states keep their numbers.

    Attributes:
        topology: the whole graph.
        kept: (n_states,) which states are on such a path.
        arcs: (n,) numbers of these arcs, ascending.
        src, dst: (n,) their ends.
        start, accept: those that are kept.
    """

    def __init__(self, topology: Topology, alive: NDArray[np.bool_] | None) -> None:
        self.topology = topology
        src, dst = topology.src, topology.dst
        if alive is not None:
            src, dst = src[alive], dst[alive]
        self.kept = ORDERS.trim(topology.n_states, src, dst, topology.start, topology.accept)
        if alive is None and self.kept.all():
            self.arcs: IntArray = np.arange(topology.n_arcs, dtype=np.int32)
            self.src, self.dst = src, dst
        else:
            on_path = self.kept[topology.src] & self.kept[topology.dst]
            self.arcs = np.flatnonzero(on_path if alive is None else on_path & alive).astype(np.int32)
            self.src, self.dst = topology.src[self.arcs], topology.dst[self.arcs]
        self.start = topology.start[self.kept[topology.start]]
        self.accept = topology.accept[self.kept[topology.accept]]

    @cached_property
    def order(self) -> IntArray | None:
        """(n_states,) states so that arcs lead forward; None where there is a cycle."""
        return ORDERS.topological_order(self.topology.n_states, self.src, self.dst)

    @cached_property
    def rows(self) -> tuple[LongArray, IntArray]:
        """For each state, where its arcs begin, and places of arcs by source, in order."""
        return by_state(self.topology.n_states, self.src)

    @cached_property
    def rows_back(self) -> tuple[LongArray, IntArray]:
        """The same by destination."""
        return by_state(self.topology.n_states, self.dst)

    def spread(self, values: FloatArray) -> FloatArray:
        """Values of these arcs as values of all, 0 for others."""
        found = np.zeros(self.topology.n_arcs)
        found[self.arcs] = values
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, for what is remembered with a topology."""
        return self.kept.nbytes + 5 * self.arcs.nbytes


def by_state(n_states: int, states: IntArray) -> tuple[LongArray, IntArray]:
    """For each state, where its arcs begin among the second array, which has their places."""
    pointers, arcs = np.empty(n_states + 1, dtype=np.int64), np.empty(len(states), dtype=np.int32)
    rows_by_state(states, pointers, arcs)
    return pointers, arcs


def useful_arcs(topology: Topology, weights: FloatArray) -> Useful:
    """What is useful of a graph; an arc of −inf is absent."""
    alive = weights > -math.inf
    if not alive.all():
        return Useful(topology, alive)
    memo = topology.memo("useful")
    if "whole" not in memo:
        memo["whole"] = Useful(topology, None)
    found: Useful = memo["whole"]
    return found


def worth_it(topology: Topology, kernels: Sequence[Kernel[..., Any]], seconds: float) -> bool:
    """Whether to call these kernels for a graph, of which plain Python takes so many seconds an arc."""
    n_arcs = topology.n_arcs
    return n_arcs >= SMALL and patience.ends_for(*kernels, expected=seconds * n_arcs)


def added_up(places: NDArray[np.integer], values: FloatArray, count: int) -> FloatArray:
    """(count,) the sum of the values at each place."""
    return np.bincount(places, weights=values, minlength=count).astype(np.float64, copy=False)  # ints of no places


def scratch(count: int) -> tuple[Any, ...]:
    """Space for sorting so many keys with two numbers each."""
    keys = np.empty((2, count), dtype=np.int64)
    numbers = np.empty((5, count), dtype=np.int32)
    return keys[0], numbers[0], numbers[1], keys[1], numbers[2], numbers[3], numbers[4]
