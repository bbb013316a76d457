"""A block's frames in linear arithmetic, forward and back: by diagonals of states, or arc by arc.

Called by ``trellis_forward`` and ``trellis_backward``; ``blocks`` says what the factors are, and what diagonals are
``arcgrad.runtime.regions.inner_loop``.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.math.vectors import broadcast, entry, load, number, put, store, sum_of
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    BETA,
    EARLIER,
    FLOWS,
    columns_width,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.trellis.rescaling import PLACE, diagonal_places

__all__ = ["BACK", "FORWARD", "arcs_back", "arcs_forward", "clear", "copy", "diagonals_back", "diagonals_forward"]

FORWARD = f"void({PLACE}, int64, int64, int64, int64)"
BACK = f"void({PLACE}, int64, int64, int64, boolean)"


@helper
def clear(work, begin, count):
    """Write zeros, in eights."""
    for at in range(begin, begin + count, 8):
        store(work, at, broadcast(0.0))


@helper
def copy(work, source, to, count):
    """Copy numbers, in eights."""
    for k in range(0, count, 8):
        store(work, to + k, load(work, source + k))


@helper
def leftover_end(region, work, factors, leftover, count):
    """Where leftover arcs end that need to be looked at: at once where all are 0, as those out of a start are soon."""
    places = entry(region, T.ARC_FACTORS)
    for k in range(leftover, leftover + count):
        if number(work, factors + entry(region, places + entry(region, k))) != 0.0:
            return leftover + count
    return leftover


@helper
def triple_at(region, triple):
    """Read offset and place of the factors of each of a triple's diagonals."""
    return (
        entry(region, triple + T.OFFSET0),
        entry(region, triple + T.FACTOR0),
        entry(region, triple + T.OFFSET1),
        entry(region, triple + T.FACTOR1),
        entry(region, triple + T.OFFSET2),
        entry(region, triple + T.FACTOR2),
    )


@helper
def two(work, place0, from0, place1, from1):
    """Eight sums of two products."""
    return load(work, place0) * load(work, from0) + load(work, place1) * load(work, from1)


@helper
def three(work, place0, from0, place1, from1, place2, from2):
    """Eight sums of three products."""
    return two(work, place0, from0, place1, from1) + load(work, place2) * load(work, from2)


