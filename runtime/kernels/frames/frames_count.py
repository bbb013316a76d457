"""Numbers of paths of a dense chain alone, and in dense composition. Whatever the scores, all paths count."""

from __future__ import annotations

from math import nan

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import FRAMES_FORWARD
from arcgrad.runtime.kernels.lattice.graph_count import EXACT
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "frames_count_forward",
    "frames_count_forward_float32",
    "trellis_count_forward",
    "trellis_count_forward_float32",
]


def _frames(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """Columns to the power of frames; NaN above 2^53."""
    count = 1.0
    for _ in range(n_frames):
        count *= frames.shape[1]
    return count if count <= EXACT else nan


def _trellis(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """The number of accepting paths with one emitting arc a frame; NaN above 2^53."""
    n_states = ints[base + T.N_STATES]
    sources = base + ints[base + T.ARC_SOURCES]
    emitting = base + ints[base + T.EMITTING]
    silent = base + ints[base + T.SILENT]
    row = work0
    previous = work0 + n_states
    for state in range(n_states):
        work[row + state] = 0.0
    for k in range(ints[base + T.N_STARTS]):
        work[row + ints[base + ints[base + T.STARTS] + k]] = 1.0
    for step in range(n_frames + 1):
        for state in range(n_states):
            count = 0.0
            if step == 0:
                count = work[row + state]
            else:
                for arc in range(ints[emitting + state], ints[emitting + state + 1]):
                    count += work[previous + ints[sources + arc]]
            for arc in range(ints[silent + state], ints[silent + state + 1]):
                count += work[row + ints[sources + arc]]
            work[row + state] = count
        previous, row = row, previous
    total = 0.0
    for k in range(ints[base + T.N_ACCEPTS]):
        total += work[previous + ints[base + ints[base + T.ACCEPTS] + k]]
    return total if total <= EXACT else nan


frames_count_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_frames)
frames_count_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_frames)
trellis_count_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_trellis)
trellis_count_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_trellis)
