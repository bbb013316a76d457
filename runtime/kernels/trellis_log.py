"""Forward score of a graph met with a dense chain, and its gradients by arc weights and by frames.

The functions for float64 and float32 frames read and write frames; what lies between is compiled once, and explained in
``blocks``.
"""

from __future__ import annotations

from math import inf, log, log2

import numpy as np

from arcgrad.runtime.kernels.blocks import (
    BUDGET,
    LARGEST,
    LONG,
    SHORTEST,
    SLOW,
    clear_pads,
    convert_back,
    factors_by_slot,
    factors_of_arcs,
    fill_cells,
    fitting_frames,
    fitting_frames_by_slot,
    frame_places,
    keep_entered,
    places,
    row_limit,
    scale_row,
    spread_exponents,
    top_exponents,
)
from arcgrad.runtime.kernels.common import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.kernels.exponentials import LN2, LOG2E, exponentiate
from arcgrad.runtime.kernels.slow_frames import log_columns, relative_logs, slow_step, slow_step_back
from arcgrad.runtime.kernels.steps import (
    add_products,
    are_rows_dense,
    dense_backward,
    dense_forward,
    enter_with_label,
    gather_columns,
    sparse_backward,
    sparse_forward,
    three_diagonals,
    three_diagonals_back,
)
from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "trellis_log_backward",
    "trellis_log_backward_float32",
    "trellis_log_forward",
    "trellis_log_forward_float32",
]

_CHUNK = 1024


@kernel("void(float64[::1], float64, float64[::1], int64)")
def shift_row(row, lowest, extremes, at):
    """Subtract the greatest of a row from it; writes that, and the range in bits, negative where a column is −inf.

    By their bits, since LLVM vectorises comparisons of whole numbers only.
    """
    bits = row.view(np.int64)
    rest = np.int64(2**63 - 1)
    high = np.int64(-(2**63))
    low = rest
    least = rest
    bottom = np.int64(np.float64(lowest).view(np.int64) ^ rest)
    for slot in range(len(row)):
        key = bits[slot] ^ ((bits[slot] >> 63) & rest)
        high = max(high, key)
        least = min(least, key)
        low = min(low, key if key > bottom else rest)
    if high <= bottom:
        extremes[at] = 0.0
        extremes[at + 1] = -1.0 if len(row) > 0 else 1.0
        return
    top = np.int64(high ^ ((high >> 63) & rest)).view(np.float64)
    bits_apart = (top - np.int64(low ^ ((low >> 63) & rest)).view(np.float64)) * LOG2E + 1.0
    extremes[at] = top
    extremes[at + 1] = -bits_apart if least <= bottom else bits_apart
    for slot in range(len(row)):
        row[slot] -= top


