"""Expected sum of the values of an acyclic graph's arcs, the entropy of its paths, and their gradients.

A path's probability is its share of the sum that ``lattice_log`` computes. That leaves each arc's term in its source's
sum, so that term / sum is the arc's *local* probability: of being next, at its source. What lies ahead of a state is
then Σ local probability × (value + ahead of the end), from the accepts to the starts: weights of any size have become
numbers up to 1. The way back from the starts carries two numbers to each state, how often it is visited and the sum of
*surprises* before it: an arc's is its value plus what lies ahead of its end less what lies ahead of its source, which
are 0 on average, so that nothing large cancels. An arc's derivative with respect to its weight is then the local
probability × (surprises before the source + visits × its own surprise), the covariance of value and arc.

The entropy is the expectation of −log of the local probabilities, those of starts and ends included.
"""

from __future__ import annotations

from math import inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import (
    GRAPH_BACKWARD,
    GRAPH_FORWARD,
    LEAVES,
    SUMS,
    add_to_entries,
    first_in_line,
    gather_arcs,
)
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.lattice.lattice_log import SCALARS, lattice_log_forward, parts_of_work
from arcgrad.runtime.kernels.math.scaled import behind, power_of_two
from arcgrad.runtime.kernels.values import add_to_values, gather_values, values_line

__all__ = [
    "accept_share",
    "ahead_place",
    "has_paths",
    "lattice_entropy_backward",
    "lattice_entropy_forward",
    "lattice_expectation_backward",
    "lattice_expectation_forward",
    "look_ahead",
    "values_place",
    "write_surprisals",
]

_NEGLIGIBLE = 1e-290
"""Visits below this are dropped, as in ``lattice_log``."""

_HAS_COARSE = 5
"""Scalar of ``lattice_log``: whether states have coarse exponents."""


@helper
def ahead_place(region):
    """Where, behind what ``lattice_log`` needs, stands what lies ahead of the states; what lies before is next."""
    return region[L.N_ARCS] + 5 * region[L.N_STATES] + SCALARS


@helper
def values_place(region):
    """Where values stand that are not read from the leaves."""
    return ahead_place(region) + 2 * region[L.N_STATES]


@helper
def accept_share(region, work, state):
    """The probability that a path ends at an accept state that it has come to."""
    n_states = region[L.N_STATES]
    _, mantissas, exponents, _, _, coarse, scalars = parts_of_work(work, n_states, region[L.N_ARCS])
    if mantissas[state] == 0.0:
        return 0.0
    more = coarse[state] if scalars[_HAS_COARSE] == 1.0 else 0.0
    return power_of_two(behind(0.0, 0.0, exponents[state], more)) / mantissas[state]


@helper
def has_paths(region, leaves, work, iwork):
    """Sum the paths; whether there is one, which else the backward pass will see by the visits, all 0."""
    n_states = region[L.N_STATES]
    score = lattice_log_forward(region, leaves, work, iwork, 1.0)
    _, _, _, _, visits, _, _ = parts_of_work(work, n_states, region[L.N_ARCS])
    for state in range(n_states if score == -inf else 0):
        visits[state] = 0.0
    return score > -inf


