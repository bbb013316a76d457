"""Forward score of a dense chain alone, Σ over frames of the log of the sum over columns, and its gradient: softmax.

Frames are read from memory once forward and once backward: a row is in the cache when its exponentials are summed after
its greatest column was found. The gradient exponentiates again, which costs less than keeping what it was; where
the cotangent is known beforehand, one pass does both. One text serves float64 and float32, which is
exponentiated as such, and summed in float64.
"""

from __future__ import annotations

from math import inf, log, nan

from arcgrad.compiler.graphs.topology import LARGEST_WEIGHT
from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD, FRAMES_SEEDED
from arcgrad.runtime.kernels.math.exponentials import exponentials, exponentials_float32
from arcgrad.runtime.kernels.math.vectors import (
    add_up,
    broadcast,
    broadcast_like,
    greater,
    greatest_of,
    is_short,
    load_rest,
    load_row,
    store_rest,
    store_row,
    sum_of,
)

__all__ = [
    "clear_rows",
    "clear_rows_float32",
    "frames_log_backward",
    "frames_log_backward_float32",
    "frames_log_forward",
    "frames_log_forward_float32",
    "frames_log_seeded",
    "frames_log_seeded_float32",
]

_SCORE, _BEST, _TOTAL = 0, 1, 2
"""Numbers of the workspace: the score; the first frame's greatest column and its total, before those of the second."""


@helper
def greatest(frames, row):
    """The greatest of a row, 0 where none is finite."""
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    end = width // (2 * lanes) * (2 * lanes)
    high = other = broadcast_like(frames, -inf)
    for k in range(0, end, 2 * lanes):
        high = greater(high, load_row(frames, row, k))
        other = greater(other, load_row(frames, row, k + lanes))
    for k in range(end, width, lanes):
        high = greater(high, load_rest(frames, row, k, width - k, -inf))
    found = greatest_of(greater(high, other))
    return found if found > -inf else 0.0


@helper
def exponentiate(scores):
    """Exponentials of a vector of scores, as exact as these.

    A test at run time would leave two branches, whose last operations LLVM joins in some kernels and not in others:
    what is fused there, and the last bit, would differ between a score with its gradient and without.
    """
    if is_short(scores):
        return exponentials_float32(scores)
    return exponentials(scores)


@helper
def total_of_row(frames, row, best):
    """Σ exp(score − best)."""
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    end = width // lanes * lanes
    total = broadcast(0.0)
    for k in range(0, end, lanes):
        total = add_up(total, exponentiate(load_row(frames, row, k) - best))
    if end < width:
        total = add_up(total, exponentiate(load_rest(frames, row, end, width - end, -inf) - best))
    return sum_of(total)


@helper
def softmax_row(frames, row, best, cotangent, shares, to):
    """Write cotangent × softmax of a frame; its sum of exponentials, as `total_of_row`, 0 if all columns are −inf."""
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    end = width // lanes * lanes
    total = broadcast(0.0)
    for k in range(0, end, lanes):
        share = exponentiate(load_row(frames, row, k) - best)
        store_row(shares, to, k, share)
        total = add_up(total, share)
    if end < width:
        share = exponentiate(load_rest(frames, row, end, width - end, -inf) - best)
        store_rest(shares, to, end, width - end, share)
        total = add_up(total, share)
    found = sum_of(total)
    factor = cotangent / found if found > 0.0 else 0.0
    for k in range(0, end, lanes):
        store_row(shares, to, k, load_row(shares, to, k) * factor)
    if end < width:
        store_rest(shares, to, end, width - end, load_rest(shares, to, end, width - end, 0.0) * factor)
    return found


@helper
def add_frame(score, product, best, total):
    """A score and a product of totals, whose logarithm is still to be added to it, with one more frame.

    One logarithm for several frames: totals are between 1 and the number of columns. −inf where all columns are, NaN
    where one is NaN, +inf or beyond the largest weight.
    """
    if total == 0.0:
        return -inf, product
    product *= total if best <= LARGEST_WEIGHT else nan
    if product > 1e200:
        return score + best + log(product), 1.0
    return score + best, product


def _clear_rows(rows):
    """Write zeros into rows."""
    for row in range(len(rows)):
        for k in range(rows.shape[1]):
            rows[row, k] = 0.0


_clear = helper(_clear_rows)


def _forward(region, leaves, frames, work, iwork, sign):
    """Forward score; 0 without frames, −inf where a frame has no finite column."""
    score = 0.0
    product = 1.0
    for frame in range(len(frames)):
        best = greatest(frames, frame)
        total = total_of_row(frames, frame, best)
        work[_BEST + 2 * frame] = best
        work[_TOTAL + 2 * frame] = total
        score, product = add_frame(score, product, best, total)
    score += log(product)
    work[_SCORE] = score
    return score


def _backward(
    region, leaves, frames, work, iwork, sign, cotangent, gradient, frames_gradient, want_weights, want_frames
):
    """Add cotangent × softmax of each frame to the frames' gradient."""
    if not want_frames or work[_SCORE] == -inf:
        return
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    for frame in range(len(frames)):
        best = work[_BEST + 2 * frame]
        factor = cotangent / work[_TOTAL + 2 * frame]
        for k in range(0, width, lanes):
            scores = load_rest(frames, frame, k, width - k, -inf)
            share = exponentiate(scores - best) * factor
            share = load_rest(frames_gradient, frame, k, width - k, 0.0) + share
            store_rest(frames_gradient, frame, k, width - k, share)


def _seeded(frames, cotangent, frames_gradient):
    """Forward score, and cotangent × softmax of each frame, written over whatever the frames' gradient held.

    One pass over memory: a frame's exponentials are scaled while they are in the cache. The gradient is 0 where the
    score is −inf.
    """
    score = 0.0
    product = 1.0
    for frame in range(len(frames)):
        best = greatest(frames, frame)
        total = softmax_row(frames, frame, best, cotangent, frames_gradient, frame)
        score, product = add_frame(score, product, best, total)
    score += log(product)
    if score == -inf:
        _clear(frames_gradient)
    return score


# Where their gradient is written at once, forward and backward are not called.
_FLOAT64, _FLOAT32 = "float64[:, ::1]", "float32[:, ::1]"
clear_rows = kernel(f"void({_FLOAT64})")(_clear_rows)
clear_rows_float32 = kernel(f"void({_FLOAT32})")(_clear_rows)
frames_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT64), lazy=True)(_forward)
frames_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT32), lazy=True)(_forward)
frames_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT64), lazy=True)(_backward)
frames_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT32), lazy=True)(_backward)
frames_log_seeded = kernel(FRAMES_SEEDED.replace("FRAMES", _FLOAT64))(_seeded)
frames_log_seeded_float32 = kernel(FRAMES_SEEDED.replace("FRAMES", _FLOAT32))(_seeded)
