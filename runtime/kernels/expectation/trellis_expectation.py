"""Expected sum of values over a dense composition's paths, their entropy, and gradients, never built.

The functions for float64 and float32 frames read and write frames, block by block; ``rows`` does the rest.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights, is_stopped
from arcgrad.runtime.kernels.expectation.matrix import (
    begin_matrix,
    finish_matrix,
    matrix_back,
    matrix_forward,
    matrix_sums,
)
from arcgrad.runtime.kernels.expectation.places import AHEAD, IS_MATRIX, LONGEST, SCORE, arc_place, column_places
from arcgrad.runtime.kernels.expectation.rows import (
    begin_rows,
    block_back,
    block_forward,
    finish_rows,
    next_block,
)
from arcgrad.runtime.kernels.trellis import trellis_format as T
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
def load_block(region, frames, values, work, begin, count, surprisals):
    """Write a block's columns, and their values: zeros where there are none."""
    n_slots = region[T.N_SLOTS]
    columns, column_values, _, _ = column_places(region)
    load_columns(region, frames, work, begin, count, columns)
    if surprisals or len(values) == 0:
        for k in range(column_values, column_values + count * n_slots):
            work[k] = 0.0
    else:
        load_columns(region, values, work, begin, count, column_values)


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
def run_matrix(region, leaves, frames, values, work, iwork):
    """Compute the rows of all frames by ``matrix``, if that is exact; whether it is."""
    gather_weights(region, region[T.N_ARCS], leaves, work[arc_place(region, 0) :], 1.0)
    gather_values(region, 0, leaves, work[arc_place(region, 3) : arc_place(region, 4)])
    fits = begin_matrix(region, work)
    begin = 0
    while fits and begin < len(frames) and not is_stopped(iwork):
        count = min(LONGEST, len(frames) - begin)
        load_block(region, frames, values, work, begin, count, False)
        fits = matrix_forward(region, work, begin, count)
        begin += count
    return fits


@helper
def forward(region, leaves, frames, values, work, iwork, surprisals):
    """The expectation; that of −log of the path's probability where values are ``surprisals``."""
    n_frames = len(frames)
    work[SCORE] = work[AHEAD] = work[IS_MATRIX] = 0.0
    if region[T.N_STATES] == 0:
        return 0.0
    if not surprisals and region[T.INNER_LOOP] == T.MATRIX and run_matrix(region, leaves, frames, values, work, iwork):
        work[IS_MATRIX] = 1.0
        return finish_matrix(region, work, n_frames)
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
    is_matrix = not surprisals and work[IS_MATRIX] == 1.0
    if work[SCORE] == 0.0:
        return False
    for k in range(arc_place(region, 4), arc_place(region, 6)):
        work[k] = 0.0
    _, _, by_column, by_value = column_places(region)
    n_blocks = (n_frames + LONGEST - 1) // LONGEST if n_frames > 0 else 1
    for back in range(n_blocks):
        if is_stopped(iwork):
            return False
        block = n_blocks - 1 - back
        begin = block * LONGEST
        count = min(LONGEST, n_frames - begin)
        load_block(region, frames, values, work, begin, count, surprisals)
        if is_matrix:
            matrix_back(region, work, begin, count, want_weights)
        else:
            block_back(region, work, block, count, surprisals)
        if want_frames:
            add_columns(region, work, by_column, begin, count, cotangent, frames_gradient)
        if want_values:
            add_columns(region, work, by_value, begin, count, cotangent, values_gradient)
    if is_matrix and want_weights:
        matrix_sums(region, work)
    return True


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
        for arc in range(region[T.N_ARCS]):
            add_to_entries(region, arc, cotangent * work[arc_place(region, 4) + arc], gradient)
            add_to_values(region, 0, arc, cotangent * work[arc_place(region, 5) + arc], gradient)


def _entropy_forward(region, leaves, frames, work, iwork, sign):
    """The entropy, in nats, of the distribution of paths in proportion to exp(weight); 0 where there is no path."""
    return forward(region, leaves, frames, frames, work, iwork, True)


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
        for arc in range(region[T.N_ARCS]):
            add_to_entries(region, arc, cotangent * work[arc_place(region, 4) + arc], gradient)


_FLOAT64, _FLOAT32 = "float64[:, ::1]", "float32[:, ::1]"
trellis_expectation_forward = kernel(EXPECTATION_FORWARD.replace("FRAMES", _FLOAT64))(_expectation_forward)
trellis_expectation_forward_float32 = kernel(EXPECTATION_FORWARD.replace("FRAMES", _FLOAT32))(_expectation_forward)
trellis_expectation_backward = kernel(EXPECTATION_BACKWARD.replace("FRAMES", _FLOAT64))(_expectation_backward)
trellis_expectation_backward_float32 = kernel(EXPECTATION_BACKWARD.replace("FRAMES", _FLOAT32))(_expectation_backward)
trellis_entropy_forward = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT64))(_entropy_forward)
trellis_entropy_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", _FLOAT32))(_entropy_forward)
trellis_entropy_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT64))(_entropy_backward)
trellis_entropy_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", _FLOAT32))(_entropy_backward)
