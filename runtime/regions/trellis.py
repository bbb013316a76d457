"""Packs a graph that is met with a dense chain on one side: time-synchronous, frames are never built into the graph.

Also the dense chain alone ("frames").
"""

from __future__ import annotations

import copy
import functools

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.csr import row_pointers
from arcgrad.compiler.orders import topological_order
from arcgrad.compiler.selection import Selection
from arcgrad.compiler.topology import EPSILON, IntArray, Topology
from arcgrad.runtime.kernels.header import HEADER
from arcgrad.runtime.kernels.trellis.blocks import FEWEST, KEPT, LONGEST, SLOW
from arcgrad.runtime.regions.inner_loop import Grouping, group_states, pack_arcs, pack_matrix, pack_strips
from arcgrad.runtime.regions.part import Part
from arcgrad.runtime.regions.region import Packing, Region

__all__ = ["pack_frames", "pack_trellis", "trellis_region"]


def pack_trellis(
    topology: Topology,
    selection: Selection,
    leaf_offsets: NDArray[np.int64],
    side: str,
    n_columns: int,
    semiring: str,
) -> Region | None:
    """Pack a reduction over a graph composed with a dense chain.

    An arc with label c in ``[0, n_columns)`` on that side consumes one frame and takes its column c; arcs with larger
    labels match nothing and are dropped; ε arcs move within a frame.

    States are numbered so that every ε arc leads forward. Emitting arcs (sorted by destination) come first, then ε arcs
    (sorted by destination). Columns are numbered anew, too: only those that occur have a slot.

    Header::

        0 n_states   1 n_arcs   2 n_starts   3 →starts   4 n_accepts   5 →accepts
        6 →entry row pointers (0: one entry an arc)   7 →entries
        8 n_emitting   9 →arc sources   10 →arc destinations   11 →the graph's arc numbers
        12 →slot of each emitting arc   13 n_slots   14 →column of each slot
        15 →row pointers of emitting arcs by destination   16 →row pointers of ε arcs by destination
        17 length of the longest chain of ε arcs
        18 format of the inner loop (log): 0 arc by arc, 1 strips, 2 a full matrix; see ``inner_loop``   19 →its table
        20 pad, zeros that the loop reads on both sides of a row of states
        21 n_cells, the numbers that the inner loop multiplies by   22 →cell of each arc
        23 →slot of each state; −1 where it is entered with none, or with several
        24 number of states that are not there only to fill up groups

    Columns have one slot each, in ascending order; but strips have a slot for each state of their last group, and they
    number the states by groups.

    Args:
        topology: the graph G.
        selection: the leaf entries that its arcs add up.
        leaf_offsets: (n_leaves,) where each leaf begins among an item's local entries.
        side: "input" where the dense chain stands on G's input (X ∘ G), "output" where on its output (G ∘ X).
        n_columns: width of the dense chain.
        semiring: "log", "max", "min" or "count".

    Returns:
        the region, or None where ε arcs on accepting paths form a cycle (such a graph has to be built).

    Raises:
        LimitError: the region does not fit 32-bit offsets.
    """
    labels = topology.ilabel if side == "input" else topology.olabel
    part = Part(topology, np.flatnonzero(labels < n_columns).astype(np.int32))
    silent = labels[part.arcs] == EPSILON
    order = topological_order(part.n_states, part.src[silent], part.dst[silent])
    if order is None:
        return None
    part.renumber(order)
    grouping = None
    if semiring == "log" and not silent.any():
        grouping = group_states(part.n_states, part.dst, labels[part.arcs])
    if grouping is not None:
        packed = _pack(part, silent, labels, selection, leaf_offsets, semiring, grouping)
        if packed is not None:
            return packed
    found = _pack(part, silent, labels, selection, leaf_offsets, semiring, None)
    assert found is not None
    return found


