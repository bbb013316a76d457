"""Forward score of an acyclic graph, and its gradient: the arcs' posterior probabilities.

A forward score is a mantissa and an exponent of its own, m · 2^e, and so is each arc's exp(weight): sums need neither
exponentials nor logarithms, and lose nothing that a sum in the log domain would keep. The forward pass keeps for each
arc the share that it has in its destination's score, so that the backward pass is multiplications and additions only.
"""

from __future__ import annotations

from math import frexp, inf, log

from arcgrad.runtime.kernels.common import GRAPH_BACKWARD, GRAPH_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.kernels.exponentials import LN2, NEGATIVE_POWERS, split_exponentials
from arcgrad.runtime.routines import helper, kernel

__all__ = ["lattice_log_backward", "lattice_log_forward"]

_NEGLIGIBLE = 1e-290
"""Posteriors below this are dropped: products of smaller numbers are slow and soon zero."""


@helper
def enter(low, high, sources, factors, arc_exponents, mantissas, exponents, state):
    """Add the arcs into a state to its score, and replace their factors by their shares in it."""
    top = exponents[state] if mantissas[state] > 0.0 else -inf
    for arc in range(low, high):
        if factors[arc] > 0.0 and mantissas[sources[arc]] > 0.0:
            top = max(top, exponents[sources[arc]] + arc_exponents[arc])
    if top == -inf:
        for arc in range(low, high):
            factors[arc] = 0.0
        return
    total = 0.0
    if mantissas[state] > 0.0 and top - exponents[state] < len(NEGATIVE_POWERS):
        total = mantissas[state] * NEGATIVE_POWERS[int(top - exponents[state])]
    for arc in range(low, high):
        term = factors[arc] * mantissas[sources[arc]]
        behind = top - (exponents[sources[arc]] + arc_exponents[arc])
        if term > 0.0 and behind < len(NEGATIVE_POWERS):
            term *= NEGATIVE_POWERS[int(behind)]
        else:
            term = 0.0
        factors[arc] = term
        total += term
    portion = 1.0 / total
    for arc in range(low, high):
        factors[arc] *= portion
    if total > 1e9 or total < 1e-9:
        total, exponent = frexp(total)
        top += exponent
    mantissas[state] = total
    exponents[state] = top


@kernel(GRAPH_FORWARD)
def lattice_log_forward(ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    rows = ints[base + ints[base + 8] : base + ints[base + 8] + n_states + 1]
    sources = ints[base + ints[base + 9] : base + ints[base + 9] + n_arcs]
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, 1.0)
    factors = work[work0 : work0 + n_arcs]
    arc_exponents = work[work0 + n_arcs : work0 + 2 * n_arcs]
    at = work0 + 2 * n_arcs
    mantissas = work[at : at + n_states]
    exponents = work[at + n_states : at + 2 * n_states]
    split_exponentials(factors, arc_exponents)
    mantissas[:] = 0.0
    exponents[:] = 0.0
    for k in range(ints[base + 2]):
        mantissas[ints[base + ints[base + 3] + k]] = 1.0
    for state in range(n_states):
        enter(rows[state], rows[state + 1], sources, factors, arc_exponents, mantissas, exponents, state)

    # The accepts' scores add up in the same way; their posteriors are what the backward pass begins with.
    posteriors = work[at + 2 * n_states : at + 3 * n_states]
    posteriors[:] = 0.0
    accepts = ints[base + ints[base + 5] : base + ints[base + 5] + ints[base + 4]]
    top = -inf
    for state in accepts:
        if mantissas[state] > 0.0:
            top = max(top, exponents[state])
    score = -inf
    if top > -inf:
        total = 0.0
        for state in accepts:
            if mantissas[state] > 0.0 and top - exponents[state] < len(NEGATIVE_POWERS):
                posteriors[state] = mantissas[state] * NEGATIVE_POWERS[int(top - exponents[state])]
                total += posteriors[state]
        for state in accepts:
            posteriors[state] /= total
        score = log(total) + top * LN2
    work[at + 3 * n_states] = score
    return score


@kernel(GRAPH_BACKWARD)
def lattice_log_backward(
    ints, base, weights, n_shared, shift, work, work0, iwork, iwork0, sign, seed, gradient, g_shared, g_shift
):
    """Add seed × posterior of each arc to the gradient of its entries."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    rows = ints[base + ints[base + 8] : base + ints[base + 8] + n_states + 1]
    sources = ints[base + ints[base + 9] : base + ints[base + 9] + n_arcs]
    at = work0 + 2 * n_arcs
    posteriors = work[at + 2 * n_states : at + 3 * n_states]
    if work[at + 3 * n_states] == -inf:
        return
    for back in range(n_states):
        state = n_states - 1 - back
        flow = posteriors[state]
        if flow < _NEGLIGIBLE:
            continue
        for arc in range(rows[state], rows[state + 1]):
            share = flow * work[work0 + arc]
            posteriors[sources[arc]] += share
            add_to_entries(ints, base, arc, seed * share, gradient, n_shared, g_shared, g_shift)
