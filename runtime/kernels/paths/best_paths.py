"""The best paths of a graph or of a dense composition, one by one, best first, as many as are asked for.

The ways on from a state are found one by one, from those of the states behind its arcs, and no sooner than a path from
a start needs the next one (Jiménez and Marzal, Computing the K Shortest Paths, 1999). States are pairs of a level, the
number of frames taken, and a state of the graph; a graph without frames has one level, and all its arcs are ε arcs to
this. Sums are those of `trellis_path` and `graph_max`, and so are ties: fewest arcs, then the first in order.

What is found lies in arrays that the caller makes larger when a call says which was full; then it goes on.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.paths.heaps import ARC, LENGTH, REST, TIE, keep_best, make_heap, sink

__all__ = [
    "ENTRIES_FULL",
    "FEW",
    "FOUND",
    "HEAPS_FULL",
    "N_COUNTS",
    "N_ENTRIES",
    "N_HEAPED",
    "N_OPENED",
    "OPENED_FULL",
    "ROUNDING",
    "STACK_FULL",
    "TRELLIS_GRAPH",
    "best_paths",
    "best_paths_arcs",
    "best_paths_arcs_float32",
    "best_paths_float32",
]

ENTRIES_FULL, OPENED_FULL, HEAPS_FULL, STACK_FULL, ROUNDING, FEW = 1, 2, 3, 4, 5, 6
"""Why a search stops before it has found as many as are wanted; FEW: there are no more."""

N_OPENED, N_ENTRIES, N_HEAPED, N_STARTED, DEPTH, FOUND, N_COUNTS = 0, 1, 2, 3, 4, 5, 6
"""Places of what is counted from call to call: opened states, entries, candidates, paths found."""

LEVEL, STATE, BEGIN, SIZE, FIRST = 0, 1, 2, 3, 4
"""Columns of opened states: level, state, where the heap of candidates begins, its size, and the first entry. Row 0 is
the root: its candidates are the starts."""

OWNER, NEXT = 3, 4
"""Columns of entries, beside the first three of candidates: their opened state, and the next entry of this."""

NOT_YET, NONE = -1, -2
"""Instead of entries: that it is the first one of a state that was not opened, or not found yet; that there is none."""


@helper
def add_entry(cands, values, top, owner, entries, entry_values, counts):
    """Make an entry of the best candidate of an opened state; its number."""
    entry = counts[N_ENTRIES]
    counts[N_ENTRIES] = entry + 1
    entries[entry, ARC] = cands[top, ARC]
    entries[entry, REST] = cands[top, REST]
    entries[entry, LENGTH] = cands[top, LENGTH]
    entries[entry, OWNER] = owner
    entries[entry, NEXT] = NOT_YET
    entry_values[entry] = values[top]
    return entry


@helper
def add_candidate(cands, values, place, arc, value, length, tie):
    """Write a candidate that goes on with the first entry behind its arc."""
    cands[place, ARC] = arc
    cands[place, REST] = NOT_YET
    cands[place, LENGTH] = length
    cands[place, TIE] = tie
    values[place] = value


def _open(
    graph, frames, most, level, state, best, lengths, where, opened, entries, entry_values, cands, values, counts
):  # fmt: skip
    """Gather the ways on from a state, and make an entry of the best; 0, or what is full."""
    rows, ends, columns, ranks, weights, accepts = graph
    begin = counts[N_HEAPED]
    if counts[N_ENTRIES] >= len(entries):
        return ENTRIES_FULL
    if counts[N_OPENED] >= len(opened):
        return OPENED_FULL
    if begin + rows[2 * state + 2] - rows[2 * state] + 1 > len(cands):
        return HEAPS_FULL
    size = 0
    n_states = len(accepts)
    here = level * n_states
    after = here + n_states
    if level == frames.shape[0]:
        if accepts[state]:
            add_candidate(cands, values, begin, -1, 0.0, 0, -1)
            size = 1
    else:
        for arc in range(rows[2 * state], rows[2 * state + 1]):
            value = (frames[level, columns[arc]] + weights[arc]) + best[after + ends[arc]]
            if value > -inf:
                length = lengths[after + ends[arc]] if len(lengths) > 0 else 0
                add_candidate(cands, values, begin + size, arc, value, length, ranks[arc])
                size += 1
    for arc in range(rows[2 * state + 1], rows[2 * state + 2]):
        value = weights[arc] + best[here + ends[arc]]
        if value > -inf:
            add_candidate(cands, values, begin + size, arc, value, lengths[here + ends[arc]] + 1, ranks[arc])
            size += 1
    make_heap(cands, values, begin, size)
    if size == 0 or values[begin] != best[here + state]:
        return ROUNDING
    if len(lengths) > 0 and cands[begin, LENGTH] != lengths[here + state]:
        return ROUNDING
    size = keep_best(cands, values, begin, size, most)
    number = counts[N_OPENED]
    counts[N_OPENED] = number + 1
    counts[N_HEAPED] = begin + size
    opened[number, LEVEL] = level
    opened[number, STATE] = state
    opened[number, BEGIN] = begin
    opened[number, SIZE] = size
    where[here + state] = number
    opened[number, FIRST] = add_entry(cands, values, begin, number, entries, entry_values, counts)
    return 0


def _begin(
    graph, frames, most, starts, by_arc, best, lengths, where, opened, entries, entry_values, cands, values, paths,
    counts,
):  # fmt: skip
    """Open the starts, which are the root's candidates, and find the first path; 0, or why not."""
    ranks = graph[3]
    if counts[N_OPENED] == 0:
        counts[N_OPENED] = 1
        counts[N_HEAPED] = len(starts)
        opened[0, BEGIN] = 0
        opened[0, SIZE] = 0
    while counts[N_STARTED] < len(starts):
        k = counts[N_STARTED]
        if best[starts[k]] > -inf:
            why = open_state(
                graph,
                frames,
                most,
                0,
                starts[k],
                best,
                lengths,
                where,
                opened,
                entries,
                entry_values,
                cands,
                values,
                counts,
            )
            if why != 0:
                return why
            first = opened[where[starts[k]], FIRST]
            size = opened[0, SIZE]
            add_candidate(cands, values, size, k, entry_values[first], entries[first, LENGTH], k)
            cands[size, REST] = first
            if by_arc:
                cands[size, TIE] = ranks[entries[first, ARC]] if entries[first, ARC] >= 0 else -1
            opened[0, SIZE] = size + 1
        counts[N_STARTED] += 1
    if counts[N_ENTRIES] >= len(entries):
        return ENTRIES_FULL
    if opened[0, SIZE] == 0:
        return FEW
    make_heap(cands, values, 0, opened[0, SIZE])
    paths[0] = add_entry(cands, values, 0, 0, entries, entry_values, counts)
    opened[0, FIRST] = paths[0]
    counts[FOUND] = 1
    return 0


