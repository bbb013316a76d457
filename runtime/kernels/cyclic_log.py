"""Forward score of a cyclic graph and its gradient, exact: each component's equations are solved by elimination.

All in the log domain and without subtraction but for a pivot's star, −log(−expm1(w)): a loop of weight 1 − 1e-9
keeps its digits. Layout and method: ``arcgrad.compiler.regions.elimination``. A pivot ≥ 0 means spectral radius ≥ 1
(pivots of an M-matrix are positive), reported as NaN.

Large weights would hide small ones in sums. So where there are any, each state gets a *potential*, the weight of its
best way to an accept, and an arc from s to d the weight w + potential(d) − potential(s), which is about 0 where a path
that counts takes it, whatever the weights. The score is then the best start's potential plus an ordinary number.
Potentials have two parts, multiples of 1024 and rests, since a sum of them would hide the small ones as well.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p, nan

import numpy as np

from arcgrad.runtime.kernels.common import GRAPH_BACKWARD, GRAPH_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.routines import helper, kernel

__all__ = ["cyclic_log_backward", "cyclic_log_forward"]

_ORDINARY = 1e3
"""Weights up to this lose nothing that counts in sums: potentials stay 0."""

_STEP = 1024.0


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
    sources = base + ints[base + 8]
    ends = base + ints[base + 9]
    for direction in range(2):
        marks = iwork0 + direction * n_states
        for state in range(n_states):
            iwork[marks + state] = 0
        for k in range(ints[base + 2 + 2 * direction]):
            iwork[marks + ints[base + ints[base + 3 + 2 * direction] + k]] = 1
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
def split(weight):
    """A multiple of 1024, and the rest; of large weights, the rest is 0."""
    whole = round_to_steps(weight)
    return whole, weight - whole


@helper
def round_to_steps(x):
    """The nearest multiple of 1024."""
    return np.floor(x / _STEP + 0.5) * _STEP


@helper
def raise_potential(work, whole, rest, state, end, weight):
    """Raise a state's potential to what an arc to ``end`` gives; whether that was more."""
    if weight == -inf or work[rest + end] == -inf:
        return False
    high, low = split(weight)
    high += work[whole + end]
    low += work[rest + end]
    if work[rest + state] > -inf and not (high - work[whole + state]) + (low - work[rest + state]) > 0.0:
        return False
    more = round_to_steps(low)
    if (high + more) - high == more:
        high += more
        low -= more
    work[whole + state] = high
    work[rest + state] = low
    return True


@helper
def find_potentials(ints, base, n_states, n_arcs, work, work0, whole, rest):
    """Potentials of all states, −inf where no finite way leads to an accept: Bellman and Ford's, by component.

    Where a cycle gains, they are whatever they are after as many sweeps as there are states: elimination will see that.
    """
    sources = base + ints[base + 8]
    ends = base + ints[base + 9]
    begins = base + ints[base + 12]
    outer = base + ints[base + 23]
    for state in range(n_states):
        work[whole + state] = 0.0
        work[rest + state] = -inf
    for k in range(ints[base + 4]):
        work[rest + ints[base + ints[base + 5] + k]] = 0.0
    high_arc = ints[base + 13]
    for component in range(ints[base + 11] - 1, -1, -1):
        low = ints[begins + component]
        high = ints[begins + component + 1]
        for state in range(low, high):
            for k in range(ints[outer + state], ints[outer + state + 1]):
                arc = ints[outer + n_states + 1 + k]
                raise_potential(work, whole, rest, state, ints[ends + arc], work[work0 + arc])
        low_arc = high_arc
        while low_arc > 0 and ints[sources + low_arc - 1] >= low:
            low_arc -= 1
        for sweep in range(high - low):
            again = False
            for step in range(high_arc - low_arc):
                arc = high_arc - 1 - step if sweep % 2 == 0 else low_arc + step
                if raise_potential(work, whole, rest, ints[sources + arc], ints[ends + arc], work[work0 + arc]):
                    again = True
            if not again:
                break
        high_arc = low_arc


@helper
def move_weights(ints, base, n_arcs, work, work0, whole, rest):
    """Give arcs the weights that potentials leave them."""
    sources = base + ints[base + 8]
    ends = base + ints[base + 9]
    for arc in range(n_arcs):
        source = ints[sources + arc]
        end = ints[ends + arc]
        weight = work[work0 + arc]
        if weight > -inf and work[rest + end] > -inf:
            high, low = split(weight)
            high = (high + work[whole + end]) - work[whole + source]
            work[work0 + arc] = high + ((low + work[rest + end]) - work[rest + source])
        else:
            work[work0 + arc] = -inf


