"""Forward score of a cyclic graph and its gradient, exact: each component's equations are solved by elimination.

All in the log domain and without subtraction except in a pivot's star, −log(−expm1(w)): a loop of weight 1 − 1e-9
keeps its digits. Layout and method: ``arcgrad.runtime.regions.elimination``. A pivot ≥ 0 means spectral radius ≥ 1
(pivots of an M-matrix are positive), reported as NaN.

Large weights would hide small ones in sums, so where there are any, ``potentials`` are taken off first. The score is
then the best start's potential plus an ordinary number.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p, nan

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.potentials import difference, find_potentials, move_weights
from arcgrad.runtime.kernels.entries import GRAPH_BACKWARD, GRAPH_FORWARD, add_to_entries, gather_weights

__all__ = ["cyclic_log_backward", "cyclic_log_forward"]

_ORDINARY = 1e3
"""Weights up to this lose nothing that counts in sums: potentials stay 0."""


@helper
def log_add(a, b):
    """log(exp(a) + exp(b)); both may be −inf."""
    if a < b:
        a, b = b, a
    if b == -inf:
        return a
    return a + log1p(exp(b - a))


@helper
def keep_useful(ints, base, n_states, n_arcs, work, work0, iwork, iwork0):
    """Make arcs absent that lie on no finite accepting path, so that a cycle there diverges for nobody."""
    sources = base + ints[base + C.ARC_SOURCES]
    ends = base + ints[base + C.ARC_ENDS]
    for direction in range(2):
        marks = iwork0 + direction * n_states
        for state in range(n_states):
            iwork[marks + state] = 0
        count, begin = (C.N_STARTS, C.STARTS) if direction == 0 else (C.N_ACCEPTS, C.ACCEPTS)
        for k in range(ints[base + count]):
            iwork[marks + ints[base + ints[base + begin] + k]] = 1
        again = True
        while again:
            again = False
            for step in range(n_arcs):
                arc = step if direction == 0 else n_arcs - 1 - step
                near = ints[sources + arc]
                far = ints[ends + arc]
                if direction == 1:
                    near, far = far, near
                if work[work0 + arc] > -inf and iwork[marks + near] == 1 and iwork[marks + far] == 0:
                    iwork[marks + far] = 1
                    again = True
    for arc in range(n_arcs):
        if iwork[iwork0 + ints[sources + arc]] == 0 or iwork[iwork0 + n_states + ints[ends + arc]] == 0:
            work[work0 + arc] = -inf


@helper
def above(work, potentials, n_states, state, other):
    """By how much a state's potential exceeds another's."""
    return difference(
        work, potentials, n_states, state,
        work[potentials + other], work[potentials + n_states + other], work[potentials + 2 * n_states + other],
    )  # fmt: skip


@helper
def eliminate(ints, base, n_states, work, slots, stars):
    """Factor all components in place and write each state's star; whether all pivots are below 0."""
    pointers = base + ints[base + C.SLOT_POINTERS]
    columns = base + ints[base + C.SLOT_COLUMNS]
    diagonals = base + ints[base + C.DIAGONAL_SLOTS]
    below_pointers = base + ints[base + C.BELOW_POINTERS]
    below_rows = base + ints[base + C.BELOW_ROWS]
    below_slots = base + ints[base + C.BELOW_SLOTS]
    for pivot in range(n_states):
        diagonal = ints[diagonals + pivot]
        if diagonal < 0:
            work[stars + pivot] = 0.0
            continue
        loop = work[slots + diagonal]
        if loop >= 0.0:
            return False
        star = -log(-expm1(loop))
        work[stars + pivot] = star
        end = ints[pointers + pivot + 1]
        for k in range(ints[below_pointers + pivot], ints[below_pointers + pivot + 1]):
            factor = work[slots + ints[below_slots + k]] + star
            if factor == -inf:
                continue
            # Both rows' columns ascend, and this row has every column of the pivot's row right of the pivot.
            own = ints[pointers + ints[below_rows + k]]
            for slot in range(diagonal + 1, end):
                if work[slots + slot] > -inf:
                    while ints[columns + own] != ints[columns + slot]:
                        own += 1
                    work[slots + own] = log_add(work[slots + own], factor + work[slots + slot])
    return True