@helper
def load_frames(ints, base, frames, frame0, n_frames, work, work0):
    """Exponentiate the columns that occur, each frame shifted by its greatest; those of wide range stay logarithms."""
    n_slots = ints[base + 13]
    used = ints[base + ints[base + 14] : base + ints[base + 14] + n_slots]
    columns, shifts, ranges, scratch = frame_places(ints, base, n_frames, work0)
    extremes = work[scratch + max(_CHUNK, n_slots) : scratch + max(_CHUNK, n_slots) + 2]
    step = max(1, _CHUNK // max(n_slots, 1))
    for first in range(0, n_frames, step):
        last = min(first + step, n_frames)
        for frame in range(first, last):
            begin = scratch + (frame - first) * n_slots
            row = work[begin : begin + n_slots]
            for slot in range(n_slots):
                row[slot] = float(frames[frame0 + frame, used[slot]])
            shift_row(row, -inf, extremes, 0)
            work[shifts + frame] = extremes[0]
            work[ranges + frame] = extremes[1]
        size = (last - first) * n_slots
        begin = columns + first * n_slots
        exponentiate(work[scratch : scratch + size], work[begin : begin + size])
        for frame in range(first, last):
            if abs(work[ranges + frame]) > BUDGET:
                for slot in range(n_slots):
                    score = float(frames[frame0 + frame, used[slot]])
                    work[columns + frame * n_slots + slot] = score - work[shifts + frame]


@kernel("float64(int32[::1], int64, int64, float64[::1], int64, int32[::1], int64)", fastmath=("contract",))
def forward_blocks(ints, base, n_frames, work, work0, iwork, iwork0):
    """The forward score, from arc weights and columns in the workspace; leaves rows and blocks for the gradient."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    n_slots = ints[base + 13]
    n_diagonals = ints[base + 18]
    pad = ints[base + 20]
    logs_at, linear_at, cells_at, sums_at, scratch_at, vectors_at, total_at, columns_at = places(ints, base, work0)
    columns_at, shifts, ranges_at, _ = frame_places(ints, base, n_frames, work0)
    work[total_at] = -inf
    if n_states == 0:
        return -inf
    bits = work.view(np.int64)
    whole = ints.view(np.uint32)
    logs = work[logs_at : logs_at + n_arcs]
    linear = work[linear_at : linear_at + n_arcs]
    cells = work[cells_at:sums_at]
    ranges = work[ranges_at : ranges_at + n_frames]
    sources = whole[base + ints[base + 9] : base + ints[base + 9] + n_arcs]
    slots = whole[base + ints[base + 12] : base + ints[base + 12] + ints[base + 8]]
    emitting = whole[base + ints[base + 15] : base + ints[base + 15] + n_states + 1]
    silent = whole[base + ints[base + 16] : base + ints[base + 16] + n_states + 1]
    state_slots = whole[base + ints[base + 23] : base + ints[base + 23] + n_states]
    stride = n_states + 2 * pad
    rows = ranges_at + n_frames
    first_exponents = rows + row_limit(n_frames) * stride
    vector0 = work[vectors_at : vectors_at + n_states]
    vector1 = work[vectors_at + stride : vectors_at + stride + n_states]
    entering_at = vectors_at + 2 * stride
    entering = work[entering_at : entering_at + n_states]
    column_logs = work[vectors_at + 3 * stride : vectors_at + 3 * stride + n_slots]
    scratch = work[scratch_at : scratch_at + max(n_states, n_arcs)]
    scratch_bits = bits[scratch_at : scratch_at + max(n_states, n_arcs, n_slots)]

    greatest = 0.0
    for arc in range(n_arcs):
        if logs[arc] > -inf:
            greatest = max(greatest, abs(logs[arc]) * LOG2E)
        scratch[arc] = min(logs[arc], 700.0)
    exponentiate(scratch[:n_arcs], linear)
    cells[:] = 0.0
    degree = 1
    for state in range(n_states):
        degree = max(degree, (emitting[state + 1] - emitting[state]) + (silent[state + 1] - silent[state]))
    growth = log2(float(degree))
    steps = ints[base + 17] + 1
    dense = n_diagonals == 0 and are_rows_dense(sources, slots, emitting)
    iwork[iwork0 + 3] = dense

    for state in range(n_states):
        vector0[state] = -inf
    for k in range(ints[base + 2]):
        vector0[ints[base + ints[base + 3] + k]] = 0.0
    row = rows
    exponents_at = first_exponents
    clear_pads(work[row : row + stride], n_states, pad)
    mantissas = work[row + pad : row + pad + n_states]
    exponents = work[exponents_at : exponents_at + n_states]
    slow_step(ints, base, logs, column_logs, False, vector0, vector1, mantissas, exponents, 0.0)
    frame = 0
    n_blocks = 0
    uniform_cells = False
    while frame < n_frames:
        mantissas = work[row + pad : row + pad + n_states]
        exponents = work[exponents_at : exponents_at + n_states]
        low, high = top_exponents(bits[row + pad : row + pad + n_states], mantissas, exponents, vector0)
        if high == -inf:
            return -inf
        wanted = min(SHORTEST, n_frames - frame)
        mode = 0
        n_fitting = 0
        if greatest <= LARGEST:
            n_fitting = fitting_frames(
                steps, greatest + growth, greatest, greatest, BUDGET - (high - low), ranges, frame, n_frames
            )
            if n_fitting >= wanted:
                mode = 1
            if n_fitting < min(LONG, n_frames - frame):
                reach = spread_exponents(ints, base, logs, vector0)
                keep_entered(ints, base, logs, mantissas, vector1)
                grow, shrink, anyhow = factors_of_arcs(ints, base, logs, vector0, vector1)
                n_own = fitting_frames(steps, grow + growth, shrink, anyhow, BUDGET, ranges, frame, n_frames)
                if n_diagonals > 0 and max(n_own, n_fitting) < min(LONG, n_frames - frame):
                    least = bits[vectors_at + 3 * stride : vectors_at + 3 * stride + n_slots]
                    most = scratch_bits[:n_slots]
                    factors_by_slot(ints, base, logs, vector0, vector1, least, most)
                    column_bits = bits[columns_at : columns_at + n_frames * n_slots]
                    n_own = max(
                        n_own,
                        fitting_frames_by_slot(grow, growth, least, most, anyhow, column_bits, ranges, frame, n_frames),
                    )
                n_own = min(n_own, reach // steps)
                if n_own >= wanted and n_own > n_fitting:
                    mode = 2
                    n_fitting = n_own
            if mode == 1:
                vector0[:] = high
        block = iwork0 + 4 + 4 * n_blocks
        iwork[block] = frame
        iwork[block + 1] = (row - rows) // stride
        iwork[block + 2] = (exponents_at - first_exponents) // n_states
        iwork[block + 3] = mode
        n_blocks += 1
        if mode == 0:
            for _ in range(min(SLOW, n_frames - frame)):
                at = columns_at + frame * n_slots
                log_columns(work[at : at + n_slots], abs(ranges[frame]) > BUDGET, column_logs)
                mantissas = work[row + pad : row + pad + n_states]
                exponents = work[exponents_at : exponents_at + n_states]
                top = relative_logs(mantissas, exponents, vector0)
                row += stride
                exponents_at += n_states
                clear_pads(work[row : row + stride], n_states, pad)
                mantissas = work[row + pad : row + pad + n_states]
                exponents = work[exponents_at : exponents_at + n_states]
                slow_step(ints, base, logs, column_logs, True, vector0, vector1, mantissas, exponents, top)
                frame += 1
            continue
        row += stride
        exponents_at += n_states
        clear_pads(work[row : row + stride], n_states, pad)
        renewed = work[row + pad : row + pad + n_states]
        scale_row(mantissas, exponents, vector0, scratch[:n_states], scratch_bits[:n_states], renewed)
        exponents = work[exponents_at : exponents_at + n_states]
        exponents[:] = vector0
        if mode == 2 or not uniform_cells:
            fill_cells(ints, base, mode == 1, linear, exponents, scratch[:n_arcs], scratch_bits[:n_arcs], cells)
            uniform_cells = mode == 1
        for _ in range(n_fitting):
            at = columns_at + frame * n_slots
            columns = work[at : at + n_slots]
            before = row + pad
            row += stride
            after = work[row + pad : row + pad + n_states]
            clear_pads(work[row : row + stride], n_states, pad)
            if dense:
                dense_forward(cells, sources, slots, emitting, silent, columns, work[before : before + n_states], after)
            elif n_diagonals == 0:
                sparse_forward(
                    cells, sources, slots, emitting, silent, columns, work[before : before + n_states], after
                )
            else:
                gather_columns(columns, state_slots, entering)
                for k in range(0, n_diagonals, 3):
                    offsets = base + ints[base + 19] + k
                    cell = cells_at + k * stride + pad
                    three_diagonals(
                        work,
                        np.uint64(cell),
                        np.uint64(cell + stride),
                        np.uint64(cell + 2 * stride),
                        np.uint64(before - ints[offsets]),
                        np.uint64(before - ints[offsets + 1]),
                        np.uint64(before - ints[offsets + 2]),
                        np.uint64(entering_at),
                        np.uint64(row + pad),
                        np.uint64(n_states),
                        k == 0,
                    )
            frame += 1
    iwork[iwork0] = n_blocks
    iwork[iwork0 + 1] = (row - rows) // stride
    iwork[iwork0 + 2] = (exponents_at - first_exponents) // n_states

    mantissas = work[row + pad : row + pad + n_states]
    exponents = work[exponents_at : exponents_at + n_states]
    top = -inf
    accepts = base + ints[base + 5]
    for k in range(ints[base + 4]):
        if mantissas[ints[accepts + k]] != 0.0:
            top = max(top, exponents[ints[accepts + k]])
    if top == -inf:
        return -inf
    total = 0.0
    for k in range(ints[base + 4]):
        if mantissas[ints[accepts + k]] != 0.0:
            total += mantissas[ints[accepts + k]] * 2.0 ** (exponents[ints[accepts + k]] - top)
    score = log(total) + top * LN2
    for k in range(n_frames):
        score += work[shifts + k]
    work[total_at] = score
    work[total_at + 1] = top
    work[total_at + 2] = total
    return score


@kernel("void(int32[::1], int64, int64, float64[::1], int64, int32[::1], int64, boolean)", fastmath=("contract",))
def backward_blocks(ints, base, n_frames, work, work0, iwork, iwork0, want_weights):
    """Posteriors of all arcs, in the workspace's sums, and of the columns, where their exponentials were."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    n_slots = ints[base + 13]
    n_diagonals = ints[base + 18]
    pad = ints[base + 20]
    logs_at, linear_at, cells_at, sums_at, scratch_at, vectors_at, total_at, columns_at = places(ints, base, work0)
    columns_at, _, ranges_at, _ = frame_places(ints, base, n_frames, work0)
    bits = work.view(np.int64)
    whole = ints.view(np.uint32)
    logs = work[logs_at : logs_at + n_arcs]
    linear = work[linear_at : linear_at + n_arcs]
    cells = work[cells_at:sums_at]
    sums = work[sums_at:scratch_at]
    sources = whole[base + ints[base + 9] : base + ints[base + 9] + n_arcs]
    slots = whole[base + ints[base + 12] : base + ints[base + 12] + ints[base + 8]]
    emitting = whole[base + ints[base + 15] : base + ints[base + 15] + n_states + 1]
    silent = whole[base + ints[base + 16] : base + ints[base + 16] + n_states + 1]
    state_slots = whole[base + ints[base + 23] : base + ints[base + 23] + n_states]
    stride = n_states + 2 * pad
    rows = ranges_at + n_frames
    first_exponents = rows + row_limit(n_frames) * stride
    scratch = work[scratch_at : scratch_at + max(n_states, n_arcs)]
    scratch_bits = bits[scratch_at : scratch_at + max(n_states, n_arcs)]
    after_logs = work[scratch_at : scratch_at + n_states]
    column_logs = work[scratch_at + n_states : scratch_at + n_states + n_slots]
    beta_at = vectors_at
    earlier_at = vectors_at + stride
    flow_at = vectors_at + 2 * stride
    work[vectors_at : flow_at + stride] = 0.0
    sums[:] = 0.0
    used = work[flow_at + stride : flow_at + stride + n_slots]
    used[:] = 0.0

    row = rows + iwork[iwork0 + 1] * stride
    exponents_at = first_exponents + iwork[iwork0 + 2] * n_states
    beta = work[beta_at + pad : beta_at + pad + n_states]
    for k in range(ints[base + 4]):
        state = ints[base + ints[base + 5] + k]
        if work[row + pad + state] != 0.0:
            exponent = work[exponents_at + state] - work[total_at + 1]
            beta[state] = 2.0**exponent / work[total_at + 2]
    frame = n_frames
    uniform_cells = False
    for number in range(iwork[iwork0] - 1, -1, -1):
        block = iwork0 + 4 + 4 * number
        first_frame = iwork[block]
        mode = iwork[block + 3]
        if mode > 0 and (mode == 2 or not uniform_cells):
            exponents = work[exponents_at : exponents_at + n_states]
            fill_cells(ints, base, mode == 1, linear, exponents, scratch[:n_arcs], scratch_bits[:n_arcs], cells)
            uniform_cells = mode == 1
        while frame > first_frame:
            frame -= 1
            at = columns_at + frame * n_slots
            columns = work[at : at + n_slots]
            beta = work[beta_at + pad : beta_at + pad + n_states]
            earlier = work[earlier_at + pad : earlier_at + pad + n_states]
            after = work[row + pad : row + pad + n_states]
            before = work[row - stride + pad : row - stride + pad + n_states]
            if mode == 0:
                log_columns(columns, abs(work[ranges_at + frame]) > BUDGET, column_logs)
                top = relative_logs(after, work[exponents_at : exponents_at + n_states], after_logs)
                exponents_at -= n_states
                exponents = work[exponents_at : exponents_at + n_states]
                before_logs = work[flow_at : flow_at + n_states]
                shift = (relative_logs(before, exponents, before_logs) - top) * LN2
                for state in range(n_states):
                    beta[state] *= after[state]
                slow_step_back(
                    ints,
                    base,
                    logs,
                    column_logs,
                    True,
                    shift,
                    before_logs,
                    after_logs,
                    beta,
                    before,
                    earlier,
                    sums,
                    used,
                )
            elif iwork[iwork0 + 3] > 0:
                dense_backward(
                    cells, sums, sources, slots, emitting, silent, columns, before, after, beta, earlier, used
                )
            elif n_diagonals == 0:
                sparse_backward(
                    cells, sums, sources, slots, emitting, silent, columns, before, after, beta, earlier, used
                )
            else:
                flow = work[flow_at + pad : flow_at + pad + n_states]
                gather_columns(columns, state_slots, flow)
                enter_with_label(state_slots, after, beta, flow, after_logs, used)
                for k in range(0, n_diagonals, 3):
                    offsets = base + ints[base + 19] + k
                    cell = cells_at + k * stride + pad
                    three_diagonals_back(
                        work,
                        np.uint64(cell + ints[offsets]),
                        np.uint64(cell + stride + ints[offsets + 1]),
                        np.uint64(cell + 2 * stride + ints[offsets + 2]),
                        np.uint64(flow_at + pad + ints[offsets]),
                        np.uint64(flow_at + pad + ints[offsets + 1]),
                        np.uint64(flow_at + pad + ints[offsets + 2]),
                        np.uint64(row - stride + pad),
                        np.uint64(earlier_at + pad),
                        np.uint64(n_states),
                        k == 0,
                    )
                if want_weights:
                    for k in range(n_diagonals):
                        cell = k * stride + pad
                        begin = row - stride + pad - ints[base + ints[base + 19] + k]
                        add_products(
                            sums[cell : cell + n_states],
                            cells[cell : cell + n_states],
                            work[begin : begin + n_states],
                            flow,
                        )
            for slot in range(n_slots):
                columns[slot] = used[slot]
                used[slot] = 0.0
            beta_at, earlier_at = earlier_at, beta_at
            row -= stride
        if mode > 0:
            # β to the units of the row that the block's first row was made from.
            convert_back(
                work[row + pad : row + pad + n_states],
                work[exponents_at : exponents_at + n_states],
                work[exponents_at - n_states : exponents_at],
                scratch[:n_states],
                scratch_bits[:n_states],
                work[beta_at + pad : beta_at + pad + n_states],
            )
            row -= stride
            exponents_at -= n_states
        elif number > 0 or ints[base + 17] > 0:
            # Left by `flow`'s use as scratch.
            work[flow_at : flow_at + pad] = 0.0
    if ints[base + 17] > 0:
        mantissas = work[row + pad : row + pad + n_states]
        relative_logs(mantissas, work[exponents_at : exponents_at + n_states], after_logs)
        beta = work[beta_at + pad : beta_at + pad + n_states]
        for state in range(n_states):
            beta[state] *= mantissas[state]
        slow_step_back(
            ints, base, logs, column_logs, False, 0.0, after_logs, after_logs, beta, mantissas, beta, sums, used
        )


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(weight of arcs and frames); −inf where there is none."""
    gather_weights(ints, base, ints[base + 1], weights, n_shared, shift, work, work0, 1.0)
    load_frames(ints, base, frames, frame0, n_frames, work, work0)
    return forward_blocks(ints, base, n_frames, work, work0, iwork, iwork0)


def _backward(
    ints,
    base,
    weights,
    n_shared,
    shift,
    frames,
    frame0,
    n_frames,
    work,
    work0,
    iwork,
    iwork0,
    sign,
    seed,
    gradient,
    g_shared,
    g_shift,
    frames_gradient,
    gframe0,
    want_weights,
    want_frames,
):
    """Add seed × posterior of each arc to its entries' gradient, and of each frame and column to the frames'.

    Once after each forward: the workspace's columns become posteriors.
    """
    _, _, _, sums, _, _, total, columns = places(ints, base, work0)
    if work[total] == -inf:
        return
    backward_blocks(ints, base, n_frames, work, work0, iwork, iwork0, want_weights)
    if want_weights:
        for arc in range(ints[base + 1]):
            posterior = seed * work[sums + ints[base + ints[base + 22] + arc]]
            add_to_entries(ints, base, arc, posterior, gradient, n_shared, g_shared, g_shift)
    if want_frames:
        n_slots = ints[base + 13]
        used = ints[base + ints[base + 14] : base + ints[base + 14] + n_slots]
        for frame in range(n_frames):
            row = work[columns + frame * n_slots : columns + (frame + 1) * n_slots]
            for slot in range(n_slots):
                frames_gradient[gframe0 + frame, used[slot]] += seed * row[slot]


trellis_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
