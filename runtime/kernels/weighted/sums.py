"""Sums over the paths that leave each state of an acyclic graph, in the log or the max semiring, and their way back.

States come in an order in which arcs lead forward. The arcs of state s are ``arcs[pointers[s] : pointers[s + 1]]``, in
order; what ends at s weighs ``ends[s]``, −inf where nothing does. ``best``: a sum is its greatest term.
"""

from __future__ import annotations

from math import exp, inf, log

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["add_up_ahead", "log_add_all", "pull_back_ahead", "slacks_behind"]

_GRAPH = (
    "const int32[::1], const int64[::1], const int32[::1], const int32[::1], const float64[::1], const float64[::1]"
)


@helper
def log_add_all(total, top, term):
    """Add a term to a sum that is exp(top) times ``total``; the new total and top."""
    if term <= top:
        return (total + exp(term - top), top) if term > -inf else (total, top)
    return (total * exp(top - term) + 1.0 if top > -inf else 1.0), term


@kernel(f"void({_GRAPH}, int64, float64[::1])")
def add_up_ahead(order, pointers, arcs, dst, weights, ends, best, ahead):
    """Write for each state the sum over the paths from it."""
    for k in range(len(order) - 1, -1, -1):
        state = order[k]
        low, high = pointers[state], pointers[state + 1]
        top = ends[state]
        for place in range(low, high):
            arc = arcs[place]
            top = max(top, weights[arc] + ahead[dst[arc]])
        if best == 0 and top > -inf and (high - low > 1 or (high > low and ends[state] > -inf)):
            total = exp(ends[state] - top)
            for place in range(low, high):
                arc = arcs[place]
                total += exp(weights[arc] + ahead[dst[arc]] - top)
            top += log(total)
        ahead[state] = top


@kernel(f"void({_GRAPH}, int64, const float64[::1], float64[::1], float64[::1], float64[::1])")
def pull_back_ahead(order, pointers, arcs, dst, weights, ends, best, ahead, bars, arc_bars, end_bars):
    """Add to arcs and ends what the cotangents of the states' sums, ``bars``, which are spent, give them."""
    for k in range(len(order)):
        state = order[k]
        bar = bars[state]
        total = ahead[state]
        if bar == 0.0 or total == -inf:
            continue
        if best != 0:
            # The first arc that attains it, else the end: as the sum of no arcs is an end.
            found = False
            for place in range(pointers[state], pointers[state + 1]):
                arc = arcs[place]
                if not found and ends[state] < total and weights[arc] + ahead[dst[arc]] == total:
                    arc_bars[arc] += bar
                    bars[dst[arc]] += bar
                    found = True
            if not found:
                end_bars[state] += bar
            continue
        if ends[state] > -inf:
            end_bars[state] += bar * exp(ends[state] - total)
        for place in range(pointers[state], pointers[state + 1]):
            arc = arcs[place]
            share = bar * exp(weights[arc] + ahead[dst[arc]] - total)
            arc_bars[arc] += share
            bars[dst[arc]] += share


@kernel(f"void({_GRAPH}, const float64[::1], float64[::1], float64[::1])")
def slacks_behind(order, pointers, arcs, dst, weights, ends, ahead, of_states, of_arcs):
    """From the starts' slacks in ``of_states``, write what the best path through each state and arc lacks."""
    for k in range(len(order)):
        state = order[k]
        for place in range(pointers[state], pointers[state + 1]):
            arc = arcs[place]
            slack = of_states[state] + max(ahead[state] - (weights[arc] + ahead[dst[arc]]), 0.0)
            of_arcs[arc] = slack
            of_states[dst[arc]] = min(of_states[dst[arc]], slack)
