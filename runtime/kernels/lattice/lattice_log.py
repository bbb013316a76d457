"""Forward score of an acyclic graph, and its gradient: the arcs' posterior probabilities.

The score is summed from the accepts to the starts, in linear numbers: a state's sum over the paths from it to an accept
is m · 2^e. States share their exponent e as long as their mantissas keep within 2^±256 of 1, so that most arcs cost one
multiplication and one addition (block floating point): states are taken in blocks, and a block is summed *plainly*
where all states that its arcs enter have the present exponent. What a guard finds too wide for that (steep weights,
sums that drifted away, arcs to states of another exponent) is summed *exactly*: each arc with an exponent of its own,
which has two parts (``scaled``), the states' coarse exponents being kept only once there are any.

Either way an arc keeps its term in its source's sum, in that sum's scale, so that the way back from the starts needs no
exponents: an arc's share in its source's posterior is its term over the sum.
"""

from __future__ import annotations

from math import frexp, inf, log

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import (
    GRAPH_BACKWARD,
    GRAPH_FORWARD,
    LEAVES,
    add_to_entries,
    first_in_line,
    gather_arcs,
    rounded_off,
)
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.math.exponentials import LN2, LOG2E, exponential
from arcgrad.runtime.kernels.math.scaled import LARGE, added, behind, carried, power_of_two, score_of, split_sum

__all__ = ["LATTICE_BLOCK", "SCALARS", "lattice_log_backward", "lattice_log_forward"]

LATTICE_BLOCK = 32
"""States that the log semiring's kernel of lattices takes at a time."""

SCALARS = 6
"""Numbers of the workspace behind the states'."""

_SCORE, _EXPONENT, _EXPONENT_COARSE, _COMMON, _ACCEPT_SCALE, _HAS_COARSE = 0, 1, 2, 3, 4, 5
"""The score; the present exponent, and coarse one; the end of the states that share it; an accept's 1 in its scale; and
whether states have coarse exponents."""

# ln 2 in two parts; the first has zeros enough that its products with whole numbers below 2^20 are exact.
LN2_HIGH = 0.6931471803691238
LN2_LOW = 1.9082149292705877e-10

_AT_ONCE = 1024
"""Weights exponentiated at a time: enough that the rest beside full vectors is small, few enough to stay in cache."""

_TOO_FAR = 1000.0
"""Exponents that differ by so much, mantissas within their bounds, differ by more than 2^488: the lesser is dropped."""

_NEGLIGIBLE = 1e-290
"""Posteriors below this are dropped: products of smaller numbers are slow and soon zero."""

_LARGEST = 2.0**256
_SMALLEST = 2.0**-256
"""Bounds of the mantissas of states that share an exponent."""

_STEEPEST = 528.0
"""Plain sums clamp weights to ±528: exp(528) takes any mantissa out of its bounds, so that the guard sees it, and
exp(−528) times the smallest of mantissas is not zero yet, but less than 1e-74 of any sum within the bounds."""


@helper
def exponentiate_plainly(weights, result):
    """Write the exponentials of weights, as exact as plain sums need them."""
    # A loop from 0 to a length is one that LLVM vectorises: it knows that no index is negative.
    for k in range(len(weights)):
        weight = weights[k]
        plain = exponential(min(max(weight, -_STEEPEST), _STEEPEST))
        result[k] = plain if weight > -inf else 0.0


@helper
def sum_plainly(first, state, rows, ends, terms, mantissas, inverses, accepts, accept_scale):
    """Sum the arcs out of states, from ``state`` down to ``first``; the last state whose sum left its bounds, or −1.

    ``terms`` are exponentials of weights, and become the arcs' terms in the sums.
    """
    while state >= first:
        low = rows[state]
        high = rows[state + 1]
        total = accepts[state] * accept_scale
        others = 0.0  # two sums take half the time of one, whose additions wait for each other
        arc = low
        while arc + 1 < high:
            term = terms[arc] * mantissas[ends[arc]]
            other = terms[arc + 1] * mantissas[ends[arc + 1]]
            terms[arc] = term
            terms[arc + 1] = other
            total += term
            others += other
            arc += 2
        if arc < high:
            terms[arc] *= mantissas[ends[arc]]
            others += terms[arc]
        total += others
        mantissas[state] = total
        inverses[state] = 1.0 / total
        # A sum of zero is exact: nothing finite is so small that it gets lost.
        if total > _LARGEST or 0.0 < total < _SMALLEST:
            return state
        state -= 1
    return -1


@helper
def power_within(exponent):
    """2^exponent, of exponents beyond ±1000 that of ±1000."""
    return power_of_two(min(max(exponent, -1000.0), 1000.0))


