"""Forward scores of a batch of trellises and their gradients with respect to frames, in one call.

For losses, which know every cotangent beforehand and want no gradient but that with respect to frames. Frames may lie
anywhere: item b's frame t is row ``first[b] + t · step`` of a matrix of which only the first ``width`` columns are
columns. Where items lie interleaved, frame by frame, a group of them is read together, in the order of memory: a frame
is looked at, and the columns that occur are picked from it; then each item goes forward and back, by the steps of
``trellis_log``; then the gradient is written, in the same order, over whatever was there. Read item by item, in leaps,
frames of 1,000 columns and more took twice as long.

With ``fill`` the gradient has a share of every column besides: of its exponential, or of its part in the frame's sum
of exponentials, the normaliser, whose logarithm is then taken off the score.
"""

from __future__ import annotations

from math import inf, log, nan

import numpy as np

from arcgrad.compiler.graphs.topology import LARGEST_WEIGHT
from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import is_stopped
from arcgrad.runtime.kernels.frames.frames_log import add_frame, exponentiate
from arcgrad.runtime.kernels.math.vectors import (
    add_up,
    broadcast,
    broadcast_like,
    greater,
    greatest_of,
    load_rest,
    load_row,
    store_rest,
    store_row,
    sum_of,
    where_greater,
)
from arcgrad.runtime.kernels.trellis.blocks import (
    FIRST_FRAME,
    LONGEST,
    N_BLOCKS,
    columns_width,
    frame_places,
)
from arcgrad.runtime.kernels.trellis.steps import copy
from arcgrad.runtime.kernels.trellis.trellis_backward import block_back
from arcgrad.runtime.kernels.trellis.trellis_forward import finish_blocks, next_block
from arcgrad.runtime.kernels.trellis.trellis_log import (
    add_columns,
    begin_forward,
    clear_sums,
    exponentiate_loaded,
    pick_columns,
)

__all__ = ["FILLED_BY_EXPONENTIALS", "FILLED_BY_NOTHING", "FILLED_BY_SHARES", "batch_log", "batch_log_float32"]

FILLED_BY_NOTHING, FILLED_BY_EXPONENTIALS, FILLED_BY_SHARES = 0, 1, 2
"""What the gradient has of every column: 0; exp(score); or its share of the frame's sum, which normalises the score."""

_MOST_EXPONENTIATED = 80.0
"""Scores beyond which an exponential is left to others: float32 is about to overflow."""


@helper
def is_legal(frames, row, width):
    """Whether no score of a row is NaN, +inf or too large: one that is not less than the bound shows in the sum."""
    lanes = 64 // frames.itemsize
    bound = broadcast_like(frames, LARGEST_WEIGHT)  # +inf in float32, which has nothing else beyond its largest
    zero = broadcast_like(frames, 0.0)
    one = broadcast_like(frames, 1.0)
    found = other = zero
    end = width // (2 * lanes) * (2 * lanes)
    for k in range(0, end, 2 * lanes):
        found = greater(found, where_greater(bound, load_row(frames, row, k), zero, one))
        other = greater(other, where_greater(bound, load_row(frames, row, k + lanes), zero, one))
    for k in range(end, width, lanes):
        found = greater(found, where_greater(bound, load_rest(frames, row, k, width - k, 0.0), zero, one))
    return greatest_of(greater(found, other)) == 0.0


@helper
def greatest(frames, row, width):
    """The greatest of a row, 0 where none is finite."""
    lanes = 64 // frames.itemsize
    end = width // lanes * lanes
    high = broadcast_like(frames, -inf)
    for k in range(0, end, lanes):
        high = greater(high, load_row(frames, row, k))
    if end < width:
        high = greater(high, load_rest(frames, row, end, width - end, -inf))
    found = greatest_of(high)
    return found if found > -inf else 0.0


