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
from arcgrad.runtime.kernels.entries import GRAPH_BACKWARD, GRAPH_FORWARD, add_to_entries, gather_weights, is_stopped

__all__ = ["above", "best_start", "cyclic_log_backward", "cyclic_log_forward", "parts_of_work"]

_ORDINARY = 1e3
"""Weights up to this lose nothing that counts in sums: potentials stay 0."""


@helper
def parts_of_work(region):
    """Where slots and blocks, the blocks' mirrors, and stars stand in the workspace."""
    slots = region[C.N_ARCS]
    mirrors = slots + (region[C.N_PLACES] - region[C.N_SLOTS])
    return slots, mirrors, mirrors + region[C.N_PLACES]


@helper
def keep_useful(region, n_states, n_arcs, work, iwork):
    """Make arcs absent that lie on no finite accepting path, so that a cycle there diverges for nobody."""
    sources = region[C.ARC_SOURCES]
    ends = region[C.ARC_ENDS]
    stack = 2 * n_states
    for direction in range(2):
        marks = direction * n_states
        count, begin = (C.N_STARTS, C.STARTS) if direction == 0 else (C.N_ACCEPTS, C.ACCEPTS)
        rows = region[C.OUT_POINTERS if direction == 0 else C.IN_POINTERS]
        for state in range(n_states):
            iwork[marks + state] = 0
        waiting = 0
        for k in range(region[count]):
            state = region[region[begin] + k]
            iwork[marks + state] = 1
            iwork[stack + waiting] = state
            waiting += 1
        while waiting > 0:
            waiting -= 1
            state = iwork[stack + waiting]
            for k in range(region[rows + state], region[rows + state + 1]):
                near_arc = np.int64(k) if direction == 0 else np.int64(region[region[C.ARCS_IN] + k])
                far = region[(ends if direction == 0 else sources) + near_arc]
                if work[near_arc] > -inf and iwork[marks + far] == 0:
                    iwork[marks + far] = 1
                    iwork[stack + waiting] = far
                    waiting += 1
    for arc in range(n_arcs):
        if iwork[region[sources + arc]] == 0 or iwork[n_states + region[ends + arc]] == 0:
            work[arc] = -inf


@helper
def above(work, potentials, n_states, state, other):
    """By how much a state's potential exceeds another's."""
    return difference(
        work, potentials, n_states, state,
        work[potentials + other], work[potentials + n_states + other], work[potentials + 2 * n_states + other],
    )  # fmt: skip


@helper
def best_start(region, work, potentials):
    """The start of the greatest potential, and whether any has a finite way to an accept."""
    n_states = region[C.N_STATES]
    top, found = 0, False
    for k in range(region[C.N_STARTS]):
        state = region[region[C.STARTS] + k]
        if work[potentials + 2 * n_states + state] > -inf:
            if not found or above(work, potentials, n_states, state, top) > 0.0:
                top = state
            found = True
    return top, found


