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
def run_block(ints, base, work, work0, columns, count, start, rows):
    """A block's rows, by the format of its inner loop."""
    if ints[base + T.INNER_LOOP] == T.DIAGONALS:
        diagonals_forward(ints, base, work, work0, columns, count, start, rows)
    elif ints[base + T.INNER_LOOP] == T.MATRIX:
        matrix_forward(ints, base, work, work0, columns, count, start, rows)
    else:
        arcs_forward(ints, base, work, work0, columns, count, start, rows)


@kernel(f"void({PLACE}, int32[::1], int64)", internal=True)
def begin_blocks(ints, base, work, work0, iwork, iwork0):
    """The present row before the first frame: starts, and what ε arcs reach from them."""
    row, stride, _, score = vector_places(ints, base, work0)
    rows, _, exponents, coarse = row_places(ints, base, work0)
    split_weights(ints, base, work, work0)
    work[score] = -inf
    iwork[iwork0 + N_BLOCKS] = 0
    iwork[iwork0 + MOST_FRAMES] = LONGEST
    clear(work, row, stride)
    clear(work, row + EXPONENTS * stride, stride)
    clear(work, row + UNITS * stride, stride)
    clear(work, row + COARSE_EXPONENTS * stride, stride)
    for k in range(ints[base + T.N_STARTS]):
        work[row + ints[base + T.PAD] + ints[base + ints[base + T.STARTS] + k]] = 1.0
    if ints[base + T.SILENT_DEPTH] > 0:
        slow_forward(ints, base, work, work0, 0, 0, 0, row)
        copy(work, rows + stride, row, stride)
        copy(work, exponents + stride, row + EXPONENTS * stride, stride)
        copy(work, coarse + stride, row + COARSE_EXPONENTS * stride, stride)


@kernel(f"int64({PLACE}, int64, int64, int64, int64, int64, boolean)", internal=True)
def try_block(ints, base, work, work0, n_frames, frame, most, start, rows, uniform):
    """Compute one block of frames; returns how many it took, 0 where it cannot be shown to be exact."""
    _, stride, _, _ = vector_places(ints, base, work0)
    columns, _, ranges, _ = frame_places(ints, base, n_frames, work0)
    left = n_frames - frame
    fewest = FEWEST if left > FEWEST else left
    count = fitting_frames(ints, base, work, work0, n_frames, frame, most)
    swept = count + 1
    lowest = least = 0.0
    # Exponents are spread as far as the block's frames reach: where these turn out to be fewer, once more.
    while count < swept:
        if count < fewest:
            return 0
        swept = count
        own_exponents(ints, base, work, work0, uniform)
        if not uniform:
            greatest_columns(ints, base, work, work0, n_frames, frame, count)
            if ints[base + T.INNER_LOOP] == T.DIAGONALS:
                spread_over_diagonals(ints, base, work, work0, count)
            else:
                spread_over_arcs(ints, base, work, work0, count)
        lowest = rescale_row(ints, base, work, work0, start)
        if lowest == UNKNOWN:
            return 0
        least = fill_factors(ints, base, work, work0, start + START_EXPONENTS * stride, uniform)
        limit = most_frames(ints, base, work, work0, uniform)
        if limit < count:
            count = int(limit)
        if uniform:
            break
    if count < fewest:
        return 0
    run_block(ints, base, work, work0, columns + frame * columns_width(ints, base), count, start, rows)
    for k in range(count):  # less one bit for each arc's mantissa
        lowest += (least - 1.0) * (1 + ints[base + T.SILENT_DEPTH]) - abs(work[ranges + frame + k])
    safe = nothing_is_lost(ints, base, work, work0, rows + count * stride, lowest > LEAST_PRODUCT)
    return count if safe else 0


@kernel(f"int64({PLACE}, int32[::1], int64, int64, int64)", internal=True)
def next_block(ints, base, work, work0, iwork, iwork0, n_frames, frame):
    """Compute a block from this frame on, of at most `LONGEST` frames, whose columns are there; where it ends."""
    row, stride, _, score = vector_places(ints, base, work0)
    slow_rows, _, slow_exponents, slow_coarse = row_places(ints, base, work0)
    _, _, _, starts = frame_places(ints, base, n_frames, work0)
    left = n_frames - frame
    n_blocks = np.int64(iwork[iwork0 + N_BLOCKS])
    rows = block_rows(ints, base, n_frames, work0, n_blocks, frame)
    most = iwork[iwork0 + MOST_FRAMES]
    start = starts + START_ROWS * stride * n_blocks
    exponents = start + START_EXPONENTS * stride
    may_be_uniform = ints[base + T.INNER_LOOP] != T.DIAGONALS
    uniform = may_be_uniform
    how = FAST
    count = 0
    move_origin(ints, base, work, work0)
    is_far = work[score + HAS_FAR] != 0.0
    while True:
        if not is_far:
            tried = most if most < left else left
            count = try_block(ints, base, work, work0, n_frames, frame, tried, start, rows, uniform)
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
            slow_forward(ints, base, work, work0, n_frames, frame, count, start)
            rows = slow_rows
            exponents = slow_exponents + count * stride
            copy(work, slow_coarse + count * stride, row + COARSE_EXPONENTS * stride, stride)
            break
    copy(work, rows + count * stride, row, stride)
    copy(work, exponents, row + EXPONENTS * stride, stride)
    iwork[iwork0 + N_BLOCKS] = n_blocks + 1
    more = count + (count // 2 if count > 4 else 2)  # not far more than went well
    iwork[iwork0 + MOST_FRAMES] = more if more < LONGEST else LONGEST
    iwork[iwork0 + FIRST_FRAME + 2 * n_blocks] = frame
    iwork[iwork0 + HOW + 2 * n_blocks] = how
    return frame + count


@kernel(f"float64({PLACE}, int64)", internal=True)
def finish_blocks(ints, base, work, work0, n_frames):
    """The forward score from the present row, which becomes the posteriors of the states at the end."""
    row, stride, _, score_at = vector_places(ints, base, work0)
    _, shifts, _, _ = frame_places(ints, base, n_frames, work0)
    accepts = base + ints[base + T.ACCEPTS]
    last = row + UNITS * stride + ints[base + T.PAD]
    copy(work, row, row + UNITS * stride, stride)
    clear(work, row, stride)
    coarse = row + COARSE_EXPONENTS * stride + ints[base + T.PAD]
    row += ints[base + T.PAD]
    own = row + EXPONENTS * stride
    top = top_coarse = 0.0
    found = False
    for k in range(ints[base + T.N_ACCEPTS]):
        state = ints[accepts + k]
        if work[last + state] != 0.0:
            if not found or behind(work[own + state], work[coarse + state], top, top_coarse) > 0.0:
                top, top_coarse = work[own + state], work[coarse + state]
            found = True
    if not found:
        return -inf
    total = 0.0
    for k in range(ints[base + T.N_ACCEPTS]):
        state = ints[accepts + k]
        shift = behind(work[own + state], work[coarse + state], top, top_coarse)
        if work[last + state] != 0.0 and shift > LEAST_PRODUCT:
            work[row + state] = work[last + state] * power_of_two(shift)
            total += work[row + state]
    for k in range(ints[base + T.N_ACCEPTS]):
        work[row + ints[accepts + k]] /= total
    score = score_of(top + work[score_at + ORIGIN], top_coarse + work[score_at + COARSE_ORIGIN]) + log(total)
    for k in range(n_frames):
        score += work[shifts + k]
    work[score_at] = score
    return score
