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


def _frames(region, leaves, frames, work, iwork, sign):
    """Columns to the power of frames; NaN above 2^53."""
    n_columns = frames.shape[1]
    count = 1.0
    for _ in range(len(frames)):
        count *= n_columns
        if n_columns <= 1 or count > EXACT:  # no further frame changes anything: there may be 2^40, without columns
            break
    return count if count <= EXACT else nan


def _trellis(region, leaves, frames, work, iwork, sign):
    """The number of accepting paths with one emitting arc a frame; NaN above 2^53."""
    n_frames = len(frames)
    n_states = region[T.N_STATES]
    sources = region[T.ARC_SOURCES]
    emitting = region[T.EMITTING]
    silent = region[T.SILENT]
    row = 0
    previous = n_states
    for state in range(n_states):
        work[row + state] = 0.0
    for k in range(region[T.N_STARTS]):
        work[row + region[region[T.STARTS] + k]] = 1.0
    for step in range(n_frames + 1):
        for state in range(n_states):
            count = 0.0
            if step == 0:
                count = work[row + state]
            else:
                for arc in range(region[emitting + state], region[emitting + state + 1]):
                    count += work[previous + region[sources + arc]]
            for arc in range(region[silent + state], region[silent + state + 1]):
                count += work[row + region[sources + arc]]
            work[row + state] = count
        previous, row = row, previous
    total = 0.0
    for k in range(region[T.N_ACCEPTS]):
        total += work[previous + region[region[T.ACCEPTS] + k]]
    return total if total <= EXACT else nan


frames_count_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_frames)
frames_count_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_frames)
trellis_count_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_trellis)
trellis_count_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_trellis)
