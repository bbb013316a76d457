"""Expectations over dense compositions by the blocks of ``trellis_log``, in linear numbers.

The log kernel's forward pass leaves rows of mantissas, block by block, with factors and columns that multiply them
(``trellis.blocks`` proves that they keep their digits). An arc's share in its end's mantissa is what ``rows`` computes
with an exponent for each number; the rest is as there. Where a block was computed slowly, where there are ε arcs, and
where values are infinite, ``rows`` is asked. The entropy is the score less the expected weight, as long as weights are
ordinary: their sums then lose less than the digits that count.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import ORDINARY
from arcgrad.runtime.kernels.expectation.places import (
    AHEAD,
    SCALARS,
    SCORE,
    linear_arcs,
    linear_columns,
    linear_means,
    linear_states,
)
from arcgrad.runtime.kernels.math.vectors import broadcast, entry, load, number, put, store
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    FIRST_FRAME,
    HOW,
    KEPT,
    N_BLOCKS,
    START_EXPONENTS,
    START_ROWS,
    block_rows,
    columns_width,
    frame_places,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.trellis.rescaling import fill_factors
from arcgrad.runtime.kernels.trellis.trellis_forward import SLOWLY, UNIFORMLY, run_block

__all__ = [
    "all_fast",
    "begin_means",
    "block_end",
    "columns_as_values",
    "finish_means",
    "linear_back",
    "linear_forward",
    "weights_as_values",
]

_NEGLIGIBLE = 1e-290
"""Visits below this are dropped."""

_PLACE = "const int32[::1], float64[::1], int32[::1]"


@helper
def clear(work, at, count):
    """Write zeros, eight at a time."""
    for k in range(at, at + count, 8):
        store(work, k, broadcast(0.0))


@helper
def all_fast(iwork):
    """Whether no block was computed slowly."""
    fast = True
    for block in range(iwork[N_BLOCKS]):
        fast = fast and iwork[HOW + 2 * block] != SLOWLY
    return fast


@helper
def weights_as_values(region, work, n_frames):
    """Make the arcs' weights values with the other sign, 0 where there is no arc; whether all are ordinary."""
    at, _, _ = linear_arcs(region, n_frames)
    _, shifts, _, _ = frame_places(region, n_frames)
    ordinary = True
    for arc in range(region[T.N_ARCS]):
        weight = work[SCALARS + arc]
        ordinary = ordinary and (weight == -inf or abs(weight) <= ORDINARY)
        work[at + arc] = -weight if weight > -inf else 0.0
    for frame in range(n_frames):
        ordinary = ordinary and abs(work[SCALARS + shifts + frame]) <= ORDINARY
    return ordinary


@helper
def columns_as_values(region, frames, work, begin, count, to):
    """Make so many frames' columns, less their shift, values with the other sign; 0 where they are absent."""
    _, shifts, _, _ = frame_places(region, len(frames))
    used = region[T.SLOT_COLUMNS]
    for frame in range(begin, begin + count):
        shift = work[SCALARS + shifts + frame]
        for slot in range(region[T.N_SLOTS]):
            column = frames[frame, region[used + slot]]
            work[to + slot] = shift - column if column > -inf else 0.0
        to += region[T.N_SLOTS]


@helper
def block_end(iwork, n_frames, block):
    """The frame before which a block ends."""
    return np.int64(iwork[FIRST_FRAME + 2 * block + 2]) if block + 1 < iwork[N_BLOCKS] else np.int64(n_frames)


@helper
def log_rows(region, work, iwork, n_frames, block, begin, count):
    """Place of a block's rows in the log kernel's workspace, with its factors there; computed again where not kept."""
    log_work = work[SCALARS:]
    _, stride, _, _ = vector_places(region)
    columns, _, _, starts = frame_places(region, n_frames)
    start = starts + START_ROWS * stride * block
    fill_factors(region, log_work, start + START_EXPONENTS * stride, iwork[HOW + 2 * block] == UNIFORMLY)
    rows = block_rows(region, n_frames, block, begin)
    if n_frames * stride > KEPT:
        run_block(region, log_work, columns + begin * columns_width(region), count, start, rows)
    return SCALARS + rows


