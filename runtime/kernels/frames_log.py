"""Forward score of a dense chain alone, Σ over frames of the log of the sum over columns, and its gradient: softmax."""

from __future__ import annotations

from math import exp, inf, log

from arcgrad.runtime.kernels.common import FRAMES_BACKWARD, FRAMES_FORWARD
from arcgrad.runtime.routines import kernel

__all__ = [
    "frames_log_backward",
    "frames_log_backward_float32",
    "frames_log_forward",
    "frames_log_forward_float32",
]


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """Forward score; 0 without frames, −inf where a frame has no finite column."""
    score = 0.0
    n_columns = frames.shape[1]
    for frame in range(n_frames):
        best = -inf
        for column in range(n_columns):
            best = max(best, float(frames[frame0 + frame, column]))
        if best > -inf:
            total = 0.0
            for column in range(n_columns):
                total += exp(float(frames[frame0 + frame, column]) - best)
            best += log(total)
        work[work0 + 1 + frame] = best
        score += best
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
    for frame in range(n_frames):
        for column in range(frames.shape[1]):
            share = exp(float(frames[frame0 + frame, column]) - work[work0 + 1 + frame])
            frames_gradient[gframe0 + frame, column] += seed * share


frames_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
frames_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
frames_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
frames_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