@kernel(FORWARD, internal=True, lazy=True)
def diagonals_forward(region, work, columns, count, start, rows):
    """So many frames, with columns from that place on, from the row at ``start``; it and the others go to ``rows``."""
    _, stride, _, _ = vector_places(region)
    _, _, factors, _ = weight_places(region)
    table, groups, diagonals, forward, back, leftover = diagonal_places(region)
    short = diagonals + T.DIAGONAL * entry(region, table + T.N_LONG)
    state_slots = entry(region, T.STATE_SLOTS)
    sources, ends = entry(region, T.ARC_SOURCES), entry(region, T.ARC_ENDS)
    slots, places = entry(region, T.ARC_SLOTS), entry(region, T.ARC_FACTORS)
    pad = entry(region, T.PAD)
    width = columns_width(region)
    last_leftover = leftover_end(region, work, factors, leftover, entry(region, table + T.N_LEFTOVER))
    copy(work, start, rows, stride)
    for before in range(rows + pad, rows + pad + count * stride, stride):
        after = before + stride
        clear(work, after - pad, pad)
        clear(work, after + stride - 2 * pad, pad)
        for triple in range(forward, back, T.TRIPLE):
            group = groups + T.GROUP * entry(region, triple + T.TRIPLE_GROUP)
            begin = entry(region, group + T.GROUP_BEGIN)
            end = entry(region, group + T.GROUP_END)
            offset0, place0, offset1, place1, offset2, place2 = triple_at(region, triple)
            from0, from1, from2 = before - offset0, before - offset1, before - offset2
            are_two = place2 == 0  # as of CTC's blanks
            place0, place1, place2 = factors + place0, factors + place1, factors + place2
            entering = columns + entry(region, group + T.GROUP_SLOT)
            step = entry(region, group + T.GROUP_STEP)
            if entry(region, triple + T.IS_FIRST) == 0:  # further diagonals of a group: rare
                for k in range(begin, end, 8):
                    sent = three(work, place0 + k, from0 + k, place1 + k, from1 + k, place2 + k, from2 + k)
                    column = load(work, entering + k - begin) if step == 1 else broadcast(number(work, entering))
                    store(work, after + k, load(work, after + k) + sent * column)
            elif step == 0 and are_two:
                column = broadcast(number(work, entering))
                for k in range(begin, end, 8):
                    store(work, after + k, two(work, place0 + k, from0 + k, place1 + k, from1 + k) * column)
            elif step == 0:
                column = broadcast(number(work, entering))
                for k in range(begin, end, 8):
                    sent = three(work, place0 + k, from0 + k, place1 + k, from1 + k, place2 + k, from2 + k)
                    store(work, after + k, sent * column)
            else:
                entering -= begin
                for k in range(begin, end, 8):
                    sent = three(work, place0 + k, from0 + k, place1 + k, from1 + k, place2 + k, from2 + k)
                    store(work, after + k, sent * load(work, entering + k))
        for diagonal in range(short, forward, T.DIAGONAL):
            first = entry(region, diagonal + T.DIAGONAL_BEGIN)
            source = before - entry(region, diagonal + T.DIAGONAL_OFFSET)
            place = factors + entry(region, diagonal + T.DIAGONAL_FACTOR)
            slot = entry(region, state_slots + first)
            step = entry(region, state_slots + first + 1) - slot
            for k in range(first, entry(region, diagonal + T.DIAGONAL_END), 8):
                at = columns + slot + step * (k - first)
                column = load(work, at) if step == 1 else broadcast(number(work, at))
                sent = load(work, place + k) * load(work, source + k)
                store(work, after + k, load(work, after + k) + sent * column)
        for k in range(leftover, last_leftover):
            arc = entry(region, k)
            factor = number(work, factors + entry(region, places + arc)) * number(
                work, columns + entry(region, slots + arc)
            )
            at = after + entry(region, ends + arc)
            put(work, at, number(work, at) + factor * number(work, before + entry(region, sources + arc)))
        columns += width


