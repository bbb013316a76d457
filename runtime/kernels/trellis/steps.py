"""A block's frames in linear arithmetic, forward and back: by strips of states, or arc by arc.

Called by ``trellis_forward`` and ``trellis_backward``; ``blocks`` says what the factors are, and what strips are
``arcgrad.runtime.regions.inner_loop``.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.math.vectors import broadcast, entry, load, number, put, store, sum_of
from arcgrad.runtime.kernels.trellis.blocks import columns_width, vector_places, weight_places
from arcgrad.runtime.kernels.trellis.renewal import PLACE, strip_places

__all__ = ["BACK", "FORWARD", "arcs_back", "arcs_forward", "clear", "copy", "strips_back", "strips_forward"]

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
def odd_end(ints, base, work, cells, odd, count):
    """Where odd arcs end that need to be looked at: at once where all are 0, as those out of a start are soon."""
    places = base + entry(ints, base + 22)
    for k in range(odd, odd + count):
        if number(work, cells + entry(ints, places + entry(ints, k))) != 0.0:
            return odd + count
    return odd


@helper
def three(work, cell0, from0, cell1, from1, cell2, from2):
    """Eight sums of three products."""
    total = load(work, cell0) * load(work, from0) + load(work, cell1) * load(work, from1)
    return total + load(work, cell2) * load(work, from2)


@kernel(FORWARD, internal=True, seldom=True)
def strips_forward(ints, base, work, work0, columns, count, start, rows):
    """So many frames, with columns from that place on, from the row at ``start``; it and the others go to ``rows``."""
    _, stride, _, _ = vector_places(ints, base, work0)
    _, _, cells, _ = weight_places(ints, base, work0)
    table, groups, strips, forward, back, odd = strip_places(ints, base)
    short = strips + 4 * entry(ints, table + 5)
    state_slots = base + entry(ints, base + 23)
    sources, ends = base + entry(ints, base + 9), base + entry(ints, base + 10)
    slots, places = base + entry(ints, base + 12), base + entry(ints, base + 22)
    pad = entry(ints, base + 20)
    width = columns_width(ints, base)
    last_odd = odd_end(ints, base, work, cells, odd, entry(ints, table + 1))
    copy(work, start, rows, stride)
    for before in range(rows + pad, rows + pad + count * stride, stride):
        after = before + stride
        clear(work, after - pad, pad)
        clear(work, after + stride - 2 * pad, pad)
        for triple in range(forward, back, 8):
            group = groups + 4 * entry(ints, triple)
            begin = entry(ints, group)
            end = entry(ints, group + 1)
            from0, cell0 = before - entry(ints, triple + 2), cells + entry(ints, triple + 3)
            from1, cell1 = before - entry(ints, triple + 4), cells + entry(ints, triple + 5)
            from2, cell2 = before - entry(ints, triple + 6), cells + entry(ints, triple + 7)
            entering = columns + entry(ints, group + 2)
            if entry(ints, triple + 1) == 0:  # further strips of a group: rare
                step = entry(ints, group + 3)
                for k in range(begin, end, 8):
                    sent = three(work, cell0 + k, from0 + k, cell1 + k, from1 + k, cell2 + k, from2 + k)
                    column = load(work, entering + k - begin) if step == 1 else broadcast(number(work, entering))
                    store(work, after + k, load(work, after + k) + sent * column)
            elif entry(ints, group + 3) == 0 and entry(ints, triple + 7) == 0:  # two strips, as of CTC's blanks
                column = broadcast(number(work, entering))
                for k in range(begin, end, 8):
                    sent = load(work, cell0 + k) * load(work, from0 + k) + load(work, cell1 + k) * load(work, from1 + k)
                    store(work, after + k, sent * column)
            elif entry(ints, group + 3) == 0:
                column = broadcast(number(work, entering))
                for k in range(begin, end, 8):
                    sent = three(work, cell0 + k, from0 + k, cell1 + k, from1 + k, cell2 + k, from2 + k)
                    store(work, after + k, sent * column)
            else:
                entering -= begin
                for k in range(begin, end, 8):
                    sent = three(work, cell0 + k, from0 + k, cell1 + k, from1 + k, cell2 + k, from2 + k)
                    store(work, after + k, sent * load(work, entering + k))
        for strip in range(short, forward, 4):
            first = entry(ints, strip + 2)
            source = before - entry(ints, strip)
            cell = cells + entry(ints, strip + 1)
            slot = entry(ints, state_slots + first)
            step = entry(ints, state_slots + first + 1) - slot
            for k in range(first, entry(ints, strip + 3), 8):
                at = columns + slot + step * (k - first)
                column = load(work, at) if step == 1 else broadcast(number(work, at))
                sent = load(work, cell + k) * load(work, source + k)
                store(work, after + k, load(work, after + k) + sent * column)
        for k in range(odd, last_odd):
            arc = entry(ints, k)
            factor = number(work, cells + entry(ints, places + arc)) * number(work, columns + entry(ints, slots + arc))
            at = after + entry(ints, ends + arc)
            put(work, at, number(work, at) + factor * number(work, before + entry(ints, sources + arc)))
        columns += width


@kernel(BACK, internal=True, seldom=True)
def strips_back(ints, base, work, work0, columns, count, rows, want_weights):
    """The gradient of `strips_forward`: from β after the frames to β before; columns become their posteriors."""
    vectors, stride, _, _ = vector_places(ints, base, work0)
    _, _, cells, sums = weight_places(ints, base, work0)
    table, groups, strips, forward, back, odd = strip_places(ints, base)
    short = strips + 4 * entry(ints, table + 5)
    sources, ends = base + entry(ints, base + 9), base + entry(ints, base + 10)
    places = base + entry(ints, base + 22)
    pad = entry(ints, base + 20)
    width = columns_width(ints, base)
    beta = vectors + 3 * stride + pad
    earlier = beta + stride
    flow = earlier + stride
    last_odd = odd_end(ints, base, work, cells, odd, entry(ints, table + 1))
    clear(work, earlier - pad, 2 * stride)
    for frame in range(count - 1, -1, -1):
        before = rows + frame * stride + pad
        after = before + stride
        for group in range(groups, strips, 4):
            begin = entry(ints, group)
            entering = columns + frame * width + entry(ints, group + 2)
            if entry(ints, group + 3) == 0:
                column = broadcast(number(work, entering))
                posterior = broadcast(0.0)
                for k in range(begin, entry(ints, group + 1), 8):
                    later = load(work, beta + k)
                    store(work, flow + k, column * later)
                    posterior = posterior + load(work, after + k) * later
                put(work, entering, sum_of(posterior))
            else:
                for k in range(begin, entry(ints, group + 1), 8):
                    later = load(work, beta + k)
                    at = entering + k - begin
                    store(work, flow + k, load(work, at) * later)
                    store(work, at, load(work, after + k) * later)
        for triple in range(back, odd, 8):
            group = groups + 4 * entry(ints, triple)
            offset0, offset1, offset2 = entry(ints, triple + 2), entry(ints, triple + 4), entry(ints, triple + 6)
            cell0 = cells + entry(ints, triple + 3) + offset0
            cell1 = cells + entry(ints, triple + 5) + offset1
            cell2 = cells + entry(ints, triple + 7) + offset2
            from0, from1, from2 = flow + offset0, flow + offset1, flow + offset2
            is_first = entry(ints, triple + 1) == 1
            if is_first and entry(ints, triple + 7) == 0:
                for k in range(entry(ints, group), entry(ints, group + 1), 8):
                    sent = load(work, cell0 + k) * load(work, from0 + k) + load(work, cell1 + k) * load(work, from1 + k)
                    store(work, earlier + k, sent)
                continue
            for k in range(entry(ints, group), entry(ints, group + 1), 8):
                sent = three(work, cell0 + k, from0 + k, cell1 + k, from1 + k, cell2 + k, from2 + k)
                store(work, earlier + k, sent if is_first else load(work, earlier + k) + sent)
        for strip in range(short, forward, 4):
            source = earlier - entry(ints, strip)
            cell = cells + entry(ints, strip + 1)
            for k in range(entry(ints, strip + 2), entry(ints, strip + 3), 8):
                store(work, source + k, load(work, source + k) + load(work, cell + k) * load(work, flow + k))
        for k in range(odd, last_odd):
            arc = entry(ints, k)
            cell = entry(ints, places + arc)
            source = entry(ints, sources + arc)
            flowing = number(work, cells + cell) * number(work, flow + entry(ints, ends + arc))
            at = earlier + source
            put(work, at, number(work, at) + flowing)
            at = sums + cell
            put(work, at, number(work, at) + flowing * number(work, before + source))
        if want_weights:
            for strip in range(strips + 4, forward, 4):
                cell = entry(ints, strip + 1)
                source = before - entry(ints, strip)
                for k in range(entry(ints, strip + 2), entry(ints, strip + 3), 8):
                    at = sums + cell + k
                    share = load(work, cells + cell + k) * load(work, source + k) * load(work, flow + k)
                    store(work, at, load(work, at) + share)
        beta, earlier = earlier, beta
    if count % 2 == 1:
        copy(work, beta - pad, earlier - pad, stride)


@kernel(FORWARD, fastmath=("contract", "reassoc"), internal=True, seldom=True)
def arcs_forward(ints, base, work, work0, columns, count, start, rows):
    """As `strips_forward`, arc by arc, ε arcs within each frame."""
    _, stride, _, _ = vector_places(ints, base, work0)
    _, _, cells, _ = weight_places(ints, base, work0)
    width = columns_width(ints, base)
    # Places have no sign here: numba would look for negative ones in the inner loops.
    cell = np.uint64(cells)
    sources = np.uint64(base + ints[base + 9])
    slots = np.uint64(base + ints[base + 12])
    emitting = np.uint64(base + ints[base + 15])
    silent = np.uint64(base + ints[base + 16])
    state_slots = np.uint64(base + ints[base + 23])
    one = np.uint64(1)
    copy(work, start, rows, stride)
    for frame in range(count):
        before = np.uint64(rows + frame * stride)
        after = before + np.uint64(stride)
        column = np.uint64(columns + frame * width)
        clear(work, rows + frame * stride + 2 * stride - 8, 8)
        for state in range(np.uint64(ints[base])):
            total = 0.0
            slot = ints[state_slots + state]
            low, high = np.uint64(ints[emitting + state]), np.uint64(ints[emitting + state + one])
            if slot >= 0:
                for arc in range(low, high):
                    total += work[cell + arc] * work[before + np.uint64(ints[sources + arc])]
                total *= work[column + np.uint64(slot)]
            else:
                for arc in range(low, high):
                    factor = work[cell + arc] * work[column + np.uint64(ints[slots + arc])]
                    total += factor * work[before + np.uint64(ints[sources + arc])]
            for arc in range(np.uint64(ints[silent + state]), np.uint64(ints[silent + state + one])):
                total += work[cell + arc] * work[after + np.uint64(ints[sources + arc])]
            work[after + state] = total


@kernel(BACK, fastmath=("contract",), internal=True, seldom=True)
def arcs_back(ints, base, work, work0, columns, count, rows, want_weights):
    """As `strips_back`, arc by arc."""
    vectors, stride, used_at, _ = vector_places(ints, base, work0)
    _, _, cells, sums_at = weight_places(ints, base, work0)
    width = columns_width(ints, base)
    cell = np.uint64(cells)
    sums = np.uint64(sums_at)
    used = np.uint64(used_at)
    sources = np.uint64(base + ints[base + 9])
    slots = np.uint64(base + ints[base + 12])
    emitting = np.uint64(base + ints[base + 15])
    silent = np.uint64(base + ints[base + 16])
    state_slots = np.uint64(base + ints[base + 23])
    n_states = np.uint64(ints[base])
    one = np.uint64(1)
    beta = np.uint64(vectors + 3 * stride)
    earlier = np.uint64(vectors + 4 * stride)
    for frame in range(count - 1, -1, -1):
        before = np.uint64(rows + frame * stride)
        after = before + np.uint64(stride)
        column = np.uint64(columns + frame * width)
        if ints[base + 8] < ints[base + 1]:
            for back in range(n_states):
                end = n_states - one - back
                own = work[beta + end]
                for arc in range(np.uint64(ints[silent + end]), np.uint64(ints[silent + end + one])):
                    source = np.uint64(ints[sources + arc])
                    flow = work[cell + arc] * own
                    work[beta + source] += flow
                    work[sums + arc] += flow * work[after + source]
        clear(work, used_at, width)
        clear(work, np.int64(earlier), stride)
        for state in range(n_states):
            own = work[beta + state]
            slot = ints[state_slots + state]
            low, high = np.uint64(ints[emitting + state]), np.uint64(ints[emitting + state + one])
            if own != 0.0 and slot >= 0:
                own *= work[column + np.uint64(slot)]
                total = 0.0
                for arc in range(low, high):
                    source = np.uint64(ints[sources + arc])
                    flow = work[cell + arc] * own
                    work[earlier + source] += flow
                    share = flow * work[before + source]
                    total += share
                    work[sums + arc] += share
                work[used + np.uint64(slot)] += total
            elif own != 0.0:
                for arc in range(low, high):
                    source = np.uint64(ints[sources + arc])
                    slot = ints[slots + arc]
                    flow = work[cell + arc] * work[column + np.uint64(slot)] * own
                    work[earlier + source] += flow
                    share = flow * work[before + source]
                    work[used + np.uint64(slot)] += share
                    work[sums + arc] += share
        copy(work, used_at, columns + frame * width, width)
        beta, earlier = earlier, beta
    if count % 2 == 1:
        copy(work, np.int64(beta), np.int64(earlier), stride)
