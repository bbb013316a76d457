"""Forward score of a dense chain alone, Σ over frames of the log of the sum over columns, and its gradient: softmax."""

from __future__ import annotations

from math import inf, log

import numpy as np

from arcgrad.runtime.kernels.common import FRAMES_BACKWARD, FRAMES_FORWARD
from arcgrad.runtime.kernels.exponentials import exponentiate
from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "frames_log_backward",
    "frames_log_backward_float32",
    "frames_log_forward",
    "frames_log_forward_float32",
]

_CHUNK = 1024
"""Numbers that are exponentiated at a time; the packer counts on it for the size of the workspace."""


@helper
def exponentiate_block(frames, first, last, low, high, shifts, scratch, result, result_bits):
    """Write exp(score − its frame's shift) for frames ``first:last`` and columns ``low:high``, frame by frame."""
    width = high - low
    for frame in range(first, last):
        row = scratch[(frame - first) * width : (frame - first + 1) * width]
        shift = shifts[frame - first]
        for column in range(width):
            row[column] = float(frames[frame, low + column]) - shift
    size = (last - first) * width
    exponentiate(scratch[:size], result[:size], result_bits[:size])


@helper
def greatest(row):
    """The greatest of a row, −inf of none; four at a time, since each comparison waits for the one before."""
    best0 = best1 = best2 = best3 = -inf
    whole = len(row) - len(row) % 4
    for k in range(0, whole, 4):
        best0 = max(best0, float(row[k]))
        best1 = max(best1, float(row[k + 1]))
        best2 = max(best2, float(row[k + 2]))
        best3 = max(best3, float(row[k + 3]))
    for k in range(whole, len(row)):
        best0 = max(best0, float(row[k]))
    return max(max(best0, best1), max(best2, best3))


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """Forward score; 0 without frames, −inf where a frame has no finite column."""
    n_columns = frames.shape[1]
    result = work[work0 + 1 : work0 + 1 + _CHUNK]
    result_bits = result.view(np.int64)
    scratch = work[work0 + 1 + _CHUNK : work0 + 1 + 2 * _CHUNK]
    shifts = work[work0 + 1 + 2 * _CHUNK : work0 + 1 + 2 * _CHUNK + n_frames]
    sums = work[work0 + 1 + 2 * _CHUNK + n_frames : work0 + 1 + 2 * _CHUNK + 2 * n_frames]
    for frame in range(n_frames):
        best = greatest(frames[frame0 + frame])
        shifts[frame] = best if best > -inf else 0.0
        sums[frame] = 0.0
    width = max(1, min(n_columns, _CHUNK))
    step = _CHUNK // width
    for low in range(0, n_columns, width):
        high = min(low + width, n_columns)
        for first in range(0, n_frames, step):
            last = min(first + step, n_frames)
            exponentiate_block(
                frames, frame0 + first, frame0 + last, low, high, shifts[first:last], scratch, result, result_bits
            )
            for frame in range(first, last):
                total = 0.0
                for k in range((frame - first) * (high - low), (frame - first + 1) * (high - low)):
                    total += result[k]
                sums[frame] += total
    score = 0.0
    for frame in range(n_frames):
        if sums[frame] > 0.0:
            shifts[frame] += log(sums[frame])
            score += shifts[frame]
        else:
            score = -inf
    work[work0] = score
    return score


def _backward(
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
    n_columns = frames.shape[1]
    result = work[work0 + 1 : work0 + 1 + _CHUNK]
    result_bits = result.view(np.int64)
    scratch = work[work0 + 1 + _CHUNK : work0 + 1 + 2 * _CHUNK]
    shifts = work[work0 + 1 + 2 * _CHUNK : work0 + 1 + 2 * _CHUNK + n_frames]
    width = max(1, min(n_columns, _CHUNK))
    step = _CHUNK // width
    for low in range(0, n_columns, width):
        high = min(low + width, n_columns)
        for first in range(0, n_frames, step):
            last = min(first + step, n_frames)
            exponentiate_block(
                frames, frame0 + first, frame0 + last, low, high, shifts[first:last], scratch, result, result_bits
            )
            for frame in range(first, last):
                row = result[(frame - first) * (high - low) : (frame - first + 1) * (high - low)]
                target = frames_gradient[gframe0 + frame, low:high]
                for column in range(high - low):
                    target[column] += seed * row[column]


frames_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
frames_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
frames_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
frames_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
