"""The greatest weights of paths that leave each state of a graph with cycles, and the arcs that they begin with.

Bellman and Ford's algorithm with a queue: states whose weight rose wait for their predecessors to be looked at.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel

__all__ = ["find_best_ahead", "pull_back_best"]


@kernel(
    "boolean(const int64[::1], const int32[::1], const int32[::1], const float64[::1], const float64[::1], int64, "
    "float64[::1], int32[::1], int32[::1], int32[::1], int8[::1])"
)
def find_best_ahead(in_pointers, in_arcs, src, weights, ends, most, ahead, choices, lengths, queue, waiting):
    """Write each state's greatest weight and first arc, −1 where it ends; whether that took at most so many turns.

    Of ways of one weight, one with fewest arcs. ``lengths`` takes how many these are.
    """
    n_states = len(ends)
    head = count = 0
    for state in range(n_states):
        ahead[state] = ends[state]
        choices[state] = -1
        lengths[state] = 0
        waiting[state] = 0
        if ends[state] > -inf:
            queue[count] = state
            waiting[state] = 1
            count += 1
    turns = 0
    while count > 0:
        turns += 1
        if turns > most:
            return False
        state = queue[head]
        head = head + 1 if head + 1 < n_states else 0
        count -= 1
        waiting[state] = 0
        length = lengths[state] + 1
        for place in range(in_pointers[state], in_pointers[state + 1]):
            arc = in_arcs[place]
            before = src[arc]
            weight = weights[arc] + ahead[state]
            if weight > ahead[before] or (weight == ahead[before] and weight > -inf and length < lengths[before]):
                ahead[before] = weight
                choices[before] = arc
                lengths[before] = length
                if waiting[before] == 0:
                    last = head + count
                    queue[last if last < n_states else last - n_states] = before
                    waiting[before] = 1
                    count += 1
    return True


@kernel(
    "void(const int32[::1], const int32[::1], const int32[::1], float64[::1], float64[::1], float64[::1])",
)
def pull_back_best(order, choices, dst, bars, arc_bars, end_bars):
    """Hand the states' cotangents on along the arcs chosen, in an order in which these lead forward."""
    for k in range(len(order)):
        state = order[k]
        bar = bars[state]
        arc = choices[state]
        if arc < 0:
            end_bars[state] += bar
        elif bar != 0.0:
            arc_bars[arc] += bar
            bars[dst[arc]] += bar
