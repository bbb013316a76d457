"""Expected sums of values over a cyclic graph's paths, entropies and covariances, and their gradients, exact.

As for lattices (``lattice_expectation`` and ``lattice_covariance`` explain them), with sums over the ways to a state,
and the way back from the accepts; both are solutions of the equations of ``local_chain``. Values count as often as a
path takes their arc.
"""

from __future__ import annotations

from math import inf, log, nan

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.cyclic.cyclic_log import cyclic_log_forward
from arcgrad.runtime.kernels.cyclic.local_chain import (
    ACCEPT_SHARES,
    BEFORE,
    MEANS,
    START_SHARES,
    VISITS,
    arc_values,
    become_linear,
    scalar_place,
    solve_back,
    solve_forward,
    state_row,
)
from arcgrad.runtime.kernels.entries import GRAPH_BACKWARD, GRAPH_FORWARD, LEAVES, SUMS, add_to_entries
from arcgrad.runtime.kernels.values import add_to_values, gather_values

__all__ = [
    "cyclic_covariance_backward",
    "cyclic_covariance_forward",
    "cyclic_entropy_along_backward",
    "cyclic_entropy_along_forward",
    "cyclic_entropy_backward",
    "cyclic_entropy_forward",
    "cyclic_expectation_backward",
    "cyclic_expectation_forward",
]

_COVARIANCE, _HAS_BACK = 2, 3
"""Scalars behind the two expectations: the covariance; whether there is a way back."""


@helper
def has_values(region, leaves, work, kind, to):
    """Gather values of a kind, those of absent arcs as 0; whether none on a path is −inf."""
    place = arc_values(region, to)
    n_arcs = region[C.N_ARCS]
    gather_values(region, kind, leaves, work[place : place + n_arcs])
    finite = True
    for arc in range(n_arcs):
        if work[arc] == -inf:
            work[place + arc] = 0.0
        finite = finite and work[place + arc] > -inf
    return finite


@helper
def own(share, surprisals):
    """What beginning or ending with a probability brings to the sum."""
    return -log(share) if surprisals and share > 0.0 else 0.0


@kernel("void(const int32[::1], float64[::1])", internal=True)
def write_surprisals(region, work):
    """Values −log of the arcs' shares; 0 where that is 0."""
    values = arc_values(region, 0)
    for arc in range(region[C.N_ARCS]):
        share = work[arc]
        work[values + arc] = max(-log(share), 0.0) if share > 0.0 else 0.0


@kernel("void(const int32[::1], float64[::1], int64, boolean)", internal=True)
def look_along(region, work, kind, surprisals):
    """What is expected of the ways to each state, and of whole paths."""
    n_states = region[C.N_STATES]
    begun, ended, means = (
        state_row(region, START_SHARES),
        state_row(region, ACCEPT_SHARES),
        state_row(region, MEANS + kind),
    )
    values = arc_values(region, kind)
    for state in range(n_states):
        work[means + state] = work[begun + state] * own(work[begun + state], surprisals)
    for arc in range(region[C.N_ARCS]):
        work[means + region[region[C.ARC_ENDS] + arc]] += work[arc] * work[values + arc]
    solve_forward(region, work, means)
    expected = 0.0
    for state in range(n_states):
        share = work[ended + state]
        if share > 0.0:
            expected += share * (own(share, surprisals) + work[means + state])
    work[scalar_place(region) + kind] = expected


@helper
def surprise_of(region, work, arc, kind):
    """An arc's value and what is expected at its source, less what is expected at its end."""
    means = state_row(region, MEANS + kind)
    source, end = region[region[C.ARC_SOURCES] + arc], region[region[C.ARC_ENDS] + arc]
    return (work[arc_values(region, kind) + arc] + work[means + source]) - work[means + end]


@helper
def accept_surprise(region, work, state, kind, surprisals):
    """The surprise of ending at a state."""
    share = work[state_row(region, ACCEPT_SHARES) + state]
    mean = work[state_row(region, MEANS + kind) + state]
    return (own(share, surprisals) + mean) - work[scalar_place(region) + kind]


@kernel("void(const int32[::1], float64[::1])", internal=True)
def count_visits(region, work):
    """How often each state is expected to be visited."""
    ended, visits = state_row(region, ACCEPT_SHARES), state_row(region, VISITS)
    for state in range(region[C.N_STATES]):
        work[visits + state] = work[ended + state]
    solve_back(region, work, visits)


