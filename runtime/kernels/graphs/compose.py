"""Composes two graphs, breadth first, at the speed of compiled code.

Stage: symbolic part, called by `arcgrad.runtime.build.operators.compose`. The result is, number for number, that of
`arcgrad.compiler.operators.compose`, whose docstring says what it means; tests hold the two to that.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.graphs.label_index import ONLY_WAY
from arcgrad.runtime.kernels.graphs.trim import mark_coaccessible, trim

__all__ = ["DONE", "FULL_ARCS", "FULL_STATES", "FULL_TABLE", "MORE", "TOO_MANY", "UNTRIMMED", "compose_arcs"]

EPSILON = -1

# What ``compose_arcs`` answers: it is done, or is to be called again with more room (for arcs, for states, in the table
# of states), or because it has worked for a while, or with scratch to trim by; or there are too many states.
DONE, FULL_ARCS, FULL_STATES, FULL_TABLE, MORE, UNTRIMMED, TOO_MANY = range(7)

# A state pair is matched from B's side where A has more than _FEW_ARCS arcs more than this many times those of B, as at
# the root of a lexicon. That side's moves need sorting.
_LOPSIDED = 4
_FEW_ARCS = 8
# 2⁶⁴ divided by the golden ratio, odd, as a signed number: multiplication by it spreads neighbouring keys.
_MULTIPLIER = 0x9E3779B97F4A7C15 - (1 << 64)


@helper
def _index_parts(index, n_states, n_arcs, n_moves):
    """The parts of what ``index_arcs`` wrote."""
    at = n_states + 1
    moves = at + 2 * n_arcs
    accepts = moves + 5 * n_moves
    tables = accepts + 2 * n_states
    return (
        index[:at],
        index[at : at + n_arcs],
        index[at + n_arcs : moves],
        index[moves : moves + n_moves],
        index[moves + n_moves : accepts],
        index[accepts : accepts + n_states],
        index[accepts + n_states : tables],
        index[tables : tables + n_states + 1],
        index[tables + n_states + 1 :],
    )


@helper
def _find(label, begin, end, labels, low, table_begin, table_end, table):
    """The first position in ``begin … end`` that has the label; −1: none."""
    if table_end > table_begin:
        place = label - low
        if 0 <= place < table_end - table_begin:
            return np.int64(table[table_begin + place])
        return np.int64(-1)
    last = end
    while begin < end:
        middle = (begin + end) >> 1
        if labels[middle] < label:
            begin = middle + 1
        else:
            end = middle
    if begin < last and labels[begin] == label:
        return np.int64(begin)
    return np.int64(-1)


@helper
def _sort_moves(left_arc, right_arc, begin, end):
    """Shell's sort of the moves by arc of A, then arc of B, which is often their order already."""
    k = begin + 1
    while k < end and (
        left_arc[k - 1] < left_arc[k] or (left_arc[k - 1] == left_arc[k] and right_arc[k - 1] < right_arc[k])
    ):
        k += 1
    if k >= end:
        return
    gap = 1
    while 3 * gap < end - begin:
        gap = 3 * gap + 1
    while gap:
        for k in range(begin + gap, end):
            left, right = left_arc[k], right_arc[k]
            to = k
            while to >= begin + gap and (
                left_arc[to - gap] > left or (left_arc[to - gap] == left and right_arc[to - gap] > right)
            ):
                left_arc[to] = left_arc[to - gap]
                right_arc[to] = right_arc[to - gap]
                to -= gap
            left_arc[to] = left
            right_arc[to] = right
        gap //= 3


@helper
def _slot(code, left, right, state_filter, width, n_filters, keys, entries):
    """Where a state's number stands in ``entries``, or would: a table of all states, or a hash table with ``keys``."""
    if len(keys) == 0:
        return (left * width + right) * n_filters + state_filter
    mask = len(keys) - 1
    product = code * _MULTIPLIER
    slot = (product ^ (product >> 32)) & mask
    while entries[slot] and keys[slot] != code:
        slot = (slot + 1) & mask
    return slot


