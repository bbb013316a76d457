"""Best paths of dense compositions: weights to the end, from the last frame to the first, and the walk from a start.

The same sums in the same order, and the same rule for ties, as of the built composition: fewest arcs, then the first
arc in order at the first state where paths part. *Level* t is what has taken t frames. A call fills some levels, given
the row of the level behind them, so that a caller who keeps a few rows needs the choices of a few levels at a time.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["trellis_path", "trellis_path_float32", "trellis_path_walk"]


@helper
def silent_of(arc, ends, columns, here, after):
    """The number of ε arcs of the best path that an arc begins, from those of its level and the one behind."""
    return here[ends[arc]] + 1 if columns[arc] < 0 else after[ends[arc]]


def _levels(rows, ends, columns, ranks, weights, has_silent, frames, first, last, scores, silent, choices, turn):
    """Fill the levels ``last`` down to ``first``.

    Args:
        rows: (2 S + 1,) for each state where the arcs begin that leave it and take a frame, in order of ties, and then
            its ε arcs, which lead to later states.
        ends, columns, ranks, weights: of the arcs; the column of an ε arc is −1, and ranks are in order of ties.
        has_silent: whether there are ε arcs.
        frames: (T, C) scores.
        first, last: levels, of 0 … T.
        scores: (2, S) greatest weights to the end, of two levels in turn; row ``turn`` holds those of level
            ``last + 1``, or for level T what paths that end in a state have: 0 in accepts, else −inf.
        silent: (2, S) numbers of ε arcs of these paths.
        choices: (≥ levels, S) takes the arc that the best path takes in each state, −1 where it ends.
        turn: 0 or 1.

    Returns:
        the turn whose row holds level ``first``.
    """
    for level in range(last, first - 1, -1):
        chosen = choices[level - first]
        at_end = level == frames.shape[0]
        if not at_end:
            turn = 1 - turn
        here = scores[turn]
        after = scores[1 - turn]
        if not has_silent:
            for state in range(len(here)):
                best = here[state] if at_end else -inf
                choice = -1
                if not at_end:
                    for arc in range(rows[2 * state], rows[2 * state + 1]):
                        score = (frames[level, columns[arc]] + weights[arc]) + after[ends[arc]]
                        better = score > best
                        choice = arc if better else choice
                        best = score if better else best
                here[state] = best
                chosen[state] = choice
            continue
        fewest_here = silent[turn]
        fewest_after = silent[1 - turn]
        for state in range(len(here) - 1, -1, -1):
            best = here[state] if at_end else -inf
            choice = -1
            ties = 0
            if not at_end:
                for arc in range(rows[2 * state], rows[2 * state + 1]):
                    score = (frames[level, columns[arc]] + weights[arc]) + after[ends[arc]]
                    ties += score == best
                    better = score > best
                    choice = arc if better else choice
                    best = score if better else best
            for arc in range(rows[2 * state + 1], rows[2 * state + 2]):
                score = weights[arc] + here[ends[arc]]
                ties += score == best
                better = score > best
                choice = arc if better else choice
                best = score if better else best
            fewest = 0
            if choice >= 0:
                fewest = silent_of(choice, ends, columns, fewest_here, fewest_after)
                if ties > 0:
                    for arc in range(rows[2 * state + at_end], rows[2 * state + 2]):
                        length = silent_of(arc, ends, columns, fewest_here, fewest_after)
                        if length < fewest or (length == fewest and ranks[arc] < ranks[choice]):
                            if columns[arc] < 0:
                                score = weights[arc] + here[ends[arc]]
                            else:
                                score = (frames[level, columns[arc]] + weights[arc]) + after[ends[arc]]
                            if score == best:
                                fewest = length
                                choice = arc
            here[state] = best
            fewest_here[state] = fewest
            chosen[state] = choice
    return turn


@kernel(
    "int64(const int32[::1], const int32[::1], const int32[:, ::1], int64, int64, int64, int64, int32[::1], int32[::1])"
)
def trellis_path_walk(ends, columns, choices, first, last, state, length, arcs, frames):
    """Follow the choices of the levels ``first`` to ``last`` from a state; the path's length then.

    Args:
        ends, columns: of the arcs.
        choices: as they were filled in.
        first, last: levels.
        state: in which the path is at level ``first``.
        length: arcs of the path so far.
        arcs, frames: take further arcs, and the frame that each takes, −1 for ε arcs.
    """
    level = first
    while level <= last:
        arc = choices[level - first, state]
        if arc < 0:
            break
        arcs[length] = arc
        frames[length] = -1
        if columns[arc] >= 0:
            frames[length] = level
            level += 1
        length += 1
        state = ends[arc]
    return length


_LEVELS = (
    "int64(const int32[::1], const int32[::1], const int32[::1], const int32[::1], const float64[::1], boolean, "
    "const FRAMES[:, ::1], int64, int64, float64[:, ::1], int32[:, ::1], int32[:, ::1], int64)"
)
trellis_path = kernel(_LEVELS.replace("FRAMES", "float64"))(_levels)
trellis_path_float32 = kernel(_LEVELS.replace("FRAMES", "float32"))(_levels)
