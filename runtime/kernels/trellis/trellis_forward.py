"""Forward score of a trellis from exponentiated columns, by blocks of frames: compiled once for all kinds of frames.

Called by ``trellis_log``; ``blocks`` explains how it computes, ``rescaling`` and ``steps`` hold its loops.
"""

from __future__ import annotations

from math import inf, log

import numpy as np

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.math.scaled import behind, power_of_two, score_of
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    COARSE_EXPONENTS,
    COARSE_ORIGIN,
    EXPONENTS,
    FEWEST,
    FIRST_FRAME,
    HAS_FAR,
    HOW,
    LEAST_PRODUCT,
    LONGEST,
    MOST_FRAMES,
    N_BLOCKS,
    ORIGIN,
    SLOW,
    START_COARSE,
    START_EXPONENTS,
    START_ROWS,
    UNITS,
    UNKNOWN,
    block_rows,
    columns_width,
    frame_places,
    row_places,
    vector_places,
)
from arcgrad.runtime.kernels.trellis.guard import most_frames, nothing_is_lost
from arcgrad.runtime.kernels.trellis.matrix_steps import matrix_forward
from arcgrad.runtime.kernels.trellis.rescaling import (
    PLACE,
    fill_factors,
    fitting_frames,
    greatest_columns,
    move_origin,
    own_exponents,
    rescale_row,
    split_weights,
    spread_over_arcs,
    spread_over_diagonals,
)
from arcgrad.runtime.kernels.trellis.slow_frames import slow_forward
from arcgrad.runtime.kernels.trellis.steps import FORWARD, arcs_forward, clear, copy, diagonals_forward

__all__ = ["FAST", "SLOWLY", "UNIFORMLY", "begin_blocks", "finish_blocks", "next_block", "run_block"]

SLOWLY, FAST, UNIFORMLY = 0, 1, 2
"""How a block was computed: in the log domain, with a unit for each state, or with one for all."""


@kernel(FORWARD, internal=True)
def run_block(region, work, columns, count, start, rows):
    """A block's rows, by the format of its inner loop."""
    if region[T.INNER_LOOP] == T.DIAGONALS:
        diagonals_forward(region, work, columns, count, start, rows)
    elif region[T.INNER_LOOP] == T.MATRIX:
        matrix_forward(region, work, columns, count, start, rows)
    else:
        arcs_forward(region, work, columns, count, start, rows)


@kernel(f"void({PLACE}, int32[::1])", internal=True)
def begin_blocks(region, work, iwork):
    """The present row before the first frame: starts, and what ε arcs reach from them."""
    row, stride, _, score = vector_places(region)
    rows, _, exponents, coarse = row_places(region)
    split_weights(region, work)
    work[score] = -inf
    iwork[N_BLOCKS] = 0
    iwork[MOST_FRAMES] = LONGEST
    clear(work, row, stride)
    clear(work, row + EXPONENTS * stride, stride)
    clear(work, row + UNITS * stride, stride)
    clear(work, row + COARSE_EXPONENTS * stride, stride)
    for k in range(region[T.N_STARTS]):
        work[row + region[T.PAD] + region[region[T.STARTS] + k]] = 1.0
    if region[T.SILENT_DEPTH] > 0:
        slow_forward(region, work, 0, 0, 0, row)
        copy(work, rows + stride, row, stride)
        copy(work, exponents + stride, row + EXPONENTS * stride, stride)
        copy(work, coarse + stride, row + COARSE_EXPONENTS * stride, stride)


@kernel(f"int64({PLACE}, int64, int64, int64, int64, int64, boolean)", internal=True)
def try_block(region, work, n_frames, frame, most, start, rows, uniform):
    """Compute one block of frames; returns how many it took, 0 where it cannot be shown to be exact."""
    _, stride, _, _ = vector_places(region)
    columns, _, ranges, _ = frame_places(region, n_frames)
    left = n_frames - frame
    fewest = FEWEST if left > FEWEST else left
    count = fitting_frames(region, work, n_frames, frame, most)
    swept = count + 1
    lowest = least = 0.0
    # Exponents are spread as far as the block's frames reach: where these turn out to be fewer, once more.
    while count < swept:
        if count < fewest:
            return 0
        swept = count
        own_exponents(region, work, uniform)
        if not uniform:
            greatest_columns(region, work, n_frames, frame, count)
            if region[T.INNER_LOOP] == T.DIAGONALS:
                spread_over_diagonals(region, work, count)
            else:
                spread_over_arcs(region, work, count)
        lowest = rescale_row(region, work, start)
        if lowest == UNKNOWN:
            return 0
        least = fill_factors(region, work, start + START_EXPONENTS * stride, uniform)
        limit = most_frames(region, work, uniform)
        if limit < count:
            count = int(limit)
        if uniform:
            break
    if count < fewest:
        return 0
    run_block(region, work, columns + frame * columns_width(region), count, start, rows)
    for k in range(count):  # less one bit for each arc's mantissa
        lowest += (least - 1.0) * (1 + region[T.SILENT_DEPTH]) - abs(work[ranges + frame + k])
    safe = nothing_is_lost(region, work, rows + count * stride, lowest > LEAST_PRODUCT)
    return count if safe else 0