def _pack(
    part: Part,
    silent: NDArray[np.bool_],
    labels: IntArray,
    selection: Selection,
    leaf_offsets: NDArray[np.int64],
    semiring: str,
    grouping: Grouping | None,
) -> Region | None:
    """Pack a part whose states are in order; None where strips are tried, by a grouping, and do not fit."""
    part = copy.copy(part)
    n_real = part.n_states
    if grouping is not None:
        part.spread(grouping.position, grouping.n_states)
    n_states, n_arcs = part.n_states, len(part.arcs)
    part.sort_arcs(np.lexsort((part.dst, silent)))
    n_emitting = n_arcs - int(silent.sum())
    if grouping is not None:
        columns: IntArray = grouping.columns
        slots: NDArray[np.integer] = grouping.slots[part.dst]
    else:
        columns, slots = np.unique(labels[part.arcs[:n_emitting]], return_inverse=True)
    depth = np.zeros(n_states, dtype=np.int64)
    for s, d in zip(part.src[n_emitting:].tolist(), part.dst[n_emitting:].tolist(), strict=True):
        depth[d] = max(depth[d], depth[s] + 1)

    packing = Packing()
    packing.number(0, n_states)
    packing.number(1, n_arcs)
    packing.counted(2, part.start)
    packing.counted(4, part.accept)
    packing.entries(6, selection, leaf_offsets, part.arcs)
    packing.number(8, n_emitting)
    packing.array(9, part.src)
    packing.array(10, part.dst)
    packing.array(11, part.arcs)
    packing.array(12, slots)
    packing.counted(13, columns)
    packing.array(15, row_pointers(part.dst[:n_emitting], n_states))
    packing.array(16, n_emitting + row_pointers(part.dst[n_emitting:], n_states))
    packing.number(17, int(depth.max(initial=0)))
    packing.number(24, n_real)
    if grouping is not None:
        if not pack_strips(packing, part, grouping):
            return None
    elif semiring == "log" and not (n_emitting == n_arcs and pack_matrix(packing, part, slots)):
        pack_arcs(packing, part, slots)
    return trellis_region(packing.ints(), semiring)


def trellis_region(ints: IntArray, semiring: str) -> Region:
    """The region of a packed array, with the workspace that its kernels need."""
    header = ints[:HEADER].tolist()
    n_states, n_arcs, n_slots, pad, n_cells = header[0], header[1], header[13], header[20], header[21]
    if semiring == "log":
        # As ``kernels.trellis.blocks`` lays it out: by arc, cell and slot; rows of states; for each frame its
        # columns, and a share of the row, with its exponents, that a block begins with.
        stride, width = _eights(n_states) + 2 * pad, _eights(n_slots + 7)
        floats = (
            2 * _eights(n_arcs)
            + 4 * _eights(n_cells)
            + 3 * width
            + 16
            + (8 + 2 * LONGEST + 1 + 2 * (SLOW + 1)) * stride
        )
        # Rows that are kept, one more for each block.
        floats += KEPT + KEPT // FEWEST + 4 * stride
        fixed, frame = (floats + 16 + 6 * stride, 16), (width + 2 + -(-3 * stride // FEWEST), 1)
    elif semiring == "count":
        fixed, frame = (2 * n_states, 0), (0, 0)
    else:
        # Arc weights and two rows of best weights; a back pointer for each frame and state, the best end and its state.
        fixed, frame = (n_arcs + 2 * n_states + 1, n_states + 1), (0, n_states)
    return Region("trellis", semiring, ints, header[24], n_arcs, fixed, frame)


def _eights(count: int) -> int:
    """The next multiple of eight."""
    return -(-count // 8) * 8


@functools.cache
def pack_frames(semiring: str) -> Region:
    """Pack a reduction over a dense chain alone: the product over frames of the reduction over columns. No header."""
    fixed = (1 if semiring == "log" else 0, 1)
    per_frame = {"log": (2, 0), "max": (0, 1), "min": (0, 1), "count": (0, 0)}[semiring]
    return Region("frames", semiring, Packing().ints(), 0, 0, fixed, per_frame)