@helper
def eliminate(ints, base, n_states, work, slots, stars):
    """Factor all components in place and write each state's star; whether all pivots are below 0."""
    pointers = base + ints[base + 16]
    columns = base + ints[base + 17]
    diagonals = base + ints[base + 18]
    below_pointers = base + ints[base + 19]
    below_rows = base + ints[base + 20]
    below_slots = base + ints[base + 21]
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
    sources = base + ints[base + 8]
    outer = base + ints[base + 22]
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
    ends = base + ints[base + 9]
    outer = base + ints[base + 23]
    score = work[beta + state]
    for k in range(ints[outer + state], ints[outer + state + 1]):
        arc = ints[outer + n_states + 1 + k]
        score = log_add(score, work[work0 + arc] + work[beta + ints[ends + arc]])
    work[beta + state] = score


@kernel(GRAPH_FORWARD)
def cyclic_log_forward(ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none, NaN where it diverges."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    n_slots = ints[base + 15]
    slots = work0 + n_arcs
    stars = slots + n_slots
    alpha = stars + n_states
    whole = alpha + 2 * n_states + 1
    rest = whole + n_states
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, 1.0)
    absent = large = False
    for arc in range(n_arcs):
        if work[work0 + arc] == -inf:
            absent = True
        elif abs(work[work0 + arc]) > _ORDINARY:
            large = True
    if absent:
        keep_useful(ints, base, n_states, n_arcs, work, work0, iwork, iwork0)
    for state in range(2 * n_states):
        work[whole + state] = 0.0
    if large:
        find_potentials(ints, base, n_states, n_arcs, work, work0, whole, rest)
        move_weights(ints, base, n_arcs, work, work0, whole, rest)
    for slot in range(n_slots):
        work[slots + slot] = -inf
    for arc in range(ints[base + 13]):
        slot = slots + ints[base + ints[base + 14] + arc]
        work[slot] = log_add(work[slot], work[work0 + arc])
    work[alpha + 2 * n_states] = nan
    if not eliminate(ints, base, n_states, work, slots, stars):
        return nan

    for state in range(n_states):
        work[alpha + state] = -inf
    top = top_rest = 0.0
    found = False
    for k in range(ints[base + 2]):
        state = ints[base + ints[base + 3] + k]
        if work[rest + state] > -inf and (
            not found or (work[whole + state] - top) + (work[rest + state] - top_rest) > 0.0
        ):
            top, top_rest = work[whole + state], work[rest + state]
            found = True
    for k in range(ints[base + 2]):
        state = ints[base + ints[base + 3] + k]
        work[alpha + state] = (work[whole + state] - top) + (work[rest + state] - top_rest)
    pointers = base + ints[base + 16]
    columns = base + ints[base + 17]
    diagonals = base + ints[base + 18]
    below_pointers = base + ints[base + 19]
    below_rows = base + ints[base + 20]
    below_slots = base + ints[base + 21]
    begins = base + ints[base + 12]
    for component in range(ints[base + 11]):
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
    for k in range(ints[base + 4]):
        state = ints[base + ints[base + 5] + k]
        score = log_add(score, work[alpha + state] - (work[whole + state] + work[rest + state]))
    work[alpha + 2 * n_states] = score if top + (top_rest + score) > -inf else -inf
    return top + (top_rest + score)


@kernel(GRAPH_BACKWARD)
def cyclic_log_backward(
    ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign, seed, gradient, g_shared, g_shift
):
    """Add seed × expected number of uses of each arc to the gradient of its entries."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    slots = work0 + n_arcs
    stars = slots + ints[base + 15]
    alpha = stars + n_states
    beta = alpha + n_states
    total = work[beta + n_states]
    whole = beta + n_states + 1
    rest = whole + n_states
    if not total > -inf:
        return
    for state in range(n_states):
        work[beta + state] = -inf
    for k in range(ints[base + 4]):
        state = ints[base + ints[base + 5] + k]
        work[beta + state] = -(work[whole + state] + work[rest + state])
    pointers = base + ints[base + 16]
    columns = base + ints[base + 17]
    diagonals = base + ints[base + 18]
    below_pointers = base + ints[base + 19]
    below_rows = base + ints[base + 20]
    below_slots = base + ints[base + 21]
    begins = base + ints[base + 12]
    for component in range(ints[base + 11] - 1, -1, -1):
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
        source = ints[base + ints[base + 8] + arc]
        end = ints[base + ints[base + 9] + arc]
        posterior = seed * exp(work[alpha + source] + work[work0 + arc] + work[beta + end] - total)
        add_to_entries(ints, base, arc, posterior, gradient, n_shared, g_shared, g_shift)