@kernel(f"int64({PLACE}, int32[::1], int64, int64)", internal=True)
def next_block(region, work, iwork, n_frames, frame):
    """Compute a block from this frame on, of at most `LONGEST` frames, whose columns are there; where it ends."""
    row, stride, _, score = vector_places(region)
    slow_rows, _, slow_exponents, slow_coarse = row_places(region)
    _, _, _, starts = frame_places(region, n_frames)
    left = n_frames - frame
    n_blocks = np.int64(iwork[N_BLOCKS])
    rows = block_rows(region, n_frames, n_blocks, frame)
    most = iwork[MOST_FRAMES]
    start = starts + START_ROWS * stride * n_blocks
    exponents = start + START_EXPONENTS * stride
    may_be_uniform = region[T.INNER_LOOP] != T.DIAGONALS
    uniform = may_be_uniform
    how = FAST
    count = 0
    move_origin(region, work)
    is_far = work[score + HAS_FAR] != 0.0
    while True:
        if not is_far:
            tried = most if most < left else left
            count = try_block(region, work, n_frames, frame, tried, start, rows, uniform)
            how = UNIFORMLY if uniform else FAST
            if count > 0:
                break
        if uniform:
            uniform = False
        elif most > FEWEST and not is_far:
            most = most // 2 if most > 2 * FEWEST else FEWEST
            uniform = may_be_uniform
        else:
            how = SLOWLY
            count = SLOW if left > SLOW else left
            copy(work, row, start, stride)
            copy(work, row + EXPONENTS * stride, start + START_EXPONENTS * stride, stride)
            copy(work, row + COARSE_EXPONENTS * stride, start + START_COARSE * stride, stride)
            slow_forward(region, work, n_frames, frame, count, start)
            rows = slow_rows
            exponents = slow_exponents + count * stride
            copy(work, slow_coarse + count * stride, row + COARSE_EXPONENTS * stride, stride)
            break
    copy(work, rows + count * stride, row, stride)
    copy(work, exponents, row + EXPONENTS * stride, stride)
    iwork[N_BLOCKS] = n_blocks + 1
    more = count + (count // 2 if count > 4 else 2)  # not far more than went well
    iwork[MOST_FRAMES] = more if more < LONGEST else LONGEST
    iwork[FIRST_FRAME + 2 * n_blocks] = frame
    iwork[HOW + 2 * n_blocks] = how
    return frame + count


@kernel(f"float64({PLACE}, int64)", internal=True)
def finish_blocks(region, work, n_frames):
    """The forward score from the present row, which becomes the posteriors of the states at the end."""
    row, stride, _, score_at = vector_places(region)
    _, shifts, _, _ = frame_places(region, n_frames)
    accepts = region[T.ACCEPTS]
    last = row + UNITS * stride + region[T.PAD]
    copy(work, row, row + UNITS * stride, stride)
    clear(work, row, stride)
    coarse = row + COARSE_EXPONENTS * stride + region[T.PAD]
    row += region[T.PAD]
    own = row + EXPONENTS * stride
    top = top_coarse = 0.0
    found = False
    for k in range(region[T.N_ACCEPTS]):
        state = region[accepts + k]
        if work[last + state] != 0.0:
            if not found or behind(work[own + state], work[coarse + state], top, top_coarse) > 0.0:
                top, top_coarse = work[own + state], work[coarse + state]
            found = True
    if not found:
        return -inf
    total = 0.0
    for k in range(region[T.N_ACCEPTS]):
        state = region[accepts + k]
        shift = behind(work[own + state], work[coarse + state], top, top_coarse)
        if work[last + state] != 0.0 and shift > LEAST_PRODUCT:
            work[row + state] = work[last + state] * power_of_two(shift)
            total += work[row + state]
    for k in range(region[T.N_ACCEPTS]):
        work[row + region[accepts + k]] /= total
    score = score_of(top + work[score_at + ORIGIN], top_coarse + work[score_at + COARSE_ORIGIN]) + log(total)
    for k in range(n_frames):
        score += work[shifts + k]
    work[score_at] = score
    return score
