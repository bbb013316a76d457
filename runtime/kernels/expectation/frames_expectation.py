"""Expected sum of values over a dense chain alone, its entropy, and gradients: sums over frames, one softmax each.

As in ``frames_log``, one text serves float64 and float32, which is exponentiated as such, and summed in float64.
"""

from __future__ import annotations

from math import inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD
from arcgrad.runtime.kernels.expectation.trellis_expectation import EXPECTATION_BACKWARD, EXPECTATION_FORWARD
from arcgrad.runtime.kernels.frames.frames_log import exponentiate, greatest, total_of_row
from arcgrad.runtime.kernels.math.vectors import (
    add_up,
    broadcast,
    broadcast_like,
    load_rest,
    store_rest,
    sum_of,
    where_greater,
)

__all__ = [
    "frames_entropy_backward",
    "frames_entropy_backward_float32",
    "frames_entropy_forward",
    "frames_entropy_forward_float32",
    "frames_expectation_backward",
    "frames_expectation_backward_float32",
    "frames_expectation_forward",
    "frames_expectation_forward_float32",
]

_HAS_PATHS, _BEST, _TOTAL, _MEAN, FRAME = 0, 1, 2, 3, 3
"""Numbers of the workspace: 1 where there is a path and a finite expectation, else 0; then for each frame, three:
greatest column, sum of exponentials, and what is expected."""


@helper
def mean_of_row(frames, values, row, best):
    """Σ exp(score − best) × value; −inf where that of a finite score is."""
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    none, zeros, ones = broadcast_like(frames, -inf), broadcast_like(frames, 0.0), broadcast_like(frames, 1.0)
    total = infinite = broadcast(0.0)
    for k in range(0, width, lanes):
        scores = load_rest(frames, row, k, width - k, -inf)
        brought = load_rest(values, row, k, width - k, 0.0)
        infinite = add_up(infinite, where_greater(scores, none, where_greater(brought, none, zeros, ones), zeros))
        share = exponentiate(scores - best)
        total = add_up(total, where_greater(share, zeros, share * brought, zeros))
    return sum_of(total) if sum_of(infinite) == 0.0 else -inf


@helper
def entropy_of_row(frames, row, best):
    """Σ exp(score − best) × (best − score)."""
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    zeros = broadcast_like(frames, 0.0)
    total = broadcast(0.0)
    for k in range(0, width, lanes):
        below = load_rest(frames, row, k, width - k, -inf) - best
        share = exponentiate(below)
        total = add_up(total, where_greater(share, zeros, share * below, zeros))
    return -sum_of(total)


def _expectation_forward(region, leaves, frames, values, work, iwork, sign):
    """The expected sum of values; 0 where a frame has no finite column, −inf where a finite one's value is."""
    work[_HAS_PATHS] = 0.0
    expected = 0.0
    if len(values) == 0:
        return 0.0
    for frame in range(len(frames)):
        best = greatest(frames, frame)
        total = total_of_row(frames, frame, best)
        if total == 0.0:
            return 0.0
        mean = mean_of_row(frames, values, frame, best) / total
        at = FRAME * frame
        work[_BEST + at], work[_TOTAL + at], work[_MEAN + at] = best, total, mean
        expected += mean
    work[_HAS_PATHS] = 1.0 if expected > -inf else 0.0
    return expected


def _expectation_backward(
    region, leaves, frames, values, work, iwork, sign, cotangent, gradient, frames_gradient, values_gradient,
    want_weights, want_frames, want_values,
):  # fmt: skip
    """Add cotangent × softmax × (value − expected) to the frames' gradient, × softmax to the values'."""
    if work[_HAS_PATHS] == 0.0:
        return
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    zeros = broadcast_like(frames, 0.0)
    for frame in range(len(frames)):
        at = FRAME * frame
        best, mean = work[_BEST + at], work[_MEAN + at]
        factor = cotangent / work[_TOTAL + at]
        for k in range(0, width, lanes):
            part = exponentiate(load_rest(frames, frame, k, width - k, -inf) - best)
            share = part * factor
            if want_frames:
                pulled = share * (load_rest(values, frame, k, width - k, 0.0) - mean)
                pulled = where_greater(part, zeros, pulled, zeros)
                found = load_rest(frames_gradient, frame, k, width - k, 0.0) + pulled
                store_rest(frames_gradient, frame, k, width - k, found)
            if want_values:
                found = load_rest(values_gradient, frame, k, width - k, 0.0) + share
                store_rest(values_gradient, frame, k, width - k, found)


def _entropy_forward(region, leaves, frames, work, iwork, sign):
    """The entropy, in nats; 0 where a frame has no finite column."""
    work[_HAS_PATHS] = 0.0
    expected = 0.0
    for frame in range(len(frames)):
        best = greatest(frames, frame)
        total = total_of_row(frames, frame, best)
        if total == 0.0:
            return 0.0
        mean = log(total) + entropy_of_row(frames, frame, best) / total
        at = FRAME * frame
        work[_BEST + at], work[_TOTAL + at], work[_MEAN + at] = best, total, mean
        expected += mean
    work[_HAS_PATHS] = 1.0
    return expected


def _entropy_backward(
    region, leaves, frames, work, iwork, sign, cotangent, gradient, frames_gradient, want_weights, want_frames
):
    """Add cotangent × softmax × (−log softmax − entropy of the frame) to the frames' gradient."""
    if work[_HAS_PATHS] == 0.0 or not want_frames:
        return
    lanes = 64 // frames.itemsize
    width = frames.shape[1]
    zeros = broadcast_like(frames, 0.0)
    for frame in range(len(frames)):
        at = FRAME * frame
        best = work[_BEST + at]
        factor = cotangent / work[_TOTAL + at]
        mean = log(work[_TOTAL + at]) - work[_MEAN + at]
        for k in range(0, width, lanes):
            below = load_rest(frames, frame, k, width - k, -inf) - best
            share = exponentiate(below)
            pulled = where_greater(share, zeros, (share * factor) * (mean - below), zeros)
            store_rest(
                frames_gradient, frame, k, width - k, load_rest(frames_gradient, frame, k, width - k, 0.0) + pulled
            )


_FLOAT64, _FLOAT32 = "float64[:, ::1]", "float32[:, ::1]"
frames_expectation_forward = kernel(EXPECTATION_FORWARD.replace("FRAMES", _FLOAT64))(_expectation_forward)
frames_expectation_forward_float32 = kernel(EXPECTATION_FORWARD.replace("FRAMES", _FLOAT32))(_expectation_forward)
frames_expectation_backward = kernel(EXPECTATION_BACKWARD.replace("FRAMES", _FLOAT64))(_expectation_backward)
frames_expectation_backward_float32 = kernel(EXPECTATION_BACKWARD.replace("FRAMES", _FLOAT32))(_expectation_backward)
frames_entropy_forward = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT64))(_entropy_forward)
frames_entropy_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT32))(_entropy_forward)
frames_entropy_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT64))(_entropy_backward)
frames_entropy_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT32))(_entropy_backward)
