"""Frames of a trellis in the log domain, and their gradient: what blocks in linear arithmetic fall back on.

Called by ``trellis_forward`` and ``trellis_backward``; ``blocks`` says when, and what mantissas and exponents are.
"""

from __future__ import annotations

from math import exp, inf, log

import numpy as np

from arcgrad.runtime.kernels.blocks import (
    BUDGET,
    columns_width,
    frame_places,
    row_places,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.exponentials import LN2, LOG2E
from arcgrad.runtime.kernels.renewal import PLACE
from arcgrad.runtime.routines import helper, kernel

__all__ = ["slow_back", "slow_forward"]


@helper
def write_logs(work, mantissas, exponents, count, to):
    """log(m · 2^e) − top · ln 2 of each state; returns top, the greatest exponent of a state that is reached."""
    top = -inf
    for state in range(count):
        if work[mantissas + state] != 0.0:
            top = max(top, work[exponents + state])
    top = max(top, -1e300)
    for state in range(count):
        mantissa = work[mantissas + state]
        work[to + state] = log(mantissa) + (work[exponents + state] - top) * LN2 if mantissa != 0.0 else -inf
    return top


@helper
def write_column_logs(ints, base, work, work0, n_frames, frame):
    """The logarithms of a frame's columns: what a frame of wide range holds anyway."""
    _, _, slots, _ = vector_places(ints, base, work0)
    columns, _, ranges, _ = frame_places(ints, base, n_frames, work0)
    n_slots = ints[base + 13]
    wide = abs(work[ranges + frame]) > BUDGET
    for slot in range(n_slots):
        column = work[columns + frame * columns_width(ints, base) + slot]
        work[slots + slot] = column if wide else (log(column) if column > 0.0 else -inf)


@helper
def slow_step(ints, base, work, weights, columns, before, after, emits, mantissas, exponents, top):
    """One frame, or only the ε arcs before the first: from logs ``before`` to a fresh row, normalised, and its logs."""
    sources = base + ints[base + 9]
    slots = base + ints[base + 12]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    for state in range(ints[base]):
        low = ints[emitting + state]
        high = ints[emitting + state + 1] if emits else low
        own = -inf if emits else work[before + state]
        best = own
        for arc in range(low, high):
            gain = work[weights + arc] + work[columns + ints[slots + arc]]
            best = max(best, work[before + ints[sources + arc]] + gain)
        for arc in range(ints[silent + state], ints[silent + state + 1]):
            best = max(best, work[after + ints[sources + arc]] + work[weights + arc])
        work[after + state] = -inf
        work[mantissas + state] = 0.0
        work[exponents + state] = 0.0
        if best > -inf:
            total = exp(own - best)
            for arc in range(low, high):
                gain = work[weights + arc] + work[columns + ints[slots + arc]]
                total += exp(work[before + ints[sources + arc]] + gain - best)
            for arc in range(ints[silent + state], ints[silent + state + 1]):
                total += exp(work[after + ints[sources + arc]] + work[weights + arc] - best)
            score = best + log(total)
            work[after + state] = score
            whole = np.floor(score * LOG2E)
            # Where scores are beyond 1e15, the rest has no digits left.
            work[mantissas + state] = exp(min(max(score - whole * LN2, 0.0), 1.0))
            work[exponents + state] = top + whole


@kernel(f"void({PLACE}, int64, int64, int64, int64)", internal=True, seldom=True)
def slow_forward(ints, base, work, work0, n_frames, frame, count, start):
    """So many frames in the log domain, from the row and the exponents at ``start``: rows, and exponents beside them.

    With ``count`` 0: the ε arcs before the first frame.
    """
    vectors, stride, column_logs, _ = vector_places(ints, base, work0)
    rows, _, exponents = row_places(ints, base, work0)
    pad = ints[base + 20]
    before = vectors + 6 * stride
    for k in range(stride):
        work[rows + k] = work[start + k]
        work[exponents + k] = work[start + stride + k]
    for step in range(max(count, 1)):
        row = rows + step * stride + pad
        scale = exponents + step * stride + pad
        top = write_logs(work, row, scale, ints[base], before)
        for k in range(stride):
            work[row + stride - pad + k] = 0.0
            work[scale + stride - pad + k] = 0.0
        if count > 0:
            write_column_logs(ints, base, work, work0, n_frames, frame + step)
        slow_step(
            ints, base, work, work0, column_logs, before, before + stride, count > 0, row + stride, scale + stride, top
        )


@kernel(f"void({PLACE}, int64, int64, int64)", internal=True, seldom=True)
def slow_back(ints, base, work, work0, n_frames, frame, count):
    """The gradient of `slow_forward`, which was just called again: from posteriors of states after to those before.

    Posteriors stand in the present row. Columns become their posteriors.
    """
    vectors, stride, column_logs, _ = vector_places(ints, base, work0)
    _, _, _, sums = weight_places(ints, base, work0)
    rows, _, exponents = row_places(ints, base, work0)
    columns, _, _, _ = frame_places(ints, base, n_frames, work0)
    pad = ints[base + 20]
    n_states = ints[base]
    posteriors = vectors + pad
    earlier = vectors + 3 * stride
    before = vectors + 6 * stride
    after = before + stride
    sources = base + ints[base + 9]
    slots = base + ints[base + 12]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    place = base + ints[base + 22]
    for step in range(max(count, 1) - 1, -1, -1):
        row = rows + step * stride + pad
        scale = exponents + step * stride + pad
        shift = write_logs(work, row, scale, n_states, before)
        shift = (shift - write_logs(work, row + stride, scale + stride, n_states, after)) * LN2
        for back in range(n_states):
            state = n_states - 1 - back
            own = work[posteriors + state]
            if own != 0.0:
                for arc in range(ints[silent + state], ints[silent + state + 1]):
                    source = ints[sources + arc]
                    share = own * exp(work[after + source] + work[work0 + arc] - work[after + state])
                    work[posteriors + source] += share
                    work[sums + ints[place + arc]] += share
        if count == 0:
            return
        write_column_logs(ints, base, work, work0, n_frames, frame + step)
        used = columns + (frame + step) * columns_width(ints, base)
        for slot in range(ints[base + 13]):
            work[used + slot] = 0.0
        for state in range(n_states):
            work[earlier + state] = 0.0
        for state in range(n_states):
            own = work[posteriors + state]
            if own != 0.0:
                for arc in range(ints[emitting + state], ints[emitting + state + 1]):
                    source = ints[sources + arc]
                    slot = ints[slots + arc]
                    gain = work[before + source] + shift + (work[work0 + arc] + work[column_logs + slot])
                    share = own * exp(gain - work[after + state])
                    work[earlier + source] += share
                    work[used + slot] += share
                    work[sums + ints[place + arc]] += share
        for state in range(n_states):
            work[posteriors + state] = work[earlier + state]
