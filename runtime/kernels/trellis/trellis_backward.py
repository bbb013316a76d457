"""Posteriors of a trellis, from what ``trellis_forward`` left in the workspace: compiled once for all kinds of frames.

Called by ``trellis_log``; ``blocks`` explains how it computes, ``steps`` and ``slow_frames`` hold its loops.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.math.vectors import broadcast, divide, load, store, where_greater
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    BETA,
    FIRST_FRAME,
    HOW,
    KEPT,
    START_EXPONENTS,
    START_ROWS,
    block_rows,
    columns_width,
    frame_places,
    row_places,
    vector_places,
)
from arcgrad.runtime.kernels.trellis.matrix_steps import matrix_back
from arcgrad.runtime.kernels.trellis.rescaling import PLACE, fill_factors
from arcgrad.runtime.kernels.trellis.slow_frames import slow_back, slow_forward
from arcgrad.runtime.kernels.trellis.steps import arcs_back, clear, diagonals_back
from arcgrad.runtime.kernels.trellis.trellis_forward import SLOWLY, UNIFORMLY, run_block

__all__ = ["block_back", "starts_back"]

_NEGLIGIBLE = 2.0**-250
"""Posteriors below this are dropped between blocks, since β might have no room for them."""


@kernel(f"void({PLACE}, int32[::1], int64, int64, int64, boolean)", internal=True)
def block_back(region, work, iwork, n_frames, block, end, want_weights):
    """From posteriors of states after a block, which ends before frame ``end``, to those before.

    Its columns become their posteriors; those of arcs are added to the workspace's sums by factor.
    """
    row, stride, _, _ = vector_places(region)
    columns, _, _, starts = frame_places(region, n_frames)
    zero = broadcast(0.0)
    frame = np.int64(iwork[FIRST_FRAME + 2 * block])
    how = iwork[HOW + 2 * block]
    start = starts + START_ROWS * stride * block
    count = end - frame
    if how == SLOWLY:
        slow_forward(region, work, n_frames, frame, count, start)
        slow_back(region, work, n_frames, frame, count)
        return
    fill_factors(region, work, start + START_EXPONENTS * stride, how == UNIFORMLY)
    at = columns + frame * columns_width(region)
    rows = block_rows(region, n_frames, block, frame)
    if n_frames * stride > KEPT:
        run_block(region, work, at, count, start, rows)
    last = rows + count * stride
    for k in range(0, stride, 8):
        posteriors = load(work, row + k)
        beta = divide(posteriors, load(work, last + k))
        store(work, row + BETA * stride + k, where_greater(posteriors, broadcast(_NEGLIGIBLE), beta, zero))
    if region[T.INNER_LOOP] == T.DIAGONALS:
        diagonals_back(region, work, at, count, rows, want_weights)
    elif region[T.INNER_LOOP] == T.MATRIX:
        matrix_back(region, work, at, count, rows, want_weights)
    else:
        arcs_back(region, work, at, count, rows, want_weights)
    for k in range(0, stride, 8):
        mantissas = load(work, start + k)
        posteriors = mantissas * load(work, row + BETA * stride + k)
        store(work, row + k, where_greater(mantissas, zero, posteriors, zero))


@kernel(f"void({PLACE}, int64)", internal=True, lazy=True)
def starts_back(region, work, n_frames):
    """The gradient of the ε arcs before the first frame."""
    _, stride, _, _ = vector_places(region)
    rows, _, _, _ = row_places(region)
    start = rows + 4 * stride  # behind the rows that one frame takes
    clear(work, start, START_ROWS * stride)
    for k in range(region[T.N_STARTS]):
        work[start + region[region[T.STARTS] + k]] = 1.0
    slow_forward(region, work, n_frames, 0, 0, start)
    slow_back(region, work, n_frames, 0, 0)