def _search(
    graph, frames, most, starts, by_arc, best, lengths, where, opened, entries, entry_values, cands, values, stack,
    paths, counts,
):  # fmt: skip
    """Find paths until there are as many as ``paths`` takes; 0, or why there are not.

    Args:
        graph: rows, ends, columns, ranks, weights, accepts: of the arcs as `trellis_path` says, and (S,) whether a
            state accepts.
        frames: (T, C) scores.
        most: no state is asked for more ways on.
        starts: states.
        by_arc: whether equal paths of different starts come in the order of ranks of their first arcs, else of starts.
        best, lengths: of each level's states, the best path to an accept: its weight and number of ε arcs; no lengths
            where there are none.
        where: of each level's states, the row of ``opened``, 0 for none.
        opened, entries, entry_values, cands, values, stack: as above.
        paths: takes an entry for each path.
        counts: as above; zeros at first.
    """
    rows, ends, columns, ranks, weights, accepts = graph
    n_states = len(accepts)
    if counts[FOUND] == 0:
        why = begin_search(
            graph, frames, most, starts, by_arc, best, lengths, where, opened, entries, entry_values, cands, values,
            paths, counts,
        )  # fmt: skip
        if why != 0:
            return why
    while True:
        if counts[DEPTH] == 0:
            last = paths[counts[FOUND] - 1]
            if counts[FOUND] == len(paths):
                return 0
            if entries[last, NEXT] == NONE:
                return FEW
            stack[0] = last
            counts[DEPTH] = 1
        depth = counts[DEPTH]
        if depth >= len(stack):
            return STACK_FULL
        if counts[N_ENTRIES] >= len(entries):
            return ENTRIES_FULL
        entry = stack[depth - 1]
        owner = entries[entry, OWNER]
        top = opened[owner, BEGIN]
        arc = cands[top, ARC]
        rest = cands[top, REST]
        takes_frame = False
        if owner > 0 and arc >= 0:
            takes_frame = arc < rows[2 * opened[owner, STATE] + 1]
            if rest == NOT_YET:
                level = opened[owner, LEVEL] + takes_frame
                place = level * n_states + ends[arc]
                if where[place] == 0:
                    why = open_state(
                        graph, frames, most, level, ends[arc], best, lengths, where, opened, entries, entry_values,
                        cands, values, counts,
                    )  # fmt: skip
                    if why != 0:
                        return why
                rest = opened[where[place], FIRST]
                cands[top, REST] = rest
                entries[entry, REST] = rest
        following = NONE
        if rest >= 0:
            following = entries[rest, NEXT]
            if following == NOT_YET:
                stack[depth] = rest
                counts[DEPTH] = depth + 1
                continue
        value = -inf
        if following >= 0:
            value = entry_values[following]
            length = entries[following, LENGTH]
            if owner == 0:
                if by_arc:
                    first = entries[following, ARC]
                    cands[top, TIE] = ranks[first] if first >= 0 else -1
            elif takes_frame:
                value = (frames[opened[owner, LEVEL], columns[arc]] + weights[arc]) + value
            else:
                value = weights[arc] + value
                length += 1
        size = opened[owner, SIZE]
        if value > -inf:
            cands[top, REST] = following
            cands[top, LENGTH] = length
            values[top] = value
        else:
            size -= 1
            for k in range(4):
                cands[top, k] = cands[top + size, k]
            values[top] = values[top + size]
            opened[owner, SIZE] = size
        counts[DEPTH] = depth - 1
        if size == 0:
            entries[entry, NEXT] = NONE
            continue
        sink(cands, values, top, size, 0)
        entries[entry, NEXT] = add_entry(cands, values, top, owner, entries, entry_values, counts)
        if owner == 0:
            paths[counts[FOUND]] = entries[entry, NEXT]
            counts[FOUND] += 1


