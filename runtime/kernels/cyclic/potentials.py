"""Potentials of a cyclic graph's states: what large weights have in common is taken off before anything is summed.

Called by ``cyclic_log``. A state's potential is the weight of its best way to an accept. An arc from s to d gets the
weight w + potential(d) − potential(s), which is about 0 where a path that counts takes it, whatever the weights.
A potential has three parts, one array behind the other: weights beyond 2^63; multiples of 1024; and a rest. In one
float64 the first would hide the others.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.kernels.entries import rounded_off
from arcgrad.runtime.kernels.math.scaled import two_sum

__all__ = ["difference", "find_potentials", "move_weights"]

_STEP = 1024.0
_HUGE = 2.0**63
# Multiples of 1024 are exact up to there; what sums of huge weights round off beyond that is as good as 0.
_ROOM = 2.0**60


@helper
def split(weight):
    """A weight's three parts."""
    if abs(weight) >= _HUGE:
        return weight, 0.0, 0.0
    whole = np.floor(weight / _STEP + 0.5) * _STEP
    return 0.0, whole, weight - whole


@helper
def potential(work, at, n_states, state):
    """The three parts of a state's potential."""
    return work[at + state], work[at + n_states + state], work[at + 2 * n_states + state]


@helper
def through(work, at, n_states, end, weight, more):
    """The three parts of an arc's weight, what its rounding left off, and the potential of its end."""
    huge, whole, rest = split(weight)
    more_huge, more_whole, more_rest = split(more)
    end_huge, end_whole, end_rest = potential(work, at, n_states, end)
    huge, left = two_sum(huge + more_huge, end_huge)
    if abs(left) > _ROOM:
        left = 0.0
    return huge, whole + more_whole + end_whole + left, rest + more_rest + end_rest


@helper
def difference(work, at, n_states, state, huge, whole, rest):
    """A state's potential less three parts."""
    own_huge, own_whole, own_rest = potential(work, at, n_states, state)
    return (own_huge - huge) + (own_whole - whole) + (own_rest - rest)


@helper
def raise_potential(work, at, n_states, state, end, weight, more):
    """Raise a state's potential to what an arc to ``end`` gives; whether that was more."""
    rest_at = at + 2 * n_states
    if weight == -inf or work[rest_at + end] == -inf:
        return False
    huge, whole, rest = through(work, at, n_states, end, weight, more)
    if work[rest_at + state] > -inf and not difference(work, at, n_states, state, huge, whole, rest) < 0.0:
        return False
    steps = np.floor(rest / _STEP + 0.5) * _STEP
    work[at + state], work[at + n_states + state], work[rest_at + state] = huge, whole + steps, rest - steps
    return True


@helper
def find_potentials(ints, base, n_states, weights, n_shared, shift, work, work0, at):
    """Potentials of all states, −inf where no finite way leads to an accept: Bellman and Ford's, by component.

    Where a cycle gains, they are whatever they are after as many sweeps as there are states: elimination will see that.
    """
    sources = base + ints[base + C.ARC_SOURCES]
    ends = base + ints[base + C.ARC_ENDS]
    begins = base + ints[base + C.COMPONENTS]
    outer = base + ints[base + C.OUTER_OUT]
    for state in range(n_states):
        work[at + state] = work[at + n_states + state] = 0.0
        work[at + 2 * n_states + state] = -inf
    for k in range(ints[base + C.N_ACCEPTS]):
        work[at + 2 * n_states + ints[base + ints[base + C.ACCEPTS] + k]] = 0.0
    high_arc = ints[base + C.N_INNER]
    for component in range(ints[base + C.N_COMPONENTS] - 1, -1, -1):
        low = ints[begins + component]
        high = ints[begins + component + 1]
        for state in range(low, high):
            for k in range(ints[outer + state], ints[outer + state + 1]):
                arc = ints[outer + n_states + 1 + k]
                weight = work[work0 + arc]
                more = rounded_off(ints, base, arc, weights, n_shared, shift, weight)
                raise_potential(work, at, n_states, state, ints[ends + arc], weight, more)
        low_arc = high_arc
        while low_arc > 0 and ints[sources + low_arc - 1] >= low:
            low_arc -= 1
        for sweep in range(high - low):
            again = False
            for step in range(high_arc - low_arc):
                arc = high_arc - 1 - step if sweep % 2 == 0 else low_arc + step
                weight = work[work0 + arc]
                more = rounded_off(ints, base, arc, weights, n_shared, shift, weight)
                if raise_potential(work, at, n_states, ints[sources + arc], ints[ends + arc], weight, more):
                    again = True
            if not again:
                break
        high_arc = low_arc


@helper
def move_weights(ints, base, n_states, n_arcs, weights, n_shared, shift, work, work0, at):
    """Give arcs the weights that potentials leave them."""
    sources = base + ints[base + C.ARC_SOURCES]
    ends = base + ints[base + C.ARC_ENDS]
    for arc in range(n_arcs):
        end = ints[ends + arc]
        weight = work[work0 + arc]
        if weight > -inf and work[at + 2 * n_states + end] > -inf:
            more = rounded_off(ints, base, arc, weights, n_shared, shift, weight)
            huge, whole, rest = through(work, at, n_states, end, weight, more)
            work[work0 + arc] = -difference(work, at, n_states, ints[sources + arc], huge, whole, rest)
        else:
            work[work0 + arc] = -inf
