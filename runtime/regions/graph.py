"""Packs a graph whose arcs are all built: a lattice where it is acyclic, else a cyclic region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.orders import PLAIN, Orders
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.lattice.lattice_log import LATTICE_BLOCK, SCALARS
from arcgrad.runtime.regions.elimination import pack_elimination
from arcgrad.runtime.regions.part import Part
from arcgrad.runtime.regions.region import Packing, Region

__all__ = ["pack_graph"]


def pack_graph(
    topology: Topology,
    selection: Selection,
    leaf_offsets: NDArray[np.int64],
    semiring: str,
    *,
    as_cyclic: bool = False,
    orders: Orders = PLAIN,
    limits: Limits = DEFAULT_LIMITS,
) -> Region:
    """Pack a reduction over a graph.

    States off accepting paths and their arcs are left out. States are numbered anew, in topological order; those of one
    strongly connected component stand together.

    ``lattice_format`` names the fields of the header; those of cyclic regions of the log semiring: ``cyclic_format``.

    Args:
        topology: the graph.
        selection: the leaf entries that its arcs add up.
        leaf_offsets: (n_leaves,) where each leaf begins among an item's local entries.
        semiring: "log", "max", "min" or "count".
        as_cyclic: pack as a cyclic region even where the graph is acyclic, to share a batch with cyclic ones.
        orders: the functions that order its states.
        limits: budget of what elimination fills.

    Raises:
        LimitError: the region does not fit 32-bit offsets, or what elimination fills exceeds the budget.
    """
    part = Part(topology, orders=orders)
    order = orders.topological_order(part.n_states, part.src, part.dst)
    kind = "lattice" if order is not None and not as_cyclic else "cyclic"
    if semiring == "log" and kind == "cyclic":
        return pack_elimination(part, selection, leaf_offsets, limits)
    backwards = semiring in ("max", "min")
    has_cycle = order is None
    if order is None:
        order, begins = orders.components(part.n_states, part.src, part.dst)
    else:
        begins = np.arange(part.n_states + 1, dtype=np.int32)
    part.renumber(order)
    # By source, since graphs are mostly stored so. Stable, so that the arcs of one state keep the graph's order, which
    # the tie rule of MAX needs.
    if bool(np.any(part.src[1:] < part.src[:-1])):
        part.sort_arcs(np.argsort(part.src, kind="stable"))
    n_states, n_arcs = part.n_states, len(part.arcs)

    packing = Packing()
    packing.number(L.N_STATES, n_states)
    packing.number(L.N_ARCS, n_arcs)
    packing.counted(L.N_STARTS, part.start)
    packing.counted(L.N_ACCEPTS, part.accept)
    in_line = packing.entries(L.ENTRY_POINTERS, selection, leaf_offsets, part.arcs)
    rows = row_pointers(part.src, n_states)
    packing.array(L.ARC_POINTERS, rows)
    packing.array(L.ARC_ENDS, part.dst)
    packing.array(L.ARC_NUMBERS, part.arcs)
    if backwards:
        packing.counted(L.N_COMPONENTS, begins)
        packing.number(L.N_COMPONENTS, len(begins) - 1)
        if has_cycle:
            packing.array(L.IN_POINTERS, row_pointers(part.dst, n_states))
            packing.array(L.IN_SOURCES, part.src[np.argsort(part.dst, kind="stable")])
        # Weights, best weights; numbers of arcs, fewest of them or the queue, the best path and its length, choices.
        work = (n_arcs + n_states + 1, (5 if has_cycle else 3) * n_states + 2)
    elif semiring == "count":
        work = (n_states, 0)
    else:
        # Terms of arcs; mantissas and exponents of states, inverses, posteriors, coarse exponents; scalars.
        work = (n_arcs + 5 * n_states + SCALARS, 0)
        packing.array(L.FURTHEST, _furthest(part.dst, rows))
    packing.number(L.HAS_CYCLE, int(has_cycle))
    packing.number(L.IN_LINE, int(in_line))
    return Region(kind, semiring, packing.ints(), n_states, n_arcs, work)


def _furthest(dst: IntArray, rows: NDArray[np.int64]) -> IntArray:
    """For each block of states, the largest destination of their arcs, −1 where there are none."""
    begins = rows[:-1:LATTICE_BLOCK]
    lengths = np.diff(begins, append=rows[-1:])
    largest: IntArray = np.full(len(begins), -1, dtype=np.int32)
    largest[lengths > 0] = np.maximum.reduceat(dst, begins[lengths > 0])
    return largest
