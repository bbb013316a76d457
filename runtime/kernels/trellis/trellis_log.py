"""Forward score of a dense composition, and its gradients with respect to arc weights and frames.

The functions for float64 and float32 frames read and write frames; what lies between is compiled once, and explained in
``blocks``: ``trellis_forward`` and ``trellis_backward``. Both are done block by block, while a block is in the cache.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import (
    FRAMES_BACKWARD,
    FRAMES_FORWARD,
    add_to_entries,
    gather_weights,
    is_stopped,
    rounded_off,
)
from arcgrad.runtime.kernels.math.exponentials import LOG2E, exponentials, short_exponentials
from arcgrad.runtime.kernels.math.vectors import (
    add_picked,
    broadcast,
    greater,
    greatest_of,
    least_of,
    lesser,
    load,
    number,
    picked,
    put,
    store,
    where_greater,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    BUDGET,
    FIRST_FRAME,
    LONGEST,
    N_BLOCKS,
    PREFETCHED,
    columns_width,
    eights,
    frame_places,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.trellis.steps import clear
from arcgrad.runtime.kernels.trellis.trellis_backward import block_back, starts_back
from arcgrad.runtime.kernels.trellis.trellis_forward import begin_blocks, finish_blocks, next_block

ALIKE = 100.0
"""Bits between the columns of several frames up to which these get one shift."""

__all__ = [
    "add_columns",
    "begin_forward",
    "clear_sums",
    "exponentiate_loaded",
    "log_forward",
    "pick_columns",
    "trellis_log_backward",
    "trellis_log_backward_float32",
    "trellis_log_forward",
    "trellis_log_forward_float32",
]


@helper
def extremes(work, begin, end):
    """The greatest of some scores, and the least that is finite; −inf and inf where none is."""
    none, all_ = broadcast(-inf), broadcast(inf)
    high, low = none, all_
    for at in range(begin, end, 8):
        scores = load(work, at)
        high = greater(high, scores)
        low = lesser(low, where_greater(scores, none, scores, all_))
    return greatest_of(high), least_of(low)


@kernel("void(float64[::1], int64, int64, int64, int64, int64, int64, boolean)", internal=True)
def exponentiate_frames(work, begin, n_frames, count, width, shifts, ranges, short):
    """Replace frames' columns by exponentials, shifted by the greatest; write that, and their range in bits.

    All frames get one shift where they are alike; else each its own, and columns of wide range stay logarithms.
    ``short``: scores came in float32.
    """
    for row in range(begin, begin + n_frames * width, width):
        for slot in range(row + count, row + width):  # what stands behind the columns must not show
            put(work, slot, number(work, row) if count > 0 else -inf)
    high, low = extremes(work, begin, begin + n_frames * width)
    n_alike = n_frames if (high - low) * LOG2E < ALIKE else 1
    for first in range(0, n_frames, n_alike):
        row = begin + first * width
        end = row + n_alike * width
        if n_alike < n_frames:
            high, low = extremes(work, row, end)
        top = high if high > -inf else 0.0
        bits = (top - low) * LOG2E + 1.0 if high > -inf else 1.0
        for frame in range(first, first + n_alike):
            work[shifts + frame] = top
            work[ranges + frame] = bits
        if bits > BUDGET:
            for at in range(row, end, 8):
                store(work, at, load(work, at) - top)
        elif short:
            for at in range(row, end, 8):
                store(work, at, short_exponentials(load(work, at) - top))
        else:
            for at in range(row, end, 8):
                store(work, at, exponentials(load(work, at) - top))
    for row in range(begin, begin + n_frames * width, width):
        for slot in range(row + count, row + width):
            put(work, slot, 0.0)


@helper
def prefetch(frames, row, n_slots):
    """Read a number of every line of the cache that a frame takes, in order, so that the next lines are fetched ahead.

    Columns are picked from a frame in any order. Not where they are so few that most lines are not needed, or the frame
    is so short that these are there anyway. The sum is to be stored somewhere, or nothing would be read.
    """
    step = 64 // frames.itemsize
    total = 0.0
    if step * n_slots >= frames.shape[1] > 8 * step:
        for k in range(0, frames.shape[1], step):
            total += frames[np.uint64(row), np.uint64(k)]
    return total


@helper
def pick_columns(region, frames, row, work, to):
    """Write the columns of a frame that occur into the workspace."""
    n_slots = region[T.N_SLOTS]
    n_eights = n_slots // 8 * 8
    used = region[T.SLOT_COLUMNS]
    for slot in range(0, n_eights, 8):
        store(work, to + slot, picked(frames, row, region, used + slot))
    for slot in range(n_eights, n_slots):
        put(work, to + slot, frames[np.uint64(row), np.uint64(region[used + slot])])


@helper
def exponentiate_loaded(region, work, n_frames, begin, end, short):
    """Exponentiate the columns of frames from ``begin`` to ``end``, which are in the workspace."""
    columns, shifts, ranges, _ = frame_places(region, n_frames)
    width = columns_width(region)
    first = columns + begin * width
    exponentiate_frames(work, first, end - begin, region[T.N_SLOTS], width, shifts + begin, ranges + begin, short)


@helper
def load_frames(region, frames, work, begin, end):
    """Exponentiate the columns that occur, of frames from ``begin`` to ``end``."""
    n_frames = len(frames)
    width = columns_width(region)
    columns, _, _, _ = frame_places(region, n_frames)
    to = columns + begin * width
    prefetched = 0.0
    for frame in range(begin, end):
        prefetched += prefetch(frames, frame, region[T.N_SLOTS])
        pick_columns(region, frames, frame, work, to)
        to += width
    _, _, _, score = vector_places(region)
    work[score + PREFETCHED] = prefetched  # or it would not be done
    exponentiate_loaded(region, work, n_frames, begin, end, frames.itemsize == 4)


@helper
def begin_forward(region, leaves, work, iwork):
    """Gather the arcs' weights, and write the row before the first frame; whether there are states."""
    gather_weights(region, region[T.N_ARCS], leaves, work, 1.0)
    rests = eights(region, T.RESTS)
    for arc in range(region[T.N_ARCS]):
        work[rests + arc] = rounded_off(region, arc, leaves, work[arc])
    if region[T.N_STATES] == 0:
        return False
    begin_blocks(region, work, iwork)
    return True


