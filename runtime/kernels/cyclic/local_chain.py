"""A cyclic graph's paths as a chain of local probabilities, and its linear equations, solved by the factors of ``log``.

Called by ``cyclic_expectation``. With α the forward scores, an arc's share in its end's, exp(α + weight − α of the
end), is the probability that it came last. Sums over ways to a state, and over ways on from it, then solve linear
equations whose matrix is that of ``cyclic_log``, scaled by α, and so are the factors that elimination has left:
entries become probabilities of a first return, and pivots' stars stay as they are. Right-hand sides may have any
sign.
"""

from __future__ import annotations

from math import exp, inf

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.cyclic_log import above, best_start, parts_of_work
from arcgrad.runtime.kernels.cyclic.dense_block import SCRATCH, padded
from arcgrad.runtime.kernels.cyclic.potentials import difference

__all__ = [
    "ACCEPT_SHARES",
    "BEFORE",
    "MEANS",
    "ROWS",
    "SCALARS",
    "START_SHARES",
    "VISITS",
    "arc_values",
    "become_linear",
    "chain_size",
    "further_place",
    "scalar_place",
    "solve_back",
    "solve_forward",
    "state_row",
]

START_SHARES, ACCEPT_SHARES, MEANS, VISITS, BEFORE, ROWS = 0, 1, 2, 5, 6, 9
"""Rows of states: the probability of having begun there, and of ending there; what is expected of the ways to a state,
of both sums and of their covariance; visits; surprises of these three; and how many rows there are."""

SCALARS = 4
"""Scalars: the three expectations of the whole, and 1 where there is a way back, else 0."""


@helper
def further_place(region):
    """Where, behind what ``cyclic_log`` needs, the chain's numbers begin."""
    n_states = region[C.N_STATES]
    _, _, stars = parts_of_work(region)
    return stars + 6 * n_states + 1 + SCRATCH


@helper
def state_row(region, row):
    """Place of a row of states."""
    return further_place(region) + row * region[C.N_STATES]


@helper
def scalar_place(region):
    """Place of the scalars."""
    return state_row(region, ROWS)


@helper
def arc_values(region, kind):
    """Place of the arcs' values of a kind."""
    return scalar_place(region) + SCALARS + kind * region[C.N_ARCS]


@helper
def chain_size(region):
    """Numbers of the workspace."""
    return arc_values(region, 2)


@helper
def ratio(work, alpha, source, weight, end):
    """The share in the end's forward score of what comes from a source."""
    if weight == -inf or work[alpha + source] == -inf or work[alpha + end] == -inf:
        return 0.0
    return exp((work[alpha + source] - work[alpha + end]) + weight)


@kernel("void(const int32[::1], float64[::1])", internal=True)
def become_linear(region, work):
    """Replace arcs' weights, factors and stars by shares, after ``cyclic_log``'s forward pass has found a path."""
    n_states, n_arcs = region[C.N_STATES], region[C.N_ARCS]
    slots, _, stars = parts_of_work(region)
    alpha = stars + n_states
    beta = alpha + n_states
    total = work[beta + n_states]
    potentials = beta + n_states + 1
    begun, ended = state_row(region, START_SHARES), state_row(region, ACCEPT_SHARES)
    for k in range(2 * n_states):
        work[begun + k] = 0.0
    top, found = best_start(region, work, potentials)
    for k in range(region[C.N_STARTS]):
        state = region[region[C.STARTS] + k]
        if found and work[alpha + state] > -inf:
            work[begun + state] = exp(above(work, potentials, n_states, state, top) - work[alpha + state])
    for k in range(region[C.N_ACCEPTS]):
        state = region[region[C.ACCEPTS] + k]
        if work[alpha + state] > -inf:
            left = difference(work, potentials, n_states, state, 0.0, 0.0, 0.0)
            work[ended + state] = exp((work[alpha + state] - left) - total)
    for arc in range(n_arcs):
        source, end = region[region[C.ARC_SOURCES] + arc], region[region[C.ARC_ENDS] + arc]
        work[arc] = ratio(work, alpha, source, work[arc], end)
    pointers = region[C.SLOT_POINTERS]
    for state in range(n_states):
        for slot in range(region[pointers + state], region[pointers + state + 1]):
            column = region[region[C.SLOT_COLUMNS] + slot]
            work[slots + slot] = ratio(work, alpha, state, work[slots + slot], column)
        work[stars + state] = exp(work[stars + state])
    for component in range(region[C.N_COMPONENTS]):
        dense = region[region[C.DENSE_STATES] + component]
        n = region[region[C.COMPONENTS] + component + 1] - dense
        block = slots + region[region[C.BLOCKS] + component]
        for i in range(n):
            row = block + i * padded(n)
            for j in range(n):
                work[row + j] = ratio(work, alpha, dense + i, work[row + j], dense + j)