@helper
def split(weight, more):
    """Whole exponent, coarse exponent, and the rest in nats, of a finite weight and what its rounding left off."""
    if abs(weight) < LARGE:
        k = np.floor(weight * LOG2E)
        # Where a weight has few digits left for the rest, any rest is as good.
        return k, 0.0, min(max((weight - k * LN2_HIGH) - k * LN2_LOW, 0.0), LN2) + more
    m, k, coarse = split_sum(weight, more)
    return k, coarse, log(m)


@helper
def parts_of_work(work, n_states, n_arcs):
    """Arcs' terms; states' mantissas, exponents, inverses, posteriors and coarse exponents; and scalars."""
    at = n_arcs
    return (
        work[:at],
        work[at : at + n_states],
        work[at + n_states : at + 2 * n_states],
        work[at + 2 * n_states : at + 3 * n_states],
        work[at + 3 * n_states : at + 4 * n_states],
        work[at + 4 * n_states : at + 5 * n_states],
        work[at + 5 * n_states : at + 5 * n_states + SCALARS],
    )


@helper
def sum_exactly(region, leaves, low, high, ends, terms, mantissas, exponents, coarse, has_coarse, accept):
    """The sum over the arcs out of one state as mantissa, exponent and coarse exponent.

    ``terms`` are weights, and become the arcs' terms in the scale of the sum.
    """
    top = top_coarse = 0.0
    found = accept > 0.0
    for arc in range(low, high):
        end = ends[arc]
        if terms[arc] > -inf and mantissas[end] > 0.0:
            more = rounded_off(region, arc, leaves, terms[arc])
            k, c, _ = split(terms[arc], more)
            k, c = added(k, c, exponents[end], coarse[end] if has_coarse else 0.0)
            if not found or behind(k, c, top, top_coarse) > 0.0:
                top, top_coarse = k, c
            found = True
    below = behind(0.0, 0.0, top, top_coarse)
    total = accept * power_of_two(below) if below > -_TOO_FAR else 0.0
    for arc in range(low, high):
        end = ends[arc]
        term = 0.0
        if terms[arc] > -inf and mantissas[end] > 0.0:
            more = rounded_off(region, arc, leaves, terms[arc])
            k, c, rest = split(terms[arc], more)
            k, c = added(k, c, exponents[end], coarse[end] if has_coarse else 0.0)
            below = behind(k, c, top, top_coarse)
            if below > -_TOO_FAR:
                term = exponential(rest) * mantissas[end] * power_of_two(below)
        terms[arc] = term
        total += term
    return total, top, top_coarse


@kernel(
    f"void(const int32[::1], {LEAVES}, float64[::1], int64, int64)",
    internal=True,
    lazy=True,
)
def sum_block_exactly(region, leaves, work, first, last):
    """Sum the arcs out of states from ``last`` down to ``first``, and change the present exponent where sums need that.

    A kernel of its own, since the plain sums are faster without this beside them.
    """
    n_states, n_arcs = region[L.N_STATES], region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    terms, mantissas, exponents, inverses, accepts, coarse, scalars = parts_of_work(work, n_states, n_arcs)
    exponent, exponent_coarse = scalars[_EXPONENT], scalars[_EXPONENT_COARSE]
    has_coarse = scalars[_HAS_COARSE] == 1.0
    for state in range(last, first - 1, -1):
        low = rows[state]
        high = rows[state + 1]
        gather_arcs(region, low, leaves, 1.0, terms[low:high])
        total, top, top_coarse = sum_exactly(
            region, leaves, low, high, ends, terms, mantissas, exponents, coarse, has_coarse, accepts[state]
        )
        inverses[state] = 1.0 / total
        if total > 0.0:
            total, more = frexp(total)
            top, top_coarse = carried(top + more, top_coarse)
            if top_coarse != 0.0 and not has_coarse:
                has_coarse = True
                for k in range(state + 1, n_states):
                    coarse[k] = 0.0
            above = behind(top, top_coarse, exponent, exponent_coarse)
            if abs(above) >= 256.0:
                # Sums mostly drift on in the direction in which they left: most room is left there.
                exponent, exponent_coarse = top + (192.0 if above > 0.0 else -192.0), top_coarse
                scalars[_EXPONENT], scalars[_EXPONENT_COARSE] = exponent, exponent_coarse
                scalars[_COMMON] = state + 1.0
                scalars[_ACCEPT_SCALE] = power_within(behind(0.0, 0.0, exponent, exponent_coarse))
            total *= power_of_two(behind(top, top_coarse, exponent, exponent_coarse))
        mantissas[state] = total
        exponents[state] = exponent
        if has_coarse:
            coarse[state] = exponent_coarse
    scalars[_HAS_COARSE] = 1.0 if has_coarse else 0.0


