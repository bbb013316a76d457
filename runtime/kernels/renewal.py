"""What a block of frames begins with: exponents of states, the row in their units, and the factors of the inner loop.

Called by ``trellis_forward`` for each block; ``blocks`` explains what for.
"""

from __future__ import annotations

from math import inf, log2

import numpy as np

from arcgrad.runtime.kernels.blocks import (
    BUDGET,
    DEPTH,
    TOLERANCE,
    UNKNOWN,
    columns_width,
    frame_places,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.exponentials import split_exponential
from arcgrad.runtime.kernels.vectors import (
    broadcast,
    exponents,
    greater,
    greatest_of,
    least_of,
    lesser,
    load,
    powers_of_two,
    store,
    sum_of,
    where_greater,
)
from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "PLACE",
    "fill_cells",
    "fitting_frames",
    "greatest_columns",
    "growth_of_frame",
    "nothing_is_lost",
    "own_exponents",
    "renew_row",
    "split_weights",
    "spread_over_arcs",
    "spread_over_strips",
    "strip_places",
]

PLACE = "int32[::1], int64, float64[::1], int64"
"""Types of the packed array, where the region begins in it, the workspace, and where the region's begins."""

_LEAST = 2.0**-DEPTH

# Behind the score, what is known of the cells: whether they are those of one unit for all states, the exponent of the
# least, whether a frame's growth is known, and that.
UNIFORM, LEAST, GROWN, GROWTH_OF_FRAME = 1, 2, 3, 4


@helper
def power_of_two(exponent):
    """As `powers_of_two`, of one number."""
    whole = np.int64(-1022.0 if exponent < -1022.0 else 1023.0 if exponent > 1023.0 else exponent)
    return np.int64((whole + 1023) << 52).view(np.float64) if exponent > -1e299 else 0.0


@helper
def strip_places(ints, base):
    """Where the tables of groups, strips, triples forward and back, and odd arcs begin; see ``pack_strips``."""
    table = base + ints[base + 19]
    groups = table + 6
    strips = groups + 4 * ints[table + 2]
    forward = strips + 4 * ints[table]
    back = forward + 8 * ints[table + 3]
    return table, groups, strips, forward, back, back + 8 * ints[table + 4]


@kernel(f"void({PLACE})", internal=True)
def split_weights(ints, base, work, work0):
    """Arcs' weights as mantissas and exponents, by cell."""
    linear, scales, cells, sums = weight_places(ints, base, work0)
    for cell in range(linear, scales, 8):
        store(work, cell, broadcast(0.0))
    for cell in range(scales, cells, 8):
        store(work, cell, broadcast(UNKNOWN))
    for cell in range(cells, sums, 8):
        store(work, cell, broadcast(0.0))
    _, _, _, score = vector_places(ints, base, work0)
    store(work, score, broadcast(0.0))
    place = base + ints[base + 22]
    for arc in range(ints[base + 1]):
        weight = work[work0 + arc]
        if weight > -inf:
            cell = ints[place + arc]
            work[linear + cell], work[scales + cell] = split_exponential(weight)


@helper
def fitting_frames(ints, base, work, work0, n_frames, frame, most):
    """How many frames from here on, at most so many, may be computed in a block: those before one of wide range."""
    _, _, ranges, _ = frame_places(ints, base, n_frames, work0)
    count = 0
    while count < most and abs(work[ranges + frame + count]) <= BUDGET:
        count += 1
    return count


@kernel(f"void({PLACE}, int64, int64, int64)", internal=True)
def greatest_columns(ints, base, work, work0, n_frames, frame, count):
    """A bound for each slot's column in these frames, as exponent, and for each state's."""
    vectors, stride, slots, _ = vector_places(ints, base, work0)
    columns, _, _, _ = frame_places(ints, base, n_frames, work0)
    width = columns_width(ints, base)
    first = columns + frame * width
    for slot in range(0, width, 8):
        found = broadcast(0.0)
        for at in range(first + slot, first + slot + count * width, width):
            found = greater(found, load(work, at))
        bound = where_greater(found, broadcast(0.0), exponents(found) + 1.0, broadcast(UNKNOWN))
        store(work, slots + slot, bound)
    to = vectors + 4 * stride
    for at in range(to, to + stride, 8):
        store(work, at, broadcast(UNKNOWN))
    to += ints[base + 20]
    state_slots = base + ints[base + 23]
    for state in range(ints[base]):
        slot = ints[state_slots + state]
        if slot >= 0:
            work[to + state] = work[slots + slot]