@helper
def add_outer_in(ints, base, state, work, work0, alpha):
    """log-add to a state's forward score what comes in from other components."""
    sources = base + ints[base + C.ARC_SOURCES]
    outer = base + ints[base + C.OUTER_IN]
    low = ints[outer + state]
    high = ints[outer + state + 1]
    best = work[alpha + state]
    for arc in range(low, high):
        best = max(best, work[alpha + ints[sources + arc]] + work[work0 + arc])
    if best > -inf:
        total = exp(work[alpha + state] - best)
        for arc in range(low, high):
            total += exp(work[alpha + ints[sources + arc]] + work[work0 + arc] - best)
        work[alpha + state] = best + log(total)


@helper
def add_outer_out(ints, base, n_states, state, work, work0, beta):
    """log-add to a state's backward score what goes out to other components."""
    ends = base + ints[base + C.ARC_ENDS]
    outer = base + ints[base + C.OUTER_OUT]
    score = work[beta + state]
    for k in range(ints[outer + state], ints[outer + state + 1]):
        arc = ints[outer + n_states + 1 + k]
        score = log_add(score, work[work0 + arc] + work[beta + ints[ends + arc]])
    work[beta + state] = score


@kernel(GRAPH_FORWARD)
def cyclic_log_forward(ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none, NaN where it diverges."""
    n_states = ints[base + C.N_STATES]
    n_arcs = ints[base + C.N_ARCS]
    n_slots = ints[base + C.N_SLOTS]
    slots = work0 + n_arcs
    stars = slots + n_slots
    alpha = stars + n_states
    potentials = alpha + 2 * n_states + 1
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, 1.0)
    absent = large = False
    for arc in range(n_arcs):
        if work[work0 + arc] == -inf:
            absent = True
        elif abs(work[work0 + arc]) > _ORDINARY:
            large = True
    if absent:
        keep_useful(ints, base, n_states, n_arcs, work, work0, iwork, iwork0)
    for state in range(3 * n_states):
        work[potentials + state] = 0.0
    if large:
        find_potentials(ints, base, n_states, weights, n_shared, shift, work, work0, potentials)
        move_weights(ints, base, n_states, n_arcs, weights, n_shared, shift, work, work0, potentials)
    for slot in range(n_slots):
        work[slots + slot] = -inf
    for arc in range(ints[base + C.N_INNER]):
        slot = slots + ints[base + ints[base + C.INNER_SLOTS] + arc]
        work[slot] = log_add(work[slot], work[work0 + arc])
    work[alpha + 2 * n_states] = nan
    if not eliminate(ints, base, n_states, work, slots, stars):
        return nan

    for state in range(n_states):
        work[alpha + state] = -inf
    top, found = 0, False
    for k in range(ints[base + C.N_STARTS]):
        state = ints[base + ints[base + C.STARTS] + k]
        if work[potentials + 2 * n_states + state] > -inf:
            if not found or above(work, potentials, n_states, state, top) > 0.0:
                top = state
            found = True
    for k in range(ints[base + C.N_STARTS]):
        state = ints[base + ints[base + C.STARTS] + k]
        work[alpha + state] = above(work, potentials, n_states, state, top) if found else 0.0
    pointers = base + ints[base + C.SLOT_POINTERS]
    columns = base + ints[base + C.SLOT_COLUMNS]
    diagonals = base + ints[base + C.DIAGONAL_SLOTS]
    below_pointers = base + ints[base + C.BELOW_POINTERS]
    below_rows = base + ints[base + C.BELOW_ROWS]
    below_slots = base + ints[base + C.BELOW_SLOTS]
    begins = base + ints[base + C.COMPONENTS]
    for component in range(ints[base + C.N_COMPONENTS]):
        low = ints[begins + component]
        high = ints[begins + component + 1]
        for state in range(low, high):
            add_outer_in(ints, base, state, work, work0, alpha)
        for state in range(low, high):
            flow = work[alpha + state] + work[stars + state]
            if ints[diagonals + state] >= 0 and flow > -inf:
                for slot in range(ints[diagonals + state] + 1, ints[pointers + state + 1]):
                    end = alpha + ints[columns + slot]
                    work[end] = log_add(work[end], flow + work[slots + slot])
        for state in range(high - 1, low - 1, -1):
            score = work[alpha + state]
            for k in range(ints[below_pointers + state], ints[below_pointers + state + 1]):
                score = log_add(score, work[alpha + ints[below_rows + k]] + work[slots + ints[below_slots + k]])
            work[alpha + state] = score + work[stars + state]
    score = -inf
    for k in range(ints[base + C.N_ACCEPTS]):
        state = ints[base + ints[base + C.ACCEPTS] + k]
        score = log_add(score, work[alpha + state] - difference(work, potentials, n_states, state, 0.0, 0.0, 0.0))
    shown = score
    if found:
        shown = work[potentials + top] + (
            work[potentials + n_states + top] + (work[potentials + 2 * n_states + top] + score)
        )
    work[alpha + 2 * n_states] = score if shown > -inf else -inf
    return shown


@kernel(GRAPH_BACKWARD)
def cyclic_log_backward(
    ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign, cotangent, gradient, g_shared, g_shift
):
    """Add cotangent × expected number of uses of each arc to the gradient of its entries."""
    n_states = ints[base + C.N_STATES]
    n_arcs = ints[base + C.N_ARCS]
    slots = work0 + n_arcs
    stars = slots + ints[base + C.N_SLOTS]
    alpha = stars + n_states
    beta = alpha + n_states
    total = work[beta + n_states]
    potentials = beta + n_states + 1
    if not total > -inf:
        return
    for state in range(n_states):
        work[beta + state] = -inf
    for k in range(ints[base + C.N_ACCEPTS]):
        state = ints[base + ints[base + C.ACCEPTS] + k]
        work[beta + state] = -difference(work, potentials, n_states, state, 0.0, 0.0, 0.0)
    pointers = base + ints[base + C.SLOT_POINTERS]
    columns = base + ints[base + C.SLOT_COLUMNS]
    diagonals = base + ints[base + C.DIAGONAL_SLOTS]
    below_pointers = base + ints[base + C.BELOW_POINTERS]
    below_rows = base + ints[base + C.BELOW_ROWS]
    below_slots = base + ints[base + C.BELOW_SLOTS]
    begins = base + ints[base + C.COMPONENTS]
    for component in range(ints[base + C.N_COMPONENTS] - 1, -1, -1):
        low = ints[begins + component]
        high = ints[begins + component + 1]
        for state in range(low, high):
            add_outer_out(ints, base, n_states, state, work, work0, beta)
        for state in range(low, high):
            flow = work[beta + state] + work[stars + state]
            if flow > -inf:
                for k in range(ints[below_pointers + state], ints[below_pointers + state + 1]):
                    begin = beta + ints[below_rows + k]
                    work[begin] = log_add(work[begin], flow + work[slots + ints[below_slots + k]])
        for state in range(high - 1, low - 1, -1):
            score = work[beta + state]
            if ints[diagonals + state] >= 0:
                for slot in range(ints[diagonals + state] + 1, ints[pointers + state + 1]):
                    score = log_add(score, work[beta + ints[columns + slot]] + work[slots + slot])
            work[beta + state] = score + work[stars + state]
    for arc in range(n_arcs):
        source = ints[base + ints[base + C.ARC_SOURCES] + arc]
        end = ints[base + ints[base + C.ARC_ENDS] + arc]
        posterior = cotangent * exp(work[alpha + source] + work[work0 + arc] + work[beta + end] - total)
        add_to_entries(ints, base, arc, posterior, gradient, n_shared, g_shared, g_shift)
