"""Packs a graph for dense composition, at the speed of compiled code: what training repeats for each target.

Stage: symbolic part, called by `arcgrad.runtime.call.pack`. The result is, number for number, that of
`arcgrad.runtime.regions.pack_trellis`, whose docstring says what it means; tests hold the two to that.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.graphs.order import BACKWARD, FORWARD, ON_ACCEPTING_PATHS, order_ints
from arcgrad.runtime.kernels.packing.pack_entries import count_entries, largest_entry, write_entries
from arcgrad.runtime.kernels.packing.pack_inner_loop import (
    BOUNDS,
    SHARED,
    group_states,
    inner_loop_size,
    most_numbers,
    write_arcs,
    write_diagonals,
    write_matrix,
)
from arcgrad.runtime.kernels.packing.pack_states import mark_from
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import lay_out

__all__ = ["pack_trellis_ints", "sizes"]

_INT32_MAX = 2**31 - 1
_EPSILON = -1


def sizes(n_states: int, n_arcs: int, n_entries: int, n_columns: int) -> tuple[int, int]:
    """The most numbers that the kernel may write, and what it needs of scratch."""
    n_states = most_numbers(n_states)
    columns = max(n_states + 3, min(n_arcs, n_columns))
    rest = 4 * n_states + 3 + 6 * n_arcs + columns + inner_loop_size(n_states, n_arcs)
    return T.HEADER + n_entries + rest, 38 * (n_states + 1) + 6 * n_arcs + n_columns + BOUNDS


@helper
def _six(room, length):
    """Six pieces of scratch, and what is left of it."""
    return (
        room[:length],
        room[length : 2 * length],
        room[2 * length : 3 * length],
        room[3 * length : 4 * length],
        room[4 * length : 5 * length],
        room[5 * length : 6 * length],
        room[6 * length :],
    )


@helper
def _write_flagged(flags, n_states, out, at):
    """Write the numbers of the flagged states, ascending; how many."""
    count = 0
    for state in range(n_states):
        if flags[state]:
            out[at + count] = state
            count += 1
    return count


@helper
def _write_states(given, number, position, n_states, flags, out, at):
    """Write those of the given states that were kept, in their new numbers, ascending; how many."""
    for state in range(n_states):
        flags[state] = 0
    for k in range(len(given)):
        kept = number[given[k]]
        if kept >= 0:
            flags[position[kept]] = 1
    return _write_flagged(flags, n_states, out, at)


@kernel(
    f"int64(int64, int64, {', '.join(['const int32[::1]'] * 5)}, const int64[::1], const int32[::1], const int32[::1], "
    "const int32[::1], const int64[::1], "
    "boolean, int32[::1], int32[::1])"
)
def pack_trellis_ints(
    n_states,
    n_columns,
    labels,
    src,
    dst,
    start,
    accept,
    entry_pointers,
    entry_parts,
    entry_arcs,
    entry_others,
    leaf_offsets,
    inner_loop,
    out,
    room,
):
    """Write the packed array of a trellis region; its length, or −1 where the packer of numpy has to say what is wrong.

    That is where ε arcs form a cycle, or entries or places exceed 32 bits.

    Args:
        n_states: number of states of the graph.
        n_columns: width of the dense chain.
        labels, src, dst, start, accept: the graph, with the labels of the side that the dense chain stands on.
        entry_pointers, entry_parts, entry_arcs, entry_others: what the arcs' weights sum. With pointers, arc k has the
            entries ``pointers[k]`` to ``pointers[k + 1]``, which are leaf ``parts[e]``'s arc ``arcs[e]``. Without, the
            graph is the leaf ``parts[0]``, or arc k is made of ``arcs[k]`` of ``parts[0]`` and ``others[k]`` of
            ``parts[1]``, where these are not −1.
        leaf_offsets: where each leaf begins among an item's local entries.
        inner_loop: whether the semiring is log.
        out: gets the packed array at its begin; as long as the first of ``sizes`` says.
        room: scratch, as long as the second says.
    """
    n_rows = most_numbers(n_states) + 1
    n_given = len(src)
    pointers, marks, number, position, waiting, stack, rest = _six(room, n_rows)
    tails, heads, arcs, kinds, ends, diagonal_of, rest = _six(rest, n_given)
    ranks, slot_of, bounds = rest[: 32 * n_rows], rest[32 * n_rows :], rest[32 * n_rows + n_columns :]
    if largest_entry(n_given, entry_pointers, entry_parts, entry_arcs, entry_others, leaf_offsets) > _INT32_MAX:
        return -1
    # The part of the graph that lies on accepting paths.
    for state in range(n_states):
        marks[state] = 0
    mark_from(start, src, dst, labels, n_columns, FORWARD, marks[:n_states], pointers, ends, stack)
    mark_from(accept, dst, src, labels, n_columns, BACKWARD, marks[:n_states], pointers, ends, stack)
    n_kept = 0
    for state in range(n_states):
        number[state] = -1
        if marks[state] == ON_ACCEPTING_PATHS:
            number[state] = n_kept
            n_kept += 1
    for column in range(n_columns):
        slot_of[column] = 0
    n_arcs = 0
    n_emitting = 0
    for arc in range(n_given):
        label = labels[arc]
        if label < n_columns and marks[src[arc]] == ON_ACCEPTING_PATHS and marks[dst[arc]] == ON_ACCEPTING_PATHS:
            tails[n_arcs] = number[src[arc]]
            heads[n_arcs] = number[dst[arc]]
            arcs[n_arcs] = arc
            kinds[n_arcs] = label
            if label != _EPSILON:
                n_emitting += 1
            n_arcs += 1
    n_entries, single = count_entries(n_arcs, arcs, entry_pointers, entry_parts, entry_arcs, entry_others)
    if n_emitting == n_arcs:
        for state in range(n_kept):
            position[state] = state
    else:  # in an order in which ε arcs lead forward
        order = marks[:n_kept]
        if order_ints(tails[:n_arcs], heads, kinds, 0, order, pointers, ends, waiting, stack) < n_kept:
            return -1
        for state in range(n_kept):
            position[order[state]] = state

    column_of = stack
    n_sharing = -1
    if inner_loop and n_emitting == n_arcs:
        n_sharing = group_states(
            n_kept, n_arcs, n_columns, heads, kinds, position, marks, slot_of, pointers, column_of, bounds
        )
    while True:  # with groups of states; once more without where diagonals do not fit
        n_numbers = bounds[n_sharing + 1] if n_sharing >= 0 else n_kept
        for place in range(T.HEADER):
            out[place] = 0
        out[T.N_STATES] = n_numbers
        out[T.N_REAL_STATES] = n_kept
        out[T.N_ARCS] = n_arcs
        at = T.HEADER
        out[T.STARTS] = at
        out[T.N_STARTS] = _write_states(start, number, position, n_numbers, marks, out, at)
        at += out[T.N_STARTS]
        out[T.ACCEPTS] = at
        out[T.N_ACCEPTS] = _write_states(accept, number, position, n_numbers, marks, out, at)
        at += out[T.N_ACCEPTS]
        if not single:
            out[T.ENTRY_POINTERS] = at
            at += n_arcs + 1
        out[T.ENTRIES] = at
        src_at = at + n_entries
        dst_at = src_at + n_arcs
        arc_at = dst_at + n_arcs
        slot_at = arc_at + n_arcs
        column_at = slot_at + n_emitting
        out[T.N_EMITTING] = n_emitting
        out[T.ARC_SOURCES] = src_at
        out[T.ARC_ENDS] = dst_at
        out[T.ARC_NUMBERS] = arc_at
        out[T.ARC_SLOTS] = slot_at
        n_slots = 0
        if n_sharing >= 0:
            n_own = n_numbers - bounds[n_sharing]
            n_slots = n_own + n_sharing
            for slot in range(n_slots):
                if slot >= n_own:
                    out[column_at + slot] = bounds[SHARED + slot - n_own]
                else:
                    out[column_at + slot] = column_of[bounds[n_sharing] + slot]
        else:
            for k in range(n_arcs):
                if kinds[k] != _EPSILON:
                    slot_of[kinds[k]] = 1
            for column in range(n_columns):
                if slot_of[column]:
                    slot_of[column] = n_slots
                    out[column_at + n_slots] = column
                    n_slots += 1
        out[T.N_SLOTS] = n_slots
        out[T.SLOT_COLUMNS] = column_at
        emitting_at = column_at + n_slots
        silent_at = emitting_at + n_numbers + 1
        out[T.EMITTING] = emitting_at
        out[T.SILENT] = silent_at
        at = silent_at + n_numbers + 1

        # Emitting arcs by destination, then ε arcs by destination; both in the graph's order otherwise.
        for state in range(n_numbers + 1):
            out[emitting_at + state] = 0
            out[silent_at + state] = 0
        for k in range(n_arcs):
            if kinds[k] == _EPSILON:
                out[silent_at + position[heads[k]]] += 1
            else:
                out[emitting_at + position[heads[k]]] += 1
        total = 0
        for state in range(n_numbers + 1):
            total += out[emitting_at + state]
            out[emitting_at + state] = total
        for state in range(n_numbers + 1):
            total += out[silent_at + state]
            out[silent_at + state] = total
        for k in range(n_arcs - 1, -1, -1):
            end = position[heads[k]]
            rows = silent_at if kinds[k] == _EPSILON else emitting_at
            out[rows + end] -= 1
            to = out[rows + end]
            out[src_at + to] = position[tails[k]]
            out[dst_at + to] = end
            out[arc_at + to] = arcs[k]
            if n_sharing >= 0:
                out[slot_at + to] = end - bounds[n_sharing]
                for group in range(n_sharing):
                    if end < bounds[group + 1] and end >= bounds[group]:
                        out[slot_at + to] = n_slots - n_sharing + group
            elif kinds[k] != _EPSILON:
                out[slot_at + to] = slot_of[kinds[k]]

        write_entries(
            n_arcs,
            arc_at,
            entry_pointers,
            entry_parts,
            entry_arcs,
            entry_others,
            leaf_offsets,
            out,
            out[T.ENTRY_POINTERS],
            out[T.ENTRIES],
        )

        depth = waiting
        longest = 0
        for state in range(n_numbers):
            depth[state] = 0
        for k in range(n_emitting, n_arcs):
            end = out[dst_at + k]
            depth[end] = max(depth[end], depth[out[src_at + k]] + 1)
            longest = max(longest, depth[end])
        out[T.SILENT_DEPTH] = longest
        if not inner_loop:
            return at
        if n_sharing >= 0:
            end = write_diagonals(
                n_numbers, n_arcs, n_sharing, src_at, dst_at, at, out, bounds, ranks, pointers, waiting, diagonal_of
            )
            if end < 0:
                n_sharing = -1
                for state in range(n_kept):
                    position[state] = state
                continue
        else:
            end = write_matrix(n_numbers, n_arcs, src_at, dst_at, slot_at, at, out) if n_emitting == n_arcs else -1
            if end < 0:
                end = write_arcs(n_numbers, n_arcs, n_emitting, dst_at, slot_at, at, out)
        return end if lay_out(out) <= _INT32_MAX else -1
