"""Covariance of two sums of values along an acyclic graph's paths, and its gradients, which are third cumulants.

``lattice_expectation`` explains what lies ahead of states, and surprises. Those of different arcs of a path are
uncorrelated, so that the covariance is the expectation of the sum of their products, one more quantity that adds up
along a path. Its own surprises are the products less what was expected of them, and what two surprises before an arc
bring together with those of the arc.

``entropy_along`` is the covariance of −log of the path's probability with a sum of values: the derivative of the
entropy with respect to weights along these.
"""

from __future__ import annotations

from math import inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import GRAPH_BACKWARD, GRAPH_FORWARD, LEAVES, SUMS, add_to_entries
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.lattice.lattice_expectation import (
    accept_share,
    ahead_place,
    has_paths,
    look_ahead,
    write_surprisals,
)
from arcgrad.runtime.kernels.lattice.lattice_log import parts_of_work
from arcgrad.runtime.kernels.values import add_to_values, gather_values

__all__ = [
    "lattice_covariance_backward",
    "lattice_covariance_forward",
    "lattice_entropy_along_backward",
    "lattice_entropy_along_forward",
]

_NEGLIGIBLE = 1e-290
"""Visits below this are dropped, as in ``lattice_log``."""

FIRST, SECOND, PRODUCT, SCALARS = 0, 1, 2, 3
"""The two sums and their covariance: rows of what lies ahead of states, then of what lies before them, and scalars."""


@helper
def rows_of_states(region, work):
    """What lies ahead of states, what lies before, the expectations of the whole, and the two kinds of values."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    at = ahead_place(region)
    ahead = work[at : at + SCALARS * n_states]
    at += SCALARS * n_states
    before = work[at : at + SCALARS * n_states]
    at += SCALARS * n_states
    expected = work[at : at + SCALARS]
    at += SCALARS
    return ahead, before, expected, work[at : at + n_arcs], work[at + n_arcs : at + 2 * n_arcs]


@kernel(f"float64(const int32[::1], {LEAVES}, float64[::1], boolean)", internal=True)
def forward(region, leaves, work, surprisals):
    """The covariance; ``surprisals``: the first values are −log of the arcs' local probabilities."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    terms, mantissas, _, inverses, visits, _, _ = parts_of_work(work, n_states, n_arcs)
    ahead, _, expected, first, second = rows_of_states(region, work)
    if surprisals:
        write_surprisals(region, work, first)
        gather_values(region, 0, leaves, second)
    else:
        gather_values(region, 0, leaves, first)
        gather_values(region, 1, leaves, second)
    expected[FIRST] = look_ahead(region, leaves, first, work, ahead[:n_states], surprisals)
    expected[SECOND] = look_ahead(region, leaves, second, work, ahead[n_states : 2 * n_states], False)
    if expected[FIRST] == -inf or expected[SECOND] == -inf:
        for state in range(n_states):
            visits[state] = 0.0  # no derivative passes below an infinite expectation
        return 0.0
    others, products = ahead[n_states : 2 * n_states], ahead[2 * n_states :]
    accept = region[L.N_ACCEPTS] - 1
    for back in range(n_states):
        state = n_states - 1 - back
        total = 0.0
        for arc in range(rows[state], rows[state + 1]):
            if terms[arc] > 0.0:
                end = ends[arc]
                surprise = (first[arc] + ahead[end]) - ahead[state]
                total += terms[arc] * (products[end] + surprise * ((second[arc] + others[end]) - others[state]))
        if mantissas[state] > 0.0:
            total *= inverses[state]
        while accept >= 0 and region[region[L.ACCEPTS] + accept] > state:
            accept -= 1
        if accept >= 0 and region[region[L.ACCEPTS] + accept] == state:
            share = accept_share(region, work, state)
            if share > 0.0:
                own = -log(share) if surprisals else 0.0
                total -= share * (own - ahead[state]) * others[state]
        products[state] = total
    result = 0.0
    for k in range(region[L.N_STARTS]):
        state = region[region[L.STARTS] + k]
        share = visits[state]
        if share > 0.0:
            own = -log(share) if surprisals else 0.0
            surprise = own + ahead[state] - expected[FIRST]
            result += share * (products[state] + surprise * (others[state] - expected[SECOND]))
    expected[PRODUCT] = result
    return result


@kernel(f"void(const int32[::1], float64[::1], boolean, float64, {SUMS})", internal=True)
def backward(region, work, surprisals, cotangent, gradient):
    """Add cotangent × the derivatives with respect to weights and values."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    terms, _, _, inverses, visits, _, _ = parts_of_work(work, n_states, n_arcs)
    ahead, before, expected, first, second = rows_of_states(region, work)
    for k in range(len(before)):
        before[k] = 0.0
    for k in range(region[L.N_STARTS]):
        state = region[region[L.STARTS] + k]
        share = visits[state]
        if share > 0.0:
            own = -log(share) if surprisals else 0.0
            surprise = own + ahead[state] - expected[FIRST]
            other = ahead[n_states + state] - expected[SECOND]
            before[state] = share * surprise
            before[n_states + state] = share * other
            before[2 * n_states + state] = share * (
                surprise * other + (ahead[2 * n_states + state] - expected[PRODUCT])
            )
    for state in range(n_states):
        if visits[state] < _NEGLIGIBLE:
            continue
        flow = visits[state]
        earlier, earlier_other = before[state], before[n_states + state]
        earlier_product = before[2 * n_states + state]
        for arc in range(rows[state], rows[state + 1]):
            share = terms[arc] * inverses[state]
            if share == 0.0:
                continue
            end = ends[arc]
            surprise = (first[arc] + ahead[end]) - ahead[state]
            other = (second[arc] + ahead[n_states + end]) - ahead[n_states + state]
            product = surprise * other + (ahead[2 * n_states + end] - ahead[2 * n_states + state])
            pulled = share * (earlier + flow * surprise)
            pulled_other = share * (earlier_other + flow * other)
            third = share * (earlier_product + earlier * other + earlier_other * surprise + flow * product)
            visits[end] += flow * share
            before[end] += pulled
            before[n_states + end] += pulled_other
            before[2 * n_states + end] += third
            if surprisals:
                add_to_entries(region, arc, cotangent * (third - pulled_other), gradient)
                add_to_values(region, 0, arc, cotangent * pulled, gradient)
            else:
                add_to_entries(region, arc, cotangent * third, gradient)
                add_to_values(region, 0, arc, cotangent * pulled_other, gradient)
                add_to_values(region, 1, arc, cotangent * pulled, gradient)


@kernel(GRAPH_FORWARD)
def lattice_covariance_forward(region, leaves, work, iwork, sign):
    """The covariance of the two sums of values; 0 where there is no path, or a value on one is −inf."""
    if not has_paths(region, leaves, work, iwork):
        return 0.0
    return forward(region, leaves, work, False)


@kernel(GRAPH_BACKWARD)
def lattice_covariance_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to gradients: of values cotangent × Cov(arc, the other sum), of weights the third cumulants."""
    backward(region, work, False, cotangent, gradient)


@kernel(GRAPH_FORWARD)
def lattice_entropy_along_forward(region, leaves, work, iwork, sign):
    """The covariance of −log of the path's probability and Σ values; 0 without a path, or where a value is −inf."""
    if not has_paths(region, leaves, work, iwork):
        return 0.0
    return forward(region, leaves, work, True)


@kernel(GRAPH_BACKWARD)
def lattice_entropy_along_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to gradients: of values cotangent × Cov(arc, −log probability), of weights the second derivatives'."""
    backward(region, work, True, cotangent, gradient)