@helper
def begin_means(region, work, n_frames):
    """What is expected before the first frame: nothing."""
    _, stride, _, _ = vector_places(region)
    clear(work, linear_means(region, n_frames, 0, 0), stride)
    keep_means(region, work, n_frames, 0, linear_means(region, n_frames, 0, 0))


@helper
def keep_means(region, work, n_frames, block, row):
    """Keep the row that a block begins with."""
    _, stride, _, _ = vector_places(region)
    to = linear_states(region, n_frames) + (4 + block) * stride
    for k in range(0, stride, 8):
        store(work, to + k, load(work, row + k))


@kernel("boolean(const int32[::1], float64[::1], int64, int64, int64, int64, int64, int64)", internal=True, lazy=True)
def rows_of_means(region, work, n_frames, begin, count, rows, values, means):
    """What is expected of the ways to each state, row by row from the block's first; whether all of it is finite."""
    _, stride, _, _ = vector_places(region)
    _, _, factors, _ = weight_places(region)
    columns, _, _, _ = frame_places(region, n_frames)
    factors += SCALARS
    width = columns_width(region)
    columns += SCALARS + begin * width
    n_slots = entry(region, T.N_SLOTS)
    pad, places, sources = entry(region, T.PAD), entry(region, T.ARC_FACTORS), entry(region, T.ARC_SOURCES)
    slots, emitting = entry(region, T.ARC_SLOTS), entry(region, T.EMITTING)
    state_slots = entry(region, T.STATE_SLOTS)
    arc_values, _, _ = linear_arcs(region, n_frames)
    finite = True
    for frame in range(count):
        before = rows + frame * stride + pad
        after = before + stride
        mean_before = means + frame * stride + pad
        mean_after = mean_before + stride
        clear(work, mean_after - pad, stride)
        for state in range(entry(region, T.N_STATES)):
            score = number(work, after + state)
            if score == 0.0:
                continue
            shared = entry(region, state_slots + state)  # the only slot of its arcs, or −1
            total = 0.0
            for arc in range(entry(region, emitting + state), entry(region, emitting + state + 1)):
                source = entry(region, sources + arc)
                slot = shared if shared >= 0 else entry(region, slots + arc)
                share = number(work, factors + entry(region, places + arc)) * number(work, before + source)
                share *= number(work, columns + slot)
                value = number(work, arc_values + arc) + number(work, values + slot)
                total += share * (value + number(work, mean_before + source))
            total /= score
            finite = finite and abs(total) < inf
            put(work, mean_after + state, total)
        columns += width
        values += n_slots
    return finite


@kernel(f"boolean({_PLACE}, int64, int64, int64, int64)", internal=True, lazy=True)
def linear_forward(region, work, iwork, n_frames, block, begin, count):
    """A block, whose columns' values are there; whether it is finite."""
    _, stride, _, _ = vector_places(region)
    rows = log_rows(region, work, iwork, n_frames, block, begin, count)
    values, _, _ = linear_columns(region, n_frames)
    means = linear_means(region, n_frames, block, begin)
    finite = rows_of_means(region, work, n_frames, begin, count, rows, values, means)
    last = means + count * stride
    keep_means(region, work, n_frames, block + 1, last)
    following = linear_means(region, n_frames, block + 1, begin + count)
    for k in range(0, stride, 8):
        store(work, following + k, load(work, last + k))
    return finite


@kernel(f"float64({_PLACE}, int64, boolean)", internal=True, lazy=True)
def finish_means(region, work, iwork, n_frames, surprisals):
    """The expectation, and the visits and surprises with which the way back begins."""
    row, stride, _, score = vector_places(region)
    visits = linear_states(region, n_frames)
    surprises = visits + stride
    pad = region[T.PAD]
    means = visits + (4 + iwork[N_BLOCKS]) * stride + pad
    clear(work, visits, 4 * stride)
    expected = 0.0
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        share = work[SCALARS + row + pad + state]
        work[visits + pad + state] = share
        expected += share * work[means + state]
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        share = work[visits + pad + state]
        work[surprises + pad + state] = share * (work[means + state] - expected)
    if surprisals:  # −log p(path) is the score less the path's weight
        expected += work[SCALARS + score]
        _, shifts, _, _ = frame_places(region, n_frames)
        for frame in range(n_frames):
            expected -= work[SCALARS + shifts + frame]
    work[SCORE] = 1.0
    work[AHEAD] = expected
    return expected