@kernel(GRAPH_FORWARD)
def lattice_log_forward(region, leaves, work, iwork, sign):
    """Log of the sum over accepting paths of exp(path weight); −inf where there is none."""
    weights, _, _ = leaves
    n_states = region[L.N_STATES]
    n_arcs = region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    line = first_in_line(region, leaves)
    terms, mantissas, exponents, inverses, posteriors, coarse, scalars = parts_of_work(work, n_states, n_arcs)
    has_coarse = False
    for state in range(n_states):
        posteriors[state] = 0.0  # until the sums are there: 1 for accepts
    for k in range(region[L.N_ACCEPTS]):
        posteriors[region[region[L.ACCEPTS] + k]] = 1.0

    exponent = exponent_coarse = 0.0  # of the states from the present one up to `common`
    common = np.int64(n_states)
    accept_scale = 1.0
    scalars[_EXPONENT] = scalars[_EXPONENT_COARSE] = scalars[_HAS_COARSE] = 0.0
    scalars[_COMMON] = n_states
    scalars[_ACCEPT_SCALE] = 1.0
    furthest = region[L.FURTHEST]
    ready = n_arcs  # terms from here up to the present block are exponentials
    last = n_states
    while last > 0:
        first = (last - 1) // LATTICE_BLOCK * LATTICE_BLOCK
        state = last - 1
        if region[furthest + first // LATTICE_BLOCK] < common:
            high = min(rows[last], ready)
            if rows[first] < high:
                ready = max(min(rows[first], high - _AT_ONCE), 0)
                given = terms[ready:high]
                if line < 0:
                    gather_arcs(region, ready, leaves, 1.0, given)
                else:
                    given = weights[line + ready : line + high]
                exponentiate_plainly(given, terms[ready:high])
            for k in range(first, last):
                exponents[k] = exponent
            for k in range(first if has_coarse else last, last):
                coarse[k] = exponent_coarse
            state = sum_plainly(first, state, rows, ends, terms, mantissas, inverses, posteriors, accept_scale)
        if state >= first:
            sum_block_exactly(region, leaves, work, first, state)
            exponent, exponent_coarse = scalars[_EXPONENT], scalars[_EXPONENT_COARSE]
            common = np.int64(scalars[_COMMON])
            accept_scale = scalars[_ACCEPT_SCALE]
            has_coarse = scalars[_HAS_COARSE] == 1.0
        last = first

    # The starts' sums add up in the same way; their posteriors are what the backward pass begins with.
    for state in range(n_states):
        posteriors[state] = 0.0
    starts = region[region[L.STARTS] : region[L.STARTS] + region[L.N_STARTS]]
    top = top_coarse = 0.0
    found = False
    for state in starts:
        c = coarse[state] if has_coarse else 0.0
        if mantissas[state] > 0.0 and (not found or behind(exponents[state], c, top, top_coarse) > 0.0):
            top, top_coarse = exponents[state], c
            found = True
    score = -inf
    if found:
        total = 0.0
        for state in starts:
            shift = behind(exponents[state], coarse[state] if has_coarse else 0.0, top, top_coarse)
            if mantissas[state] > 0.0 and shift > -_TOO_FAR:
                posteriors[state] = mantissas[state] * power_of_two(shift)
                total += posteriors[state]
        for state in starts:
            posteriors[state] /= total
        score = log(total) + score_of(top, top_coarse)
    scalars[_SCORE] = score
    return score


@kernel(GRAPH_BACKWARD)
def lattice_log_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add cotangent × posterior of each arc to the gradient of its entries."""
    n_states = region[L.N_STATES]
    n_arcs = region[L.N_ARCS]
    rows = region[region[L.ARC_POINTERS] : region[L.ARC_POINTERS] + n_states + 1]
    ends = region[region[L.ARC_ENDS] : region[L.ARC_ENDS] + n_arcs]
    line = first_in_line(region, gradient)
    sums, _, _ = gradient
    terms, _, _, inverses, posteriors, _, scalars = parts_of_work(work, n_states, n_arcs)
    if scalars[_SCORE] == -inf:
        return
    for state in range(n_states):
        flow = posteriors[state]
        if flow < _NEGLIGIBLE:
            continue
        flow *= inverses[state]
        for arc in range(rows[state], rows[state + 1]):
            share = flow * terms[arc]
            posteriors[ends[arc]] += share
            if line < 0:
                add_to_entries(region, arc, cotangent * share, gradient)
            else:
                sums[line + arc] += cotangent * share