@kernel(f"void({PLACE}, boolean)", internal=True)
def own_exponents(ints, base, work, work0, uniform):
    """Exponents that bring the present row's mantissas to between 1 and 2; or the greatest of them for all states."""
    row, stride, _, _ = vector_places(ints, base, work0)
    highest = broadcast(UNKNOWN)
    for at in range(row, row + stride, 8):
        mantissas = load(work, at)
        own = exponents(mantissas) + load(work, at + stride)
        own = where_greater(mantissas, broadcast(0.0), own, broadcast(UNKNOWN))
        store(work, at + 2 * stride, own)
        highest = greater(highest, own)
    if uniform:
        highest = broadcast(greatest_of(highest))
        for at in range(row + 2 * stride, row + 3 * stride, 8):
            store(work, at, highest)


@kernel(f"void({PLACE}, int64)", internal=True, seldom=True)
def spread_over_strips(ints, base, work, work0, count):
    """Raise exponents to what a state's sources may send there within so many frames.

    One sweep for each frame. After these, states at the rim have exponents of the first paths that reach them, which
    are seldom the best: further sweeps raise those, and reach no more states. They see what they have just raised.
    """
    vectors, stride, _, _ = vector_places(ints, base, work0)
    _, scales, _, _ = weight_places(ints, base, work0)
    table, _, strips, forward, _, odd = strip_places(ints, base)
    old = vectors + 2 * stride
    units = old + ints[base + 20]
    unknown = broadcast(UNKNOWN)
    for sweep in range(2 * count):
        for at in range(old, old + stride, 8):
            store(work, at + stride, load(work, at))
        sources = units if sweep < count else units + stride
        for strip in range(strips + 4, forward, 4):
            source = sources - ints[strip]
            scale = scales + ints[strip + 1]
            for state in range(ints[strip + 2], ints[strip + 3], 8):
                sent = load(work, source + state) + load(work, scale + state)
                sent = sent + load(work, units + 2 * stride + state) - TOLERANCE
                store(work, units + stride + state, greater(sent, load(work, units + stride + state)))
        for k in range(odd, odd + ints[table + 1]):
            arc = ints[k]
            state = ints[base + ints[base + 10] + arc]
            sent = work[sources + ints[base + ints[base + 9] + arc]] + work[units + 2 * stride + state] - TOLERANCE
            sent += work[scales + ints[base + ints[base + 22] + arc]]
            if sent > work[units + stride + state]:
                work[units + stride + state] = sent
        raised = broadcast(0.0)
        for at in range(old, old + stride, 8):
            new = load(work, at + stride)
            before = load(work, at)
            if sweep >= count:
                new = where_greater(before, unknown, new, unknown)
            raised = raised + where_greater(new, before, broadcast(1.0), broadcast(0.0))
            store(work, at, new)
        if sum_of(raised) == 0.0:
            break


@kernel(f"void({PLACE}, int64)", internal=True, seldom=True)
def spread_over_arcs(ints, base, work, work0, count):
    """As `spread_over_strips`, arc by arc, ε arcs among them."""
    vectors, stride, slots, _ = vector_places(ints, base, work0)
    _, scales, _, _ = weight_places(ints, base, work0)
    units = vectors + 2 * stride + ints[base + 20]
    for _ in range(count):
        changed = False
        for arc in range(ints[base + 1]):
            sent = work[units + ints[base + ints[base + 9] + arc]] - TOLERANCE
            sent += work[scales + ints[base + ints[base + 22] + arc]]
            if arc < ints[base + 8]:
                sent += work[slots + ints[base + ints[base + 12] + arc]]
            state = ints[base + ints[base + 10] + arc]
            if sent > work[units + state]:
                work[units + state] = sent
                changed = True
        if not changed:
            break


@kernel(f"float64({PLACE}, int64)", internal=True)
def renew_row(ints, base, work, work0, start):
    """Write the present row in the new units, and these, where the block begins; the exponent of its least mantissa."""
    row, stride, _, _ = vector_places(ints, base, work0)
    least = broadcast(0.0)
    for k in range(0, stride, 8):
        unit = load(work, row + 2 * stride + k)
        mantissas = load(work, row + k)
        shift = load(work, row + stride + k) - unit
        store(work, start + k, mantissas * powers_of_two(shift))
        store(work, start + stride + k, unit)
        least = lesser(least, where_greater(mantissas, broadcast(0.0), exponents(mantissas) + shift, least))
    return least_of(least)