@kernel(f"void({_PLACE}, int64, int64, int64, int64)", internal=True, lazy=True)
def linear_back(region, work, iwork, n_frames, block, begin, count):
    """The way back through a block, whose columns' values are there; derivatives of columns are written."""
    _, stride, _, _ = vector_places(region)
    _, _, factors, _ = weight_places(region)
    columns, _, _, _ = frame_places(region, n_frames)
    rows = log_rows(region, work, iwork, n_frames, block, begin, count)
    factors += SCALARS
    width = columns_width(region)
    n_slots = entry(region, T.N_SLOTS)
    values, by_column, by_column_value = linear_columns(region, n_frames)
    means = linear_means(region, n_frames, block, begin)
    if n_frames * stride > KEPT:
        start = linear_states(region, n_frames) + (4 + block) * stride
        for k in range(0, stride, 8):
            store(work, means + k, load(work, start + k))
        rows_of_means(region, work, n_frames, begin, count, rows, values, means)
    pad, places, sources = entry(region, T.PAD), entry(region, T.ARC_FACTORS), entry(region, T.ARC_SOURCES)
    slots, emitting = entry(region, T.ARC_SLOTS), entry(region, T.EMITTING)
    state_slots = entry(region, T.STATE_SLOTS)
    arc_values, by_weight, by_value = linear_arcs(region, n_frames)
    states = linear_states(region, n_frames)
    for back in range(count):
        frame = count - 1 - back
        column = columns + SCALARS + (begin + frame) * width
        value_at, to_column = values + frame * n_slots, by_column + frame * n_slots
        to_value = by_column_value + frame * n_slots
        for slot in range(n_slots):
            put(work, to_column + slot, 0.0)
            put(work, to_value + slot, 0.0)
        before, mean_before = rows + frame * stride + pad, means + frame * stride + pad
        after, mean_after = before + stride, mean_before + stride
        visits, surprises = states + pad, states + stride + pad
        earlier, earlier_surprises = states + 2 * stride + pad, states + 3 * stride + pad
        clear(work, states + 2 * stride, 2 * stride)
        for state in range(entry(region, T.N_STATES)):
            flow, score = number(work, visits + state), number(work, after + state)
            if flow < _NEGLIGIBLE or score == 0.0:
                continue
            shared = entry(region, state_slots + state)  # the only slot of its arcs, or −1
            inverse = 1.0 / score
            later, mean = number(work, surprises + state), number(work, mean_after + state)
            for arc in range(entry(region, emitting + state), entry(region, emitting + state + 1)):
                source = entry(region, sources + arc)
                slot = shared if shared >= 0 else entry(region, slots + arc)
                share = number(work, factors + entry(region, places + arc)) * number(work, before + source)
                share *= number(work, column + slot) * inverse
                value = number(work, arc_values + arc) + number(work, value_at + slot)
                surprise = (value + number(work, mean_before + source)) - mean
                pulled = share * (later + flow * surprise)
                share *= flow
                put(work, earlier + source, number(work, earlier + source) + share)
                put(work, earlier_surprises + source, number(work, earlier_surprises + source) + pulled)
                put(work, by_weight + arc, number(work, by_weight + arc) + pulled)
                put(work, by_value + arc, number(work, by_value + arc) + share)
                if shared < 0:
                    put(work, to_column + slot, number(work, to_column + slot) + pulled)
                    put(work, to_value + slot, number(work, to_value + slot) + share)
            if shared >= 0:
                put(work, to_column + shared, number(work, to_column + shared) + later)
                put(work, to_value + shared, number(work, to_value + shared) + flow)
        for k in range(0, 2 * stride, 8):
            store(work, states + k, load(work, states + 2 * stride + k))
