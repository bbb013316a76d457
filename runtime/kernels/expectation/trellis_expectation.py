"""Expected sum of values over a dense composition's paths, their entropy, and gradients, never built.

The functions for float64 and float32 frames read and write frames, block by block; ``rows`` does the rest.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights, is_stopped
from arcgrad.runtime.kernels.expectation.linear import (
    all_fast,
    begin_means,
    block_end,
    columns_as_values,
    finish_means,
    linear_back,
    linear_forward,
    weights_as_values,
)
from arcgrad.runtime.kernels.expectation.matrix import (
    begin_matrix,
    finish_matrix,
    matrix_back,
    matrix_forward,
    matrix_sums,
)
from arcgrad.runtime.kernels.expectation.places import (
    AHEAD,
    BY_LINEAR,
    BY_MATRIX,
    BY_ROWS,
    HOW,
    LONGEST,
    SCALARS,
    SCORE,
    arc_place,
    column_places,
    is_linear,
    linear_arcs,
    linear_columns,
)
from arcgrad.runtime.kernels.expectation.rows import (
    begin_rows,
    block_back,
    block_forward,
    finish_rows,
    next_block,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import FIRST_FRAME, N_BLOCKS
from arcgrad.runtime.kernels.trellis.trellis_log import log_forward
from arcgrad.runtime.kernels.values import add_to_values, gather_values

__all__ = [
    "EXPECTATION_BACKWARD",
    "EXPECTATION_FORWARD",
    "trellis_entropy_backward",
    "trellis_entropy_backward_float32",
    "trellis_entropy_forward",
    "trellis_entropy_forward_float32",
    "trellis_expectation_backward",
    "trellis_expectation_backward_float32",
    "trellis_expectation_forward",
    "trellis_expectation_forward_float32",
]

EXPECTATION_FORWARD = FRAMES_FORWARD.replace("const FRAMES,", "const FRAMES, const FRAMES,")
EXPECTATION_BACKWARD = (
    FRAMES_BACKWARD.replace("const FRAMES,", "const FRAMES, const FRAMES,")
    .replace(", FRAMES,", ", FRAMES, FRAMES,")
    .replace("boolean, boolean", "boolean, boolean, boolean")
)


@helper
def load_columns(region, frames, work, begin, count, to):
    """Write the columns that occur, of so many frames."""
    n_slots = region[T.N_SLOTS]
    used = region[T.SLOT_COLUMNS]
    for frame in range(begin, begin + count):
        for slot in range(n_slots):
            work[to + slot] = frames[frame, region[used + slot]]
        to += n_slots


@helper
def load_values(region, values, work, begin, count, to, surprisals):
    """Write the values of so many frames' columns, zeros where there are none."""
    if surprisals or len(values) == 0:
        for k in range(to, to + count * region[T.N_SLOTS]):
            work[k] = 0.0
    else:
        load_columns(region, values, work, begin, count, to)


@helper
def load_block(region, frames, values, work, begin, count, surprisals):
    """Write a block's columns, and their values."""
    columns, column_values, _, _ = column_places(region)
    load_columns(region, frames, work, begin, count, columns)
    load_values(region, values, work, begin, count, column_values, surprisals)


@helper
def add_columns(region, work, from_, begin, count, cotangent, gradient):
    """Add a block's derivatives, times the cotangent, to frames' gradient."""
    n_slots = region[T.N_SLOTS]
    used = region[T.SLOT_COLUMNS]
    for frame in range(begin, begin + count):
        for slot in range(n_slots):
            gradient[frame, region[used + slot]] += cotangent * work[from_ + slot]
        from_ += n_slots


@helper
def run_matrix(region, leaves, frames, values, work, iwork, surprisals):
    """Compute the rows of all frames by ``matrix``, if that is exact; whether it is."""
    gather_weights(region, region[T.N_ARCS], leaves, work[arc_place(region, 0) :], 1.0)
    if not surprisals:
        gather_values(region, 0, leaves, work[arc_place(region, 3) : arc_place(region, 4)])
    fits = begin_matrix(region, work, surprisals)
    begin = 0
    while fits and begin < len(frames) and not is_stopped(iwork):
        count = min(LONGEST, len(frames) - begin)
        load_block(region, frames, values, work, begin, count, surprisals)
        fits = matrix_forward(region, work, begin, count, surprisals)
        begin += count
    return fits


