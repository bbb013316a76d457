"""Frames of a trellis with an exponent for each number, and their gradient: what blocks of frames fall back on.

Called by ``trellis_forward`` and ``trellis_backward``; ``blocks`` says when. Exponents have two parts (``scaled``), so
nothing is lost however far apart scores lie. An arc's share in the posterior of the state where it ends is taken from
all that comes in there: shares can neither exceed 1 nor be NaN.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
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
from arcgrad.runtime.kernels.trellis.blocks import (
    BUDGET,
    EARLIER,
    FAR,
    HAS_FAR,
    LEAST_PRODUCT,
    START_COARSE,
    START_EXPONENTS,
    columns_width,
    eights,
    frame_places,
    row_places,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.trellis.rescaling import PLACE

__all__ = ["slow_back", "slow_forward"]


@helper
def split_columns(region, work, n_frames, frame):
    """A frame's columns as mantissas and exponents, one array behind the other; behind the columns a 1, for ε arcs."""
    _, _, slots, _ = vector_places(region)
    columns, _, ranges, _ = frame_places(region, n_frames)
    width = columns_width(region)
    n_slots = region[T.N_SLOTS]
    wide = abs(work[ranges + frame]) > BUDGET  # then they are logarithms
    for slot in range(n_slots):
        column = work[columns + frame * width + slot]
        m = e = coarse = 0.0
        if wide and column > -np.inf:
            m, e, coarse = split_weight(column)
        elif not wide and column > 0.0:
            e = exponent_of(column)
            m = column * power_of_two(-e)
        work[slots + slot], work[slots + width + slot], work[slots + 2 * width + slot] = m, e, coarse


@helper
def put_silent_column(region, work):
    """The column of ε arcs, behind all others: 1."""
    _, _, slots, _ = vector_places(region)
    width = columns_width(region)
    at = slots + region[T.N_SLOTS]
    work[at], work[at + width], work[at + 2 * width] = 1.0, 0.0, 0.0


@helper
def term(region, work, arc, slot, row, to_exponents, to_coarse):
    """What an arc brings from its source in ``row`` with a slot's column: mantissa, exponent, coarse exponent."""
    linear, scales, _, _ = weight_places(region)
    _, _, slots, _ = vector_places(region)
    width = columns_width(region)
    place = region[region[T.ARC_FACTORS] + arc]
    source = row + region[region[T.ARC_SOURCES] + arc]
    column = slots + slot
    m, e, coarse = work[linear + place], work[scales + place], 0.0
    if m != 0.0 and abs(e) >= FAR:
        m, e, coarse = split_sum(work[arc], work[eights(region, T.RESTS) + arc])
    m *= work[source] * work[column]
    e, coarse = added(e, coarse, work[column + width], work[column + 2 * width])
    e, coarse = added(e, coarse, work[source + to_exponents], work[source + to_coarse])
    return m, e, coarse


@helper
def all_terms(region, work, state, emits, before, after, to_exponents, to_coarse):
    """The sum of what comes into a state, in units of the greatest term, and that one's exponents; 0 for nothing.

    Where no frame is read, what the state itself held counts, too.
    """
    n_emitting = region[T.N_EMITTING]
    low = region[region[T.EMITTING] + state]
    high = region[region[T.EMITTING] + state + 1]
    begin = region[region[T.SILENT] + state]
    end = region[region[T.SILENT] + state + 1]
    top = top_coarse = total = 0.0
    found = False
    if not emits:
        high = low
        if work[before + state] != 0.0:
            top, top_coarse = work[before + state + to_exponents], work[before + state + to_coarse]
            found = True
    for k in range(low, high + end - begin):
        arc = k if k < high else begin + k - high
        row = before if arc < n_emitting else after
        slot = region[region[T.ARC_SLOTS] + arc] if arc < n_emitting else region[T.N_SLOTS]
        m, e, coarse = term(region, work, arc, slot, row, to_exponents, to_coarse)
        if m != 0.0 and (not found or behind(e, coarse, top, top_coarse) > 0.0):
            top, top_coarse = e, coarse
            found = True
    if not emits and work[before + state] != 0.0:
        own = before + state
        shift = behind(work[own + to_exponents], work[own + to_coarse], top, top_coarse)
        total = work[own] * power_of_two(shift) if shift > LEAST_PRODUCT else 0.0
    for k in range(low, high + end - begin):
        arc = k if k < high else begin + k - high
        row = before if arc < n_emitting else after
        slot = region[region[T.ARC_SLOTS] + arc] if arc < n_emitting else region[T.N_SLOTS]
        m, e, coarse = term(region, work, arc, slot, row, to_exponents, to_coarse)
        shift = behind(e, coarse, top, top_coarse)
        if m != 0.0 and shift > LEAST_PRODUCT:
            total += m * power_of_two(shift)
    return total, top, top_coarse


