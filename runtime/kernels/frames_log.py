"""Forward score of a dense chain alone, Σ over frames of the log of the sum over columns, and its gradient: softmax.

Frames are read from memory once forward and once backward: a row is in the cache when its exponentials are summed after
its greatest column was found. The gradient exponentiates again, which costs less than keeping what it was; where what
the score is differentiated with is known beforehand, one pass does both. What differs between float64 and float32
stands in the helpers for one row; float32 is exponentiated as such, and summed in float64.
"""

from __future__ import annotations

from math import inf, log, nan

import numpy as np

from arcgrad.compiler.topology import LARGEST_WEIGHT
from arcgrad.runtime.kernels.common import FRAMES_BACKWARD, FRAMES_FORWARD, FRAMES_SEEDED
from arcgrad.runtime.kernels.exponentials import exponential, exponential_float32
from arcgrad.runtime.routines import helper, kernel, loose_helper

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

_LEAST = -(2**63)
_REST = 2**63 - 1
_LEAST_FLOAT32 = np.int32(-(2**31))
_REST_FLOAT32 = np.int32(2**31 - 1)


@helper
def greatest(row):
    """The greatest of a row, 0 where none is finite; by bits, since LLVM vectorises that of whole numbers only."""
    best = np.int64(_LEAST)
    bits = row.view(np.int64)
    for k in range(len(row)):
        best = max(best, bits[k] ^ ((bits[k] >> 63) & _REST))
    found = np.int64(best ^ ((best >> 63) & _REST)).view(np.float64)
    return found if found > -inf else 0.0


@helper
def greatest_float32(row):
    """As `greatest`."""
    best = _LEAST_FLOAT32
    bits = row.view(np.int32)
    for k in range(len(row)):
        best = max(best, np.int32(bits[k] ^ np.int32(np.int32(bits[k] >> 31) & _REST_FLOAT32)))
    found = np.int32(best ^ np.int32(np.int32(best >> 31) & _REST_FLOAT32)).view(np.float32)
    return found if found > -inf else np.float32(0.0)


@loose_helper("reassoc")
def sum_of_exponentials(row, shift):
    """Σ exp(score − shift)."""
    total = 0.0
    for k in range(len(row)):
        total += exponential(row[k] - shift)
    return total


@loose_helper("reassoc")
def sum_of_exponentials_float32(row, shift):
    """Σ exp(score − shift)."""
    total = 0.0
    for k in range(len(row)):
        total += float(exponential_float32(row[k] - shift))
    return total


@loose_helper("contract")
def add_exponentials(row, shift, factor, result):
    """Add factor × exp(score − shift)."""
    for k in range(len(row)):
        result[k] += factor * exponential(row[k] - shift)


@loose_helper("contract")
def add_exponentials_float32(row, shift, factor, result):
    """Add factor × exp(score − shift)."""
    for k in range(len(row)):
        result[k] += factor * exponential_float32(row[k] - shift)


@loose_helper("reassoc")
def write_exponentials(row, shift, result):
    """Write exp(score − shift); their sum."""
    total = 0.0
    for k in range(len(row)):
        result[k] = exponential(row[k] - shift)
        total += result[k]
    return total


@loose_helper("reassoc")
def write_exponentials_float32(row, shift, result):
    """As `write_exponentials`."""
    total = 0.0
    for k in range(len(row)):
        result[k] = exponential_float32(row[k] - shift)
        total += float(result[k])
    return total


@helper
def row_score(best, total):
    """A frame's score: −inf where all columns are, NaN where one is NaN, +inf or beyond the largest weight."""
    if total == 0.0:
        return -inf
    return best + log(total) if best <= LARGEST_WEIGHT else nan


def _clear_rows(rows, first, count):
    """Write zeros into some rows."""
    for row in range(first, first + count):
        for k in range(rows.shape[1]):
            rows[row, k] = 0.0


clear_rows = kernel("void(float64[:, ::1], int64, int64)")(_clear_rows)
clear_rows_float32 = kernel("void(float32[:, ::1], int64, int64)")(_clear_rows)


@kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))
def frames_log_forward(
    ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign
):
    """Forward score; 0 without frames, −inf where a frame has no finite column."""
    score = 0.0
    for frame in range(n_frames):
        row = frames[frame0 + frame]
        best = greatest(row)
        total = sum_of_exponentials(row, best)
        work[work0 + 1 + 2 * frame] = best
        work[work0 + 2 + 2 * frame] = total
        score += row_score(best, total)
    work[work0] = score
    return score


@kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))
def frames_log_forward_float32(
    ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign
):
    """As `frames_log_forward`."""
    score = 0.0
    for frame in range(n_frames):
        row = frames[frame0 + frame]
        best = greatest_float32(row)
        total = sum_of_exponentials_float32(row, best)
        work[work0 + 1 + 2 * frame] = best
        work[work0 + 2 + 2 * frame] = total
        score += row_score(best, total)
    work[work0] = score
    return score


@kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))
def frames_log_backward(
    ints,
    base,
    weights,
    n_shared,
    shift,
    frames,
    frame0,
    n_frames,
    work,
    work0,
    iwork,
    iwork0,
    sign,
    seed,
    gradient,
    g_shared,
    g_shift,
    frames_gradient,
    gframe0,
    want_weights,
    want_frames,
):
    """Add seed × softmax of each frame to the frames' gradient."""
    if not want_frames or work[work0] == -inf:
        return
    for frame in range(n_frames):
        factor = seed / work[work0 + 2 + 2 * frame]
        add_exponentials(frames[frame0 + frame], work[work0 + 1 + 2 * frame], factor, frames_gradient[gframe0 + frame])


@kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))
def frames_log_backward_float32(
    ints,
    base,
    weights,
    n_shared,
    shift,
    frames,
    frame0,
    n_frames,
    work,
    work0,
    iwork,
    iwork0,
    sign,
    seed,
    gradient,
    g_shared,
    g_shift,
    frames_gradient,
    gframe0,
    want_weights,
    want_frames,
):
    """As `frames_log_backward`."""
    if not want_frames or work[work0] == -inf:
        return
    for frame in range(n_frames):
        best = np.float32(work[work0 + 1 + 2 * frame])
        factor = np.float32(seed / work[work0 + 2 + 2 * frame])
        add_exponentials_float32(frames[frame0 + frame], best, factor, frames_gradient[gframe0 + frame])


@helper
def soften(row, seed, shares):
    """Write seed × softmax of a frame; its greatest score, and the sum of exponentials beside it, 0 if all are −inf."""
    best = greatest(row)
    total = write_exponentials(row, best, shares)
    factor = seed / total if total > 0.0 else 0.0
    for k in range(len(shares)):
        shares[k] *= factor
    return best, total


@helper
def soften_float32(row, seed, shares):
    """As `soften`."""
    best = greatest_float32(row)
    total = write_exponentials_float32(row, best, shares)
    factor = np.float32(seed / total) if total > 0.0 else np.float32(0.0)
    for k in range(len(shares)):
        shares[k] *= factor
    return float(best), total


@helper
def add_frame(score, product, best, total):
    """A score and a product of totals, whose logarithm is still to be added to it, with one more frame.

    One logarithm for several frames: totals are between 1 and the number of columns.
    """
    if total == 0.0:
        return -inf, product
    product *= total if best <= LARGEST_WEIGHT else nan
    if product > 1e200:
        return score + best + log(product), 1.0
    return score + best, product


@helper
def write_softmax(soften_row, frames, frame0, n_frames, seed, frames_gradient, gframe0):
    """Forward score, and seed × softmax of each frame, written over whatever the frames' gradient held.

    One pass over memory: a frame's exponentials are scaled while they are in the cache.
    """
    score = 0.0
    product = 1.0
    for frame in range(n_frames):
        best, total = soften_row(frames[frame0 + frame], seed, frames_gradient[gframe0 + frame])
        score, product = add_frame(score, product, best, total)
    return score + log(product)


@kernel(FRAMES_SEEDED.replace("FRAMES", "float64[:, ::1]"))
def frames_log_seeded(frames, frame0, n_frames, seed, frames_gradient, gframe0):
    """See `write_softmax`; the gradient is 0 where the score is −inf."""
    score = write_softmax(soften, frames, frame0, n_frames, seed, frames_gradient, gframe0)
    if score == -inf:
        clear_rows(frames_gradient, gframe0, n_frames)
    return score


@kernel(FRAMES_SEEDED.replace("FRAMES", "float32[:, ::1]"))
def frames_log_seeded_float32(frames, frame0, n_frames, seed, frames_gradient, gframe0):
    """As `frames_log_seeded`."""
    score = write_softmax(soften_float32, frames, frame0, n_frames, seed, frames_gradient, gframe0)
    if score == -inf:
        clear_rows_float32(frames_gradient, gframe0, n_frames)
    return score
