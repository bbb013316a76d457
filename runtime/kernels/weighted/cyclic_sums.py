"""Solves a cyclic graph's equations for any right-hand side, in the log domain, with the factors of ``cyclic_log``.

After ``cyclic_log_forward``, of weights so small that it has not moved them, the workspace holds the factors of each
component. A right-hand side of logarithms, −inf where there is nothing, becomes the solution.
"""

from __future__ import annotations

from math import exp, inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.cyclic_log import parts_of_work
from arcgrad.runtime.kernels.cyclic.dense_block import log_add, solve_block

__all__ = ["solve_ahead", "solve_behind"]


@helper
def add_along(region, state, work, at, pointers, arcs, others):
    """log-add to a state's number what comes along arcs from other components.

    Args:
        at: where the states' numbers stand.
        pointers: the state's arcs among those in ``arcs``; 0: in order.
        others: where the arcs' other ends stand.
    """
    places = region[C.ARC_PLACES]
    low, high = region[pointers + state], region[pointers + state + 1]
    best = work[at + state]
    for k in range(low, high):
        arc = region[arcs + k] if arcs > 0 else k
        if region[places + arc] < 0:
            best = max(best, work[at + region[others + arc]] + work[arc])
    if best > -inf:
        total = exp(work[at + state] - best)
        for k in range(low, high):
            arc = region[arcs + k] if arcs > 0 else k
            if region[places + arc] < 0:
                total += exp(work[at + region[others + arc]] + work[arc] - best)
        work[at + state] = best + log(total)


@kernel("void(const int32[::1], float64[::1], const float64[::1], float64[::1])")
def solve_behind(region, work, right, result):
    """Write x with x(state) = right(state) + Σ over arcs into it of weight · x(source), in logarithms."""
    n_states = region[C.N_STATES]
    slots, mirror, stars = parts_of_work(region)
    at = stars + n_states
    for state in range(n_states):
        work[at + state] = right[state]
    pointers, columns, diagonals = region[C.SLOT_POINTERS], region[C.SLOT_COLUMNS], region[C.DIAGONAL_SLOTS]
    below_pointers, below_rows, below_slots = region[C.BELOW_POINTERS], region[C.BELOW_ROWS], region[C.BELOW_SLOTS]
    for component in range(region[C.N_COMPONENTS]):
        low, high = region[region[C.COMPONENTS] + component], region[region[C.COMPONENTS] + component + 1]
        dense = region[region[C.DENSE_STATES] + component]
        for state in range(low, high):
            add_along(
                region, state, work, at, region[C.IN_POINTERS], region[C.ARCS_IN], region[C.ARC_SOURCES]
            )  # fmt: skip
        for state in range(low, dense):
            flow = work[at + state] + work[stars + state]
            if region[diagonals + state] >= 0 and flow > -inf:
                for slot in range(region[diagonals + state] + 1, region[pointers + state + 1]):
                    end = at + region[columns + slot]
                    work[end] = log_add(work[end], flow + work[slots + slot])
        if dense < high:
            block = mirror + region[region[C.BLOCKS] + component]
            solve_block(work, block, high - dense, stars + dense, at + dense)
        for back in range(dense - low):
            state = dense - 1 - back
            score = work[at + state]
            for k in range(region[below_pointers + state], region[below_pointers + state + 1]):
                score = log_add(score, work[at + region[below_rows + k]] + work[slots + region[below_slots + k]])
            work[at + state] = score + work[stars + state]
    for state in range(n_states):
        result[state] = work[at + state]


@kernel("void(const int32[::1], float64[::1], const float64[::1], float64[::1])")
def solve_ahead(region, work, right, result):
    """Write x with x(state) = right(state) + Σ over arcs out of it of weight · x(destination), in logarithms."""
    n_states = region[C.N_STATES]
    slots, _, stars = parts_of_work(region)
    at = stars + n_states
    for state in range(n_states):
        work[at + state] = right[state]
    pointers, columns, diagonals = region[C.SLOT_POINTERS], region[C.SLOT_COLUMNS], region[C.DIAGONAL_SLOTS]
    below_pointers, below_rows, below_slots = region[C.BELOW_POINTERS], region[C.BELOW_ROWS], region[C.BELOW_SLOTS]
    for last in range(region[C.N_COMPONENTS]):
        component = region[C.N_COMPONENTS] - 1 - last
        low, high = region[region[C.COMPONENTS] + component], region[region[C.COMPONENTS] + component + 1]
        dense = region[region[C.DENSE_STATES] + component]
        for state in range(low, high):
            add_along(region, state, work, at, region[C.OUT_POINTERS], 0, region[C.ARC_ENDS])
        for state in range(low, dense):
            flow = work[at + state] + work[stars + state]
            if flow > -inf:
                for k in range(region[below_pointers + state], region[below_pointers + state + 1]):
                    begin = at + region[below_rows + k]
                    work[begin] = log_add(work[begin], flow + work[slots + region[below_slots + k]])
        if dense < high:
            block = slots + region[region[C.BLOCKS] + component]
            solve_block(work, block, high - dense, stars + dense, at + dense)
        for back in range(dense - low):
            state = dense - 1 - back
            score = work[at + state]
            if region[diagonals + state] >= 0:
                for slot in range(region[diagonals + state] + 1, region[pointers + state + 1]):
                    score = log_add(score, work[at + region[columns + slot]] + work[slots + slot])
            work[at + state] = score + work[stars + state]
    for state in range(n_states):
        result[state] = work[at + state]
