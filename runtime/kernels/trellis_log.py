"""Forward score of a graph met with a dense chain, and its gradients by arc weights and by frames.

The functions for float64 and float32 frames read and write frames; what lies between is compiled once, and explained in
``blocks``: ``trellis_forward`` and ``trellis_backward``.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.kernels.blocks import (
    BUDGET,
    frame_places,
    places,
)
from arcgrad.runtime.kernels.common import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.kernels.exponentials import LOG2E, exponentiate
from arcgrad.runtime.kernels.trellis_backward import backward_blocks
from arcgrad.runtime.kernels.trellis_forward import forward_blocks
from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "trellis_log_backward",
    "trellis_log_backward_float32",
    "trellis_log_forward",
    "trellis_log_forward_float32",
]

_CHUNK = 1024


@kernel("void(float64[::1], float64, float64[::1], int64)")
def shift_row(row, lowest, extremes, at):
    """Subtract the greatest of a row from it; writes that, and the range in bits, negative where a column is −inf.

    By their bits, since LLVM vectorises comparisons of whole numbers only.
    """
    bits = row.view(np.int64)
    rest = np.int64(2**63 - 1)
    high = np.int64(-(2**63))
    low = rest
    least = rest
    bottom = np.int64(np.float64(lowest).view(np.int64) ^ rest)
    for slot in range(len(row)):
        key = bits[slot] ^ ((bits[slot] >> 63) & rest)
        high = max(high, key)
        least = min(least, key)
        low = min(low, key if key > bottom else rest)
    if high <= bottom:
        extremes[at] = 0.0
        extremes[at + 1] = -1.0 if len(row) > 0 else 1.0
        return
    top = np.int64(high ^ ((high >> 63) & rest)).view(np.float64)
    bits_apart = (top - np.int64(low ^ ((low >> 63) & rest)).view(np.float64)) * LOG2E + 1.0
    extremes[at] = top
    extremes[at + 1] = -bits_apart if least <= bottom else bits_apart
    for slot in range(len(row)):
        row[slot] -= top


@helper
def load_frames(ints, base, frames, frame0, n_frames, work, work0):
    """Exponentiate the columns that occur, each frame shifted by its greatest; those of wide range stay logarithms."""
    n_slots = ints[base + 13]
    used = ints[base + ints[base + 14] : base + ints[base + 14] + n_slots]
    columns, shifts, ranges, scratch = frame_places(ints, base, n_frames, work0)
    extremes = work[scratch + max(_CHUNK, n_slots) : scratch + max(_CHUNK, n_slots) + 2]
    step = max(1, _CHUNK // max(n_slots, 1))
    for first in range(0, n_frames, step):
        last = min(first + step, n_frames)
        for frame in range(first, last):
            begin = scratch + (frame - first) * n_slots
            row = work[begin : begin + n_slots]
            for slot in range(n_slots):
                row[slot] = float(frames[frame0 + frame, used[slot]])
            shift_row(row, -inf, extremes, 0)
            work[shifts + frame] = extremes[0]
            work[ranges + frame] = extremes[1]
        size = (last - first) * n_slots
        begin = columns + first * n_slots
        exponentiate(work[scratch : scratch + size], work[begin : begin + size])
        for frame in range(first, last):
            if abs(work[ranges + frame]) > BUDGET:
                for slot in range(n_slots):
                    score = float(frames[frame0 + frame, used[slot]])
                    work[columns + frame * n_slots + slot] = score - work[shifts + frame]


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(weight of arcs and frames); −inf where there is none."""
    gather_weights(ints, base, ints[base + 1], weights, n_shared, shift, work, work0, 1.0)
    load_frames(ints, base, frames, frame0, n_frames, work, work0)
    return forward_blocks(ints, base, n_frames, work, work0, iwork, iwork0)


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
    """Add seed × posterior of each arc to its entries' gradient, and of each frame and column to the frames'.

    Once after each forward: the workspace's columns become posteriors.
    """
    _, _, _, sums, _, _, total, columns = places(ints, base, work0)
    if work[total] == -inf:
        return
    backward_blocks(ints, base, n_frames, work, work0, iwork, iwork0, want_weights)
    if want_weights:
        for arc in range(ints[base + 1]):
            posterior = seed * work[sums + ints[base + ints[base + 22] + arc]]
            add_to_entries(ints, base, arc, posterior, gradient, n_shared, g_shared, g_shift)
    if want_frames:
        n_slots = ints[base + 13]
        used = ints[base + ints[base + 14] : base + ints[base + 14] + n_slots]
        for frame in range(n_frames):
            row = work[columns + frame * n_slots : columns + (frame + 1) * n_slots]
            for slot in range(n_slots):
                frames_gradient[gframe0 + frame, used[slot]] += seed * row[slot]


trellis_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