@kernel(
    "int64(int64, int64, const int32[::1], const int32[::1], int64, const int32[::1], const int32[::1], "
    "const int32[::1], const int32[::1], int64, int64, int64, int64, int64[::1], int64[::1], int64[::1], "
    "int32[::1], int32[:, ::1], int32[:, ::1], int32[:, ::1], int32[::1])"
)
def compose_arcs(
    n_left,
    n_left_arcs,
    left_index,
    left_start,
    n_right,
    right_index,
    right_dst,
    right_olabel,
    right_start,
    n_filters,
    most_states,
    most_arcs,
    most_work,
    counts,
    codes,
    keys,
    entries,
    states,
    out,
    hits,
    scratch,
):
    """Go on with ``left ∘ right``, and trim it at last; what to do next, as the constants at the head of this file say.

    Args:
        n_left, n_left_arcs, n_right: numbers of states and arcs.
        left_index, right_index: by output label, with moves; by input label, without.
        left_start, right_dst, right_olabel, right_start: of the topologies.
        n_filters: 2, or 1 where B has no ε input, so that the filter's state is always 0.
        most_states, most_arcs: the limits.
        most_work: arcs to look at in one call.
        counts: numbers of states, arcs, states done; then of starts, of accepts; and whether the table is new and the
            states have to be entered first. Zeros at first.
        codes: state of A, state of B and of the filter of each state as ``A << 32 | B << 1 | filter``.
        keys, entries: the table of states. ``keys`` is empty: an entry for each possible one; else a hash table, whose
            length is a power of two. Entries are a state's number + 1, or 0; 0 at first, and again at last where all
            possible ones have theirs.
        states: rows as long as ``codes``: where each state's arcs begin; marks; at last, the accepts.
        out: rows source, destination, input label, output label, arc of A, arc of B (−1: that side stays).
        hits: two rows, as long as A has arcs at one state.
        scratch: empty, until asked for: one number for each state and arc, and one more.
    """
    left_first, left_arcs, left_labels, left_order, left_moves, left_accepts, left_low, left_at, left_table = (
        _index_parts(left_index, n_left, n_left_arcs, n_left_arcs)
    )
    right_first, right_arcs, right_labels, _, _, right_accepts, right_low, right_at, right_table = _index_parts(
        right_index, n_right, len(right_dst), 0
    )
    src, dst, ilabel, olabel, left_arc, right_arc = out[0], out[1], out[2], out[3], out[4], out[5]
    first, marks, accepts = states[0], states[1], states[2]
    n_states, n_arcs, done = counts[0], counts[1], counts[2]
    capacity, room = out.shape[1], len(codes) - 1
    is_hashed = len(keys) > 0
    if counts[5]:
        counts[5] = 0
        for state in range(n_states):
            code = codes[state]
            slot = _slot(code, code >> 32, (code & 0xFFFFFFFF) >> 1, code & 1, n_right, n_filters, keys, entries)
            if is_hashed:
                keys[slot] = code
            entries[slot] = state + 1
    if n_states == 0:
        for i in range(len(left_start)):
            for j in range(len(right_start)):
                left, right = np.int64(left_start[i]), np.int64(right_start[j])
                code = (left << 32) | (right << 1)
                slot = _slot(code, left, right, 0, n_right, n_filters, keys, entries)
                if is_hashed:
                    keys[slot] = code
                codes[n_states] = code
                n_states += 1
                entries[slot] = n_states
        counts[0] = n_states
        counts[3] = n_states
    work = 0
    while done < n_states:
        if work > most_work:
            return MORE
        code = codes[done]
        left, right, state_filter = code >> 32, (code & 0xFFFFFFFF) >> 1, code & 1
        left_begin, left_end = left_first[left], left_first[left + 1]
        right_begin, right_end = right_first[right], right_first[right + 1]
        left_degree, right_degree = left_end - left_begin, right_end - right_begin
        low, begin, end = right_low[right], right_at[right], right_at[right + 1]
        from_right = left_degree > _FEW_ARCS + _LOPSIDED * right_degree
        first[done] = n_arcs
        at = n_arcs

        if (
            left_degree > 0
            and not from_right
            and not is_hashed
            and end > begin
            and left_labels[left_begin] != EPSILON
            and right_labels[right_begin] != EPSILON
        ):
            # The common case, without branches that are hard to predict: pairs of arcs only, and tables to find them.
            span = end - begin - 1
            n_hits = 0
            for k in range(left_begin, left_end):
                arc = left_order[k]
                place = left_moves[4 * arc] - low
                place = place if 0 <= place < span else span
                found = right_table[begin + place]
                hits[0, n_hits] = arc
                hits[1, n_hits] = found
                n_hits += found >= 0
            for k in range(n_hits):
                arc = hits[0, k]
                p = hits[1, k]
                to_left, label = np.int64(left_moves[4 * arc + 1]), left_moves[4 * arc + 2]
                while True:
                    # The states numbered so far are found again when this one is begun again.
                    if at == capacity:
                        counts[0] = n_states
                        return FULL_ARCS
                    if n_states == room:
                        counts[0] = n_states
                        return FULL_STATES
                    coded = right_arcs[p]
                    b = coded >> 1
                    to_right = np.int64(right_dst[b])
                    slot = (to_left * n_right + to_right) * n_filters
                    known = entries[slot]
                    is_new = known == 0
                    codes[n_states] = (to_left << 32) | (to_right << 1)
                    n_states += is_new
                    number = n_states if is_new else np.int64(known)
                    entries[slot] = number
                    src[at] = done
                    dst[at] = number - 1
                    ilabel[at] = label
                    olabel[at] = right_olabel[b]
                    left_arc[at] = arc
                    right_arc[at] = b
                    at += 1
                    p += 1
                    if not coded & 1:
                        break
            work += left_degree + at - n_arcs
        else:
            # The moves from here, in order.
            if from_right:
                low, begin, end = left_low[left], left_at[left], left_at[left + 1]
                for q in range(right_begin, right_end):
                    label = right_labels[q]
                    if label == EPSILON:
                        continue
                    p = _find(label, left_begin, left_end, left_labels, low, begin, end, left_table)
                    more = p >= 0
                    while more:
                        if at == capacity:
                            return FULL_ARCS
                        left_arc[at] = left_arcs[p] >> 1
                        right_arc[at] = right_arcs[q] >> 1
                        at += 1
                        more = left_arcs[p] & 1 != 0
                        p += 1
                work += at - n_arcs + right_degree
                if state_filter == 0:
                    for p in range(left_begin, left_end):
                        if left_labels[p] != EPSILON:
                            break
                        if at == capacity:
                            return FULL_ARCS
                        left_arc[at] = left_arcs[p] >> 1
                        right_arc[at] = -1
                        at += 1
                _sort_moves(left_arc, right_arc, n_arcs, at)
            else:
                for k in range(left_begin, left_end):
                    arc = left_order[k]
                    label = left_moves[4 * arc]
                    if label < 0:
                        if state_filter == 0:
                            if at == capacity:
                                return FULL_ARCS
                            left_arc[at] = arc
                            right_arc[at] = -1
                            at += 1
                        continue
                    p = _find(label, right_begin, right_end, right_labels, low, begin, end, right_table)
                    more = p >= 0
                    while more:
                        if at == capacity:
                            return FULL_ARCS
                        left_arc[at] = arc
                        right_arc[at] = right_arcs[p] >> 1
                        at += 1
                        more = right_arcs[p] & 1 != 0
                        p += 1
                work += at - n_arcs + left_degree
            for q in range(right_begin, right_end):
                if right_labels[q] != EPSILON:
                    break
                if at == capacity:
                    return FULL_ARCS
                left_arc[at] = -1
                right_arc[at] = right_arcs[q] >> 1
                at += 1

            # Where they lead; no state was numbered so far, so that this one can be begun again.
            if n_states + at - n_arcs > room:
                return FULL_STATES
            if is_hashed and 2 * (n_states + at - n_arcs) > len(keys):
                return FULL_TABLE
            for k in range(n_arcs, at):
                a, b = left_arc[k], right_arc[k]
                to_left, to_right, to_filter = left, right, np.int64(0)
                ilabel[k] = EPSILON
                olabel[k] = EPSILON
                if a < 0:
                    to_filter = np.int64(1)
                else:
                    to_left = np.int64(left_moves[4 * a + 1])
                    ilabel[k] = left_moves[4 * a + 2]
                if b >= 0:
                    to_right = np.int64(right_dst[b])
                    olabel[k] = right_olabel[b]
                code = (to_left << 32) | (to_right << 1) | to_filter
                src[k] = done
                if b < 0 and left_moves[4 * a] == ONLY_WAY:
                    codes[n_states] = code
                    n_states += 1
                    dst[k] = n_states - 1
                    continue
                slot = _slot(code, to_left, to_right, to_filter, n_right, n_filters, keys, entries)
                if entries[slot] == 0:
                    if is_hashed:
                        keys[slot] = code
                    codes[n_states] = code
                    n_states += 1
                    entries[slot] = n_states
                dst[k] = entries[slot] - 1
        n_arcs = at
        done += 1
        counts[0], counts[1], counts[2] = n_states, n_arcs, done
        if n_states > most_states or n_arcs > most_arcs:
            return TOO_MANY

    first[n_states] = n_arcs
    for state in range(n_states):
        code = codes[state]
        marks[state] = 2 if left_accepts[code >> 32] and right_accepts[(code & 0xFFFFFFFF) >> 1] else 0
    if not mark_coaccessible(n_states, n_arcs, first, dst, marks, accepts, scratch):
        return UNTRIMMED
    if not is_hashed:
        for state in range(n_states):
            code = codes[state]
            entries[_slot(code, code >> 32, (code & 0xFFFFFFFF) >> 1, code & 1, n_right, n_filters, keys, entries)] = 0
    trim(n_states, n_arcs, counts[3], marks, accepts, out, counts)
    return DONE