@kernel(f"float64({PLACE}, int64, boolean)", internal=True)
def fill_cells(ints, base, work, work0, units, uniform):
    """The block's factors from its units; the exponent of the least. Those of one unit for all states stay the same."""
    linear, scales, cells, _ = weight_places(ints, base, work0)
    _, _, _, score = vector_places(ints, base, work0)
    if uniform and work[score + UNIFORM] == 1.0:
        return work[score + LEAST]
    lowest = broadcast(0.0)
    pad = ints[base + 20]
    first = 0
    n_arcs = ints[base + 1]
    if ints[base + 18] == 1:
        table, _, strips, forward, _, odd = strip_places(ints, base)
        for strip in range(strips + 4, forward, 4):
            source = units + pad - ints[strip]
            cell = ints[strip + 1]
            for state in range(ints[strip + 2], ints[strip + 3], 8):
                own = load(work, units + pad + state)
                shift = load(work, scales + cell + state) + load(work, source + state) - own
                lowest = lesser(lowest, where_greater(shift, broadcast(UNKNOWN / 2), shift, lowest))
                factor = load(work, linear + cell + state) * powers_of_two(shift)
                store(work, cells + cell + state, where_greater(own, broadcast(UNKNOWN), factor, broadcast(0.0)))
        first = odd
        n_arcs = ints[table + 1]
    least = least_of(lowest)
    for k in range(n_arcs):
        arc = ints[first + k] if ints[base + 18] == 1 else k
        own = work[units + pad + ints[base + ints[base + 10] + arc]]
        cell = ints[base + ints[base + 22] + arc]
        shift = work[scales + cell] + work[units + pad + ints[base + ints[base + 9] + arc]] - own
        if shift > UNKNOWN / 2:
            least = shift if shift < least else least
        work[cells + cell] = work[linear + cell] * power_of_two(shift) if own > UNKNOWN else 0.0
    work[score + UNIFORM] = 1.0 if uniform else 0.0
    work[score + LEAST] = least
    work[score + GROWN] = 0.0
    return least


@kernel(f"float64({PLACE}, boolean)", internal=True)
def growth_of_frame(ints, base, work, work0, uniform):
    """By how many bits a frame may let mantissas grow.

    From each state's sum of cells times its columns' bound, which is left for the check after the block. With one unit
    for all states, columns are bounded by 1, so that this, too, stays the same.
    """
    vectors, stride, slots, score = vector_places(ints, base, work0)
    if work[score + GROWN] == 1.0:
        return work[score + GROWTH_OF_FRAME]
    _, _, cells, _ = weight_places(ints, base, work0)
    bounds = vectors + 4 * stride
    sums = bounds + stride
    pad = ints[base + 20]
    first = 0
    n_emitting = ints[base + 8]
    for at in range(sums, sums + stride, 8):
        store(work, at, broadcast(0.0))
    if ints[base + 18] == 1:
        table, _, strips, forward, _, odd = strip_places(ints, base)
        for strip in range(strips + 4, forward, 4):
            cell = cells + ints[strip + 1]
            for state in range(ints[strip + 2], ints[strip + 3], 8):
                at = sums + pad + state
                store(work, at, load(work, at) + load(work, cell + state))
        for at in range(sums, sums + stride, 8):
            store(work, at, load(work, at) * powers_of_two(load(work, at - stride)))
        first = odd
        n_emitting = ints[table + 1]
    sums += pad
    for k in range(n_emitting):
        arc = ints[first + k] if ints[base + 18] == 1 else k
        factor = work[cells + ints[base + ints[base + 22] + arc]]
        if not uniform:
            factor *= power_of_two(work[slots + ints[base + ints[base + 12] + arc]])
        work[sums + ints[base + ints[base + 10] + arc]] += factor
    most = broadcast(1.0)
    for at in range(sums - pad, sums - pad + stride, 8):
        most = greater(most, load(work, at))
    # A frame multiplies by no more than that, and its ε arcs by no more than this, as often as they follow one another.
    silent = 0.0
    total = 0.0
    previous = -1
    for arc in range(ints[base + 8], ints[base + 1]):
        state = ints[base + ints[base + 10] + arc]
        total = work[cells + arc] + (total if state == previous else 0.0)
        previous = state
        silent = total if total > silent else silent
        work[sums + state] += work[cells + arc]
    growth = log2(greatest_of(most)) + ints[base + 17] * log2(1.0 + silent)
    work[score + GROWN] = 1.0 if uniform else 0.0
    work[score + GROWTH_OF_FRAME] = growth
    return growth


@kernel(f"boolean({PLACE}, int64, boolean)", internal=True)
def nothing_is_lost(ints, base, work, work0, row, zeros_are_true):
    """Whether the mantissas of a block's last row tell that nothing fell below float64's range on the way.

    A state with an arc from one that was reached should have a mantissa; ``zeros_are_true`` where even the least that
    a path may multiply to is in range.
    """
    vectors, stride, _, _ = vector_places(ints, base, work0)
    zero, one = broadcast(0.0), broadcast(1.0)
    true_zero = one if zeros_are_true else zero
    lost = zero
    for k in range(0, stride, 8):
        mantissas = load(work, row + k)
        kept = where_greater(mantissas, broadcast(_LEAST), one, where_greater(mantissas, zero, zero, true_zero))
        lost = lost + where_greater(load(work, vectors + 5 * stride + k), zero, one - kept, zero)
    return sum_of(lost) == 0.0
