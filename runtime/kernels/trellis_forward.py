"""Forward score of a trellis from exponentiated columns, by blocks of frames: compiled once for all kinds of frames.

Called by ``trellis_log``; ``blocks`` explains how it computes, ``steps`` and ``slow_frames`` hold its inner loops.
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
from arcgrad.runtime.kernels.exponentials import LN2, LOG2E, exponentiate
from arcgrad.runtime.kernels.slow_frames import log_columns, relative_logs, slow_step
from arcgrad.runtime.kernels.steps import (
    are_rows_dense,
    dense_forward,
    gather_columns,
    sparse_forward,
    three_diagonals,
)
from arcgrad.runtime.routines import kernel

__all__ = ["forward_blocks"]


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