def _forward(region, leaves, frames, work, iwork, sign):
    """Log of the sum over accepting paths of exp(weight of arcs and frames); −inf where there is none."""
    n_frames = len(frames)
    if not begin_forward(region, leaves, work, iwork):
        return -inf
    frame = 0
    loaded = np.int64(0)  # of that type from the first, or `load_frames` would be compiled for 0 as well
    while frame < n_frames:
        if is_stopped(iwork):
            _, _, _, score = vector_places(region)
            work[score] = -inf
            return -inf
        needed = frame + LONGEST if frame + LONGEST < n_frames else n_frames
        if loaded < needed:
            load_frames(region, frames, work, loaded, needed)
        loaded = np.int64(needed)
        frame = next_block(region, work, iwork, n_frames, frame)
    return finish_blocks(region, work, n_frames)


@helper
def add_columns(region, work, from_, cotangent, frames_gradient, row):
    """Add cotangent × the posterior of each column to a frame's gradient."""
    n_slots = region[T.N_SLOTS]
    n_eights = n_slots // 8 * 8
    used = region[T.SLOT_COLUMNS]
    for slot in range(0, n_eights, 8):
        add_picked(frames_gradient, row, region, used + slot, load(work, from_ + slot) * cotangent)
    for slot in range(n_eights, n_slots):
        frames_gradient[np.uint64(row), np.uint64(region[used + slot])] += cotangent * number(work, from_ + slot)


@helper
def clear_sums(region, work):
    """Clear the posteriors by factor, which blocks add to."""
    _, _, factors, sums = weight_places(region)
    clear(work, sums, sums - factors)


@helper
def add_weights(region, work, cotangent, gradient):
    """Add cotangent × the posterior of each arc to its entries' gradient."""
    _, _, _, sums = weight_places(region)
    for arc in range(region[T.N_ARCS]):
        posterior = cotangent * work[sums + region[region[T.ARC_FACTORS] + arc]]
        add_to_entries(region, arc, posterior, gradient)


def _backward(
    region, leaves, frames, work, iwork, sign, cotangent, gradient, frames_gradient, want_weights, want_frames
):
    """Add cotangent × posterior of each arc to its entries' gradient, and of each frame and column to the frames'.

    Once after each forward: the workspace's columns become posteriors.
    """
    n_frames = len(frames)
    _, _, _, score = vector_places(region)
    if region[T.N_STATES] == 0 or work[score] == -inf:
        return
    columns, _, _, _ = frame_places(region, n_frames)
    width = columns_width(region)
    clear_sums(region, work)
    prefetched = 0.0
    end = n_frames
    for block in range(iwork[N_BLOCKS] - 1, -1, -1):
        if is_stopped(iwork):
            return
        block_back(region, work, iwork, n_frames, block, end, want_weights)
        begin = iwork[FIRST_FRAME + 2 * block]
        for frame in range(begin if want_frames else end, end):
            prefetched += prefetch(frames_gradient, frame, region[T.N_SLOTS])
            add_columns(region, work, columns + frame * width, cotangent, frames_gradient, frame)
        end = begin
    work[score + PREFETCHED] = prefetched
    if region[T.SILENT_DEPTH] > 0:
        starts_back(region, work, n_frames)
    if want_weights:
        add_weights(region, work, cotangent, gradient)


log_forward = helper(_forward)
"""The same within other kernels."""

trellis_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