@kernel(BACK, internal=True, lazy=True)
def diagonals_back(region, work, columns, count, rows, want_weights):
    """The gradient of `diagonals_forward`: from β after the frames to β before; columns become their posteriors."""
    vectors, stride, _, _ = vector_places(region)
    _, _, factors, sums = weight_places(region)
    table, groups, diagonals, forward, back, leftover = diagonal_places(region)
    short = diagonals + T.DIAGONAL * entry(region, table + T.N_LONG)
    sources, ends = entry(region, T.ARC_SOURCES), entry(region, T.ARC_ENDS)
    places = entry(region, T.ARC_FACTORS)
    pad = entry(region, T.PAD)
    width = columns_width(region)
    beta = vectors + BETA * stride + pad
    earlier = vectors + EARLIER * stride + pad
    flow = vectors + FLOWS * stride + pad
    last_leftover = leftover_end(region, work, factors, leftover, entry(region, table + T.N_LEFTOVER))
    clear(work, earlier - pad, stride)
    clear(work, flow - pad, stride)
    for frame in range(count - 1, -1, -1):
        before = rows + frame * stride + pad
        after = before + stride
        for group in range(groups, diagonals, T.GROUP):
            begin = entry(region, group + T.GROUP_BEGIN)
            entering = columns + frame * width + entry(region, group + T.GROUP_SLOT)
            if entry(region, group + T.GROUP_STEP) == 0:
                column = broadcast(number(work, entering))
                posterior = broadcast(0.0)
                for k in range(begin, entry(region, group + T.GROUP_END), 8):
                    later = load(work, beta + k)
                    store(work, flow + k, column * later)
                    posterior = posterior + load(work, after + k) * later
                put(work, entering, sum_of(posterior))
            else:
                for k in range(begin, entry(region, group + T.GROUP_END), 8):
                    later = load(work, beta + k)
                    at = entering + k - begin
                    store(work, flow + k, load(work, at) * later)
                    store(work, at, load(work, after + k) * later)
        for triple in range(back, leftover, T.TRIPLE):
            group = groups + T.GROUP * entry(region, triple + T.TRIPLE_GROUP)
            begin, end = entry(region, group + T.GROUP_BEGIN), entry(region, group + T.GROUP_END)
            offset0, place0, offset1, place1, offset2, place2 = triple_at(region, triple)
            from0, from1, from2 = flow + offset0, flow + offset1, flow + offset2
            are_two = place2 == 0
            place0, place1, place2 = factors + place0 + offset0, factors + place1 + offset1, factors + place2 + offset2
            is_first = entry(region, triple + T.IS_FIRST) == 1
            if is_first and are_two:
                for k in range(begin, end, 8):
                    store(work, earlier + k, two(work, place0 + k, from0 + k, place1 + k, from1 + k))
                continue
            for k in range(begin, end, 8):
                sent = three(work, place0 + k, from0 + k, place1 + k, from1 + k, place2 + k, from2 + k)
                store(work, earlier + k, sent if is_first else load(work, earlier + k) + sent)
        for diagonal in range(short, forward, T.DIAGONAL):
            source = earlier - entry(region, diagonal + T.DIAGONAL_OFFSET)
            place = factors + entry(region, diagonal + T.DIAGONAL_FACTOR)
            for k in range(entry(region, diagonal + T.DIAGONAL_BEGIN), entry(region, diagonal + T.DIAGONAL_END), 8):
                store(work, source + k, load(work, source + k) + load(work, place + k) * load(work, flow + k))
        for k in range(leftover, last_leftover):
            arc = entry(region, k)
            place = entry(region, places + arc)
            source = entry(region, sources + arc)
            flowing = number(work, factors + place) * number(work, flow + entry(region, ends + arc))
            at = earlier + source
            put(work, at, number(work, at) + flowing)
            at = sums + place
            put(work, at, number(work, at) + flowing * number(work, before + source))
        if want_weights:
            for diagonal in range(diagonals + T.DIAGONAL, forward, T.DIAGONAL):
                place = entry(region, diagonal + T.DIAGONAL_FACTOR)
                source = before - entry(region, diagonal + T.DIAGONAL_OFFSET)
                for k in range(entry(region, diagonal + T.DIAGONAL_BEGIN), entry(region, diagonal + T.DIAGONAL_END), 8):
                    at = sums + place + k
                    share = load(work, factors + place + k) * load(work, source + k) * load(work, flow + k)
                    store(work, at, load(work, at) + share)
        beta, earlier = earlier, beta
    if count % 2 == 1:
        copy(work, beta - pad, earlier - pad, stride)


