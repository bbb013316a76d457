"""Draws of paths, of graphs and of dense compositions, and the sums over paths by whose differences these are drawn.

A draw has a stream of its own, of which every state that the path comes to takes one number. Sums over a composition's
paths are logarithms in pairs, a number and what its rounding left off, and those of each level are relative to their
greatest: so a constant that is added to all that compete changes no probability.
"""

from __future__ import annotations

from math import exp, inf, log

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.math.scaled import two_sum
from arcgrad.runtime.kernels.paths.best_paths import TRELLIS_GRAPH

__all__ = [
    "DRAWN",
    "N_COUNTS",
    "N_OPENED",
    "N_SUMS",
    "USED",
    "graph_draws",
    "row_sums",
    "trellis_draws",
    "trellis_draws_float32",
    "trellis_log_sums",
    "trellis_log_sums_float32",
]

DRAWN, USED, N_OPENED, N_SUMS, N_COUNTS = 0, 1, 2, 3, 4
"""Places of what is counted from call to call: paths, their arcs, opened states, and sums of these."""


@helper
def uniform_of(key, step):
    """Number ``step`` of a stream, in [0, 1)."""
    z = key + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 1.1102230246251565e-16


@helper
def chosen(sums, low, high, uniform):
    """Where among rising sums a number falls that is uniform below the last; never where a sum is that before it."""
    total = sums[high - 1]
    target = uniform * total
    left = low
    right = high
    while left < right:
        middle = (left + right) // 2
        if sums[middle] > target:
            right = middle
        else:
            left = middle + 1
    if left == high:  # rounded up to the total
        left = high - 1
        while left > low and sums[left - 1] == total:
            left -= 1
    return left


@kernel("void(const int32[::1], float64[::1])")
def row_sums(rows, values):
    """Replace each row's values by their sums so far."""
    for row in range(len(rows) - 1):
        for k in range(rows[row] + 1, rows[row + 1]):
            values[k] += values[k - 1]


@kernel(
    "void(const int32[::1], const int32[::1], const float64[::1], int64, int64, const uint64[::1], int64[::1], "
    "int32[::1], int32[::1])"
)
def graph_draws(rows, ends, sums, start, accept, keys, counts, arcs, lengths):
    """Draw paths from one state to another, until ``arcs`` is full.

    Args:
        rows, ends: row pointers of the arcs by the states that they leave, and where they lead.
        sums: of each row, the sums of its arcs' counts so far.
        start, accept: states.
        keys: a stream for each draw.
        counts: paths and arcs so far.
        arcs, lengths: take the paths.
    """
    while counts[DRAWN] < len(keys):
        key = keys[counts[DRAWN]]
        begin = counts[USED]
        used = begin
        state = start
        step = 0
        while state != accept:
            step += 1
            low = rows[state]
            high = rows[state + 1]
            if high == low or sums[high - 1] <= 0.0:
                state = start
                used = begin
                continue
            arc = chosen(sums, low, high, uniform_of(key, step))
            if used == len(arcs):
                return
            arcs[used] = arc
            used += 1
            state = ends[arc]
        lengths[counts[DRAWN]] = used - begin
        counts[USED] = used
        counts[DRAWN] += 1


@helper
def sum_of(score, weight, high, low):
    """Their sum as a pair; −inf where one is."""
    total = -inf
    rest = 0.0
    if score > -inf and weight > -inf and high > -inf and score + weight > -inf:
        total, rest = two_sum(score, weight)
        if total + high > -inf:
            total, more = two_sum(total, high)
            rest += more + low
        else:
            total = -inf
    return total, rest


@helper
def way(graph, frames, level, arc, takes_frame, highs, lows, shift, shift_rest):
    """The pair of all paths that go on with an arc; the shift is what was subtracted from this level's pairs."""
    _rows, ends, columns, _ranks, weights, accepts = graph
    place = level * len(accepts) + ends[arc]
    if takes_frame:
        place += len(accepts)
        return sum_of(np.float64(frames[level, columns[arc]]), weights[arc], highs[place], lows[place])
    return sum_of(shift, weights[arc], highs[place], lows[place] + shift_rest)


