"""Packs a graph that is met with a dense chain on one side: time-synchronous, frames are never built into the graph.

Also the dense chain alone ("frames").
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.regions.base import HEADER, Packing, Region, row_pointers
from arcgrad.compiler.regions.graph import Part
from arcgrad.compiler.regions.order import topological_order
from arcgrad.compiler.selection import Selection
from arcgrad.compiler.topology import EPSILON, IntArray, Topology

__all__ = ["pack_frames", "pack_trellis", "trellis_region"]

_CHUNK = 1024  # numbers that kernels exponentiate at a time
_MOST_DIAGONALS = 12


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
        12 →slot of each emitting arc   13 n_slots   14 →column of each slot, ascending
        15 →row pointers of emitting arcs by destination   16 →row pointers of ε arcs by destination
        17 length of the longest chain of ε arcs
        18 n_diagonals, a multiple of 3, or 0: the format of the inner loop (log)
        19 →offsets dst − src of the diagonals   20 the largest of them, absolute
        21 n_cells, the numbers that the inner loop multiplies by   22 →cell of each arc
        23 →slot of each state (diagonals)

    Diagonals: where every state is entered with one label only, without ε, and few differences dst − src occur, as in
    CTC, the arcs of one difference make a padded row of cells, by destination, and the loop runs over states. Else a
    cell is an arc.

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
    n_states, n_arcs = part.n_states, len(part.arcs)
    part.sort_arcs(np.lexsort((part.dst, silent)))
    n_emitting = n_arcs - int(silent.sum())
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
    if semiring == "log":
        _pack_inner_loop(packing, part, slots)
    return trellis_region(packing.ints(), semiring)


def trellis_region(ints: IntArray, semiring: str) -> Region:
    """The region of a packed array, with the workspace that its kernels need."""
    header = ints[:HEADER].tolist()
    n_states, n_arcs, n_slots, pad, n_cells = header[0], header[1], header[13], header[20], header[21]
    if semiring == "log":
        # As ``arcgrad.runtime.kernels.blocks`` lays it out; a row for each frame and for each block of 8 frames, and
        # for each row its exponents.
        row = n_states + n_states + 2 * pad
        floats = 2 * n_arcs + 2 * n_cells + max(_CHUNK + n_slots, n_arcs, n_states + n_slots)
        floats += 3 * (n_states + 2 * pad) + n_slots + 4 + 3 * row
        fixed, frame = (floats, 16), (n_slots + 2 + row + -(-row // 8), 4)
    elif semiring == "count":
        fixed, frame = (2 * n_states, 0), (0, 0)
    else:
        # Arc weights and two rows of best weights; a back pointer for each frame and state, the best end and its state.
        fixed, frame = (n_arcs + 2 * n_states + 1, n_states + 1), (0, n_states)
    return Region("trellis", semiring, ints, n_states, n_arcs, fixed, frame)


def _pack_inner_loop(packing: Packing, part: Part, slots: NDArray[np.int64]) -> None:
    """Choose and pack the format of the log semiring's inner loop."""
    n_states, n_arcs = part.n_states, len(part.arcs)
    offsets, which = np.unique(part.dst - part.src, return_inverse=True)
    pad = int(np.abs(offsets).max(initial=0))
    n_diagonals = -(-len(offsets) // 3) * 3
    state_slot = np.zeros(n_states, dtype=np.int32)
    state_slot[part.dst[: len(slots)]] = slots
    if (
        0 < n_diagonals <= _MOST_DIAGONALS
        and len(slots) == n_arcs
        and np.array_equal(state_slot[part.dst], slots)
        and n_diagonals * (n_states + 2 * pad) <= 4 * n_arcs + 64
        and len(np.unique(which * np.int64(n_states) + part.dst)) == n_arcs
    ):
        stride = n_states + 2 * pad
        cells: IntArray = (which * stride + pad + part.dst).astype(np.int32)
        n_cells = n_diagonals * stride
        packing.number(18, n_diagonals)
        # The rest of the last three multiply zeros.
        packing.array(19, np.concatenate([offsets, np.zeros(n_diagonals - len(offsets), dtype=np.int32)]))
    else:
        pad = 0
        cells, n_cells = np.arange(n_arcs, dtype=np.int32), n_arcs
    packing.number(20, pad)
    packing.number(21, n_cells)
    packing.array(22, cells)
    packing.array(23, state_slot)


@functools.cache
def pack_frames(semiring: str) -> Region:
    """Pack a reduction over a dense chain alone: the product over frames of the reduction over columns. No header."""
    fixed = (1 + 2 * _CHUNK if semiring == "log" else 0, 1)
    per_frame = {"log": (2, 0), "max": (0, 1), "min": (0, 1), "count": (0, 0)}[semiring]
    return Region("frames", semiring, Packing().ints(), 0, 0, fixed, per_frame)
