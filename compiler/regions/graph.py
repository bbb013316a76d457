"""Packs a graph whose arcs are all built: a lattice where it is acyclic, else a cyclic region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.regions.base import Packing, Region, row_pointers
from arcgrad.compiler.regions.elimination import pack_elimination
from arcgrad.compiler.regions.order import components, topological_order, trim
from arcgrad.compiler.selection import Selection
from arcgrad.compiler.topology import IntArray, Topology

__all__ = ["Part", "pack_graph"]


class Part:
    """The part of a graph that lies on accepting paths, with its own state numbers.

    Attributes:
        arcs: (n_arcs,) the graph's numbers of the arcs kept, ascending.
        src, dst: (n_arcs,) their ends, in the part's numbers.
        start, accept: in the part's numbers.
        n_states: number of states kept; their order is the graph's.
    """

    def __init__(self, topology: Topology, arcs: IntArray | None = None) -> None:
        src, dst = topology.src, topology.dst
        if arcs is not None:
            src, dst = src[arcs], dst[arcs]
        kept = trim(topology.n_states, src, dst, topology.start, topology.accept)
        number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        here = np.flatnonzero(kept[src] & kept[dst])
        self.arcs: IntArray = here.astype(np.int32) if arcs is None else arcs[here]
        self.src: IntArray = number[src[here]]
        self.dst: IntArray = number[dst[here]]
        self.start: IntArray = number[topology.start[kept[topology.start]]]
        self.accept: IntArray = number[topology.accept[kept[topology.accept]]]
        self.n_states = int(kept.sum())

    def renumber(self, order: IntArray) -> None:
        """Give the states new numbers: state ``order[k]`` becomes k. Starts and accepts are sorted again."""
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


def pack_graph(
    topology: Topology,
    selection: Selection,
    leaf_offsets: NDArray[np.int64],
    semiring: str,
    *,
    as_cyclic: bool = False,
) -> Region:
    """Pack a reduction over a graph.

    States off accepting paths and their arcs are left out. States are numbered anew, in topological order; those of one
    strongly connected component stand together.

    Header of lattices, and of cyclic regions of the max and count semirings::

        0 n_states   1 n_arcs   2 n_starts   3 →starts   4 n_accepts   5 →accepts
        6 →entry row pointers (0: one entry an arc)   7 →entries
        8 →row pointers of arcs by state: arcs in (log, count), arcs out (max; each state's in the graph's order)
        9 →the other end of each arc   10 →the graph's arc numbers
        11 n_components   12 →component begins, one more than components (max)
        13 1 where there is a cycle

    Header of cyclic regions of the log semiring: see ``elimination``.

    Args:
        topology: the graph.
        selection: the leaf entries that its arcs add up.
        leaf_offsets: (n_leaves,) where each leaf begins among an item's local entries.
        semiring: "log", "max", "min" or "count".
        as_cyclic: pack as a cyclic region even where the graph is acyclic, to share a batch with cyclic ones.

    Raises:
        LimitError: the region does not fit 32-bit offsets.
    """
    part = Part(topology)
    order = topological_order(part.n_states, part.src, part.dst)
    kind = "lattice" if order is not None and not as_cyclic else "cyclic"
    if semiring == "log" and kind == "cyclic":
        return pack_elimination(part, selection, leaf_offsets)
    backwards = semiring in ("max", "min")
    has_cycle = order is None
    if order is None:
        order, begins = components(part.n_states, part.src, part.dst)
    else:
        begins = np.arange(part.n_states + 1, dtype=np.int32)
    part.renumber(order)
    # Stable, so that the arcs of one state keep the graph's order, which the tie rule of MAX needs.
    part.sort_arcs(np.argsort(part.src if backwards else part.dst, kind="stable"))
    n_states, n_arcs = part.n_states, len(part.arcs)

    packing = Packing()
    packing.number(0, n_states)
    packing.number(1, n_arcs)
    packing.counted(2, part.start)
    packing.counted(4, part.accept)
    packing.entries(6, selection, leaf_offsets, part.arcs)
    packing.array(8, row_pointers(part.src if backwards else part.dst, n_states))
    packing.array(9, part.dst if backwards else part.src)
    packing.array(10, part.arcs)
    if backwards:
        packing.counted(11, begins)
        packing.number(11, len(begins) - 1)
        # Weights, best weights; numbers of arcs, choices, the best path and its length.
        work = (n_arcs + n_states + 1, 3 * n_states + 2)
    elif semiring == "count":
        work = (n_states, 0)
    else:
        # Factors, then shares, of arcs, and their exponents; mantissas and exponents of states, posteriors; the score.
        work = (2 * n_arcs + 3 * n_states + 1, 0)
    packing.number(13, int(has_cycle))
    return Region(kind, semiring, packing.ints(), n_states, n_arcs, work)
