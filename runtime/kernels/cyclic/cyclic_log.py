"""Forward score of a cyclic graph and its gradient, exact: each component's equations are solved by elimination.

In the log domain and without subtraction except in a pivot's star, −log(−expm1(w)): a loop of weight 1 − 1e-9 keeps its
digits. What gets dense is eliminated in linear arithmetic (``dense_block``). Layout and method:
``arcgrad.runtime.regions.elimination``. A pivot ≥ 0 means spectral radius ≥ 1 (pivots of an M-matrix are positive),
reported as NaN.

Large weights would hide small ones in sums, so where there are any, ``potentials`` are taken off first. The score is
then the best start's potential plus an ordinary number.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, nan

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.dense_block import eliminate_block, log_add, padded, solve_block
from arcgrad.runtime.kernels.cyclic.potentials import difference, find_potentials, move_weights
from arcgrad.runtime.kernels.entries import GRAPH_BACKWARD, GRAPH_FORWARD, add_to_entries, gather_weights

__all__ = ["cyclic_log_backward", "cyclic_log_forward"]

_ORDINARY = 1e3
"""Weights up to this lose nothing that counts in sums: potentials stay 0."""


@helper
def parts_of_work(ints, base, work0):
    """Where slots and blocks, the blocks' mirrors, and stars stand in the workspace."""
    slots = work0 + ints[base + C.N_ARCS]
    mirrors = slots + (ints[base + C.N_PLACES] - ints[base + C.N_SLOTS])
    return slots, mirrors, mirrors + ints[base + C.N_PLACES]


@helper
def keep_useful(ints, base, n_states, n_arcs, work, work0, iwork, iwork0):
    """Make arcs absent that lie on no finite accepting path, so that a cycle there diverges for nobody."""
    sources = base + ints[base + C.ARC_SOURCES]
    ends = base + ints[base + C.ARC_ENDS]
    stack = iwork0 + 2 * n_states
    for direction in range(2):
        marks = iwork0 + direction * n_states
        count, begin = (C.N_STARTS, C.STARTS) if direction == 0 else (C.N_ACCEPTS, C.ACCEPTS)
        rows = base + ints[base + (C.OUT_POINTERS if direction == 0 else C.IN_POINTERS)]
        for state in range(n_states):
            iwork[marks + state] = 0
        waiting = 0
        for k in range(ints[base + count]):
            state = ints[base + ints[base + begin] + k]
            iwork[marks + state] = 1
            iwork[stack + waiting] = state
            waiting += 1
        while waiting > 0:
            waiting -= 1
            state = iwork[stack + waiting]
            for k in range(ints[rows + state], ints[rows + state + 1]):
                near_arc = np.int64(k) if direction == 0 else np.int64(ints[base + ints[base + C.ARCS_IN] + k])
                far = ints[(ends if direction == 0 else sources) + near_arc]
                if work[work0 + near_arc] > -inf and iwork[marks + far] == 0:
                    iwork[marks + far] = 1
                    iwork[stack + waiting] = far
                    waiting += 1
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
def eliminate(ints, base, low, high, dense, block, work, slots, stars):
    """Factor the rows and columns of a component's sparse states in place; whether all pivots are below 0.

    Args:
        low, high: the component's states.
        dense: where those of the block begin.
        block: where that stands in the workspace.
        slots: where slots do.
        stars: where each state's star is written.
    """
    pointers = base + ints[base + C.SLOT_POINTERS]
    columns = base + ints[base + C.SLOT_COLUMNS]
    diagonals = base + ints[base + C.DIAGONAL_SLOTS]
    below_pointers = base + ints[base + C.BELOW_POINTERS]
    below_rows = base + ints[base + C.BELOW_ROWS]
    below_slots = base + ints[base + C.BELOW_SLOTS]
    for pivot in range(low, dense):
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
            # Both rows' columns ascend, and this row has every column of the pivot's row right of the pivot: as slots,
            # or from some column on in the block.
            row = ints[below_rows + k]
            own = ints[pointers + row]
            full = block + (row - dense) * padded(high - dense) - dense
            for slot in range(diagonal + 1, end):
                if work[slots + slot] > -inf:
                    column = ints[columns + slot]
                    if row >= dense and column >= dense:
                        place = full + column
                    else:
                        while ints[columns + own] != column:
                            own += 1
                        place = slots + own
                    work[place] = log_add(work[place], factor + work[slots + slot])
    return True


