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
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    BOUNDS,
    BUDGET,
    COARSE_EXPONENTS,
    COARSE_ORIGIN,
    EXPONENTS,
    FAR,
    HAS_FAR,
    LARGEST,
    LEAST,
    LEAST_PRODUCT,
    LIMITED,
    NEAR,
    ORIGIN,
    RAISED,
    SMALLEST,
    START_EXPONENTS,
    TOLERANCE,
    UNIFORM,
    UNITS,
    UNKNOWN,
    columns_width,
    eights,
    frame_places,
    vector_places,
    weight_places,
)

__all__ = [
    "PLACE",
    "diagonal_places",
    "fill_factors",
    "fitting_frames",
    "greatest_columns",
    "move_origin",
    "own_exponents",
    "rescale_row",
    "split_weights",
    "spread_over_arcs",
    "spread_over_diagonals",
]

PLACE = "const int32[::1], float64[::1]"
"""Types of a packed region and its workspace."""


@helper
def diagonal_places(region):
    """Where the inner loop's table, its groups, diagonals, triples forward and back, and leftover arcs begin."""
    table = region[T.TABLE]
    groups = table + T.GROUPS
    diagonals = groups + T.GROUP * region[table + T.N_GROUPS]
    forward = diagonals + T.DIAGONAL * region[table + T.N_DIAGONALS]
    back = forward + T.TRIPLE * region[table + T.N_TRIPLES_FORWARD]
    return table, groups, diagonals, forward, back, back + T.TRIPLE * region[table + T.N_TRIPLES_BACK]


@kernel(f"void({PLACE})", internal=True)
def split_weights(region, work):
    """Split arcs' weights into mantissas and exponents; `FAR`, with the weight's sign, for exponents of two parts."""
    linear, scales, factors, sums = weight_places(region)
    for at in range(linear, scales, 8):
        store(work, at, broadcast(0.0))
    for at in range(scales, factors, 8):
        store(work, at, broadcast(UNKNOWN))
    for at in range(factors, sums, 8):
        store(work, at, broadcast(0.0))
    _, _, _, score = vector_places(region)
    store(work, score, broadcast(0.0))
    store(work, score + 8, broadcast(0.0))
    places = region[T.ARC_FACTORS]
    rests = eights(region, T.RESTS)
    for arc in range(region[T.N_ARCS]):
        weight = work[arc]
        if weight > -inf:
            place = region[places + arc]
            if abs(weight) < LARGE:
                m, work[scales + place] = split_exponential(weight)
                work[linear + place] = m + m * work[rests + arc]  # a rest below 2^−14
            else:
                work[linear + place] = 1.0
                work[scales + place] = FAR if weight > 0.0 else -FAR


@helper
def fitting_frames(region, work, n_frames, frame, most):
    """The length of the block that may begin here: it ends, at the latest, before a frame of wide range."""
    _, _, ranges, _ = frame_places(region, n_frames)
    count = 0
    while count < most and abs(work[ranges + frame + count]) <= BUDGET:
        count += 1
    return count


@kernel(f"void({PLACE}, int64, int64, int64)", internal=True)
def greatest_columns(region, work, n_frames, frame, count):
    """A bound for each slot's column in these frames, as exponent, and for each state's."""
    vectors, stride, slots, _ = vector_places(region)
    columns, _, _, _ = frame_places(region, n_frames)
    width = columns_width(region)
    first = columns + frame * width
    for slot in range(0, width, 8):
        found = broadcast(0.0)
        for at in range(first + slot, first + slot + count * width, width):
            found = greater(found, load(work, at))
        bound = where_greater(found, broadcast(0.0), exponents(found) + 1.0, broadcast(UNKNOWN))
        store(work, slots + slot, bound)
    to = vectors + BOUNDS * stride
    for at in range(to, to + stride, 8):
        store(work, at, broadcast(UNKNOWN))
    to += region[T.PAD]
    state_slots = region[T.STATE_SLOTS]
    for state in range(region[T.N_STATES]):
        slot = region[state_slots + state]
        if slot >= 0:
            work[to + state] = work[slots + slot]


