"""Packs a cyclic graph for the log semiring: the symbolic half of sparse elimination, component by component.

The forward scores of a strongly connected component solve α (I − W) = b. The kernel eliminates states one by one,
``W[i, j] ⊕= W[i, q] ⊗ star(W[q, q]) ⊗ W[q, j]`` (Kleene's algorithm as Gaussian elimination without subtraction;
Lehmann, Theoretical Computer Science 4, 1977). Which entries fill depends on the topology alone, so it is found here.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.regions.part import Part
from arcgrad.runtime.regions.region import Packing, Region

__all__ = ["eliminate", "pack_elimination"]


def eliminate(n_states: int, src: IntArray, dst: IntArray) -> tuple[list[int], list[tuple[int, int]]]:
    """Choose an order of elimination for one component and find the entries that it fills.

    The next state is one with the least product of neighbours before and after it (Markowitz' rule), which keeps chains
    and trees of arcs linear in size.

    Args:
        n_states: states of the component.
        src, dst: its arcs.

    Returns:
        the states in order of elimination, and the (row, column) pairs of all entries, the diagonal's included.
    """
    after: list[set[int]] = [set() for _ in range(n_states)]
    before: list[set[int]] = [set() for _ in range(n_states)]
    for s, d in zip(src.tolist(), dst.tolist(), strict=True):
        if s != d:
            after[s].add(d)
            before[d].add(s)
    degree = [len(a) * len(b) for a, b in zip(after, before, strict=True)]
    heap = [(degree[state], state) for state in range(n_states)]
    heapq.heapify(heap)
    alive = [True] * n_states
    order: list[int] = []
    entries: list[tuple[int, int]] = []
    while heap:
        least, pivot = heapq.heappop(heap)
        if not alive[pivot] or least != degree[pivot]:
            continue
        alive[pivot] = False
        order.append(pivot)
        sources, ends = before[pivot], after[pivot]
        entries.append((pivot, pivot))
        entries.extend((source, pivot) for source in sources)
        entries.extend((pivot, end) for end in ends)
        for source in sources:
            row = after[source]
            row |= ends
            row.discard(source)
            row.discard(pivot)
        for end in ends:
            column = before[end]
            column |= sources
            column.discard(end)
            column.discard(pivot)
        for state in sources | ends:
            product = len(after[state]) * len(before[state])
            if product != degree[state]:
                degree[state] = product
                heapq.heappush(heap, (product, state))
    return order, entries


def pack_elimination(part: Part, selection: Selection, leaf_offsets: NDArray[np.int64]) -> Region:
    """Pack the log semiring over a cyclic graph.

    States are numbered by component in topological order, within a component in order of elimination. Arcs inside
    components come first, sorted by the slot of the matrix entry they add to; the others follow, sorted by destination.

    ``cyclic_format`` names the fields of the header.
    """
    order, begins = part.orders.components(part.n_states, part.src, part.dst)
    part.renumber(order)
    n_states = part.n_states
    component = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    inner = component[part.src] == component[part.dst]
    part.sort_arcs(np.argsort(np.where(inner, component[part.src], len(begins)), kind="stable"))
    n_inner = int(inner.sum())
    arc_bounds = np.searchsorted(component[part.src[:n_inner]], np.arange(len(begins)))

    elimination = np.arange(n_states, dtype=np.int32)
    rows: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    columns: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    for number in np.flatnonzero(np.diff(arc_bounds)).tolist():
        low, high = int(begins[number]), int(begins[number + 1])
        own = slice(int(arc_bounds[number]), int(arc_bounds[number + 1]))
        chosen, entries = eliminate(high - low, part.src[own] - low, part.dst[own] - low)
        elimination[low:high] = np.array(chosen, dtype=np.int32) + low
        pairs = np.array(entries, dtype=np.int64) + low
        rows.append(pairs[:, 0])
        columns.append(pairs[:, 1])
    part.renumber(elimination)
    position = np.empty(n_states, dtype=np.int64)
    position[elimination] = np.arange(n_states)
    # A slot's key sorts by row, then column.
    slots = np.sort(position[np.concatenate(rows)] * n_states + position[np.concatenate(columns)])
    slot_row, slot_column = np.divmod(slots, n_states)
    diagonal = np.full(n_states, -1, dtype=np.int64)
    on_diagonal = np.flatnonzero(slot_row == slot_column)
    diagonal[slot_row[on_diagonal]] = on_diagonal
    below = np.flatnonzero(slot_row > slot_column)
    below = below[np.argsort(slot_column[below], kind="stable")]

    arc_slot = np.searchsorted(slots, part.src[:n_inner].astype(np.int64) * n_states + part.dst[:n_inner])
    part.sort_arcs(
        np.concatenate([np.argsort(arc_slot, kind="stable"), n_inner + np.argsort(part.dst[n_inner:], kind="stable")])
    )
    outer_src, outer_dst = part.src[n_inner:], part.dst[n_inner:]
    n_arcs = len(part.arcs)

    packing = Packing()
    packing.number(C.N_STATES, n_states)
    packing.number(C.N_ARCS, n_arcs)
    packing.counted(C.N_STARTS, part.start)
    packing.counted(C.N_ACCEPTS, part.accept)
    packing.entries(C.ENTRY_POINTERS, selection, leaf_offsets, part.arcs)
    packing.array(C.ARC_SOURCES, part.src)
    packing.array(C.ARC_ENDS, part.dst)
    packing.array(C.ARC_NUMBERS, part.arcs)
    packing.counted(C.N_COMPONENTS, begins)
    packing.number(C.N_COMPONENTS, len(begins) - 1)
    packing.counted(C.N_INNER, np.sort(arc_slot))
    packing.number(C.N_SLOTS, len(slots))
    packing.array(C.SLOT_POINTERS, row_pointers(slot_row, n_states))
    packing.array(C.SLOT_COLUMNS, slot_column)
    packing.array(C.DIAGONAL_SLOTS, diagonal)
    packing.array(C.BELOW_POINTERS, row_pointers(slot_column[below], n_states))
    packing.array(C.BELOW_ROWS, slot_row[below])
    packing.array(C.BELOW_SLOTS, below)
    packing.array(C.OUTER_IN, n_inner + row_pointers(outer_dst, n_states))
    packing.array(
        C.OUTER_OUT, np.concatenate([row_pointers(outer_src, n_states), n_inner + np.argsort(outer_src, kind="stable")])
    )
    # Arc weights; slots; stars, forward and backward scores; the total; potentials. Integers: marks of states.
    work = (n_arcs + len(slots) + 6 * n_states + 1, 2 * n_states)
    return Region("cyclic", "log", packing.ints(), n_states, n_arcs, work)
