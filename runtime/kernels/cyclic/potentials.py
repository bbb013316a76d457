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
from arcgrad.runtime.kernels.entries import improves, rounded_off
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
def find_potentials(region, leaves, work, iwork, at):
    """Potentials of all states, −inf where no finite way leads to an accept: Bellman and Ford's, by component.

    States whose potential rose wait in a queue for their predecessors to be looked at. Where a cycle gains, potentials
    are whatever they are when that shows: elimination will see it, too.
    """
    n_states = region[C.N_STATES]
    sources = region[C.ARC_SOURCES]
    ends = region[C.ARC_ENDS]
    places = region[C.ARC_PLACES]
    begins = region[C.COMPONENTS]
    out_pointers = region[C.OUT_POINTERS]
    in_pointers, arcs_in = region[C.IN_POINTERS], region[C.ARCS_IN]
    is_waiting, queue, choices, marks = 0, n_states, 2 * n_states, 3 * n_states
    for state in range(n_states):
        work[at + state] = work[at + n_states + state] = 0.0
        work[at + 2 * n_states + state] = -inf
        iwork[is_waiting + state] = 0
        iwork[choices + state] = -1
    for k in range(region[C.N_ACCEPTS]):
        work[at + 2 * n_states + region[region[C.ACCEPTS] + k]] = 0.0
    for component in range(region[C.N_COMPONENTS] - 1, -1, -1):
        low, high = region[begins + component], region[begins + component + 1]
        size = high - low
        n_waiting = 0
        for state in range(low, high):
            for arc in range(region[out_pointers + state], region[out_pointers + state + 1]):
                if region[places + arc] < 0:
                    weight = work[arc]
                    more = rounded_off(region, arc, leaves, weight)
                    raise_potential(work, at, n_states, state, region[ends + arc], weight, more)
            if work[at + 2 * n_states + state] > -inf:
                iwork[queue + n_waiting] = state
                iwork[is_waiting + state] = 1
                n_waiting += 1
        first = turns = 0
        check = np.int64(2 * size)
        while n_waiting > 0 and turns <= size * size:
            turns += 1
            if turns == check:
                check *= 2
                if improves(region, ends, low, high, work, iwork, choices, marks):
                    return
            end = iwork[queue + first]
            first = first + 1 if first + 1 < size else 0
            n_waiting -= 1
            iwork[is_waiting + end] = 0
            for k in range(region[in_pointers + end], region[in_pointers + end + 1]):
                entering = np.int64(region[arcs_in + k])
                if region[places + entering] < 0:
                    continue
                weight = work[entering]
                more = rounded_off(region, entering, leaves, weight)
                state = region[sources + entering]
                if raise_potential(work, at, n_states, state, end, weight, more):
                    iwork[choices + state] = entering
                    if iwork[is_waiting + state] == 0:
                        last = first + n_waiting
                        iwork[queue + (last if last < size else last - size)] = state
                        iwork[is_waiting + state] = 1
                        n_waiting += 1


@helper
def move_weights(region, n_states, n_arcs, leaves, work, at):
    """Give arcs the weights that potentials leave them."""
    sources = region[C.ARC_SOURCES]
    ends = region[C.ARC_ENDS]
    for arc in range(n_arcs):
        end = region[ends + arc]
        weight = work[arc]
        if weight > -inf and work[at + 2 * n_states + end] > -inf:
            more = rounded_off(region, arc, leaves, weight)
            huge, whole, rest = through(work, at, n_states, end, weight, more)
            work[arc] = -difference(work, at, n_states, region[sources + arc], huge, whole, rest)
        else:
            work[arc] = -inf