@kernel(FORWARD, fastmath=("contract", "reassoc"), internal=True, lazy=True)
def arcs_forward(region, work, columns, count, start, rows):
    """As `diagonals_forward`, arc by arc, ε arcs within each frame."""
    _, stride, _, _ = vector_places(region)
    _, _, factors_at, _ = weight_places(region)
    width = columns_width(region)
    # Places have no sign here: numba would look for negative ones in the inner loops.
    factors = np.uint64(factors_at)
    sources = np.uint64(region[T.ARC_SOURCES])
    slots = np.uint64(region[T.ARC_SLOTS])
    emitting = np.uint64(region[T.EMITTING])
    silent = np.uint64(region[T.SILENT])
    state_slots = np.uint64(region[T.STATE_SLOTS])
    one = np.uint64(1)
    copy(work, start, rows, stride)
    for frame in range(count):
        before = np.uint64(rows + frame * stride)
        after = before + np.uint64(stride)
        column = np.uint64(columns + frame * width)
        clear(work, rows + frame * stride + 2 * stride - 8, 8)
        for state in range(np.uint64(region[T.N_STATES])):
            total = 0.0
            slot = region[state_slots + state]
            low, high = np.uint64(region[emitting + state]), np.uint64(region[emitting + state + one])
            if slot >= 0:
                for arc in range(low, high):
                    total += work[factors + arc] * work[before + np.uint64(region[sources + arc])]
                total *= work[column + np.uint64(slot)]
            else:
                for arc in range(low, high):
                    factor = work[factors + arc] * work[column + np.uint64(region[slots + arc])]
                    total += factor * work[before + np.uint64(region[sources + arc])]
            for arc in range(np.uint64(region[silent + state]), np.uint64(region[silent + state + one])):
                total += work[factors + arc] * work[after + np.uint64(region[sources + arc])]
            work[after + state] = total


@kernel(BACK, fastmath=("contract",), internal=True, lazy=True)
def arcs_back(region, work, columns, count, rows, want_weights):
    """As `diagonals_back`, arc by arc."""
    vectors, stride, used_at, _ = vector_places(region)
    _, _, factors_at, sums_at = weight_places(region)
    width = columns_width(region)
    factors = np.uint64(factors_at)
    sums = np.uint64(sums_at)
    used = np.uint64(used_at)
    sources = np.uint64(region[T.ARC_SOURCES])
    slots = np.uint64(region[T.ARC_SLOTS])
    emitting = np.uint64(region[T.EMITTING])
    silent = np.uint64(region[T.SILENT])
    state_slots = np.uint64(region[T.STATE_SLOTS])
    n_states = np.uint64(region[T.N_STATES])
    one = np.uint64(1)
    beta = np.uint64(vectors + BETA * stride)
    earlier = np.uint64(vectors + EARLIER * stride)
    for frame in range(count - 1, -1, -1):
        before = np.uint64(rows + frame * stride)
        after = before + np.uint64(stride)
        column = np.uint64(columns + frame * width)
        if region[T.N_EMITTING] < region[T.N_ARCS]:
            for back in range(n_states):
                end = n_states - one - back
                own = work[beta + end]
                for arc in range(np.uint64(region[silent + end]), np.uint64(region[silent + end + one])):
                    source = np.uint64(region[sources + arc])
                    flow = work[factors + arc] * own
                    work[beta + source] += flow
                    work[sums + arc] += flow * work[after + source]
        clear(work, used_at, width)
        clear(work, np.int64(earlier), stride)
        for state in range(n_states):
            own = work[beta + state]
            slot = region[state_slots + state]
            low, high = np.uint64(region[emitting + state]), np.uint64(region[emitting + state + one])
            if own != 0.0 and slot >= 0:
                own *= work[column + np.uint64(slot)]
                total = 0.0
                for arc in range(low, high):
                    source = np.uint64(region[sources + arc])
                    flow = work[factors + arc] * own
                    work[earlier + source] += flow
                    share = flow * work[before + source]
                    total += share
                    work[sums + arc] += share
                work[used + np.uint64(slot)] += total
            elif own != 0.0:
                for arc in range(low, high):
                    source = np.uint64(region[sources + arc])
                    slot = region[slots + arc]
                    flow = work[factors + arc] * work[column + np.uint64(slot)] * own
                    work[earlier + source] += flow
                    share = flow * work[before + source]
                    work[used + np.uint64(slot)] += share
                    work[sums + arc] += share
        copy(work, used_at, columns + frame * width, width)
        beta, earlier = earlier, beta
    if count % 2 == 1:
        copy(work, np.int64(beta), np.int64(earlier), stride)