@helper
def total_of_row(frames, row, width, best):
    """Σ exp(score − best)."""
    lanes = 64 // frames.itemsize
    end = width // lanes * lanes
    total = broadcast(0.0)
    for k in range(0, end, lanes):
        total = add_up(total, exponentiate(load_row(frames, row, k) - best))
    if end < width:
        total = add_up(total, exponentiate(load_rest(frames, row, end, width - end, -inf) - best))
    return sum_of(total)


@helper
def write_exponentials(frames, row, width, best, factor, gradient, to):
    """Write factor × exp(score − best) over a row of the gradient; the sum of the exponentials, as `total_of_row`."""
    lanes = 64 // frames.itemsize
    end = width // lanes * lanes
    total = broadcast(0.0)
    for k in range(0, end, lanes):
        share = exponentiate(load_row(frames, row, k) - best)
        store_row(gradient, to, k, share * factor)
        total = add_up(total, share)
    if end < width:
        share = exponentiate(load_rest(frames, row, end, width - end, -inf) - best)
        store_rest(gradient, to, end, width - end, share * factor)
        total = add_up(total, share)
    return sum_of(total)


@helper
def scale_row(gradient, row, width, factor):
    """Multiply a row of the gradient, which is in the cache."""
    lanes = 64 // gradient.itemsize
    end = width // lanes * lanes
    for k in range(0, end, lanes):
        store_row(gradient, row, k, load_row(gradient, row, k) * factor)
    if end < width:
        store_rest(gradient, row, end, width - end, load_rest(gradient, row, end, width - end, 0.0) * factor)


@helper
def clear_columns(gradient, row, width):
    """Write zeros into the columns of a row."""
    for k in range(width):
        gradient[np.uint64(row), np.uint64(k)] = 0.0


@helper
def kept_columns(region, n_frames, number, group, store_at, store_size):
    """Place of the columns of an item of a group: where the steps want them, if it is alone, else in its own part."""
    if group == 1:
        columns, _, _, _ = frame_places(region, n_frames)
        return columns
    return store_at + number * store_size


@helper
def forward_and_back(region, n_frames, short, want, work, iwork):
    """Log of the sum over accepting paths, of the columns in the workspace, which become their posteriors if wanted."""
    frame = loaded = np.int64(0)
    while frame < n_frames:
        if is_stopped(iwork):
            return -inf
        needed = np.int64(frame + LONGEST if frame + LONGEST < n_frames else n_frames)
        if loaded < needed:
            exponentiate_loaded(region, work, n_frames, loaded, needed, short)
        loaded = needed
        frame = next_block(region, work, iwork, n_frames, frame)
    score = finish_blocks(region, work, n_frames)
    if want and score > -inf:
        clear_sums(region, work)
        end = n_frames
        for block in range(iwork[N_BLOCKS] - 1, -1, -1):
            if is_stopped(iwork):
                return -inf
            block_back(region, work, iwork, n_frames, block, end, False)
            end = np.int64(iwork[FIRST_FRAME + 2 * block])
    return score