@kernel(f"void({PLACE})", internal=True)
def move_origin(region, work):
    """Count the present row's exponents from that of its best state; what they counted from moves by as much.

    Finds, too, whether states are so far apart that some have a coarse exponent of their own.
    """
    row, stride, _, score = vector_places(region)
    if work[score + HAS_FAR] == 0.0:
        highest = broadcast(UNKNOWN)
        for at in range(row, row + stride, 8):
            mantissas = load(work, at)
            own = exponents(mantissas) + load(work, at + EXPONENTS * stride)
            highest = greater(highest, where_greater(mantissas, broadcast(0.0), own, broadcast(UNKNOWN)))
        top = greatest_of(highest)
        if top > UNKNOWN:
            to = row + EXPONENTS * stride
            for at in range(to, to + stride, 8):
                store(work, at, load(work, at) - top)
            work[score + ORIGIN] += top
        return
    of_states = row + EXPONENTS * stride
    coarse = row + COARSE_EXPONENTS * stride
    top = top_coarse = 0.0
    found = False
    for k in range(stride):
        if work[row + k] > 0.0:
            own = exponent_of(work[row + k]) + work[of_states + k]
            if not found or behind(own, work[coarse + k], top, top_coarse) > 0.0:
                top, top_coarse = own, work[coarse + k]
            found = True
    work[score + HAS_FAR] = 0.0
    for k in range(stride):
        if work[row + k] > 0.0:
            work[of_states + k] -= top
            work[coarse + k] -= top_coarse
            if abs(work[coarse + k]) * COARSE <= NEAR:
                work[of_states + k] += work[coarse + k] * COARSE
                work[coarse + k] = 0.0
            else:
                work[score + HAS_FAR] = 1.0
        else:
            work[coarse + k] = 0.0
    work[score + ORIGIN] += top
    work[score + COARSE_ORIGIN] += top_coarse


@kernel(f"void({PLACE}, boolean)", internal=True)
def own_exponents(region, work, uniform):
    """Exponents that bring the present row's mantissas to between 1 and 2; or the greatest of them for all states."""
    row, stride, _, _ = vector_places(region)
    highest = broadcast(UNKNOWN)
    for at in range(row, row + stride, 8):
        mantissas = load(work, at)
        own = exponents(mantissas) + load(work, at + EXPONENTS * stride)
        own = where_greater(mantissas, broadcast(0.0), own, broadcast(UNKNOWN))
        store(work, at + UNITS * stride, own)
        highest = greater(highest, own)
    if uniform:
        highest = broadcast(greatest_of(highest))
        units = row + UNITS * stride
        for at in range(units, units + stride, 8):
            store(work, at, highest)


@kernel(f"void({PLACE}, int64)", internal=True, lazy=True)
def spread_over_diagonals(region, work, count):
    """Raise exponents to the bound on what a state's sources can send within the block.

    One sweep for each frame. After these, states at the rim have exponents of the first paths that reach them, which
    are rarely the best: further sweeps raise those, and reach no more states. They see what they have just raised.
    """
    vectors, stride, _, _ = vector_places(region)
    _, scales, _, _ = weight_places(region)
    table, _, diagonals, forward, _, leftover = diagonal_places(region)
    old = vectors + UNITS * stride
    to_raised = (RAISED - UNITS) * stride
    units = old + region[T.PAD]
    raised = units + to_raised
    bounds = vectors + BOUNDS * stride + region[T.PAD]
    unknown = broadcast(UNKNOWN)
    for sweep in range(2 * count):
        for at in range(old, old + stride, 8):
            store(work, at + to_raised, load(work, at))
        sources = units if sweep < count else raised
        for diagonal in range(diagonals + T.DIAGONAL, forward, T.DIAGONAL):
            source = sources - region[diagonal + T.DIAGONAL_OFFSET]
            scale = scales + region[diagonal + T.DIAGONAL_FACTOR]
            for state in range(region[diagonal + T.DIAGONAL_BEGIN], region[diagonal + T.DIAGONAL_END], 8):
                sent = load(work, source + state) + load(work, scale + state)
                sent = sent + load(work, bounds + state) - TOLERANCE
                store(work, raised + state, greater(sent, load(work, raised + state)))
        for k in range(leftover, leftover + region[table + T.N_LEFTOVER]):
            arc = region[k]
            state = region[region[T.ARC_ENDS] + arc]
            sent = work[sources + region[region[T.ARC_SOURCES] + arc]] + work[bounds + state] - TOLERANCE
            sent += work[scales + region[region[T.ARC_FACTORS] + arc]]
            if sent > work[raised + state]:
                work[raised + state] = sent
        n_raised = broadcast(0.0)
        for at in range(old, old + stride, 8):
            new = load(work, at + to_raised)
            before = load(work, at)
            if sweep >= count:
                new = where_greater(before, unknown, new, unknown)
            n_raised = n_raised + where_greater(new, before, broadcast(1.0), broadcast(0.0))
            store(work, at, new)
        if sum_of(n_raised) == 0.0:
            break