@helper
def run_linear(region, leaves, frames, values, work, iwork, surprisals):
    """Compute what is expected by ``linear``, after the log score; whether it is exact and finite."""
    n_frames = len(frames)
    fits = all_fast(iwork)
    if fits and surprisals:
        fits = weights_as_values(region, work, n_frames)
    elif fits:
        at, end, _ = linear_arcs(region, n_frames)
        gather_values(region, 0, leaves, work[at:end])
    if fits:
        begin_means(region, work, n_frames)
    block = 0
    begin = np.int64(0)
    while fits and begin < n_frames:
        end = block_end(iwork, n_frames, block)
        column_values, _, _ = linear_columns(region, n_frames)
        if surprisals:
            columns_as_values(region, frames, work, begin, end - begin, column_values)
        else:
            load_values(region, values, work, begin, end - begin, column_values, False)
        fits = linear_forward(region, work, iwork, n_frames, block, begin, end - begin)
        begin = end
        block += 1
    return fits


@helper
def forward(region, leaves, frames, values, work, iwork, surprisals):
    """The expectation; that of −log of the path's probability where values are ``surprisals``."""
    n_frames = len(frames)
    work[SCORE] = work[AHEAD] = 0.0
    work[HOW] = BY_ROWS
    if region[T.N_STATES] == 0:
        return 0.0
    is_matrix = region[T.INNER_LOOP] == T.MATRIX
    if is_matrix and run_matrix(region, leaves, frames, values, work, iwork, surprisals):
        work[HOW] = BY_MATRIX
        return finish_matrix(region, work, n_frames, surprisals)
    if is_linear(region) and n_frames > 0:
        score = log_forward(region, leaves, frames, work[SCALARS:], iwork, 1.0)
        if score == -inf or is_stopped(iwork):
            work[SCORE] = 0.0
            return 0.0
        if run_linear(region, leaves, frames, values, work, iwork, surprisals):
            work[HOW] = BY_LINEAR
            return finish_means(region, work, iwork, n_frames, surprisals)
    begin_rows(region, work, leaves, surprisals)
    for block in range((n_frames + LONGEST - 1) // LONGEST if n_frames > 0 else 1):
        if is_stopped(iwork):
            return 0.0
        begin = block * LONGEST
        count = min(LONGEST, n_frames - begin)
        load_block(region, frames, values, work, begin, count, surprisals)
        block_forward(region, work, block, count, surprisals)
        next_block(region, work, count)
    return finish_rows(region, work, surprisals)


@helper
def backward(
    region,
    frames,
    values,
    work,
    iwork,
    cotangent,
    frames_gradient,
    values_gradient,
    want_weights,
    want_frames,
    want_values,
    surprisals,
):
    """The way back, which leaves arcs' derivatives in the workspace, and adds to frames' gradients; whether it was."""
    n_frames = len(frames)
    if work[SCORE] == 0.0:
        return False
    if work[HOW] == BY_LINEAR:
        _, by_weight, by_value = linear_arcs(region, n_frames)
        for k in range(by_weight, by_value + region[T.N_ARCS]):
            work[k] = 0.0
        end = np.int64(n_frames)
        column_values, to_columns, to_values = linear_columns(region, n_frames)
        for back in range(iwork[N_BLOCKS]):
            if is_stopped(iwork):
                return False
            block = iwork[N_BLOCKS] - 1 - back
            first = np.int64(iwork[FIRST_FRAME + 2 * block])
            if surprisals:
                columns_as_values(region, frames, work, first, end - first, column_values)
            else:
                load_values(region, values, work, first, end - first, column_values, False)
            linear_back(region, work, iwork, n_frames, block, first, end - first)
            if want_frames:
                add_columns(region, work, to_columns, first, end - first, cotangent, frames_gradient)
            if want_values:
                add_columns(region, work, to_values, first, end - first, cotangent, values_gradient)
            end = first
        return True
    for k in range(arc_place(region, 4), arc_place(region, 6)):
        work[k] = 0.0
    _, _, by_column, by_column_value = column_places(region)
    n_blocks = (n_frames + LONGEST - 1) // LONGEST if n_frames > 0 else 1
    for back in range(n_blocks):
        if is_stopped(iwork):
            return False
        block = n_blocks - 1 - back
        begin = block * LONGEST
        count = min(LONGEST, n_frames - begin)
        load_block(region, frames, values, work, begin, count, surprisals)
        if work[HOW] == BY_MATRIX:
            matrix_back(region, work, begin, count, want_weights, surprisals)
        else:
            block_back(region, work, block, count, surprisals)
        if want_frames:
            add_columns(region, work, by_column, begin, count, cotangent, frames_gradient)
        if want_values:
            add_columns(region, work, by_column_value, begin, count, cotangent, values_gradient)
    if work[HOW] == BY_MATRIX and want_weights:
        matrix_sums(region, work)
    return True


@helper
def arc_sums(region, work, n_frames):
    """Places of the arcs' derivatives with respect to weights and values."""
    if work[HOW] == BY_LINEAR:
        _, by_weight, by_value = linear_arcs(region, n_frames)
        return by_weight, by_value
    return arc_place(region, 4), arc_place(region, 5)


def _expectation_forward(region, leaves, frames, values, work, iwork, sign):
    """The expected sum of values along a path; 0 where there is no path, −inf where a value on one is −inf."""
    return forward(region, leaves, frames, values, work, iwork, False)


def _expectation_backward(
    region, leaves, frames, values, work, iwork, sign, cotangent, gradient, frames_gradient, values_gradient,
    want_weights, want_frames, want_values,
):  # fmt: skip
    """Add to the gradients of weights and frames cotangent × Cov(·, Σ values), to those of values the posteriors'."""
    done = backward(
        region, frames, values, work, iwork, cotangent, frames_gradient, values_gradient, want_weights, want_frames,
        want_values, False,
    )  # fmt: skip
    if done and want_weights:
        by_weight, by_value = arc_sums(region, work, len(frames))
        for arc in range(region[T.N_ARCS]):
            add_to_entries(region, arc, cotangent * work[by_weight + arc], gradient)
            add_to_values(region, 0, arc, cotangent * work[by_value + arc], gradient)


def _entropy_forward(region, leaves, frames, work, iwork, sign):
    """The entropy, in nats, of the distribution of paths in proportion to exp(weight); 0 where there is no path."""
    return max(forward(region, leaves, frames, frames, work, iwork, True), 0.0)  # rounding may leave −1e-16


def _entropy_backward(
    region, leaves, frames, work, iwork, sign, cotangent, gradient, frames_gradient, want_weights, want_frames
):
    """Add to the gradients of weights and frames cotangent × Cov(·, −log probability of the path)."""
    done = backward(
        region,
        frames,
        frames,
        work,
        iwork,
        cotangent,
        frames_gradient,
        frames_gradient,
        want_weights,
        want_frames,
        False,
        True,
    )
    if done and want_weights:
        by_weight, _ = arc_sums(region, work, len(frames))
        for arc in range(region[T.N_ARCS]):
            add_to_entries(region, arc, cotangent * work[by_weight + arc], gradient)


_FLOAT64, _FLOAT32 = "float64[:, ::1]", "float32[:, ::1]"
trellis_expectation_forward = kernel(EXPECTATION_FORWARD.replace("FRAMES", _FLOAT64))(_expectation_forward)
trellis_expectation_forward_float32 = kernel(EXPECTATION_FORWARD.replace("FRAMES", _FLOAT32))(_expectation_forward)
trellis_expectation_backward = kernel(EXPECTATION_BACKWARD.replace("FRAMES", _FLOAT64))(_expectation_backward)
trellis_expectation_backward_float32 = kernel(EXPECTATION_BACKWARD.replace("FRAMES", _FLOAT32))(_expectation_backward)
trellis_entropy_forward = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT64))(_entropy_forward)
trellis_entropy_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT32))(_entropy_forward)
trellis_entropy_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT64))(_entropy_backward)
trellis_entropy_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT32))(_entropy_backward)