def _log_sums(graph, frames, highs, lows, shifts):
    """Fill ((T + 1) S,) pairs: of each level's states, the log of the sum over paths to an accept.

    They are relative to the level's greatest, which (T + 1, 2) shifts get, relative to the level behind.
    """
    rows, _ends, _columns, _ranks, _weights, accepts = graph
    n_states = len(accepts)
    n_frames = frames.shape[0]
    for level in range(n_frames, -1, -1):
        here = level * n_states
        best = best_rest = 0.0
        found = False
        for state in range(n_states - 1, -1, -1):
            first = rows[2 * state]
            if level == n_frames:
                first = rows[2 * state + 1]
            top = -inf
            rest = 0.0
            if level == n_frames and accepts[state]:
                top = 0.0
            for arc in range(first, rows[2 * state + 2]):
                high, low = way(graph, frames, level, arc, arc < rows[2 * state + 1], highs, lows, 0.0, 0.0)
                if high > -inf and (top == -inf or (high - top) + (low - rest) > 0.0):
                    top = high
                    rest = low
            if top > -inf:
                total = 0.0
                if level == n_frames and accepts[state]:
                    total = exp((0.0 - top) + (0.0 - rest))
                for arc in range(first, rows[2 * state + 2]):
                    high, low = way(graph, frames, level, arc, arc < rows[2 * state + 1], highs, lows, 0.0, 0.0)
                    if high > -inf:
                        total += exp((high - top) + (low - rest))
                top, rest = two_sum(top, rest + log(total))
                if not found or (top - best) + (rest - best_rest) > 0.0:
                    best = top
                    best_rest = rest
                    found = True
            highs[here + state] = top
            lows[here + state] = rest
        shifts[level, 0] = best
        shifts[level, 1] = best_rest
        for k in range(here, here + n_states):
            if highs[k] > -inf:
                high, low = two_sum(highs[k], -best)
                highs[k], lows[k] = two_sum(high, low + (lows[k] - best_rest))


def _open(graph, frames, level, state, starts, highs, lows, shifts, where, opened, sums, choices, counts):
    """List the ways on from a state in order, with the sums of their probabilities; False where arrays are full.

    The root, level −1, has the starts.
    """
    rows, _ends, _columns, ranks, _weights, accepts = graph
    n_states = len(accepts)
    n_frames = frames.shape[0]
    begin = counts[N_SUMS]
    size = len(starts)
    if level >= 0:
        size = rows[2 * state + 2] - rows[2 * state] + 1
    if counts[N_OPENED] == len(opened) or begin + size > len(sums):
        return False
    place = begin
    top = -inf
    rest = 0.0
    shift = shifts[max(level, 0), 0]
    shift_rest = shifts[max(level, 0), 1]
    if level < 0:
        for k in range(len(starts)):
            high = highs[starts[k]]
            low = lows[starts[k]]
            if high > -inf:
                choices[place] = k
                place += 1
                if top == -inf or (high - top) + (low - rest) > 0.0:
                    top = high
                    rest = low
    else:
        one = rows[2 * state]
        if level == n_frames:
            one = rows[2 * state + 1]
        other = rows[2 * state + 1]
        while one < rows[2 * state + 1] or other < rows[2 * state + 2]:
            takes_frame = one < rows[2 * state + 1] and (
                other == rows[2 * state + 2] or ranks[one] < ranks[other]
            )  # fmt: skip
            arc = one if takes_frame else other
            one += takes_frame
            other += not takes_frame
            high, low = way(graph, frames, level, arc, takes_frame, highs, lows, shift, shift_rest)
            if high > -inf:
                choices[place] = arc
                place += 1
                if top == -inf or (high - top) + (low - rest) > 0.0:
                    top = high
                    rest = low
        if level == n_frames and accepts[state]:
            choices[place] = -1
            place += 1
            if top == -inf or (0.0 - top) + (0.0 - rest) > 0.0:
                top = 0.0
                rest = 0.0
    total = 0.0
    for k in range(begin, place):
        high = low = 0.0
        if level < 0:
            high = highs[starts[choices[k]]]
            low = lows[starts[choices[k]]]
        elif choices[k] >= 0:
            takes_frame = choices[k] < rows[2 * state + 1]
            high, low = way(graph, frames, level, choices[k], takes_frame, highs, lows, shift, shift_rest)
        total += exp((high - top) + (low - rest))
        sums[k] = total
    number = counts[N_OPENED]
    opened[number, 0] = begin
    opened[number, 1] = place
    if level >= 0:
        where[level * n_states + state] = number
    counts[N_OPENED] = number + 1
    counts[N_SUMS] = place
    return True


