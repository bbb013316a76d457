"""Packs a graph for dense composition on one side: time-synchronous, frames are never built into the graph.

Also the dense chain alone ("frames").
"""

from __future__ import annotations

import copy
import functools

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.orders import topological_order
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import lay_out, trellis_work
from arcgrad.runtime.regions.inner_loop import Grouping, group_states, pack_arcs, pack_diagonals, pack_matrix
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

    ``trellis_format`` names the fields of the header.
    Columns have one slot each, in ascending order; but with diagonals there is a slot for each state of the last group,
    and states are numbered by groups.

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
    """Pack a part whose states are in order; None where diagonals are tried, by a grouping, and do not fit."""
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
    packing.number(T.N_STATES, n_states)
    packing.number(T.N_ARCS, n_arcs)
    packing.counted(T.N_STARTS, part.start)
    packing.counted(T.N_ACCEPTS, part.accept)
    packing.entries(T.ENTRY_POINTERS, selection, leaf_offsets, part.arcs)
    packing.number(T.N_EMITTING, n_emitting)
    packing.array(T.ARC_SOURCES, part.src)
    packing.array(T.ARC_ENDS, part.dst)
    packing.array(T.ARC_NUMBERS, part.arcs)
    packing.array(T.ARC_SLOTS, slots)
    packing.counted(T.N_SLOTS, columns)
    packing.array(T.EMITTING, row_pointers(part.dst[:n_emitting], n_states))
    packing.array(T.SILENT, n_emitting + row_pointers(part.dst[n_emitting:], n_states))
    packing.number(T.SILENT_DEPTH, int(depth.max(initial=0)))
    packing.number(T.N_REAL_STATES, n_real)
    if grouping is not None:
        if not pack_diagonals(packing, part, grouping):
            return None
    elif semiring == "log" and not (n_emitting == n_arcs and pack_matrix(packing, part, slots)):
        pack_arcs(packing, part, slots)
    if semiring == "log":
        lay_out(packing.header)
    return trellis_region(packing.ints(), semiring)


def trellis_region(ints: IntArray, semiring: str) -> Region:
    """The region of a packed array, with the workspace that its kernels need."""
    header = ints[: T.HEADER].tolist()
    n_states, n_arcs = header[T.N_STATES], header[T.N_ARCS]
    if semiring == "log":
        floats, each = trellis_work(header[T.FRAMES], header[T.STRIDE], header[T.WIDTH])
        fixed, frame = (floats, 16), (each, 1)
    elif semiring == "count":
        fixed, frame = (2 * n_states, 0), (0, 0)
    else:
        # Arc weights and two rows of best weights; a back pointer for each frame and state, the best end and its state.
        fixed, frame = (n_arcs + 2 * n_states + 1, n_states + 1), (0, n_states)
    return Region("trellis", semiring, ints, header[T.N_REAL_STATES], n_arcs, fixed, frame)


@functools.cache
def pack_frames(semiring: str) -> Region:
    """Pack a reduction over a dense chain alone: the product over frames of the reduction over columns. No header."""
    fixed = (1 if semiring == "log" else 0, 1)
    per_frame = {"log": (2, 0), "max": (0, 1), "min": (0, 1)}.get(semiring, (0, 0))
    return Region("frames", semiring, Packing().ints(), 0, 0, fixed, per_frame)
