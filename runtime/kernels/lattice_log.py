"""Forward score of an acyclic graph, and its gradient: the arcs' posterior probabilities.

The forward pass keeps for each arc the share that it has in its destination's forward score, so that the backward pass
is multiplications and additions only.
"""

from __future__ import annotations

from math import exp, inf, log

from arcgrad.runtime.kernels.common import GRAPH_BACKWARD, GRAPH_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.routines import kernel

__all__ = ["lattice_log_backward", "lattice_log_forward"]


@kernel(GRAPH_FORWARD)
def lattice_log_forward(ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    rows = base + ints[base + 8]
    sources = base + ints[base + 9]
    alpha = work0 + n_arcs
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, 1.0)
    for state in range(n_states):
        work[alpha + state] = -inf
    for k in range(ints[base + 2]):
        work[alpha + ints[base + ints[base + 3] + k]] = 0.0
    for state in range(n_states):
        own = work[alpha + state]  # 0 at a start: the empty path
        low = ints[rows + state]
        high = ints[rows + state + 1]
        best = own
        for arc in range(low, high):
            score = work[alpha + ints[sources + arc]] + work[work0 + arc]
            work[work0 + arc] = score
            if score > best:
                best = score
        if best == -inf:
            for arc in range(low, high):
                work[work0 + arc] = 0.0
            continue
        total = exp(own - best)
        for arc in range(low, high):
            term = exp(work[work0 + arc] - best)
            work[work0 + arc] = term
            total += term
        for arc in range(low, high):
            work[work0 + arc] /= total
        work[alpha + state] = best + log(total)
    best = -inf
    accepts = base + ints[base + 5]
    for k in range(ints[base + 4]):
        best = max(best, work[alpha + ints[accepts + k]])
    if best > -inf:
        total = 0.0
        for k in range(ints[base + 4]):
            total += exp(work[alpha + ints[accepts + k]] - best)
        best += log(total)
    work[alpha + 2 * n_states] = best
    return best


@kernel(GRAPH_BACKWARD)
def lattice_log_backward(
    ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign, seed, gradient, g_shared, g_shift
):
    """Add seed × posterior of each arc to the gradient of its entries."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    rows = base + ints[base + 8]
    sources = base + ints[base + 9]
    alpha = work0 + n_arcs
    occupancy = alpha + n_states
    score = work[alpha + 2 * n_states]
    if score == -inf:
        return
    for state in range(n_states):
        work[occupancy + state] = 0.0
    accepts = base + ints[base + 5]
    for k in range(ints[base + 4]):
        state = ints[accepts + k]
        work[occupancy + state] = seed * exp(work[alpha + state] - score)
    for state in range(n_states - 1, -1, -1):
        flow = work[occupancy + state]
        if flow == 0.0:
            continue
        for arc in range(ints[rows + state], ints[rows + state + 1]):
            share = flow * work[work0 + arc]
            work[occupancy + ints[sources + arc]] += share
            add_to_entries(ints, base, arc, share, gradient, n_shared, g_shared, g_shift)