@kernel(f"void({PLACE}, int64)", internal=True, lazy=True)
def spread_over_arcs(region, work, count):
    """As `spread_over_diagonals`, arc by arc, ε arcs among them."""
    vectors, stride, slots, _ = vector_places(region)
    _, scales, _, _ = weight_places(region)
    units = vectors + UNITS * stride + region[T.PAD]
    for _ in range(count):
        changed = False
        for arc in range(region[T.N_ARCS]):
            sent = work[units + region[region[T.ARC_SOURCES] + arc]] - TOLERANCE
            sent += work[scales + region[region[T.ARC_FACTORS] + arc]]
            if arc < region[T.N_EMITTING]:
                sent += work[slots + region[region[T.ARC_SLOTS] + arc]]
            state = region[region[T.ARC_ENDS] + arc]
            if sent > work[units + state]:
                work[units + state] = sent
                changed = True
        if not changed:
            break


@kernel(f"float64({PLACE}, int64)", internal=True)
def rescale_row(region, work, start):
    """Write the present row in the new units, and these, where the block begins; the exponent of its least mantissa.

    `UNKNOWN` where units are too far apart for a block.
    """
    row, stride, _, _ = vector_places(region)
    least = nearest = furthest = broadcast(0.0)
    unknown = broadcast(UNKNOWN)
    for k in range(0, stride, 8):
        unit = load(work, row + UNITS * stride + k)
        furthest = greater(furthest, unit)
        nearest = lesser(nearest, where_greater(unit, unknown, unit, nearest))
        mantissas = load(work, row + k)
        shift = load(work, row + EXPONENTS * stride + k) - unit
        # In two steps: a mantissa that grew in its block may be in range where the power alone is not.
        first = greater(shift, broadcast(LEAST_PRODUCT))
        store(work, start + k, mantissas * powers_of_two(first) * powers_of_two(shift - first))
        store(work, start + START_EXPONENTS * stride + k, unit)
        least = lesser(least, where_greater(mantissas, broadcast(0.0), exponents(mantissas) + shift, least))
    if greatest_of(furthest) > NEAR or least_of(nearest) < -NEAR:
        return UNKNOWN
    return least_of(least)


@kernel(f"float64({PLACE}, int64, boolean)", internal=True)
def fill_factors(region, work, units, uniform):
    """The block's factors from its units; the exponent of the least. Those of one unit for all states stay the same."""
    linear, scales, factors, _ = weight_places(region)
    _, _, _, score = vector_places(region)
    if uniform and work[score + UNIFORM] == 1.0:
        return work[score + LEAST]
    lowest = zero = broadcast(0.0)
    unknown, absent = broadcast(UNKNOWN), broadcast(UNKNOWN / 2)
    pad = region[T.PAD]
    first = 0
    n_arcs = region[T.N_ARCS]
    if region[T.INNER_LOOP] == T.DIAGONALS:
        table, _, diagonals, forward, _, leftover = diagonal_places(region)
        for diagonal in range(diagonals + T.DIAGONAL, forward, T.DIAGONAL):
            source = units + pad - region[diagonal + T.DIAGONAL_OFFSET]
            place = region[diagonal + T.DIAGONAL_FACTOR]
            for state in range(region[diagonal + T.DIAGONAL_BEGIN], region[diagonal + T.DIAGONAL_END], 8):
                own = load(work, units + pad + state)
                shift = load(work, scales + place + state) + load(work, source + state) - own
                # Where the state cannot be reached, that is beyond everything: the factor is 0 all the same.
                lowest = lesser(lowest, where_greater(shift, absent, shift, lowest))
                clamped = greater(lesser(shift, broadcast(LARGEST)), broadcast(SMALLEST))
                factor = load(work, linear + place + state) * powers_of_two(clamped)
                factor = where_greater(shift, absent, factor, zero)
                store(work, factors + place + state, where_greater(own, unknown, factor, zero))
        first = leftover
        n_arcs = region[table + T.N_LEFTOVER]
    least = least_of(lowest)
    for k in range(n_arcs):
        arc = region[first + k] if region[T.INNER_LOOP] == T.DIAGONALS else k
        own = work[units + pad + region[region[T.ARC_ENDS] + arc]]
        place = region[region[T.ARC_FACTORS] + arc]
        shift = work[scales + place] + work[units + pad + region[region[T.ARC_SOURCES] + arc]] - own
        factor = 0.0
        if shift > UNKNOWN / 2 and own > UNKNOWN:
            least = shift if shift < least else least
            factor = work[linear + place] * power_of_two(min(max(shift, SMALLEST), LARGEST))
        work[factors + place] = factor
    work[score + UNIFORM] = 1.0 if uniform else 0.0
    work[score + LEAST] = least
    work[score + LIMITED] = 0.0
    return least