@helper
def slot_of(region, columns, slot, end, column):
    """The slot of a column in a row from some slot on, where it is: in steps that double, since rows may be long."""
    step = 1
    while region[columns + slot] != column:
        if slot + step < end and region[columns + slot + step] <= column:
            slot += step
            step *= 2
        else:
            step = max(step // 2, 1)
    return slot


@helper
def eliminate(region, low, high, dense, block, work, iwork, slots, stars):
    """Factor the rows and columns of a component's sparse states in place; False where a pivot is ≥ 0, or stopped.

    Args:
        low, high: the component's states.
        dense: where those of the block begin.
        block: where that stands in the workspace.
        slots: where slots do.
        stars: where each state's star is written.
    """
    pointers = region[C.SLOT_POINTERS]
    columns = region[C.SLOT_COLUMNS]
    diagonals = region[C.DIAGONAL_SLOTS]
    below_pointers = region[C.BELOW_POINTERS]
    below_rows = region[C.BELOW_ROWS]
    below_slots = region[C.BELOW_SLOTS]
    for pivot in range(low, dense):
        if is_stopped(iwork):
            return False
        diagonal = region[diagonals + pivot]
        if diagonal < 0:
            work[stars + pivot] = 0.0
            continue
        loop = work[slots + diagonal]
        if loop >= 0.0:
            return False
        star = -log(-expm1(loop))
        work[stars + pivot] = star
        end = region[pointers + pivot + 1]
        for k in range(region[below_pointers + pivot], region[below_pointers + pivot + 1]):
            factor = work[slots + region[below_slots + k]] + star
            if factor == -inf:
                continue
            # Both rows' columns ascend, and this row has every column of the pivot's row right of the pivot: as slots,
            # or from some column on in the block.
            row = region[below_rows + k]
            own = np.int64(region[below_slots + k])
            full = block + (row - dense) * padded(high - dense) - dense
            for slot in range(diagonal + 1, end):
                if work[slots + slot] > -inf:
                    column = region[columns + slot]
                    if row >= dense and column >= dense:
                        place = full + column
                    else:
                        own = slot_of(region, columns, own, region[pointers + row + 1], column)
                        place = slots + own
                    work[place] = log_add(work[place], factor + work[slots + slot])
    return True


@helper
def add_from(region, state, work, scores, pointers, arcs, others):
    """log-add to a state's score what comes along arcs from, or goes to, other components.

    Args:
        scores: where those of states stand.
        pointers: the state's arcs among those in ``arcs``; 0: in order.
        others: where the arcs' other ends stand.
    """
    places = region[C.ARC_PLACES]
    low, high = region[pointers + state], region[pointers + state + 1]
    best = work[scores + state]
    for k in range(low, high):
        arc = np.int64(region[arcs + k]) if arcs > 0 else np.int64(k)
        if region[places + arc] < 0:
            best = max(best, work[scores + region[others + arc]] + work[arc])
    if best > -inf:
        total = exp(work[scores + state] - best)
        for k in range(low, high):
            arc = np.int64(region[arcs + k]) if arcs > 0 else np.int64(k)
            if region[places + arc] < 0:
                total += exp(work[scores + region[others + arc]] + work[arc] - best)
        work[scores + state] = best + log(total)


@kernel(GRAPH_FORWARD)
def cyclic_log_forward(region, leaves, work, iwork, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none, NaN where it diverges."""
    n_states = region[C.N_STATES]
    n_arcs = region[C.N_ARCS]
    slots, mirror, stars = parts_of_work(region)
    alpha = stars + n_states
    beta = alpha + n_states
    potentials = beta + n_states + 1
    scratch = potentials + 3 * n_states
    gather_weights(region, n_arcs, leaves, work, 1.0)
    absent = large = False
    for arc in range(n_arcs):
        if work[arc] == -inf:
            absent = True
        elif abs(work[arc]) > _ORDINARY:
            large = True
    if absent:
        keep_useful(region, n_states, n_arcs, work, iwork)
    for state in range(3 * n_states):
        work[potentials + state] = 0.0
    if large:
        find_potentials(region, leaves, work, iwork, potentials)
        move_weights(region, n_states, n_arcs, leaves, work, potentials)
    for place in range(region[C.N_PLACES]):
        work[slots + place] = -inf
    places = region[C.ARC_PLACES]
    for arc in range(n_arcs):
        if region[places + arc] >= 0:
            place = slots + region[places + arc]
            work[place] = log_add(work[place], work[arc])
    begins = region[C.COMPONENTS]
    dense_states = region[C.DENSE_STATES]
    blocks = region[C.BLOCKS]
    work[beta + n_states] = nan
    for component in range(region[C.N_COMPONENTS]):
        low, high = region[begins + component], region[begins + component + 1]
        dense, block = region[dense_states + component], slots + region[blocks + component]
        if not eliminate(region, low, high, dense, block, work, iwork, slots, stars):
            return nan
        if dense < high and not eliminate_block(
            work, iwork, block, high - dense, stars + dense, mirror + (block - slots), alpha, scratch
        ):
            return nan

    for state in range(n_states):
        work[alpha + state] = -inf
    top, found = best_start(region, work, potentials)
    for k in range(region[C.N_STARTS]):
        state = region[region[C.STARTS] + k]
        work[alpha + state] = above(work, potentials, n_states, state, top) if found else 0.0
    pointers = region[C.SLOT_POINTERS]
    columns = region[C.SLOT_COLUMNS]
    diagonals = region[C.DIAGONAL_SLOTS]
    below_pointers = region[C.BELOW_POINTERS]
    below_rows = region[C.BELOW_ROWS]
    below_slots = region[C.BELOW_SLOTS]
    in_pointers, arcs_in = region[C.IN_POINTERS], region[C.ARCS_IN]
    sources = region[C.ARC_SOURCES]
    for component in range(region[C.N_COMPONENTS]):
        low, high = region[begins + component], region[begins + component + 1]
        dense = region[dense_states + component]
        for state in range(low, high):
            add_from(region, state, work, alpha, in_pointers, arcs_in, sources)
        for state in range(low, dense):
            flow = work[alpha + state] + work[stars + state]
            if region[diagonals + state] >= 0 and flow > -inf:
                for slot in range(region[diagonals + state] + 1, region[pointers + state + 1]):
                    end = alpha + region[columns + slot]
                    work[end] = log_add(work[end], flow + work[slots + slot])
        if dense < high:
            solve_block(work, mirror + region[blocks + component], high - dense, stars + dense, alpha + dense)
        for state in range(dense - 1, low - 1, -1):
            score = work[alpha + state]
            for k in range(region[below_pointers + state], region[below_pointers + state + 1]):
                score = log_add(score, work[alpha + region[below_rows + k]] + work[slots + region[below_slots + k]])
            work[alpha + state] = score + work[stars + state]
    score = -inf
    for k in range(region[C.N_ACCEPTS]):
        state = region[region[C.ACCEPTS] + k]
        score = log_add(score, work[alpha + state] - difference(work, potentials, n_states, state, 0.0, 0.0, 0.0))
    shown = score
    if found:
        shown = work[potentials + top] + (
            work[potentials + n_states + top] + (work[potentials + 2 * n_states + top] + score)
        )
    work[beta + n_states] = score if shown > -inf else -inf
    return shown


@kernel(GRAPH_BACKWARD)
def cyclic_log_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add cotangent × expected number of uses of each arc to the gradient of its entries."""
    n_states = region[C.N_STATES]
    n_arcs = region[C.N_ARCS]
    slots, _, stars = parts_of_work(region)
    alpha = stars + n_states
    beta = alpha + n_states
    total = work[beta + n_states]
    potentials = beta + n_states + 1
    if not total > -inf:
        return
    for state in range(n_states):
        work[beta + state] = -inf
    for k in range(region[C.N_ACCEPTS]):
        state = region[region[C.ACCEPTS] + k]
        work[beta + state] = -difference(work, potentials, n_states, state, 0.0, 0.0, 0.0)
    pointers = region[C.SLOT_POINTERS]
    columns = region[C.SLOT_COLUMNS]
    diagonals = region[C.DIAGONAL_SLOTS]
    below_pointers = region[C.BELOW_POINTERS]
    below_rows = region[C.BELOW_ROWS]
    below_slots = region[C.BELOW_SLOTS]
    out_pointers, ends = region[C.OUT_POINTERS], region[C.ARC_ENDS]
    for component in range(region[C.N_COMPONENTS] - 1, -1, -1):
        low = region[region[C.COMPONENTS] + component]
        high = region[region[C.COMPONENTS] + component + 1]
        dense = region[region[C.DENSE_STATES] + component]
        for state in range(low, high):
            add_from(region, state, work, beta, out_pointers, 0, ends)
        for state in range(low, dense):
            flow = work[beta + state] + work[stars + state]
            if flow > -inf:
                for k in range(region[below_pointers + state], region[below_pointers + state + 1]):
                    begin = beta + region[below_rows + k]
                    work[begin] = log_add(work[begin], flow + work[slots + region[below_slots + k]])
        if dense < high:
            block = slots + region[region[C.BLOCKS] + component]
            solve_block(work, block, high - dense, stars + dense, beta + dense)
        for state in range(dense - 1, low - 1, -1):
            score = work[beta + state]
            if region[diagonals + state] >= 0:
                for slot in range(region[diagonals + state] + 1, region[pointers + state + 1]):
                    score = log_add(score, work[beta + region[columns + slot]] + work[slots + slot])
            work[beta + state] = score + work[stars + state]
    for arc in range(n_arcs):
        source = region[region[C.ARC_SOURCES] + arc]
        end = region[region[C.ARC_ENDS] + arc]
        posterior = cotangent * exp(work[alpha + source] + work[arc] + work[beta + end] - total)
        add_to_entries(region, arc, posterior, gradient)
