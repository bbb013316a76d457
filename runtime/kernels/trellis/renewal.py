"""What a block of frames begins with: exponents of states, the row in their units, and the factors of the inner loop.

Called by ``trellis_forward`` for each block; ``blocks`` explains what for.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.math.exponentials import split_exponential
from arcgrad.runtime.kernels.math.scaled import COARSE, LARGE, behind, exponent_of, power_of_two
from arcgrad.runtime.kernels.math.vectors import (
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
from arcgrad.runtime.kernels.trellis.blocks import (
    BUDGET,
    COARSE_ORIGIN,
    FAR,
    HAS_FAR,
    LARGEST,
    LEAST,
    LEAST_PRODUCT,
    LIMITED,
    NEAR,
    ORIGIN,
    SMALLEST,
    TOLERANCE,
    UNIFORM,
    UNKNOWN,
    columns_width,
    frame_places,
    vector_places,
    weight_places,
)

__all__ = [
    "PLACE",
    "fill_cells",
    "fitting_frames",
    "greatest_columns",
    "move_origin",
    "own_exponents",
    "renew_row",
    "split_weights",
    "spread_over_arcs",
    "spread_over_strips",
    "strip_places",
]

PLACE = "int32[::1], int64, float64[::1], int64"
"""Types of the packed array, where the region begins in it, the workspace, and where the region's begins."""


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
    """Arcs' weights as mantissas and exponents, by cell; `FAR`, with the weight's sign, for exponents of two parts."""
    linear, scales, cells, sums = weight_places(ints, base, work0)
    for cell in range(linear, scales, 8):
        store(work, cell, broadcast(0.0))
    for cell in range(scales, cells, 8):
        store(work, cell, broadcast(UNKNOWN))
    for cell in range(cells, sums, 8):
        store(work, cell, broadcast(0.0))
    _, _, _, score = vector_places(ints, base, work0)
    store(work, score, broadcast(0.0))
    store(work, score + 8, broadcast(0.0))
    place = base + ints[base + 22]
    rests = work0 + (ints[base + 1] + 7) // 8 * 8
    for arc in range(ints[base + 1]):
        weight = work[work0 + arc]
        if weight > -inf:
            cell = ints[place + arc]
            if abs(weight) < LARGE:
                m, work[scales + cell] = split_exponential(weight)
                work[linear + cell] = m + m * work[rests + arc]  # a rest below 2^−14
            else:
                work[linear + cell] = 1.0
                work[scales + cell] = FAR if weight > 0.0 else -FAR


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


@kernel(f"void({PLACE})", internal=True)
def move_origin(ints, base, work, work0):
    """Count the present row's exponents from that of its best state; what they counted from moves by as much.

    Finds, too, whether states are so far apart that some have a coarse exponent of their own.
    """
    row, stride, _, score = vector_places(ints, base, work0)
    if work[score + HAS_FAR] == 0.0:
        highest = broadcast(UNKNOWN)
        for at in range(row, row + stride, 8):
            mantissas = load(work, at)
            own = exponents(mantissas) + load(work, at + stride)
            highest = greater(highest, where_greater(mantissas, broadcast(0.0), own, broadcast(UNKNOWN)))
        top = greatest_of(highest)
        if top > UNKNOWN:
            for at in range(row + stride, row + 2 * stride, 8):
                store(work, at, load(work, at) - top)
            work[score + ORIGIN] += top
        return
    coarse = row + 6 * stride
    top = top_coarse = 0.0
    found = False
    for k in range(stride):
        if work[row + k] > 0.0:
            own = exponent_of(work[row + k]) + work[row + stride + k]
            if not found or behind(own, work[coarse + k], top, top_coarse) > 0.0:
                top, top_coarse = own, work[coarse + k]
            found = True
    work[score + HAS_FAR] = 0.0
    for k in range(stride):
        if work[row + k] > 0.0:
            work[row + stride + k] -= top
            work[coarse + k] -= top_coarse
            if abs(work[coarse + k]) * COARSE <= NEAR:
                work[row + stride + k] += work[coarse + k] * COARSE
                work[coarse + k] = 0.0
            else:
                work[score + HAS_FAR] = 1.0
        else:
            work[coarse + k] = 0.0
    work[score + ORIGIN] += top
    work[score + COARSE_ORIGIN] += top_coarse


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
    """Write the present row in the new units, and these, where the block begins; the exponent of its least mantissa.

    `UNKNOWN` where units are too far apart for a block.
    """
    row, stride, _, _ = vector_places(ints, base, work0)
    least = nearest = furthest = broadcast(0.0)
    unknown = broadcast(UNKNOWN)
    for k in range(0, stride, 8):
        unit = load(work, row + 2 * stride + k)
        furthest = greater(furthest, unit)
        nearest = lesser(nearest, where_greater(unit, unknown, unit, nearest))
        mantissas = load(work, row + k)
        shift = load(work, row + stride + k) - unit
        # In two steps: a mantissa that grew in its block may be in range where the power alone is not.
        first = greater(shift, broadcast(LEAST_PRODUCT))
        store(work, start + k, mantissas * powers_of_two(first) * powers_of_two(shift - first))
        store(work, start + stride + k, unit)
        least = lesser(least, where_greater(mantissas, broadcast(0.0), exponents(mantissas) + shift, least))
    if greatest_of(furthest) > NEAR or least_of(nearest) < -NEAR:
        return UNKNOWN
    return least_of(least)


@kernel(f"float64({PLACE}, int64, boolean)", internal=True)
def fill_cells(ints, base, work, work0, units, uniform):
    """The block's factors from its units; the exponent of the least. Those of one unit for all states stay the same."""
    linear, scales, cells, _ = weight_places(ints, base, work0)
    _, _, _, score = vector_places(ints, base, work0)
    if uniform and work[score + UNIFORM] == 1.0:
        return work[score + LEAST]
    lowest = zero = broadcast(0.0)
    unknown, absent = broadcast(UNKNOWN), broadcast(UNKNOWN / 2)
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
                # Where the state cannot be reached, that is beyond everything: the cell is 0 all the same.
                lowest = lesser(lowest, where_greater(shift, absent, shift, lowest))
                clamped = greater(lesser(shift, broadcast(LARGEST)), broadcast(SMALLEST))
                factor = load(work, linear + cell + state) * powers_of_two(clamped)
                factor = where_greater(shift, absent, factor, zero)
                store(work, cells + cell + state, where_greater(own, unknown, factor, zero))
        first = odd
        n_arcs = ints[table + 1]
    least = least_of(lowest)
    for k in range(n_arcs):
        arc = ints[first + k] if ints[base + 18] == 1 else k
        own = work[units + pad + ints[base + ints[base + 10] + arc]]
        cell = ints[base + ints[base + 22] + arc]
        shift = work[scales + cell] + work[units + pad + ints[base + ints[base + 9] + arc]] - own
        factor = 0.0
        if shift > UNKNOWN / 2 and own > UNKNOWN:
            least = shift if shift < least else least
            factor = work[linear + cell] * power_of_two(min(max(shift, SMALLEST), LARGEST))
        work[cells + cell] = factor
    work[score + UNIFORM] = 1.0 if uniform else 0.0
    work[score + LEAST] = least
    work[score + LIMITED] = 0.0
    return least