@kernel("void(const int32[::1], float64[::1], int64, boolean)", internal=True)
def carry_back(region, work, kind, surprisals):
    """The sum of surprises on the ways on from each state."""
    visits, before = state_row(region, VISITS), state_row(region, BEFORE + kind)
    ended = state_row(region, ACCEPT_SHARES)
    for state in range(region[C.N_STATES]):
        share = work[ended + state]
        work[before + state] = share * accept_surprise(region, work, state, kind, surprisals) if share > 0.0 else 0.0
    for arc in range(region[C.N_ARCS]):
        source, end = region[region[C.ARC_SOURCES] + arc], region[region[C.ARC_ENDS] + arc]
        work[before + source] += work[visits + end] * work[arc] * surprise_of(region, work, arc, kind)
    solve_back(region, work, before)


@helper
def pulled(region, work, arc, kind):
    """The covariance of an arc's uses and the sum of values of a kind."""
    end = region[region[C.ARC_ENDS] + arc]
    flow = work[state_row(region, VISITS) + end]
    earlier = work[state_row(region, BEFORE + kind) + end]
    return work[arc] * (earlier + flow * surprise_of(region, work, arc, kind))


@helper
def product_of(region, work, arc):
    """The surprise of the product of two surprises; and what those before bring with it."""
    first, second = surprise_of(region, work, arc, 0), surprise_of(region, work, arc, 1)
    means = state_row(region, MEANS + 2)
    source, end = region[region[C.ARC_SOURCES] + arc], region[region[C.ARC_ENDS] + arc]
    own_product = first * second + (work[means + source] - work[means + end])
    before, other = work[state_row(region, BEFORE) + end], work[state_row(region, BEFORE + 1) + end]
    return work[state_row(region, VISITS) + end] * own_product + (before * second + other * first)


@helper
def has_paths(region, leaves, work, iwork):
    """Sum the paths: 1 where there are some, 0 where not, NaN where the sum diverges."""
    work[scalar_place(region) + _HAS_BACK] = 0.0
    score = cyclic_log_forward(region, leaves, work, iwork, 1.0)
    if score != score:
        return nan
    return 1.0 if score > -inf else 0.0


@kernel(f"float64(const int32[::1], {LEAVES}, float64[::1], int32[::1], boolean)", internal=True)
def one_sum(region, leaves, work, iwork, surprisals):
    """The expectation of one sum; that of −log of the path's probability where values are ``surprisals``."""
    found = has_paths(region, leaves, work, iwork)
    if found != 1.0:
        return found
    if not surprisals and not has_values(region, leaves, work, 0, 0):
        return -inf
    become_linear(region, work)
    if surprisals:
        write_surprisals(region, work)
    look_along(region, work, 0, surprisals)
    work[scalar_place(region) + _HAS_BACK] = 1.0
    return work[scalar_place(region)]


@kernel(f"void(const int32[::1], float64[::1], boolean, float64, {SUMS})", internal=True)
def one_sum_back(region, work, surprisals, cotangent, gradient):
    """Add cotangent × the derivatives with respect to weights and values."""
    if work[scalar_place(region) + _HAS_BACK] == 0.0:
        return
    count_visits(region, work)
    carry_back(region, work, 0, surprisals)
    visits = state_row(region, VISITS)
    for arc in range(region[C.N_ARCS]):
        if work[arc] > 0.0:
            add_to_entries(region, arc, cotangent * pulled(region, work, arc, 0), gradient)
            if not surprisals:
                share = work[arc] * work[visits + region[region[C.ARC_ENDS] + arc]]
                add_to_values(region, 0, arc, cotangent * share, gradient)


@kernel(f"float64(const int32[::1], {LEAVES}, float64[::1], int32[::1], boolean)", internal=True)
def two_sums(region, leaves, work, iwork, surprisals):
    """The covariance of two sums, the first that of −log of the arcs' shares where values are ``surprisals``."""
    found = has_paths(region, leaves, work, iwork)
    if found != 1.0:
        return found
    finite = has_values(region, leaves, work, 0 if surprisals else 1, 1)
    if not surprisals:
        finite = has_values(region, leaves, work, 0, 0) and finite
    if not finite:
        return 0.0  # no derivative passes below an infinite expectation
    become_linear(region, work)
    if surprisals:
        write_surprisals(region, work)
    look_along(region, work, 0, surprisals)
    look_along(region, work, 1, False)
    n_states = region[C.N_STATES]
    begun, ended = state_row(region, START_SHARES), state_row(region, ACCEPT_SHARES)
    means = state_row(region, MEANS)
    products = means + 2 * n_states
    for state in range(n_states):
        share = work[begun + state]
        surprise = own(share, surprisals) - work[means + state]
        work[products + state] = -share * surprise * work[means + n_states + state]
    for arc in range(region[C.N_ARCS]):
        product = surprise_of(region, work, arc, 0) * surprise_of(region, work, arc, 1)
        work[products + region[region[C.ARC_ENDS] + arc]] += work[arc] * product
    solve_forward(region, work, products)
    result = 0.0
    for state in range(n_states):
        share = work[ended + state]
        if share > 0.0:
            surprise = accept_surprise(region, work, state, 0, surprisals)
            other = accept_surprise(region, work, state, 1, False)
            result += share * (surprise * other + work[products + state])
    work[scalar_place(region) + _COVARIANCE] = result
    work[scalar_place(region) + _HAS_BACK] = 1.0
    return result