def _batch(
    low, high, group, want, fill, ints, bases, weights, frames, first, step, counts, width, shares, gradient,
    gradient_first, gradient_step, n_steps, scores, work, store_at, store_size, iwork,
):  # fmt: skip
    """Write the scores of items ``low`` to ``high``, and the gradients. NaN: a frame holds what is no score.

    Args:
        low, high: items of the batch.
        group: how many items are read together.
        want: whether to write gradients, −share × the derivative of the score with respect to each frame and column: 0
            where the score is infinite, and from an item's last frame to ``n_steps``.
        fill: see above.
        ints, bases: packed regions, and where each item's begins.
        weights: of leaves, shared by all items.
        frames, first, step, counts, width: frames of item b: ``counts[b]`` of them.
        shares: of each score.
        gradient, gradient_first, gradient_step: rows of the gradient, likewise.
        n_steps: rows of each item.
        scores: gets the scores.
        work: workspace of one item; behind it, from ``store_at``, columns of each of the group's, ``store_size`` apart.
        iwork: workspace; another number in the last integer than 0 says to give up.
    """
    leaves = (weights, np.int64(len(weights)), np.int64(0))
    for begin in range(low, high, group):
        end = begin + group if begin + group < high else high
        for item in range(begin, end):
            scores[item] = 0.0
        for frame in range(n_steps):
            for item in range(begin, end):
                if frame < counts[item]:
                    region = ints[bases[item] :]
                    row = first[item] + frame * step
                    if not is_legal(frames, row, width):
                        scores[item] = nan
                    if fill == FILLED_BY_EXPONENTIALS and greatest(frames, row, width) > _MOST_EXPONENTIATED:
                        scores[item] = nan
                    to = kept_columns(region, counts[item], item - begin, group, store_at, store_size)
                    pick_columns(region, frames, row, work, to + frame * columns_width(region))
        for item in range(begin, end):
            if scores[item] == 0.0:
                region = ints[bases[item] :]
                n_frames = counts[item]
                columns, _, _, _ = frame_places(region, n_frames)
                kept = kept_columns(region, n_frames, item - begin, group, store_at, store_size)
                length = n_frames * columns_width(region)
                score = -inf
                if begin_forward(region, leaves, work, iwork):
                    if kept != columns:
                        copy(work, kept, columns, length)
                    score = forward_and_back(region, n_frames, frames.itemsize == 4, want, work, iwork)
                    if want and kept != columns:
                        copy(work, columns, kept, length)
                scores[item] = score
        if want or fill == FILLED_BY_SHARES:
            for item in range(begin, end):
                work[item - begin] = 0.0
                work[group + item - begin] = 1.0
            for frame in range(n_steps):
                for item in range(begin, end):
                    row, to = first[item] + frame * step, gradient_first[item] + frame * gradient_step
                    is_inside = frame < counts[item] and scores[item] > -inf
                    cotangent = -shares[item]
                    is_filled = want and is_inside and cotangent != 0.0
                    best = total = 0.0
                    if is_inside and fill == FILLED_BY_SHARES:
                        best = greatest(frames, row, width)
                    if is_filled and fill != FILLED_BY_NOTHING:
                        factor = -cotangent if fill == FILLED_BY_EXPONENTIALS else 1.0
                        total = write_exponentials(frames, row, width, best, factor, gradient, to)
                        if fill == FILLED_BY_SHARES:
                            scale_row(gradient, to, width, -cotangent / total)
                    elif want:
                        clear_columns(gradient, to, width)
                    if is_inside and fill == FILLED_BY_SHARES:
                        if not is_filled:
                            total = total_of_row(frames, row, width, best)
                        work[item - begin], work[group + item - begin] = add_frame(
                            work[item - begin], work[group + item - begin], best, total
                        )
                    if is_filled:
                        region = ints[bases[item] :]
                        from_ = kept_columns(region, counts[item], item - begin, group, store_at, store_size)
                        add_columns(region, work, from_ + frame * columns_width(region), cotangent, gradient, to)
            for item in range(begin, end):
                if fill == FILLED_BY_SHARES and scores[item] > -inf:
                    scores[item] -= work[item - begin] + log(work[group + item - begin])


_SIGNATURE = (
    "void(int64, int64, int64, boolean, int64, const int32[::1], const int64[::1], const float64[::1], const FRAMES, "
    "const int64[::1], int64, const int64[::1], int64, const float64[::1], FRAMES, const int64[::1], int64, int64, "
    "float64[::1], float64[::1], int64, int64, int32[::1])"
)
batch_log = kernel(_SIGNATURE.replace("FRAMES", "float64[:, ::1]"))(_batch)
batch_log_float32 = kernel(_SIGNATURE.replace("FRAMES", "float32[:, ::1]"))(_batch)