@helper
def add_from(ints, base, state, work, work0, scores, pointers, arcs, others):
    """log-add to a state's score what comes along arcs from, or goes to, other components.

    Args:
        scores: where those of states stand.
        pointers: the state's arcs among those in ``arcs``; 0: in order.
        others: where the arcs' other ends stand.
    """
    places = base + ints[base + C.ARC_PLACES]
    low, high = ints[pointers + state], ints[pointers + state + 1]
    best = work[scores + state]
    for k in range(low, high):
        arc = np.int64(ints[arcs + k]) if arcs > 0 else np.int64(k)
        if ints[places + arc] < 0:
            best = max(best, work[scores + ints[others + arc]] + work[work0 + arc])
    if best > -inf:
        total = exp(work[scores + state] - best)
        for k in range(low, high):
            arc = np.int64(ints[arcs + k]) if arcs > 0 else np.int64(k)
            if ints[places + arc] < 0:
                total += exp(work[scores + ints[others + arc]] + work[work0 + arc] - best)
        work[scores + state] = best + log(total)


@kernel(GRAPH_FORWARD)
def cyclic_log_forward(ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none, NaN where it diverges."""
    n_states = ints[base + C.N_STATES]
    n_arcs = ints[base + C.N_ARCS]
    slots, mirror, stars = parts_of_work(ints, base, work0)
    alpha = stars + n_states
    beta = alpha + n_states
    potentials = beta + n_states + 1
    scratch = potentials + 3 * n_states
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
        find_potentials(ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, potentials)
        move_weights(ints, base, n_states, n_arcs, weights, n_shared, shift, work, work0, potentials)
    for place in range(ints[base + C.N_PLACES]):
        work[slots + place] = -inf
    places = base + ints[base + C.ARC_PLACES]
    for arc in range(n_arcs):
        if ints[places + arc] >= 0:
            place = slots + ints[places + arc]
            work[place] = log_add(work[place], work[work0 + arc])
    begins = base + ints[base + C.COMPONENTS]
    dense_states = base + ints[base + C.DENSE_STATES]
    blocks = base + ints[base + C.BLOCKS]
    work[beta + n_states] = nan
    for component in range(ints[base + C.N_COMPONENTS]):
        low, high = ints[begins + component], ints[begins + component + 1]
        dense, block = ints[dense_states + component], slots + ints[blocks + component]
        if not eliminate(ints, base, low, high, dense, block, work, slots, stars):
            return nan
        if dense < high and not eliminate_block(
            work, block, high - dense, stars + dense, mirror + (block - slots), alpha, scratch
        ):
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
    in_pointers, arcs_in = base + ints[base + C.IN_POINTERS], base + ints[base + C.ARCS_IN]
    sources = base + ints[base + C.ARC_SOURCES]
    for component in range(ints[base + C.N_COMPONENTS]):
        low, high = ints[begins + component], ints[begins + component + 1]
        dense = ints[dense_states + component]
        for state in range(low, high):
            add_from(ints, base, state, work, work0, alpha, in_pointers, arcs_in, sources)
        for state in range(low, dense):
            flow = work[alpha + state] + work[stars + state]
            if ints[diagonals + state] >= 0 and flow > -inf:
                for slot in range(ints[diagonals + state] + 1, ints[pointers + state + 1]):
                    end = alpha + ints[columns + slot]
                    work[end] = log_add(work[end], flow + work[slots + slot])
        if dense < high:
            solve_block(work, mirror + ints[blocks + component], high - dense, stars + dense, alpha + dense)
        for state in range(dense - 1, low - 1, -1):
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
    work[beta + n_states] = score if shown > -inf else -inf
    return shown


@kernel(GRAPH_BACKWARD)
def cyclic_log_backward(
    ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign, cotangent, gradient, g_shared, g_shift
):
    """Add cotangent × expected number of uses of each arc to the gradient of its entries."""
    n_states = ints[base + C.N_STATES]
    n_arcs = ints[base + C.N_ARCS]
    slots, _, stars = parts_of_work(ints, base, work0)
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
    out_pointers, ends = base + ints[base + C.OUT_POINTERS], base + ints[base + C.ARC_ENDS]
    for component in range(ints[base + C.N_COMPONENTS] - 1, -1, -1):
        low = ints[base + ints[base + C.COMPONENTS] + component]
        high = ints[base + ints[base + C.COMPONENTS] + component + 1]
        dense = ints[base + ints[base + C.DENSE_STATES] + component]
        for state in range(low, high):
            add_from(ints, base, state, work, work0, beta, out_pointers, 0, ends)
        for state in range(low, dense):
            flow = work[beta + state] + work[stars + state]
            if flow > -inf:
                for k in range(ints[below_pointers + state], ints[below_pointers + state + 1]):
                    begin = beta + ints[below_rows + k]
                    work[begin] = log_add(work[begin], flow + work[slots + ints[below_slots + k]])
        if dense < high:
            block = slots + ints[base + ints[base + C.BLOCKS] + component]
            solve_block(work, block, high - dense, stars + dense, beta + dense)
        for state in range(dense - 1, low - 1, -1):
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
