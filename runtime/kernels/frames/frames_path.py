"""Each frame's column of the best path of a dense chain alone, as the best path of the built chain would take them.

From the last frame to the first, as `trellis_path`: among equal sums the first column.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.frames.frames_log import greatest

__all__ = ["frames_path", "frames_path_float32"]


def _path(frames, columns):
    """Write each frame's column; the path's weight, −inf where there is none."""
    after = 0.0
    for frame in range(frames.shape[0] - 1, -1, -1):
        best = greatest(frames, frame) + after  # rounding keeps the order of sums
        column = 0
        while column < frames.shape[1] and frames[frame, column] + after != best:
            column += 1
        if column == frames.shape[1]:
            return -inf
        columns[frame] = column
        after = best
    return after


frames_path = kernel("float64(const float64[:, ::1], int32[::1])")(_path)
frames_path_float32 = kernel("float64(const float32[:, ::1], int32[::1])")(_path)