@kernel("void(const int32[::1], float64[::1], int64)", internal=True)
def solve_forward(region, work, at):
    """Replace a row of states by the solution of x = row + Σ shares of the arcs into a state × x at their sources."""
    slots, _, stars = parts_of_work(region)
    pointers, columns, diagonals = region[C.SLOT_POINTERS], region[C.SLOT_COLUMNS], region[C.DIAGONAL_SLOTS]
    below_pointers, below_rows, below_slots = region[C.BELOW_POINTERS], region[C.BELOW_ROWS], region[C.BELOW_SLOTS]
    for component in range(region[C.N_COMPONENTS]):
        low = region[region[C.COMPONENTS] + component]
        high = region[region[C.COMPONENTS] + component + 1]
        dense = region[region[C.DENSE_STATES] + component]
        for state in range(low, high):
            for k in range(region[region[C.IN_POINTERS] + state], region[region[C.IN_POINTERS] + state + 1]):
                arc = region[region[C.ARCS_IN] + k]
                if region[region[C.ARC_PLACES] + arc] < 0:
                    work[at + state] += work[arc] * work[at + region[region[C.ARC_SOURCES] + arc]]
        for state in range(low, dense):
            flow = work[at + state] * work[stars + state]
            if region[diagonals + state] >= 0:
                for slot in range(region[diagonals + state] + 1, region[pointers + state + 1]):
                    work[at + region[columns + slot]] += flow * work[slots + slot]
        n = high - dense
        block, stride = slots + region[region[C.BLOCKS] + component], padded(n)
        for i in range(n):
            work[at + dense + i] *= work[stars + dense + i]
            flow = work[at + dense + i]
            for j in range(i + 1, n):
                work[at + dense + j] += flow * work[block + i * stride + j]
        for back in range(n):
            i = n - 1 - back
            onward = 0.0
            for j in range(i + 1, n):
                onward += work[block + j * stride + i] * work[at + dense + j]
            work[at + dense + i] += work[stars + dense + i] * onward
        for back in range(dense - low):
            state = dense - 1 - back
            total = work[at + state]
            for k in range(region[below_pointers + state], region[below_pointers + state + 1]):
                total += work[at + region[below_rows + k]] * work[slots + region[below_slots + k]]
            work[at + state] = total * work[stars + state]


@kernel("void(const int32[::1], float64[::1], int64)", internal=True)
def solve_back(region, work, at):
    """Replace a row of states by the solution of x = row + Σ shares of the arcs out of a state × x at their ends."""
    slots, _, stars = parts_of_work(region)
    pointers, columns, diagonals = region[C.SLOT_POINTERS], region[C.SLOT_COLUMNS], region[C.DIAGONAL_SLOTS]
    below_pointers, below_rows, below_slots = region[C.BELOW_POINTERS], region[C.BELOW_ROWS], region[C.BELOW_SLOTS]
    for last in range(region[C.N_COMPONENTS]):
        component = region[C.N_COMPONENTS] - 1 - last
        low = region[region[C.COMPONENTS] + component]
        high = region[region[C.COMPONENTS] + component + 1]
        dense = region[region[C.DENSE_STATES] + component]
        for state in range(low, high):
            for arc in range(region[region[C.OUT_POINTERS] + state], region[region[C.OUT_POINTERS] + state + 1]):
                if region[region[C.ARC_PLACES] + arc] < 0:
                    work[at + state] += work[arc] * work[at + region[region[C.ARC_ENDS] + arc]]
        for state in range(low, dense):
            flow = work[at + state] * work[stars + state]
            for k in range(region[below_pointers + state], region[below_pointers + state + 1]):
                work[at + region[below_rows + k]] += flow * work[slots + region[below_slots + k]]
        n = high - dense
        block, stride = slots + region[region[C.BLOCKS] + component], padded(n)
        for i in range(n):
            entering = work[at + dense + i]
            for j in range(i):
                entering += work[block + i * stride + j] * work[at + dense + j]
            work[at + dense + i] = entering * work[stars + dense + i]
        for back in range(n):
            i = n - 1 - back
            onward = 0.0
            for j in range(i + 1, n):
                onward += work[block + i * stride + j] * work[at + dense + j]
            work[at + dense + i] += work[stars + dense + i] * onward
        for back in range(dense - low):
            state = dense - 1 - back
            total = work[at + state]
            if region[diagonals + state] >= 0:
                for slot in range(region[diagonals + state] + 1, region[pointers + state + 1]):
                    total += work[at + region[columns + slot]] * work[slots + slot]
            work[at + state] = total * work[stars + state]
