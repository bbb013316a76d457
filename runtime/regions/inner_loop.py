"""The format of a trellis' inner loop under the log semiring: diagonals, a full matrix, or arc by arc.

Used by the packer of trellises. A *diagonal* is what lets a loop run over neighbouring states with vectors: arcs that
lead from neighbouring states to neighbouring states. To have few and long ones, states are put into groups: first the
*shared-column groups*, entered with one common column, such as CTC's blank, and last the states with a column each.

Within a group, states are *striped* over the eight lanes of a vector, as M. Farrar does (Striped Smith–Waterman speeds
database searches six times over other SIMD implementations, 2007): the group's k-th state, of 8 q, has the place
8 (k mod q) + k div q. So a state's neighbour stands in the same lane of the next vector, and vectors are read where
they were written: read one number further, they would have to wait until two of them had reached the cache. Groups of
like sizes get the same q, so that states of like ranks stand in the same lane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.runtime.kernels.packing.pack_inner_loop import (
    MOST_DIAGONALS,
    MOST_SHARED_COLUMNS,
    NARROWEST,
    SHORTEST_DIAGONAL,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.regions.part import Part
from arcgrad.runtime.regions.region import Packing

__all__ = ["Grouping", "group_states", "pack_arcs", "pack_diagonals", "pack_matrix"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """States in groups that begin at multiples of eight, by their new numbers; numbers left over have no arcs.

    Attributes:
        n_states: how many numbers there are.
        position: (states so far,) their new numbers.
        bounds: (n_groups + 1,) where groups begin.
        shared_columns: columns of the shared-column groups, which come first.
        columns: column of each slot: one for each number of the last group, then the shared ones.
        slots: (n_states,) slot of each number.
    """

    n_states: int
    position: IntArray
    bounds: list[int]
    shared_columns: list[int]
    columns: IntArray
    slots: IntArray


def group_states(n_states: int, dst: IntArray, labels: IntArray) -> Grouping | None:
    """Groups of states by the label they are entered with; None where one is entered with two, or there are no arcs."""
    if not len(dst):
        return None
    label_of = np.full(n_states, -1, dtype=np.int32)
    label_of[dst] = labels
    if not np.array_equal(label_of[dst], labels):
        return None
    entered = label_of[label_of >= 0]
    counts = np.bincount(entered)
    common = np.flatnonzero(counts >= max(SHORTEST_DIAGONAL, (n_states + 3) // 4))
    shared_columns = common[:MOST_SHARED_COLUMNS].tolist()
    group = np.full(n_states, len(shared_columns), dtype=np.int32)
    for number, column in enumerate(shared_columns):
        group[label_of == column] = number
    if shared_columns:
        group[label_of < 0] = 0  # no column is theirs, so any will do
    position = np.empty(n_states, dtype=np.int32)
    bounds = [0]
    heights = -(-np.bincount(group, minlength=len(shared_columns) + 1) // 8)
    if np.count_nonzero(heights) * heights.max() <= 2 * heights.sum():
        heights[heights > 0] = heights.max()
    for number, height in enumerate(heights.tolist()):
        members = np.flatnonzero(group == number)
        if len(members):
            lane, row = np.divmod(np.arange(len(members)), height)
            position[members] = bounds[-1] + 8 * row + lane
            bounds.append(bounds[-1] + 8 * height)
    n_own = bounds[-1] - bounds[len(shared_columns)]
    columns = np.full(n_own + len(shared_columns), entered.min(), dtype=np.int32)
    last = np.flatnonzero((group == len(shared_columns)) & (label_of >= 0))
    columns[position[last] - bounds[len(shared_columns)]] = label_of[last]
    columns[n_own:] = shared_columns
    slots = np.arange(bounds[-1], dtype=np.int32) - bounds[len(shared_columns)]
    for number in range(len(shared_columns)):
        slots[bounds[number] : bounds[number + 1]] = n_own + number
    return Grouping(bounds[-1], position, bounds, shared_columns, columns, slots)


def pack_diagonals(packing: Packing, part: Part, grouping: Grouping) -> bool:
    """Pack diagonals, if few enough hold nearly all arcs, which are numbered and sorted by now; whether so.

    ``trellis_format`` says what stands in the table.

    Diagonals along most of a group are long, come first, and are taken by three. Their factors reach as far as a loop
    over the group of destinations or of sources: zero where the group has no arc.
    """
    n_states, n_arcs = part.n_states, len(part.arcs)
    bounds = np.array(grouping.bounds)
    n_groups = len(bounds) - 1
    group = np.searchsorted(bounds, np.arange(n_states), side="right") - 1
    offset = part.dst.astype(np.int64) - part.src
    key = ((group[part.dst] * n_groups + group[part.src]) * (2 * n_states) + offset + n_states) * n_states + part.dst
    _, first = np.unique(key, return_index=True)
    alone = np.zeros(n_arcs, dtype=np.bool_)
    alone[first] = True  # of parallel arcs, all but one are left over
    kinds, which, counts = np.unique(key[alone] // n_states, return_inverse=True, return_counts=True)
    long = counts >= SHORTEST_DIAGONAL
    rank = np.cumsum(long) * long  # 1, 2, … for diagonals, 0 for others
    diagonal_of = np.zeros(n_arcs, dtype=np.int64)
    diagonal_of[alone] = rank[which]
    leftover = np.flatnonzero(diagonal_of == 0)
    n_diagonals = 1 + int(long.sum())
    if n_diagonals == 1 or n_diagonals > MOST_DIAGONALS or len(leftover) > max(8, n_arcs // 8):
        return False
    pair, shifted = np.divmod(kinds[long], 2 * n_states)
    steps = shifted - n_states
    tails, heads = pair % n_groups, pair // n_groups
    first_end = np.zeros((2, n_diagonals), dtype=np.int64)
    first_end[0] = n_states
    np.minimum.at(first_end[0], diagonal_of, part.dst // 8 * 8)
    np.maximum.at(first_end[1], diagonal_of, part.dst // 8 * 8 + 8)
    is_long = 2 * (first_end[1] - first_end[0])[1:] > bounds[heads + 1] - bounds[heads]
    order = np.argsort(~is_long, kind="stable")
    diagonal_of = np.concatenate([[0], 1 + np.argsort(order)])[diagonal_of]
    diagonals = [(0, 0, 0, 0)]
    at, pad = n_states, 0
    for k in order.tolist():
        step = int(steps[k])
        d0, d1 = grouping.bounds[heads[k] : heads[k] + 2]
        if is_long[k]:
            s0, s1 = grouping.bounds[tails[k] : tails[k] + 2]
            begin, end = min(d0, s0 + step), max(d1, s1 + step)
        else:
            d0, d1 = begin, end = first_end[:, 1 + k].tolist()
            s0, s1 = d0 - step, d1 - step
        place = -(-(at - begin) // 8) * 8
        diagonals.append((step, place, d0, d1))
        at = place + end
        pad = max(pad, step - d0, d1 - step - n_states, -(s0 + step), s1 + step - n_states)
    if at > 4 * n_arcs + 2 * n_states + 64:
        return False
    factors = np.array([diagonal[T.DIAGONAL_FACTOR] for diagonal in diagonals])[diagonal_of] + part.dst
    factors[leftover] = at + np.arange(len(leftover))
    heads, tails = (groups[order[: is_long.sum()]].tolist() for groups in (heads, tails))
    forward, back = _triples(diagonals, heads, n_groups), _triples(diagonals, tails, n_groups)
    table = [n_diagonals, len(leftover), n_groups, len(forward), len(back), 1 + len(heads)]
    for number in range(n_groups):
        begin = grouping.bounds[number]
        own = number >= len(grouping.shared_columns)
        table += [begin, grouping.bounds[number + 1], int(grouping.slots[begin]), int(own)]
    for row in (*diagonals, *forward, *back):
        table += row
    packing.number(T.INNER_LOOP, T.DIAGONALS)
    packing.array(T.TABLE, np.array([*table, *leftover.tolist()], dtype=np.int64))
    packing.number(T.PAD, -(-pad // 8) * 8)
    packing.number(T.N_FACTORS, at + len(leftover))
    packing.array(T.ARC_FACTORS, factors)
    packing.array(T.STATE_SLOTS, grouping.slots)
    return True


def _triples(diagonals: list[tuple[int, int, int, int]], groups: list[int], n_groups: int) -> list[tuple[int, ...]]:
    """Diagonals by three, filled up with diagonal 0; each group has at least three."""
    found: list[tuple[int, ...]] = []
    for group in range(n_groups):
        own = [diagonals[1 + k] for k in range(len(groups)) if groups[k] == group]
        own += diagonals[:1] * (-len(own) % 3 if own else 3)
        for k in range(0, len(own), 3):
            found.append((group, int(k == 0), *(number for diagonal in own[k : k + 3] for number in diagonal[:2])))
    return found


def pack_matrix(packing: Packing, part: Part, slots: NDArray[np.integer]) -> bool:
    """Pack a full matrix, where neighbouring states are all entered from the same neighbouring states; whether so.

    ``trellis_format`` says what stands in the table.
    """
    n_states, n_arcs = part.n_states, len(part.arcs)
    if not n_arcs:
        return False
    first, last = int(part.dst[0]), int(part.dst[-1])
    n_rows = last + 1 - first
    width, rest = divmod(n_arcs, n_rows)
    if rest or width < NARROWEST:
        return False
    rows = part.dst.reshape(n_rows, width)
    sources, entering = part.src.reshape(n_rows, width), slots.reshape(n_rows, width)
    if not (
        np.array_equal(rows, np.broadcast_to(np.arange(first, last + 1)[:, None], rows.shape))
        and np.array_equal(sources, np.broadcast_to(sources[0, 0] + np.arange(width), rows.shape))
        and np.array_equal(entering, np.broadcast_to(entering[:, :1], rows.shape))
    ):
        return False
    padded, fours = -(-width // 8) * 8, -(-n_rows // 4) * 4
    pad = max(int(sources[0, 0]) + padded, first + fours) - -(-n_states // 8) * 8
    packing.number(T.INNER_LOOP, T.MATRIX)
    packing.array(T.TABLE, [first, n_rows, int(sources[0, 0]), width, padded])
    packing.number(T.PAD, max(0, -(-pad // 8) * 8))
    packing.number(T.N_FACTORS, fours * padded)
    packing.array(T.ARC_FACTORS, (np.arange(n_rows)[:, None] * padded + np.arange(width)).reshape(-1))
    packing.array(T.STATE_SLOTS, state_slots(n_states, part.dst, slots))
    return True


def pack_arcs(packing: Packing, part: Part, slots: NDArray[np.integer]) -> None:
    """Pack the format of last resort: a factor for each arc."""
    n_arcs = len(part.arcs)
    packing.number(T.INNER_LOOP, T.ARC_BY_ARC)
    packing.number(T.PAD, 0)
    packing.number(T.N_FACTORS, n_arcs)
    packing.array(T.ARC_FACTORS, np.arange(n_arcs))
    packing.array(T.STATE_SLOTS, state_slots(part.n_states, part.dst[: len(slots)], slots))


def state_slots(n_states: int, dst: IntArray, slots: NDArray[np.integer]) -> IntArray:
    """(n_states,) the slot that a state is entered with; −1 where there is none, or several."""
    found = np.full(n_states, -1, dtype=np.int32)
    found[dst] = slots
    found[dst[found[dst] != slots]] = -1
    return found
