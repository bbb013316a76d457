"""The part of a graph that packers pack: what lies on accepting paths, with state numbers of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.orders import PLAIN, Orders
from arcgrad.compiler.graphs.topology import IntArray, Topology

__all__ = ["Part"]


class Part:
    """The part of a graph that lies on accepting paths, with its own state numbers.

    Attributes:
        arcs: (n_arcs,) the graph's numbers of the arcs kept, ascending.
        src, dst: (n_arcs,) their ends, in the part's numbers.
        start, accept: in the part's numbers.
        n_states: number of states kept; their order is the graph's.
        orders: the functions that order its states.
    """

    def __init__(self, topology: Topology, arcs: IntArray | None = None, orders: Orders = PLAIN) -> None:
        self.orders = orders
        self.arcs: IntArray
        self.src: IntArray
        self.dst: IntArray
        self.start: IntArray
        self.accept: IntArray
        self.n_states: int
        src, dst = topology.src, topology.dst
        if arcs is not None:
            src, dst = src[arcs], dst[arcs]
        kept = orders.trim(topology.n_states, src, dst, topology.start, topology.accept)
        if kept.all():
            self.arcs = np.arange(len(src), dtype=np.int32) if arcs is None else arcs
            self.src, self.dst, self.start, self.accept = src, dst, topology.start, topology.accept
            self.n_states = topology.n_states
            return
        number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        here = np.flatnonzero(kept[src] & kept[dst])
        self.arcs = here.astype(np.int32) if arcs is None else arcs[here]
        self.src = number[src[here]]
        self.dst = number[dst[here]]
        self.start = number[topology.start[kept[topology.start]]]
        self.accept = number[topology.accept[kept[topology.accept]]]
        self.n_states = int(kept.sum())

    def renumber(self, order: IntArray) -> None:
        """Give the states new numbers: state ``order[k]`` becomes k. Starts and accepts are sorted again."""
        if bool(np.all(order[1:] > order[:-1])):
            return
        position = np.empty(self.n_states, dtype=np.int32)
        position[order] = np.arange(self.n_states, dtype=np.int32)
        self.src, self.dst = position[self.src], position[self.dst]
        self.start, self.accept = np.sort(position[self.start]), np.sort(position[self.accept])

    def spread(self, position: IntArray, n_states: int) -> None:
        """Give the states new numbers, out of more than there are states. Starts and accepts are sorted again."""
        self.src, self.dst = position[self.src], position[self.dst]
        self.start, self.accept = np.sort(position[self.start]), np.sort(position[self.accept])
        self.n_states = n_states

    def sort_arcs(self, order: NDArray[np.integer]) -> None:
        """Put the arcs into another order."""
        self.arcs, self.src, self.dst = self.arcs[order], self.src[order], self.dst[order]
