"""Packs a cyclic graph for the log semiring: the symbolic half of sparse elimination, component by component.

The forward scores of a strongly connected component solve α (I − W) = b. The kernel eliminates states one by one,
``W[i, j] ⊕= W[i, q] ⊗ star(W[q, q]) ⊗ W[q, j]`` (Kleene's algorithm as Gaussian elimination without subtraction;
Lehmann, Theoretical Computer Science 4, 1977). Which entries fill depends on the topology alone, so it is found here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.dense_block import SCRATCH, padded
from arcgrad.runtime.kernels.cyclic.elimination_order import n_buckets, order_elimination
from arcgrad.runtime.regions.part import Part
from arcgrad.runtime.regions.region import Packing, Region

__all__ = ["Elimination", "eliminate", "pack_elimination", "patience"]

patience = Patience(0.5)
# Seconds that an arc takes where the order is found in plain Python, and arcs beyond which fill-in may take more.
_PLAIN, _FILLS = 1e-5, 3000
# Bytes of workspace that a slot and an entry of a block (and of its mirror) take, and of an entry while it is searched.
_SLOT, _BLOCK, _ENTRY = 24, 16, 32


class Elimination(NamedTuple):
    """An order of elimination, and what it fills.

    Attributes:
        order: (n_states,) the states, component by component, those that blocks hold last.
        rows, columns: entries off the diagonal that have arcs or are filled, but for those of blocks, by state.
        dense: (n_components,) where the states of each component's block begin in the order.
    """

    order: IntArray
    rows: IntArray
    columns: IntArray
    dense: IntArray


def eliminate(begins: IntArray, src: IntArray, dst: IntArray, limits: Limits) -> Elimination:
    """Choose an order of elimination and find the entries that it fills.

    Args:
        begins: (n_components + 1,) where each component begins among the states.
        src, dst: arcs inside components.
        limits: budget.

    Raises:
        LimitError: the entries exceed it.
    """
    n_states = int(begins[-1])
    room = 8 * len(src) + 64
    largest = int(np.diff(begins).max(initial=0))
    usual = _BLOCK * (largest / 2) ** 2  # of random graphs less than half the states get a block
    while True:
        limits.check(_WHAT, bytes=_ENTRY * room // 8, at_least=True, usual={"bytes": usual}, smaller=_SMALLER)
        table = 1 << (2 * room - 1).bit_length()
        arrays = [np.empty(room, dtype=np.int32) for _ in range(4)] + [np.zeros(table, dtype=np.int32)]
        arrays += [np.full(n_states, fill, dtype=np.int32) for fill in (-1, -1, 0, 0)]
        arrays += [np.full(n_buckets(n_states), -1, dtype=np.int32), *np.empty((5, n_states), dtype=np.int32)]
        arrays += [*np.full((3, n_states), -1, dtype=np.int32), np.empty(len(begins) - 1, dtype=np.int32)]
        if patience.ends_for(order_elimination, expected=_PLAIN * len(src) * (1 + len(src) / _FILLS)):
            count = order_elimination(begins, src, dst, *arrays)
        else:
            with patience.tried():
                lists = [array.tolist() for array in arrays]
                count = order_elimination.python(begins.tolist(), src.tolist(), dst.tolist(), *lists)
                for k in (0, 1, -2, -1):
                    arrays[k][:] = lists[k]
        if count >= 0:
            break
        room *= 4
    rows, columns, *_, order, dense = arrays
    position = np.empty(n_states, dtype=np.int32)
    position[order] = np.arange(n_states, dtype=np.int32)
    block_of = np.repeat(dense, np.diff(begins))  # of each place in the order
    row, column = position[rows[:count]], position[columns[:count]]
    sparse = np.minimum(row, column) < block_of[row]
    return Elimination(order, row[sparse], column[sparse], dense)


_WHAT = "the elimination of a graph's cycles"
_SMALLER = "make the graph's strongly connected components smaller"


def pack_elimination(part: Part, selection: Selection, leaf_offsets: NDArray[np.int64], limits: Limits) -> Region:
    """Pack the log semiring over a cyclic graph.

    States are numbered by component in topological order, within a component in order of elimination. Arcs are sorted
    by source. ``cyclic_format`` names the fields of the header.

    Raises:
        LimitError: what elimination fills exceeds the budget.
    """
    order, begins = part.orders.components(part.n_states, part.src, part.dst)
    part.renumber(order)
    n_states = part.n_states
    component = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    inner = component[part.src] == component[part.dst]
    found = eliminate(begins, part.src[inner], part.dst[inner], limits)
    part.renumber(found.order)
    if bool(np.any(part.src[1:] < part.src[:-1])):
        part.sort_arcs(np.argsort(part.src, kind="stable"))
    inner = component[part.src] == component[part.dst]

    has_slots = np.zeros(len(begins) - 1, dtype=np.bool_)
    has_slots[component[part.src[inner]]] = True
    sizes = (begins[1:] - found.dense).astype(np.int64)
    n_slots = len(found.rows) + int(np.diff(begins)[has_slots].sum() - sizes.sum())
    areas = sizes * padded(sizes)
    n_places = n_slots + int(areas.sum())
    limits.check(_WHAT, bytes=_SLOT * n_slots + _BLOCK * (n_places - n_slots), smaller=_SMALLER)
    blocks = n_slots + np.cumsum(areas) - areas

    dense = found.dense.astype(np.int64)[component]
    states = np.arange(n_states)
    on_diagonal = np.flatnonzero(has_slots[component] & (states < dense))
    # A slot's key sorts by row, then column.
    slots = np.sort(
        np.concatenate([found.rows.astype(np.int64) * n_states + found.columns, on_diagonal * (n_states + 1)])
    )
    slot_row, slot_column = np.divmod(slots, max(n_states, 1))
    diagonal = np.full(n_states, -1, dtype=np.int64)
    diagonal[on_diagonal] = np.flatnonzero(slot_row == slot_column)
    below = np.flatnonzero(slot_row > slot_column)
    below = below[np.argsort(slot_column[below], kind="stable")]

    n_arcs = len(part.arcs)
    src, dst = part.src.astype(np.int64), part.dst.astype(np.int64)
    places = np.where(inner, np.searchsorted(slots, src * n_states + dst), -1)
    in_block = inner & (src >= dense[src]) & (dst >= dense[src])
    at = src[in_block]
    places[in_block] = (
        blocks[component[at]] + (at - dense[at]) * padded(sizes)[component[at]] + dst[in_block] - dense[at]
    )

    packing = Packing()
    packing.number(C.N_STATES, n_states)
    packing.number(C.N_ARCS, n_arcs)
    packing.counted(C.N_STARTS, part.start)
    packing.counted(C.N_ACCEPTS, part.accept)
    packing.entries(C.ENTRY_POINTERS, selection, leaf_offsets, part.arcs)
    packing.array(C.ARC_SOURCES, part.src)
    packing.array(C.ARC_ENDS, part.dst)
    packing.array(C.ARC_PLACES, places)
    packing.array(C.OUT_POINTERS, row_pointers(part.src, n_states))
    packing.array(C.IN_POINTERS, row_pointers(part.dst, n_states))
    packing.array(C.ARCS_IN, np.argsort(part.dst, kind="stable"))
    packing.counted(C.N_COMPONENTS, begins)
    packing.number(C.N_COMPONENTS, len(begins) - 1)
    packing.array(C.DENSE_STATES, found.dense)
    packing.array(C.BLOCKS, blocks)
    packing.number(C.N_SLOTS, n_slots)
    packing.number(C.N_PLACES, n_places)
    packing.array(C.SLOT_POINTERS, row_pointers(slot_row, n_states))
    packing.array(C.SLOT_COLUMNS, slot_column)
    packing.array(C.DIAGONAL_SLOTS, diagonal)
    packing.array(C.BELOW_POINTERS, row_pointers(slot_column[below], n_states))
    packing.array(C.BELOW_ROWS, slot_row[below])
    packing.array(C.BELOW_SLOTS, below)
    packing.array(C.ARC_NUMBERS, part.arcs)
    # Arc weights; slots and blocks; the blocks' mirrors; stars, forward and backward scores; the total; potentials.
    scratch = SCRATCH if len(areas) and areas.any() else 0
    work = (n_arcs + 2 * n_places - n_slots + 6 * n_states + 1 + scratch, 4 * n_states)
    row_lengths = np.bincount(slot_row[slot_row < slot_column], minlength=n_states)
    operations = int(row_lengths @ np.bincount(slot_column[below], minlength=n_states))
    return Region(
        "cyclic",
        "log",
        packing.ints(),
        n_states,
        n_arcs,
        work,
        operations=n_arcs + operations + int((sizes**3).sum()) // 99,
    )