@kernel(f"void(const int32[::1], float64[::1], boolean, float64, {SUMS})", internal=True)
def two_sums_back(region, work, surprisals, cotangent, gradient):
    """Add cotangent × the derivatives with respect to weights and values."""
    if work[scalar_place(region) + _HAS_BACK] == 0.0:
        return
    count_visits(region, work)
    carry_back(region, work, 0, surprisals)
    carry_back(region, work, 1, False)
    n_states = region[C.N_STATES]
    ended, thirds = state_row(region, ACCEPT_SHARES), state_row(region, BEFORE + 2)
    products = state_row(region, MEANS + 2)
    value = work[scalar_place(region) + _COVARIANCE]
    for state in range(n_states):
        share = work[ended + state]
        work[thirds + state] = 0.0
        if share > 0.0:
            surprise = accept_surprise(region, work, state, 0, surprisals)
            other = accept_surprise(region, work, state, 1, False)
            work[thirds + state] = share * (surprise * other + (work[products + state] - value))
    for arc in range(region[C.N_ARCS]):
        work[thirds + region[region[C.ARC_SOURCES] + arc]] += work[arc] * product_of(region, work, arc)
    solve_back(region, work, thirds)
    for arc in range(region[C.N_ARCS]):
        if work[arc] == 0.0:
            continue
        end = region[region[C.ARC_ENDS] + arc]
        third = work[arc] * (work[thirds + end] + product_of(region, work, arc))
        first, second = pulled(region, work, arc, 0), pulled(region, work, arc, 1)
        if surprisals:
            add_to_entries(region, arc, cotangent * (third - second), gradient)
            add_to_values(region, 0, arc, cotangent * first, gradient)
        else:
            add_to_entries(region, arc, cotangent * third, gradient)
            add_to_values(region, 0, arc, cotangent * second, gradient)
            add_to_values(region, 1, arc, cotangent * first, gradient)


@kernel(GRAPH_FORWARD)
def cyclic_expectation_forward(region, leaves, work, iwork, sign):
    """The expected sum of values; 0 where there is no path, −inf where a value on one is, NaN where sums diverge."""
    return one_sum(region, leaves, work, iwork, False)


@kernel(GRAPH_BACKWARD)
def cyclic_expectation_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to gradients: of weights cotangent × Cov(uses, Σ values), of values the expected uses'."""
    one_sum_back(region, work, False, cotangent, gradient)


@kernel(GRAPH_FORWARD)
def cyclic_entropy_forward(region, leaves, work, iwork, sign):
    """The entropy of the distribution of paths, in nats; 0 where there is no path, NaN where their sum diverges."""
    return one_sum(region, leaves, work, iwork, True)


@kernel(GRAPH_BACKWARD)
def cyclic_entropy_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to the gradients of weights cotangent × Cov(uses, −log probability of the path)."""
    one_sum_back(region, work, True, cotangent, gradient)


@kernel(GRAPH_FORWARD)
def cyclic_covariance_forward(region, leaves, work, iwork, sign):
    """The covariance of two sums of values; 0 without a path or where a value is −inf, NaN where sums diverge."""
    return two_sums(region, leaves, work, iwork, False)


@kernel(GRAPH_BACKWARD)
def cyclic_covariance_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to gradients: of values cotangent × Cov(uses, the other sum), of weights the third cumulants."""
    two_sums_back(region, work, False, cotangent, gradient)


@kernel(GRAPH_FORWARD)
def cyclic_entropy_along_forward(region, leaves, work, iwork, sign):
    """The covariance of −log of the path's probability and a sum of values; otherwise as that of two sums."""
    return two_sums(region, leaves, work, iwork, True)


@kernel(GRAPH_BACKWARD)
def cyclic_entropy_along_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to gradients: of values cotangent × Cov(uses, −log probability), of weights the second derivatives'."""
    two_sums_back(region, work, True, cotangent, gradient)