def _draws(
    graph, frames, starts, highs, lows, shifts, where, opened, sums, choices, keys, counts, arcs, levels, lengths
):  # fmt: skip
    """Draw paths until some array is full.

    Args:
        graph: rows, ends, columns, ranks, weights, accepts: of the arcs as `trellis_path` says, and whether a state
            accepts.
        frames: (T, C) scores.
        starts: states; some path must lead from one to an accept.
        highs, lows, shifts: as `_log_sums` fills them.
        where: of each level's states, the row of ``opened``, 0 for none.
        opened: where the ways on from states that were come to begin, and end; row 0 is the root's.
        sums, choices: of these ways, the sums of their probabilities and their arcs, −1 for none.
        keys: a stream for each draw.
        counts: paths, arcs, opened states and ways so far.
        arcs, levels, lengths: take the paths, and the frame that each arc takes, −1 for ε arcs.
    """
    rows, ends, _columns, _ranks, _weights, accepts = graph
    n_states = len(accepts)
    if counts[N_OPENED] == 0 and not open_state(
        graph, frames, -1, 0, starts, highs, lows, shifts, where, opened, sums, choices, counts
    ):  # fmt: skip
        return
    while counts[DRAWN] < len(keys):
        key = keys[counts[DRAWN]]
        begin = counts[USED]
        used = begin
        state = starts[choices[chosen(sums, opened[0, 0], opened[0, 1], uniform_of(key, 1))]]
        level = 0
        step = 1
        while True:
            number = where[level * n_states + state]
            if number == 0:
                if not open_state(
                    graph, frames, level, state, starts, highs, lows, shifts, where, opened, sums, choices, counts
                ):  # fmt: skip
                    return
                number = where[level * n_states + state]
            step += 1
            arc = choices[chosen(sums, opened[number, 0], opened[number, 1], uniform_of(key, step))]
            if arc < 0:
                break
            if used == len(arcs):
                return
            arcs[used] = arc
            levels[used] = -1
            if arc < rows[2 * state + 1]:
                levels[used] = level
                level += 1
            used += 1
            state = ends[arc]
        lengths[counts[DRAWN]] = used - begin
        counts[USED] = used
        counts[DRAWN] += 1


open_state = helper(_open)

_SUMS = f"void({TRELLIS_GRAPH}, const FRAMES[:, ::1], float64[::1], float64[::1], float64[:, ::1])"
_DRAWS = (
    f"void({TRELLIS_GRAPH}, const FRAMES[:, ::1], const int32[::1], const float64[::1], const float64[::1], "
    "const float64[:, ::1], int32[::1], int64[:, ::1], float64[::1], int32[::1], const uint64[::1], "
    "int64[::1], int32[::1], int32[::1], int32[::1])"
)
trellis_log_sums = kernel(_SUMS.replace("FRAMES", "float64"))(_log_sums)
trellis_log_sums_float32 = kernel(_SUMS.replace("FRAMES", "float32"))(_log_sums)
trellis_draws = kernel(_DRAWS.replace("FRAMES", "float64"))(_draws)
trellis_draws_float32 = kernel(_DRAWS.replace("FRAMES", "float32"))(_draws)