@kernel(f"void({PLACE}, int64, int64, int64, int64)", internal=True, lazy=True)
def slow_forward(region, work, n_frames, frame, count, start):
    """So many frames from the row, its exponents and coarse exponents at ``start``: rows, with theirs beside them.

    With ``count`` 0: the ε arcs before the first frame.
    """
    _, stride, _, score = vector_places(region)
    rows, _, exponents, coarse = row_places(region)
    pad = region[T.PAD]
    for k in range(stride):
        work[rows + k] = work[start + k]
        work[exponents + k] = work[start + START_EXPONENTS * stride + k]
        work[coarse + k] = work[start + START_COARSE * stride + k]
    put_silent_column(region, work)
    to_exponents, to_coarse = exponents - rows, coarse - rows
    emits = count > 0
    far = 0.0
    for step in range(max(count, 1)):
        before = rows + step * stride + pad
        after = before + stride
        for k in range(after - pad, after - pad + stride):
            work[k] = work[k + to_exponents] = work[k + to_coarse] = 0.0
        if emits:
            split_columns(region, work, n_frames, frame + step)
        far = 0.0
        for state in range(region[T.N_STATES]):
            total, e, c = all_terms(region, work, state, emits, before, after, to_exponents, to_coarse)
            if total > 0.0:
                own = exponent_of(total)
                e, c = carried(e + own, c)
                at = after + state
                work[at], work[at + to_exponents], work[at + to_coarse] = total * power_of_two(-own), e, c
                far += abs(c)
    if emits:
        work[score + HAS_FAR] = 1.0 if far > 0.0 else 0.0


@kernel(f"void({PLACE}, int64, int64, int64)", internal=True, lazy=True)
def slow_back(region, work, n_frames, frame, count):
    """The gradient of `slow_forward`, which was just called again: from posteriors of states after to those before.

    Posteriors stand in the present row. Columns become their posteriors.
    """
    vectors, stride, _, _ = vector_places(region)
    _, _, _, sums = weight_places(region)
    rows, _, exponents, coarse = row_places(region)
    columns, _, _, _ = frame_places(region, n_frames)
    pad = region[T.PAD]
    n_states, n_emitting, n_slots = region[T.N_STATES], region[T.N_EMITTING], region[T.N_SLOTS]
    posteriors = vectors + pad
    earlier = vectors + EARLIER * stride
    emitting = region[T.EMITTING]
    silent = region[T.SILENT]
    to_exponents, to_coarse = exponents - rows, coarse - rows
    emits = count > 0
    for step in range(max(count, 1) - 1, -1, -1):
        before = rows + step * stride + pad
        after = before + stride
        used = columns + (frame + step) * columns_width(region)
        if emits:
            split_columns(region, work, n_frames, frame + step)
            for slot in range(n_slots):
                work[used + slot] = 0.0
        for state in range(n_states):
            work[earlier + state] = 0.0
        for back in range(n_states):
            state = n_states - 1 - back  # whatever is entered from it by ε arcs came before
            own = work[posteriors + state]
            if own == 0.0:
                continue
            total, top, top_coarse = all_terms(region, work, state, emits, before, after, to_exponents, to_coarse)
            own /= total
            low, high = region[emitting + state], region[emitting + state + 1] if emits else region[emitting + state]
            begin, end = region[silent + state], region[silent + state + 1]
            for k in range(low, high + end - begin):
                arc = k if k < high else begin + k - high
                reads = arc < n_emitting
                row = before if reads else after
                slot = region[region[T.ARC_SLOTS] + arc] if reads else n_slots
                m, e, c = term(region, work, arc, slot, row, to_exponents, to_coarse)
                shift = behind(e, c, top, top_coarse)
                if m != 0.0 and shift > LEAST_PRODUCT:
                    share = own * (m * power_of_two(shift))
                    source = region[region[T.ARC_SOURCES] + arc]
                    work[sums + region[region[T.ARC_FACTORS] + arc]] += share
                    if reads:
                        work[earlier + source] += share
                        work[used + slot] += share
                    else:
                        work[posteriors + source] += share
        if emits:
            for state in range(n_states):
                work[posteriors + state] = work[earlier + state]
