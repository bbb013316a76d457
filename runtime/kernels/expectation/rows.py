"""Rows of forward scores, and of what is expected of the ways to each state, frame by frame and back.

An arc's share in its end's forward score is its local probability, of having come last. What is expected of the ways to
a state is then Σ local probability × (value + what is expected at the source). ``lattice_expectation`` explains the way
back, here from the last frame to the first: each state gets visits and surprises, which are 0 on average.

Each number has an exponent of two parts (``scaled``), which holds scores of every size; the best state's is taken off
after each frame, so that what competes stays small.
"""

from __future__ import annotations

from math import inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import LEAVES, ORDINARY, gather_weights, rounded_off
from arcgrad.runtime.kernels.expectation.places import (
    AHEAD,
    COARSE,
    EXPONENT,
    MEAN,
    SCORE,
    arc_place,
    block_places,
    column_places,
    flow_place,
    row_size,
    slot_place,
    start_place,
)
from arcgrad.runtime.kernels.math.scaled import (
    added,
    behind,
    carried,
    exponent_of,
    power_of_two,
    split_sum,
    split_weight,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.values import gather_values

__all__ = ["begin_rows", "block_back", "block_forward", "finish_rows"]

_TOO_FAR = -1000.0
"""Exponents behind the greatest by more than that are dropped."""

_NEGLIGIBLE = 1e-290
"""Visits below this are dropped: products of smaller numbers are slow and soon zero."""

_ROWS = "const int32[::1], float64[::1]"


@helper
def is_marked(region, count, begin, at, state):
    """Whether a state is among some ascending ones, from the ``at``-th on; and where to look for the next state."""
    while at < region[count] and region[region[begin] + at] < state:
        at += 1
    return at < region[count] and region[region[begin] + at] == state, at


@helper
def split_columns(region, work, column):
    """A frame's columns as mantissas and exponents, less the greatest where that is large."""
    n_slots = region[T.N_SLOTS]
    columns, _, _, _ = column_places(region)
    at = columns + column * n_slots
    mantissas = slot_place(region)
    exponents = mantissas + n_slots + 1
    coarse = exponents + n_slots + 1
    top = -inf
    for slot in range(n_slots):
        top = max(top, work[at + slot])
    if abs(top) <= ORDINARY:
        top = 0.0  # to take it off would cost masks a digit
    for slot in range(n_slots):
        m = e = c = 0.0
        if work[at + slot] > -inf:
            m, e, c = split_weight(work[at + slot] - top)
        work[mantissas + slot], work[exponents + slot], work[coarse + slot] = m, e, c


@helper
def term(region, work, arc, row, slot):
    """What an arc brings from its source in a row with a slot's column: mantissa, exponent, coarse exponent."""
    n_states, n_arcs = region[T.N_STATES], region[T.N_ARCS]
    weight = arc_place(region, 0) + arc
    source = row + region[region[T.ARC_SOURCES] + arc]
    column = slot_place(region) + slot
    width = region[T.N_SLOTS] + 1
    m = work[weight] * work[source] * work[column]
    e, c = work[weight + n_arcs], work[weight + 2 * n_arcs]
    e, c = added(e, c, work[column + width], work[column + 2 * width])
    e, c = added(e, c, work[source + EXPONENT * n_states], work[source + COARSE * n_states])
    return m, e, c


@helper
def value_of(region, work, arc, slot, column):
    """An arc's value with that of its column, if it takes one."""
    value = work[arc_place(region, 3) + arc]
    if slot < region[T.N_SLOTS]:
        _, values, _, _ = column_places(region)
        value += work[values + column * region[T.N_SLOTS] + slot]
    return value


@kernel(f"void({_ROWS}, int64, int64, int64, boolean)", internal=True, lazy=True)
def row_forward(region, work, before, after, column, surprisals):
    """A row from the one before and a column of the block; the row before the first frame where that is −1.

    ``surprisals``: values are −log of the local probabilities.
    """
    n_states, n_slots = region[T.N_STATES], region[T.N_SLOTS]
    n_emitting = region[T.N_EMITTING]
    emitting, silent = region[T.EMITTING], region[T.SILENT]
    if column >= 0:
        split_columns(region, work, column)
    start = 0
    best, best_coarse, any_state = 0.0, 0.0, False
    for state in range(n_states):
        begins = False
        low = high = 0
        if column >= 0:
            low, high = region[emitting + state], region[emitting + state + 1]
        else:
            begins, start = is_marked(region, T.N_STARTS, T.STARTS, start, state)
        first, last = region[silent + state], region[silent + state + 1]
        top = top_coarse = 0.0
        found = begins
        for k in range(low, high + last - first):
            arc = k if k < high else first + k - high
            emits = arc < n_emitting
            slot = region[region[T.ARC_SLOTS] + arc] if emits else n_slots
            m, e, c = term(region, work, arc, before if emits else after, slot)
            if m != 0.0 and (not found or behind(e, c, top, top_coarse) > 0.0):
                top, top_coarse = e, c
                found = True
        own = after + state
        if not found:
            work[own] = work[own + EXPONENT * n_states] = work[own + COARSE * n_states] = 0.0
            work[own + MEAN * n_states] = 0.0
            continue
        total = mean = 0.0
        infinite = False
        if begins:
            shift = behind(0.0, 0.0, top, top_coarse)
            total = power_of_two(shift) if shift > _TOO_FAR else 0.0
            if surprisals and total > 0.0:
                mean -= total * log(total)
        for k in range(low, high + last - first):
            arc = k if k < high else first + k - high
            emits = arc < n_emitting
            slot = region[region[T.ARC_SLOTS] + arc] if emits else n_slots
            row = before if emits else after
            m, e, c = term(region, work, arc, row, slot)
            if m == 0.0:
                continue
            shift = behind(e, c, top, top_coarse)
            share = m * power_of_two(shift) if shift > _TOO_FAR else 0.0
            value = work[row + MEAN * n_states + region[region[T.ARC_SOURCES] + arc]]
            if surprisals:
                value -= log(share) if share > 0.0 else 0.0
            else:
                value += value_of(region, work, arc, slot, column)
                if value == -inf:
                    infinite = True
                    value = 0.0
            total += share
            mean += share * value
        mean /= total
        if surprisals:
            mean += log(total)
        more = exponent_of(total)
        e, c = carried(top + more, top_coarse)
        work[own] = total * power_of_two(-more)
        work[own + EXPONENT * n_states] = e
        work[own + COARSE * n_states] = c
        work[own + MEAN * n_states] = -inf if infinite else mean
        if not any_state or behind(e, c, best, best_coarse) > 0.0:
            best, best_coarse = e, c
            any_state = True
    for state in range(n_states):
        own = after + state
        if work[own] > 0.0:
            e, c = added(work[own + EXPONENT * n_states], work[own + COARSE * n_states], -best, -best_coarse)
            work[own + EXPONENT * n_states], work[own + COARSE * n_states] = carried(e, c)
    work[after + 4 * n_states] = best
    work[after + 4 * n_states + 1] = best_coarse


@kernel(f"void({_ROWS}, int64, int64, int64, boolean)", internal=True, lazy=True)
def row_back(region, work, before, after, column, surprisals):
    """The way back of `row_forward`: visits and surprises of the row after, which are given, to those before.

    Derivatives are added to those of arcs, and written for columns.
    """
    n_states, n_slots = region[T.N_STATES], region[T.N_SLOTS]
    n_emitting = region[T.N_EMITTING]
    emitting, silent = region[T.EMITTING], region[T.SILENT]
    flows = flow_place(region)
    earlier = flows + 2 * n_states
    by_weight, by_value = arc_place(region, 4), arc_place(region, 5)
    _, _, by_column, by_column_value = column_places(region)
    by_column += column * n_slots
    by_column_value += column * n_slots
    shift_e, shift_c = work[after + 4 * n_states], work[after + 4 * n_states + 1]
    if column >= 0:
        split_columns(region, work, column)
        for slot in range(n_slots):
            work[by_column + slot] = work[by_column_value + slot] = 0.0
    for k in range(2 * n_states):
        work[earlier + k] = 0.0
    for back in range(n_states):
        state = n_states - 1 - back
        visits, surprises = work[flows + state], work[flows + n_states + state]
        if visits < _NEGLIGIBLE:
            continue
        own = after + state
        mantissa, mean = work[own], work[own + MEAN * n_states]
        own_e, own_c = work[own + EXPONENT * n_states], work[own + COARSE * n_states]
        total_e, total_c = added(own_e, own_c, shift_e, shift_c)
        low = high = 0
        if column >= 0:
            low, high = region[emitting + state], region[emitting + state + 1]
        first, last = region[silent + state], region[silent + state + 1]
        for k in range(low, high + last - first):
            arc = k if k < high else first + k - high
            emits = arc < n_emitting
            slot = region[region[T.ARC_SLOTS] + arc] if emits else n_slots
            row = before if emits else after
            m, e, c = term(region, work, arc, row, slot)
            if m == 0.0:
                continue
            shift = behind(e, c, total_e, total_c) if emits else behind(e, c, own_e, own_c)
            if shift < _TOO_FAR:
                continue
            probability = m / mantissa * power_of_two(shift)
            source = region[region[T.ARC_SOURCES] + arc]
            value = -log(probability) if surprisals else value_of(region, work, arc, slot, column)
            share = probability * visits
            surprise = (value + work[row + MEAN * n_states + source]) - mean
            pulled = probability * (surprises + visits * surprise)
            to = earlier if emits else flows
            work[to + source] += share
            work[to + n_states + source] += pulled
            work[by_weight + arc] += pulled
            work[by_value + arc] += share
            if emits:
                work[by_column + slot] += pulled
                work[by_column_value + slot] += share
    for k in range(2 * n_states if column >= 0 else 0):
        work[flows + k] = work[earlier + k]


@kernel(f"void({_ROWS}, {LEAVES}, boolean)", internal=True, lazy=True)
def begin_rows(region, work, leaves, surprisals):
    """Split the weights, gather the values, and compute the row before the first frame."""
    n_arcs = region[T.N_ARCS]
    gather_weights(region, n_arcs, leaves, work[arc_place(region, 0) :], 1.0)
    if not surprisals:
        gather_values(region, 0, leaves, work[arc_place(region, 3) : arc_place(region, 4)])
    for arc in range(n_arcs):
        at = arc_place(region, 0) + arc
        weight = work[at]
        m = e = c = 0.0
        if weight > -inf:
            m, e, c = split_sum(weight, rounded_off(region, arc, leaves, weight))
        work[at], work[at + n_arcs], work[at + 2 * n_arcs] = m, e, c
    width = region[T.N_SLOTS] + 1
    silent = slot_place(region) + width - 1  # the column that ε arcs take: 1
    work[silent], work[silent + width], work[silent + 2 * width] = 1.0, 0.0, 0.0
    row_forward(region, work, 0, block_places(region), -1, surprisals)


@kernel(f"void({_ROWS}, int64, int64, boolean)", internal=True, lazy=True)
def block_forward(region, work, block, count, surprisals):
    """A block's rows, from the first, which is kept."""
    size = row_size(region)
    row = block_places(region)
    start = start_place(region, block)
    for k in range(size):
        work[start + k] = work[row + k]
    for column in range(count):
        row_forward(region, work, row, row + size, column, surprisals)
        row += size


@helper
def next_block(region, work, count):
    """Have the last row of a block be the first of the next."""
    size = row_size(region)
    row = block_places(region)
    for k in range(size):
        work[row + k] = work[row + count * size + k]


@kernel(f"float64({_ROWS}, boolean)", internal=True, lazy=True)
def finish_rows(region, work, surprisals):
    """The expectation over all paths, from the present row, with which the way back begins; 0 where there is none."""
    n_states = region[T.N_STATES]
    row = block_places(region)
    flows = flow_place(region)
    for k in range(2 * n_states):
        work[flows + k] = 0.0
    top = top_coarse = 0.0
    found = infinite = False
    for k in range(region[T.N_ACCEPTS]):
        state = row + region[region[T.ACCEPTS] + k]
        e, c = work[state + EXPONENT * n_states], work[state + COARSE * n_states]
        if work[state] > 0.0:
            if not found or behind(e, c, top, top_coarse) > 0.0:
                top, top_coarse = e, c
            found = True
            infinite = infinite or work[state + MEAN * n_states] == -inf
    work[SCORE] = 1.0 if found and not infinite else 0.0
    work[AHEAD] = -inf if infinite else 0.0
    if not found or infinite:
        return work[AHEAD]
    total = 0.0
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        own = row + state
        shift = behind(work[own + EXPONENT * n_states], work[own + COARSE * n_states], top, top_coarse)
        if work[own] > 0.0 and shift > _TOO_FAR:
            work[flows + state] = work[own] * power_of_two(shift)
            total += work[flows + state]
    expected = 0.0
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        share = work[flows + state] / total
        work[flows + state] = share
        if share > 0.0:
            own = -log(share) if surprisals else 0.0
            expected += share * (own + work[row + MEAN * n_states + state])
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        share = work[flows + state]
        if share > 0.0:
            own = -log(share) if surprisals else 0.0
            work[flows + n_states + state] = share * (own + work[row + MEAN * n_states + state] - expected)
    work[AHEAD] = expected
    return expected


@kernel(f"void({_ROWS}, int64, int64, boolean)", internal=True, lazy=True)
def block_back(region, work, block, count, surprisals):
    """The way back through a block, whose columns are there; its rows are computed again."""
    size = row_size(region)
    row = block_places(region)
    start = start_place(region, block)
    for k in range(size):
        work[row + k] = work[start + k]
    for column in range(count):
        row_forward(region, work, row + column * size, row + (column + 1) * size, column, surprisals)
    for back in range(count):
        column = count - 1 - back
        row_back(region, work, row + column * size, row + (column + 1) * size, column, surprisals)
    if block == 0:
        row_back(region, work, row, row, -1, surprisals)
