"""Posteriors of a trellis, from what ``trellis_forward`` left in the workspace: compiled once for all kinds of frames.

Called by ``trellis_log``; ``blocks`` explains how it computes, ``steps`` and ``slow_frames`` hold its loops.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.math.vectors import broadcast, divide, load, store, where_greater
from arcgrad.runtime.kernels.trellis.blocks import (
    KEPT,
    block_rows,
    columns_width,
    frame_places,
    row_places,
    vector_places,
)
from arcgrad.runtime.kernels.trellis.matrix_steps import matrix_back
from arcgrad.runtime.kernels.trellis.renewal import PLACE, fill_cells
from arcgrad.runtime.kernels.trellis.slow_frames import slow_back, slow_forward
from arcgrad.runtime.kernels.trellis.steps import arcs_back, clear, strips_back
from arcgrad.runtime.kernels.trellis.trellis_forward import SLOWLY, UNIFORMLY, run_block

__all__ = ["block_back", "starts_back"]

_NEGLIGIBLE = 2.0**-250
"""Posteriors below this are dropped between blocks, since β might have no room for them."""


@kernel(f"void({PLACE}, int32[::1], int64, int64, int64, int64, boolean)", internal=True)
def block_back(ints, base, work, work0, iwork, iwork0, n_frames, block, end, want_weights):
    """From posteriors of states after a block, which ends before frame ``end``, to those before.

    Its columns become their posteriors; those of arcs are added to the workspace's sums by cell.
    """
    row, stride, _, _ = vector_places(ints, base, work0)
    columns, _, _, starts = frame_places(ints, base, n_frames, work0)
    zero = broadcast(0.0)
    frame = np.int64(iwork[iwork0 + 2 + 2 * block])
    how = iwork[iwork0 + 3 + 2 * block]
    start = starts + 3 * stride * block
    count = end - frame
    if how == SLOWLY:
        slow_forward(ints, base, work, work0, n_frames, frame, count, start)
        slow_back(ints, base, work, work0, n_frames, frame, count)
        return
    fill_cells(ints, base, work, work0, start + stride, how == UNIFORMLY)
    at = columns + frame * columns_width(ints, base)
    rows = block_rows(ints, base, n_frames, work0, block, frame)
    if n_frames * stride > KEPT:
        run_block(ints, base, work, work0, at, count, start, rows)
    last = rows + count * stride
    for k in range(0, stride, 8):
        posteriors = load(work, row + k)
        beta = divide(posteriors, load(work, last + k))
        store(work, row + 3 * stride + k, where_greater(posteriors, broadcast(_NEGLIGIBLE), beta, zero))
    if ints[base + 18] == 1:
        strips_back(ints, base, work, work0, at, count, rows, want_weights)
    elif ints[base + 18] == 2:
        matrix_back(ints, base, work, work0, at, count, rows, want_weights)
    else:
        arcs_back(ints, base, work, work0, at, count, rows, want_weights)
    for k in range(0, stride, 8):
        mantissas = load(work, start + k)
        posteriors = mantissas * load(work, row + 3 * stride + k)
        store(work, row + k, where_greater(mantissas, zero, posteriors, zero))


@kernel(f"void({PLACE}, int64)", internal=True, seldom=True)
def starts_back(ints, base, work, work0, n_frames):
    """The gradient of the ε arcs before the first frame."""
    _, stride, _, _ = vector_places(ints, base, work0)
    rows, _, _, _ = row_places(ints, base, work0)
    start = rows + 4 * stride
    clear(work, start, 3 * stride)
    for k in range(ints[base + 2]):
        work[start + ints[base + ints[base + 3] + k]] = 1.0
    slow_forward(ints, base, work, work0, n_frames, 0, 0, start)
    slow_back(ints, base, work, work0, n_frames, 0, 0)