def _arcs(graph, frames, best, lengths, where, opened, entries, paths, arcs, levels):
    """Write the arcs of some paths, one behind the other, and the frame that each takes, −1 for ε arcs; how many."""
    rows, ends, columns, ranks, weights, accepts = graph
    n_states = len(accepts)
    done = 0
    for path in paths:
        entry = entries[path, REST]
        owner = entries[entry, OWNER]
        level = opened[owner, LEVEL]
        state = opened[owner, STATE]
        while True:
            here = level * n_states
            after = here + n_states
            if entry < 0 and where[here + state] > 0:
                entry = opened[where[here + state], FIRST]
            arc = -1
            rest = NOT_YET
            if entry >= 0:
                arc = entries[entry, ARC]
                rest = entries[entry, REST]
            else:  # of a state that was not opened, the best way on
                at_end = level == frames.shape[0]
                length = lengths[here + state] if len(lengths) > 0 else 0
                if not (at_end and accepts[state] and length == 0 and best[here + state] == 0.0):
                    for k in range(rows[2 * state + at_end], rows[2 * state + 2]):
                        if k < rows[2 * state + 1]:
                            value = (frames[level, columns[k]] + weights[k]) + best[after + ends[k]]
                            more = lengths[after + ends[k]] if len(lengths) > 0 else 0
                        else:
                            value = weights[k] + best[here + ends[k]]
                            more = lengths[here + ends[k]] + 1
                        if value == best[here + state] and more == length and (arc < 0 or ranks[k] < ranks[arc]):
                            arc = k
            if arc < 0:
                break
            arcs[done] = arc
            levels[done] = -1
            if arc < rows[2 * state + 1]:
                levels[done] = level
                level += 1
            done += 1
            state = ends[arc]
            entry = rest
    return done


open_state = helper(_open)
begin_search = helper(_begin)

TRELLIS_GRAPH = (
    "Tuple((const int32[::1], const int32[::1], const int32[::1], const int32[::1], const float64[::1], "
    "const boolean[::1]))"
)
"""Type of a trellis's arcs: rows, ends, columns, ranks, weights, and whether states accept."""

_SEARCH = (
    f"int64({TRELLIS_GRAPH}, const FRAMES[:, ::1], int64, const int32[::1], boolean, const float64[::1], "
    "const int32[::1], int32[::1], int32[:, ::1], int32[:, ::1], float64[::1], int32[:, ::1], float64[::1], "
    "int32[::1], int32[::1], int64[::1])"
)
_ARCS = (
    f"int64({TRELLIS_GRAPH}, const FRAMES[:, ::1], const float64[::1], const int32[::1], const int32[::1], "
    "const int32[:, ::1], const int32[:, ::1], const int32[::1], int32[::1], int32[::1])"
)

best_paths = kernel(_SEARCH.replace("FRAMES", "float64"))(_search)
best_paths_float32 = kernel(_SEARCH.replace("FRAMES", "float32"))(_search)
best_paths_arcs = kernel(_ARCS.replace("FRAMES", "float64"))(_arcs)
best_paths_arcs_float32 = kernel(_ARCS.replace("FRAMES", "float32"))(_arcs)