@kernel("void(const int32[::1], float64[::1], float64[::1])", internal=True)
def write_surprisals(region, work, result):
    """Write −log of each arc's local probability, 0 where that is 0."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    terms, _, _, inverses, _, _, _ = parts_of_work(work, n_states, n_arcs)
    for state in range(n_states):
        inverse = inverses[state]
        for arc in range(rows[state], rows[state + 1]):
            share = terms[arc] * inverse
            result[arc] = max(-log(share), 0.0) if share > 0.0 else 0.0


@helper
def look_again(region, leaves, values, work, ahead, state):
    """What lies ahead of a state where some arc's value, or what lies ahead of its end, is −inf.

    That is −inf if the arc is on a path, however unlikely, and not looked at if it is on none.
    """
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    terms, mantissas, _, inverses, _, _, _ = parts_of_work(work, n_states, n_arcs)
    rows = region[L.ARC_POINTERS]
    total = 0.0
    for arc in range(region[rows + state], region[rows + state + 1]):
        end = region[region[L.ARC_ENDS] + arc]
        if mantissas[end] == 0.0:
            continue
        value = values[arc] + ahead[end]
        if value > -inf:
            total += terms[arc] * value
            continue
        term = terms[arc]
        gather_arcs(region, arc, leaves, 1.0, terms[arc : arc + 1])
        weight = terms[arc]
        terms[arc] = term
        if weight > -inf:
            return -inf
    return total * inverses[state]


@kernel(f"float64(const int32[::1], {LEAVES}, const float64[::1], float64[::1], float64[::1], boolean)", internal=True)
def look_ahead(region, leaves, values, work, ahead, surprisals):
    """Write what is expected ahead of each state; what is expected of the whole path.

    After ``lattice_log``'s forward pass. ``surprisals``: whether values are −log of the arcs' local probabilities, to
    which those of starts and ends are added.
    """
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    terms, mantissas, _, inverses, posteriors, _, _ = parts_of_work(work, n_states, n_arcs)
    accept = region[L.N_ACCEPTS] - 1
    for back in range(n_states):
        state = n_states - 1 - back
        low = rows[state]
        high = rows[state + 1]
        total = others = 0.0
        arc = low
        while arc + 1 < high:
            total += terms[arc] * (values[arc] + ahead[ends[arc]])
            others += terms[arc + 1] * (values[arc + 1] + ahead[ends[arc + 1]])
            arc += 2
        if arc < high:
            total += terms[arc] * (values[arc] + ahead[ends[arc]])
        total += others
        if not abs(total) < inf:
            total = look_again(region, leaves, values, work, ahead, state)
        elif mantissas[state] > 0.0:
            total *= inverses[state]
        else:
            total = 0.0
        if surprisals:
            while accept >= 0 and region[region[L.ACCEPTS] + accept] > state:
                accept -= 1
            if accept >= 0 and region[region[L.ACCEPTS] + accept] == state:
                share = accept_share(region, work, state)
                total -= share * log(share) if share > 0.0 else 0.0
        ahead[state] = total
    expected = 0.0
    for k in range(region[L.N_STARTS]):
        state = region[region[L.STARTS] + k]
        if mantissas[state] > 0.0:
            if ahead[state] == -inf:
                return -inf
            share = posteriors[state]
            expected += share * ahead[state]
            if surprisals and share > 0.0:
                expected -= share * log(share)
    return expected


@kernel(f"void(const int32[::1], const float64[::1], float64[::1], float64, boolean, float64, {SUMS})", internal=True)
def carry_back(region, values, work, expected, surprisals, cotangent, gradient):
    """Add cotangent × the derivatives with respect to arcs' weights and, unless they are surprisals, to values."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    terms, _, _, inverses, visits, _, _ = parts_of_work(work, n_states, n_arcs)
    ahead = work[ahead_place(region) : ahead_place(region) + n_states]
    before = work[ahead_place(region) + n_states : ahead_place(region) + 2 * n_states]
    line = first_in_line(region, gradient)
    second = -1 if surprisals else values_line(region, 0, gradient)
    sums, _, _ = gradient
    for state in range(n_states):
        before[state] = 0.0
    for k in range(region[L.N_STARTS]):
        state = region[region[L.STARTS] + k]
        share = visits[state]
        if share > 0.0:
            own = -log(share) if surprisals else 0.0
            before[state] = share * (own + ahead[state] - expected)
    for state in range(n_states):
        if visits[state] < _NEGLIGIBLE:
            continue
        flow = visits[state] * inverses[state]
        earlier = before[state] * inverses[state]
        own = ahead[state]
        for arc in range(rows[state], rows[state + 1]):
            term = terms[arc]
            if term == 0.0:
                continue
            end = ends[arc]
            share = flow * term
            pulled = term * (earlier + flow * ((values[arc] + ahead[end]) - own))
            visits[end] += share
            before[end] += pulled
            if line < 0:
                add_to_entries(region, arc, cotangent * pulled, gradient)
            else:
                sums[line + arc] += cotangent * pulled
            if second >= 0:
                sums[second + arc] += cotangent * share
            elif not surprisals:
                add_to_values(region, 0, arc, cotangent * share, gradient)


@kernel(GRAPH_FORWARD)
def lattice_expectation_forward(region, leaves, work, iwork, sign):
    """The expected sum of values along a path; 0 where there is no path, −inf where a value on one is −inf."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    weights, _, _ = leaves
    place = ahead_place(region)
    room = values_place(region)
    work[room] = 0.0
    if not has_paths(region, leaves, work, iwork):
        return 0.0
    line = values_line(region, 0, leaves)
    ahead = work[place : place + n_states]
    if line >= 0:
        expected = look_ahead(region, leaves, weights[line : line + n_arcs], work, ahead, False)
    else:
        values = work[room + 1 : room + 1 + n_arcs]
        gather_values(region, 0, leaves, values)
        expected = look_ahead(region, leaves, values, work, ahead, False)
    work[room] = expected
    return expected


@kernel(GRAPH_BACKWARD)
def lattice_expectation_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to the gradients of weights cotangent × Cov(arc, Σ values), to those of values the arcs' posteriors'."""
    n_arcs = region[L.N_ARCS]
    weights, _, _ = leaves
    room = values_place(region)
    line = values_line(region, 0, leaves)
    if line >= 0:
        carry_back(region, weights[line : line + n_arcs], work, work[room], False, cotangent, gradient)
    else:
        carry_back(region, work[room + 1 : room + 1 + n_arcs], work, work[room], False, cotangent, gradient)


@kernel(GRAPH_FORWARD)
def lattice_entropy_forward(region, leaves, work, iwork, sign):
    """The entropy, in nats, of the distribution of paths in proportion to exp(weight); 0 where there is no path."""
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    place = ahead_place(region)
    room = values_place(region)
    work[room] = 0.0
    if not has_paths(region, leaves, work, iwork):
        return 0.0
    surprisals = work[room + 1 : room + 1 + n_arcs]
    write_surprisals(region, work, surprisals)
    work[room] = look_ahead(region, leaves, surprisals, work, work[place : place + n_states], True)
    return work[room]


@kernel(GRAPH_BACKWARD)
def lattice_entropy_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add to the gradients of weights cotangent × Cov(arc, −log probability of the path)."""
    room = values_place(region)
    surprisals = work[room + 1 : room + 1 + region[L.N_ARCS]]
    carry_back(region, surprisals, work, work[room], True, cotangent, gradient)
