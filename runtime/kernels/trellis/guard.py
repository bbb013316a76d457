"""What a block of frames may do, and whether it did: bounds of growth before it, and the guard after it.

Called by ``trellis_forward`` for each block; ``blocks`` says what is tested, and why what passes is exact.
"""

from __future__ import annotations

from math import log2

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.math.scaled import power_of_two
from arcgrad.runtime.kernels.math.vectors import (
    broadcast,
    greater,
    greatest_of,
    load,
    powers_of_two,
    store,
    sum_of,
    where_greater,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    BOUNDS,
    DEPTH,
    ENTERING,
    GROWTH,
    GROWTH_BACK,
    LEAST_PRODUCT,
    LEAVING,
    LIMIT,
    LIMITED,
    SILENT_SUMS,
    UNKNOWN,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.trellis.rescaling import PLACE, diagonal_places

__all__ = ["most_frames", "nothing_is_lost"]

_LEAST = 2.0**-DEPTH

_PRESENT = 2.0**LEAST_PRODUCT
"""The least that a state counts as entered with where an arc with a factor and a column enters it."""


@helper
def bounded(factors, bounds):
    """Sums of factors times the bounds of their columns' exponents, never 0 where neither is."""
    present, zero = broadcast(_PRESENT), broadcast(0.0)
    products = greater(factors * powers_of_two(bounds), present)
    products = where_greater(bounds, broadcast(UNKNOWN), products, zero)
    return where_greater(factors, zero, products, zero)


@kernel(f"float64({PLACE}, boolean)", internal=True)
def most_frames(region, work, uniform):
    """How many frames may let mantissas, and backward scores, grow as much as one may.

    From each state's sum of factors times its columns' bound, which is left for the check after the block, and from the
    same sums by the states that arcs leave. With one unit for all states, columns are bounded by 1, so that this, too,
    stays the same.
    """
    vectors, stride, slots, score = vector_places(region)
    if work[score + LIMITED] == 1.0:
        return work[score + LIMIT]
    _, _, factors, _ = weight_places(region)
    to_bounds = (BOUNDS - ENTERING) * stride
    sums = vectors + ENTERING * stride
    leaving = vectors + LEAVING * stride
    pad = region[T.PAD]
    first = 0
    n_emitting = region[T.N_EMITTING]
    for at in range(0, stride, 8):
        store(work, sums + at, broadcast(0.0))
        store(work, leaving + at, broadcast(0.0))
    if region[T.INNER_LOOP] == T.DIAGONALS:
        table, _, diagonals, forward, _, leftover = diagonal_places(region)
        for diagonal in range(diagonals + T.DIAGONAL, forward, T.DIAGONAL):
            place = factors + region[diagonal + T.DIAGONAL_FACTOR]
            source = leaving + pad - region[diagonal + T.DIAGONAL_OFFSET]
            for state in range(region[diagonal + T.DIAGONAL_BEGIN], region[diagonal + T.DIAGONAL_END], 8):
                at = sums + pad + state
                factor = load(work, place + state)
                store(work, at, load(work, at) + factor)
                sent = factor * powers_of_two(load(work, at + to_bounds))
                store(work, source + state, load(work, source + state) + sent)
        for at in range(sums, sums + stride, 8):
            store(work, at, bounded(load(work, at), load(work, at + to_bounds)))
        first = leftover
        n_emitting = region[table + T.N_LEFTOVER]
    sums += pad
    leaving += pad
    for k in range(n_emitting):
        arc = region[first + k] if region[T.INNER_LOOP] == T.DIAGONALS else k
        factor = work[factors + region[region[T.ARC_FACTORS] + arc]]
        if not uniform and factor > 0.0:
            bound = work[slots + region[region[T.ARC_SLOTS] + arc]]
            factor = max(factor * power_of_two(bound), _PRESENT) if bound > UNKNOWN else 0.0
        work[sums + region[region[T.ARC_ENDS] + arc]] += factor
        work[leaving + region[region[T.ARC_SOURCES] + arc]] += factor
    most = most_leaving = broadcast(1.0)
    for at in range(0, stride, 8):
        most = greater(most, load(work, sums - pad + at))
        most_leaving = greater(most_leaving, load(work, leaving - pad + at))
    growth = log2(greatest_of(most))
    growth_back = log2(greatest_of(most_leaving))
    if region[T.N_EMITTING] < region[T.N_ARCS]:
        # ε arcs multiply a frame's sums by no more than this, as often as they follow one another.
        silent = vectors + SILENT_SUMS * stride
        for at in range(silent, silent + stride, 8):
            store(work, at, broadcast(0.0))
        entered = left = total = 0.0
        previous = -1
        for arc in range(region[T.N_EMITTING], region[T.N_ARCS]):
            state = region[region[T.ARC_ENDS] + arc]
            source = silent + pad + region[region[T.ARC_SOURCES] + arc]
            total = work[factors + arc] + (total if state == previous else 0.0)
            previous = state
            entered = max(entered, total)
            work[source] += work[factors + arc]
            left = max(left, work[source])
            work[sums + state] += work[factors + arc]
        growth += region[T.SILENT_DEPTH] * log2(1.0 + entered)
        growth_back += region[T.SILENT_DEPTH] * log2(1.0 + left)
    limit = 1e9
    if growth > 0.0:
        limit = GROWTH / growth
    if growth_back > 0.0:
        limit = min(limit, GROWTH_BACK / growth_back)
    work[score + LIMITED] = 1.0 if uniform else 0.0
    work[score + LIMIT] = limit
    return limit


@kernel(f"boolean({PLACE}, int64, boolean)", internal=True)
def nothing_is_lost(region, work, row, zeros_are_true):
    """Whether the mantissas of a block's last row show that nothing fell below float64's range on the way.

    A state that is entered by an arc with a factor and a column should have a mantissa; ``zeros_are_true`` where even
    the least product along a path is in range.
    """
    vectors, stride, _, _ = vector_places(region)
    zero, one = broadcast(0.0), broadcast(1.0)
    true_zero = one if zeros_are_true else zero
    lost = zero
    for k in range(0, stride, 8):
        mantissas = load(work, row + k)
        kept = where_greater(mantissas, broadcast(_LEAST), one, where_greater(mantissas, zero, zero, true_zero))
        lost = lost + where_greater(load(work, vectors + ENTERING * stride + k), zero, one - kept, zero)
    return sum_of(lost) == 0.0
